using System.Diagnostics;
using NativeIpc.Testing;

namespace NativeIpc.Guides;

/// <summary>
/// A machine's names for the programs of one section: where the kernel allows it, an IPC namespace and a /dev/shm of
/// their own, so that what they leave behind is told apart from what others do meanwhile. Elsewhere the names of this
/// machine.
/// </summary>
internal sealed class Machine : IDisposable
{
    private const string Inventory = """
        for kind in shm sem; do awk -v kind="$kind" 'NR > 1 { print kind, $1, $2 }' "/proc/sysvipc/$kind"; done
        for name in $(ls -A /dev/shm); do echo "/dev/shm/$name"; done
        """;

    private static readonly TimeSpan s_watchdog = Patience.Seconds(30);

    private readonly Process? _holder;
    private readonly string[] _enter = [];
    private readonly HashSet<string> _before;

    /// <param name="apart">False for programs of Wine, which share a server with others.</param>
    internal Machine(bool apart)
    {
        if (apart)
        {
            string[] user = Environment.UserName == "root" ? [] : ["--map-root-user"];
            var start = new ProcessStartInfo("unshare",
                [.. user, "--ipc", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /dev/shm && echo ready && read end"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            _holder = Process.Start(start)!;
            Task<string?> ready = _holder.StandardOutput.ReadLineAsync();
            if (ready.Wait(s_watchdog) && ready.Result == "ready")
            {
                _enter = ["nsenter", "--target", $"{_holder.Id}", "--ipc", "--mount",
                    .. user.Length == 0 ? user : ["--user", "--preserve-credentials"], "--"];
            }
        }

        _before = Names();
    }

    /// <summary>The program and the arguments that run a line of shell here, in a folder.</summary>
    internal (string Program, string[] Arguments) Command(string line, string folder)
    {
        string[] words = [.. _enter, "sh", "-c", "cd \"$1\" && { " + line + "\n} 2>&1", "sh", folder];
        return (words[0], words[1..]);
    }

    internal bool IsApart => _enter.Length > 0;

    /// <summary>What is here that was not at the start.</summary>
    internal IEnumerable<string> NewNames => Names().Except(_before);

    public void Dispose()
    {
        if (_holder is null) return;
        _holder.StandardInput.Close();
        if (!_holder.WaitForExit(s_watchdog)) _holder.Kill(entireProcessTree: true);
        _holder.Dispose();
    }

    private HashSet<string> Names()
    {
        (string program, string[] arguments) = Command(Inventory, "/");
        return [.. Shell.Run(program, arguments).Succeeded.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
