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
    private const int SIGINT = 2;
    private const int SIGKILL = 9;

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

    /// <summary>Starts a server, and waits for the line that says that it serves.</summary>
    /// <param name="name">For the folder and messages.</param>
    /// <param name="prepare">Makes its data folder ready.</param>
    /// <param name="command">The command for a folder and a port.</param>
    /// <param name="ready">A part of the line.</param>
    public static Server Start(string name, Action<string> prepare, Func<string, int, string[]> command, string ready)
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
        if (!isReady.Wait(Service.Watchdog)) process.Kill(entireProcessTree: true);
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
        if (!_process.WaitForExit(Service.Watchdog)) _ = Kill(_process.Id, SIGKILL);
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
