using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace NativeIpc.Rivals;

/// <summary>A server of Debian's packages on a free port of the loopback interface, with a folder of its own. Both go
/// with it.</summary>
internal sealed partial class Server : IDisposable
{
    private const int SIGINT = 2;

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-bench-").FullName;
    private Process? _process;

    public int Port { get; } = FreePort();

    /// <summary>Nobody else on the machine gets in.</summary>
    public string Password { get; } = RandomNumberGenerator.GetHexString(32);

    /// <summary>Null where it is not installed.</summary>
    public static Server? StartRedis()
    {
        const string Program = "/usr/bin/redis-server";
        if (IsMissing(Program, "redis-server")) return null;
        var server = new Server();
        string configuration = Path.Combine(server._folder, "redis.conf");
        File.WriteAllText(configuration, $"requirepass {server.Password}\n");
        return server.Serve("Ready to accept connections", [Program, configuration, "--bind", "127.0.0.1", "--port",
            $"{server.Port}", "--dir", server._folder, "--save", "", "--appendonly", "no"]);
    }

    /// <inheritdoc cref="StartRedis"/>
    public static Server? StartPostgres()
    {
        const string Versions = "/usr/lib/postgresql";
        if (IsMissing(Versions, "postgresql")) return null;
        string programs = Path.Combine(Directory.GetDirectories(Versions).Order(StringComparer.Ordinal).Last(), "bin");
        // It refuses to run as root; Debian's package has made a user for it.
        string[] asUser = Environment.IsPrivilegedProcess
            ? ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
        var server = new Server();
        string data = Path.Combine(server._folder, "data"), password = Path.Combine(server._folder, "password");
        File.WriteAllText(password, server.Password);
        if (asUser.Length > 0) server.Run(["chown", "postgres:postgres", server._folder, password]);
        server.Run([.. asUser, $"{programs}/initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256",
            $"--pwfile={password}", "--no-sync"]);
        return server.Serve("ready to accept connections", [.. asUser, $"{programs}/postgres", "-D", data, "-c",
            "listen_addresses=127.0.0.1", "-c", $"port={server.Port}", "-c", "unix_socket_directories=", "-c",
            "fsync=off"]);
    }

    private static bool IsMissing(string path, string package)
    {
        if (Path.Exists(path)) return false;
        Console.Error.WriteLine($"Without {path} (Debian package {package}).");
        return true;
    }

    private void Run(string[] command)
    {
        using Process process = Start(command);
        _ = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command[^1]} ended with {process.ExitCode}.");
    }

    /// <summary>Until it says that it serves.</summary>
    private Server Serve(string ready, string[] command)
    {
        using var isReady = new ManualResetEventSlim();
        void Note(object sender, DataReceivedEventArgs line)
        {
            if (line.Data?.Contains(ready, StringComparison.Ordinal) == true) isReady.Set();
        }

        _process = Start(command);
        _process.OutputDataReceived += Note;
        _process.ErrorDataReceived += Note;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        bool serves = isReady.Wait(TimeSpan.FromSeconds(30));
        _process.OutputDataReceived -= Note;
        _process.ErrorDataReceived -= Note;
        if (serves) return this;
        Dispose();
        throw new InvalidOperationException($"{command[0]} does not start.");
    }

    private Process Start(string[] command)
        => Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder,
        })!;

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        if (_process is not null)
        {
            _ = Kill(_process.Id, SIGINT); // PostgreSQL ends its clients and itself then; so does Redis
            if (!_process.WaitForExit(TimeSpan.FromSeconds(30))) _process.Kill(entireProcessTree: true);
            _process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
