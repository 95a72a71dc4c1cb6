using System.Runtime.InteropServices;

namespace NativeIpc.Victim;

/// <summary>A signal handler of the program's own.</summary>
internal static class SignalHandler
{
    private static readonly TaskCompletionSource<Thread> s_thread =
        new(TaskCreationOptions.RunContinuationsAsynchronously);
    private static PosixSignalRegistration? s_registration;

    internal static string Register(int signal, bool cancels)
    {
        s_registration = PosixSignalRegistration.Create((PosixSignal)signal, context =>
        {
            context.Cancel = cancels;
            s_thread.TrySetResult(Thread.CurrentThread);
        });
        return "registered";
    }

    /// <summary>Waits until all handlers of the signal have run: the runtime runs them in a thread that then ends
    /// (SIGINT, SIGQUIT, SIGTERM).</summary>
    internal static string Await()
    {
        if (!s_thread.Task.Result.Join(Patience.Seconds(30)))
            throw new InvalidOperationException("The thread of the handlers did not end.");
        GC.KeepAlive(s_registration);
        return "handled";
    }
}
