using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Interop;

/// <summary>A full barrier in every process that has asked for it (membarrier(2), Linux 4.16): the side that goes to
/// sleep pays for the order, and the side that shows messages does not.</summary>
internal static partial class Membarrier
{
    private const int GlobalExpedited = 1 << 1;
    private const int RegisterGlobalExpedited = 1 << 2;

    private static readonly nint s_number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 283 : 324;

    /// <summary>Whether this process has them. Where not (an older kernel, a filter), it makes a barrier of its own
    /// each time that it shows something.</summary>
    public static bool IsRegistered { get; } = IsKnown() && syscall(s_number, RegisterGlobalExpedited, 0, 0) == 0;

    /// <summary>Makes the barriers.</summary>
    /// <returns>False where the system refuses.</returns>
    public static bool TryBarrier()
    {
        Interlocked.MemoryBarrier();
        return IsKnown() && syscall(s_number, GlobalExpedited, 0, 0) == 0;
    }

    private static bool IsKnown()
        => OperatingSystem.IsLinux()
            && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, int command, int flags, int processor);
}
