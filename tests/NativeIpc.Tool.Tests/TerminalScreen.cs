using System.Globalization;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>A real terminal: tmux with a socket of its own, in an IPC namespace and a /dev/shm of its own, so that its
/// screens show nothing of other tests.</summary>
/// <remarks>Nothing sleeps: the screen is looked at until the text is there, or the watchdog fails the test with the
/// screen that was seen last.</remarks>
internal sealed class TerminalScreen : IDisposable
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly string _socket = Path.Combine(Path.GetTempPath(), TestNames.NextName() + ".tmux");

    /// <summary>Starts a shell command in the terminal.</summary>
    internal TerminalScreen(string script, int columns, int lines)
    {
        // Ctrl-C ends what runs in it, and not the shell
        string[] tmux = ["tmux", "-S", _socket, "-f", "/dev/null", "new-session", "-d", "-x", Number(columns), "-y",
            Number(lines), "-e", $"NIPC={Nipc.Program}", "sh", "-c", "trap : INT\n" + script];
        const string mounts = "mount -t tmpfs -o mode=1777,size=256m tmpfs /dev/shm && mount -t tmpfs tmpfs /run/user "
            + "&& mkdir -m 700 /run/user/1000 && XDG_RUNTIME_DIR=/run/user/1000 exec \"$@\"";

        // With fewer rights than other processes have: so not all may be looked at, on every machine alike.
        string[] fewer = ["setpriv", "--bounding-set", "-sys_ptrace,-sys_chroot", "--inh-caps",
            "-sys_ptrace,-sys_chroot"];
        _ = Shell.Run("unshare", ["-im", "--propagation", "private", "sh", "-c", mounts, "sh", .. fewer, .. tmux],
            environment: [new("NO_COLOR", null), new("TERM", "xterm-256color"), new("TMUX", null)]).Succeeded;
    }

    /// <summary>Why there can be no such terminal here; null when there can be.</summary>
    internal static string? WhyNot
        => !OperatingSystem.IsLinux() ? "The terminal needs Linux namespaces."
            : !Environment.IsPrivilegedProcess ? "Namespaces of its own need root."
            : !Path.Exists("/usr/bin/tmux") ? "tmux is missing (eng/debian-packages.txt)."
            : !Directory.Exists("/run/user") ? "There is no /run/user, in which the screens have their key files."
            : null;

    /// <summary>What is to be seen now, without the blanks at the ends; with escape codes where asked for.</summary>
    internal string Capture(bool withEscapes = false) => Shell.Run("tmux",
        ["-S", _socket, "capture-pane", "-p", .. withEscapes ? ["-e"] : Array.Empty<string>()]).Succeeded.TrimEnd();

    /// <summary>Waits until the screen is as it should be, and gives it.</summary>
    internal string Await(Func<string, bool> isSo, string what, bool withEscapes = false)
    {
        string screen = "";
        bool came = SpinWait.SpinUntil(() => isSo(screen = Capture(withEscapes)), s_watchdog);
        Assert.True(came, $"The watchdog: {what} did not come to be. The screen is:\n{screen}");
        return screen;
    }

    /// <summary>Runs a shell command in another window, out of sight, which closes with it.</summary>
    internal void Open(string command)
        => _ = Shell.Run("tmux", ["-S", _socket, "new-window", "-d", "sh", "-c", command]).Succeeded;

    /// <summary>From now on, what is written to the terminal goes into a file as well, codes and all.</summary>
    internal void RecordTo(string file)
        => _ = Shell.Run("tmux", ["-S", _socket, "pipe-pane", $"cat > '{file}'"]).Succeeded;

    /// <summary>Presses keys, by the names that tmux has for them.</summary>
    internal void Press(params string[] keys) => _ = Shell.Run("tmux", ["-S", _socket, "send-keys", .. keys]).Succeeded;

    public void Dispose()
    {
        _ = Shell.Run("tmux", ["-S", _socket, "kill-server"]);
        File.Delete(_socket);
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
