using NativeIpc.Errors;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>Whether the kernel keeps a System V segment that nobody is attached to, as POSIX wants it: with
/// <c>kernel.shm_rmid_forced=1</c> (proc(5)) it removes it at the last detach, so that
/// <see cref="RemovalPolicy.Keep"/> keeps nothing. Linux.</summary>
internal static class SystemVKeeping
{
    internal const string Setting = "kernel.shm_rmid_forced";

    private static int s_isTold; // read once: it is a setting of the machine or of the container

    /// <summary>Whether segments without users are removed; read anew.</summary>
    internal static bool RemovesSegments
        => OperatingSystem.IsLinux() && SystemText.FirstLine("/proc/sys/kernel/shm_rmid_forced") is { } value
        && value != "0";

    /// <summary>Reports it, once in this process, when a segment is made.</summary>
    internal static void Tell(in NativeIpcKey key)
    {
        if (Volatile.Read(ref s_isTold) != 0 || Interlocked.Exchange(ref s_isTold, 1) != 0 || !RemovesSegments) return;
        NativeIpcEventSource.s_log.RemovedWithoutUsers(
            $"{Setting} is 1: the kernel removes the System V segment {Failure.Describe(key)}, and every other one, "
                + $"as soon as nobody is attached to it, whatever its removal policy. Set it to 0 (sysctl -w "
                + $"{Setting}=0), or use a POSIX key.");
    }
}
