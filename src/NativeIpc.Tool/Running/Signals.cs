using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Tool.Running;

/// <summary>The signals that a command can be sent, and what became of them before this program started.</summary>
internal static class Signals
{
    /// <summary>The ones that end or tell a program something: numbers of Linux and macOS for those that PosixSignal
    /// has no name for.</summary>
    public static IReadOnlyList<(PosixSignal Signal, int Number)> Forwarded { get; } = OperatingSystem.IsWindows()
        ? [(PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1)]
        :
        [
            (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1), (PosixSignal.SIGQUIT, 3),
            ((PosixSignal)14, 14), // SIGALRM
            OperatingSystem.IsMacOS() ? ((PosixSignal)30, 30) : ((PosixSignal)10, 10), // SIGUSR1
            OperatingSystem.IsMacOS() ? ((PosixSignal)31, 31) : ((PosixSignal)12, 12), // SIGUSR2
        ];

    /// <summary>Whether a signal is ignored, as by nohup or a job in the background of a script. It stays ignored then,
    /// here and in the command. Linux only; elsewhere no signal counts as ignored.</summary>
    public static bool IsIgnored(int number) => (s_ignored.Value >> (number - 1) & 1) != 0;

    /// <summary>Watches for a signal, for which .NET needs a thread.</summary>
    /// <exception cref="ToolException">There is none to be had.</exception>
    public static PosixSignalRegistration Watch(PosixSignal signal, Action<PosixSignalContext> handler)
    {
        try
        {
            return PosixSignalRegistration.Create(signal, handler);
        }
        catch (IOException failure) when (failure.HResult == Libc.EAGAIN)
        {
            // .NET takes the number for that of a file that others use.
            throw new ToolException(ExitCodes.Limit, Failures.NoThread);
        }
    }

    private static readonly Lazy<ulong> s_ignored = new(() =>
    {
        if (!OperatingSystem.IsLinux()) return 0;
        try
        {
            string? line = File.ReadLines("/proc/self/status")
                .FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
            return line is null ? 0 : ulong.Parse(line.AsSpan("SigIgn:".Length).Trim(), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // no /proc
        }
    });
}
