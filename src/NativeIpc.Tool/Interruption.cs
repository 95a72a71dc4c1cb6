using System.Runtime.InteropServices;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool;

/// <summary>Ctrl-C and its kin, for verbs that have something to put back: they watch <see cref="Token"/>. A verb that
/// never asks for it is ended by the signal at once, as by default.</summary>
internal static class Interruption
{
    private static readonly Lazy<CancellationTokenSource> s_source = new(Watch);
    private static readonly List<PosixSignalRegistration> s_registrations = [];
    private static volatile int s_signal;

    /// <summary>Cancelled by SIGINT, SIGTERM, SIGHUP and SIGQUIT.</summary>
    public static CancellationToken Token => s_source.Value.Token;

    /// <summary>The number of the signal that came; 0 when none did.</summary>
    public static int Signal => s_signal;

    /// <summary>Whether .NET has set the terminal up to read keys, and is to do so again after a stop.</summary>
    public static bool ReadsKeys { get; set; }

    /// <summary>Watches no longer: what comes now has its default effect, or is another's. What came already
    /// counts.</summary>
    public static void Stop()
    {
        foreach (PosixSignalRegistration registration in s_registrations) registration.Dispose();
        s_registrations.Clear();
        if (s_source.IsValueCreated) s_source.Value.Token.ThrowIfCancellationRequested();
    }

    /// <summary>Does what may wait for others without an end, such as for the other end of a pipe: a signal ends the
    /// wait. What was begun is then left to itself, and ends with the process.</summary>
    /// <exception cref="OperationCanceledException">A signal came first.</exception>
    public static T Await<T>(Func<T> waits)
    {
        CancellationToken interrupted = Token;
        var done = new TaskCompletionSource<T>();
        var thread = new Thread(() =>
        {
            try
            {
                done.SetResult(waits());
            }
#pragma warning disable CA1031 // whatever it is, it is thrown below
            catch (Exception failure)
#pragma warning restore CA1031
            {
                done.SetException(failure);
            }
        }) { IsBackground = true };
        thread.Start();
        _ = Task.WaitAny([done.Task], interrupted);
        return done.Task.GetAwaiter().GetResult();
    }

    private static CancellationTokenSource Watch()
    {
        var source = new CancellationTokenSource();
        foreach ((PosixSignal signal, int number) in Signals.Forwarded.Take(4))
        {
            if (Signals.IsIgnored(number)) continue; // nohup, or a job in the background of a script: stays so
            s_registrations.Add(Signals.Watch(signal, context =>
            {
                context.Cancel = true;
                s_signal = number;
                source.Cancel();
            }));
        }

        // .NET sets the terminal up again when the process goes on, which stops a process that is not in the foreground
        // of it (SIGTTOU), as under timeout(1), which sends SIGCONT after its signal. Only a view that reads keys needs
        // that.
        if (!OperatingSystem.IsWindows())
            s_registrations.Add(Signals.Watch(PosixSignal.SIGCONT, context => context.Cancel |= !ReadsKeys));
        return source;
    }
}
