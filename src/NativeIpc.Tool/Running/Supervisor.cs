using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Tool.Running;

/// <summary>Runs a command as a child and waits for it, passing on the signals that come.</summary>
internal sealed class Supervisor : IDisposable
{
    private const int PathNotFound = 3; // ERROR_PATH_NOT_FOUND

    private readonly Lock _lock = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly List<int> _early = [];
    private Process? _child;

    /// <summary>From here on signals are the command's. Those of <see cref="Interruption"/> are not seen any
    /// more.</summary>
    public Supervisor()
    {
        foreach ((PosixSignal signal, int number) in Signals.Forwarded)
        {
            if (!Signals.IsIgnored(number))
                _registrations.Add(Signals.Watch(signal, context => Forward(context, number)));
        }
    }

    /// <summary>The exit code of the command; 128 and more for a signal, as .NET and shells tell it.</summary>
    /// <param name="command">The command.</param>
    /// <param name="environment">What it finds in its environment beside what this process has.</param>
    public int Run(Command command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(command.FindProgram()) { UseShellExecute = false };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        foreach (string word in command.Words.Skip(1)) start.ArgumentList.Add(word);
        using Process child = Start(command, start);
        lock (_lock)
        {
            _child = child;
            foreach (int number in _early) Send(child, number);
        }

        child.WaitForExit();
        lock (_lock) _child = null;
        return child.ExitCode;
    }

    public void Dispose() => _registrations.ForEach(registration => registration.Dispose());

    private static Process Start(Command command, ProcessStartInfo start)
    {
        // .NET ignores SIGPIPE and lets its children inherit that: "yes | head" would not end. Nothing is written in
        // between.
        if (!OperatingSystem.IsWindows()) Libc.signal(Libc.SIGPIPE, Libc.SIG_DFL);
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception failure)
        {
            // ERROR_FILE_NOT_FOUND has the number of ENOENT. The reason in the system's words: .NET's message is about
            // its own call.
            bool isMissing = failure.NativeErrorCode == Libc.ENOENT
                || (OperatingSystem.IsWindows() && failure.NativeErrorCode == PathNotFound);
            throw command.CannotStart(isMissing, new Win32Exception(failure.NativeErrorCode).Message.TrimEnd('.'));
        }
        finally
        {
            if (!OperatingSystem.IsWindows()) Libc.signal(Libc.SIGPIPE, Libc.SIG_IGN);
        }
    }

    private void Forward(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (OperatingSystem.IsWindows()) return; // every process of the console gets its own
        if (number is 2 or 3 && IsInForeground()) return; // Ctrl-C: the terminal sends it to the child as well
        lock (_lock)
        {
            // R1 Race: a signal before the child is there. Safe because: it is kept, and sent when it is there.
            // R2 Race: a signal while the child ends. Safe because: kill fails with ESRCH or reaches a zombie, since
            // .NET has not given the number away before this, which holds the lock, is through.
            if (_child is null) _early.Add(number);
            else Send(_child, number);
        }
    }

    // ESRCH: it has ended, and that is seen
    private static void Send(Process child, int number) => Libc.kill(child.Id, number);

    /// <summary>Whether this process is in the foreground of its terminal, so that the terminal sends its signals to
    /// the child as well.</summary>
    private static bool IsInForeground()
    {
        try
        {
            using SafeFileHandle terminal = File.OpenHandle("/dev/tty", FileMode.Open, FileAccess.ReadWrite,
                FileShare.ReadWrite);
            return Libc.tcgetpgrp(terminal) == Libc.getpgrp();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false; // no terminal
        }
    }
}
