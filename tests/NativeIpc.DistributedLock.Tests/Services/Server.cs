using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using NativeIpc.DistributedLock.Testing;

namespace NativeIpc.DistributedLock.Tests.Services;

/// <summary>A server of Debian's packages on a free port of the loopback interface, with a data folder of its own; both
/// go with it.</summary>
internal sealed partial class Server : IDisposable
{
    /// <summary>The user of PostgreSQL, on the machine and in its databases.</summary>
    public const string User = "postgres";

    private const int SIGINT = 2;
    private const int SIGKILL = 9;
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly Process _process;
    private readonly string _folder;

    private Server(Process process, string folder, int port)
    {
        _process = process;
        _folder = folder;
        Port = port;
    }

    /// <summary>What every client says. Processes that the tests start have it, and nobody else on the
    /// machine.</summary>
    public static string Password { get; } = MakePassword();

    /// <summary>The port on 127.0.0.1.</summary>
    public int Port { get; }

    /// <summary>Starts a Redis, and waits until it serves.</summary>
    /// <param name="program">The path of redis-server.</param>
    public static Server StartRedis(string program)
    {
        static string Configuration(string folder) => Path.Combine(folder, "redis.conf");
        return Start("redis", folder => File.WriteAllText(Configuration(folder), $"requirepass {Password}\n"),
            (folder, port) => [program, Configuration(folder), "--bind", "127.0.0.1", "--port", Text(port), "--dir",
                folder, "--save", "", "--appendonly", "no"],
            "Ready to accept connections");
    }

    /// <summary>Starts a PostgreSQL, and waits until it serves.</summary>
    /// <param name="programs">The folder of its programs.</param>
    public static Server StartPostgres(string programs)
    {
        // It refuses to run as root; Debian's package has made a user for it.
        string[] asUser = Environment.IsPrivilegedProcess
            ? ["setpriv", $"--reuid={User}", $"--regid={User}", "--clear-groups"] : [];
        static string DataOf(string folder) => Path.Combine(folder, "data");
        void Prepare(string folder)
        {
            string password = Path.Combine(folder, "password");
            File.WriteAllText(password, Password);
            if (asUser.Length > 0) Run(["chown", $"{User}:{User}", folder, password]);
            Run([.. asUser, Path.Combine(programs, "initdb"), "-D", DataOf(folder), "-U", User, "-A", "scram-sha-256",
                $"--pwfile={password}", "-E", "UTF8", "--no-locale", "--no-sync"]);
        }

        return Start("postgres", Prepare,
            (folder, port) =>
            [
                .. asUser, Path.Combine(programs, "postgres"), "-D", DataOf(folder), "-c", "listen_addresses=127.0.0.1",
                "-c", $"port={Text(port)}", "-c", "unix_socket_directories=", "-c", "fsync=off",
            ],
            "database system is ready to accept connections");
    }

    private static void Run(string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..])
            { RedirectStandardOutput = true, WorkingDirectory = "/" })!;
        string said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {said}");
    }

    /// <summary>Starts a server, and waits for the line that says that it serves.</summary>
    /// <param name="name">For the folder and messages.</param>
    /// <param name="prepare">Makes its data folder ready.</param>
    /// <param name="command">The command for a folder and a port.</param>
    /// <param name="ready">A part of the line.</param>
    private static Server Start(string name, Action<string> prepare, Func<string, int, string[]> command, string ready)
    {
        string folder = Directory.CreateTempSubdirectory($"nativeipc-{name}-").FullName;
        try
        {
            prepare(folder);
            string said = "";
            for (int i = 0; i < 5; i++)
            {
                int port = FreePort();
                if (TryStart(command(folder, port), folder, ready, out said) is { } process)
                    return new Server(process, folder, port);
                // Somebody else has taken the port since
            }

            throw new InvalidOperationException($"{name} does not start: {said}");
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    private static Process? TryStart(string[] command, string folder, string ready, out string said)
    {
        var lines = new StringBuilder();
        using var isReady = new ManualResetEventSlim();
        var process = new Process
        {
            StartInfo = new ProcessStartInfo(command[0], command[1..])
            {
                RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder,
            },
            EnableRaisingEvents = true,
        };
        void Note(object sender, DataReceivedEventArgs line)
        {
            lock (lines) lines.AppendLine(line.Data);
            if (line.Data?.Contains(ready, StringComparison.Ordinal) == true) isReady.Set();
        }

        bool isServing = false;
        process.OutputDataReceived += Note;
        process.ErrorDataReceived += Note;
        process.Exited += (_, _) => isReady.Set();
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!isReady.Wait(s_watchdog)) process.Kill(entireProcessTree: true);
        else isServing = !process.HasExited;
        process.OutputDataReceived -= Note;
        process.ErrorDataReceived -= Note;
        if (isServing)
        {
            said = "";
            return process;
        }

        process.WaitForExit();
        process.Dispose();
        lock (lines) said = lines.ToString();
        return null;
    }

    private static string MakePassword()
    {
        string password = RandomNumberGenerator.GetHexString(32);
        Environment.SetEnvironmentVariable(ProviderChoice.PasswordVariable, password);
        return password;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A text of the port.</summary>
    public static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    public void Dispose()
    {
        // PostgreSQL ends its clients and itself then, and gives its shared memory back; so does Redis.
        _ = Kill(_process.Id, SIGINT);
        if (!_process.WaitForExit(s_watchdog)) _ = Kill(_process.Id, SIGKILL);
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
