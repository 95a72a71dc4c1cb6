using System.Runtime.InteropServices;

namespace NativeIpc.Tool;

/// <summary>Ctrl-C and its kin, for verbs that have something to put back: they watch <see cref="Token"/>. A verb that never asks for it is ended by the
/// signal at once, as by default.</summary>
internal static class Interruption
{
    private static readonly Lazy<CancellationTokenSource> s_source = new(Watch);
    private static readonly List<PosixSignalRegistration> s_registrations = [];
    private static volatile int s_signal;

    /// <summary>Cancelled by SIGINT, SIGTERM, SIGHUP and SIGQUIT.</summary>
    public static CancellationToken Token => s_source.Value.Token;

    /// <summary>The number of the signal that came; 0 when none did.</summary>
    public static int Signal => s_signal;

    private static CancellationTokenSource Watch()
    {
        var source = new CancellationTokenSource();
        foreach ((PosixSignal signal, int number) in (ReadOnlySpan<(PosixSignal, int)>)
            [(PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1), (PosixSignal.SIGQUIT, 3)])
        {
            s_registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                s_signal = number;
                source.Cancel();
            }));
        }

        return source;
    }
}
