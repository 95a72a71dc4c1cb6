namespace NativeIpc.Linux;

/// <summary>
/// Which system calls this process may ask for that are younger than the oldest kernel it may run on (4.18). Trying
/// one is no way to find out: a filter may end the process for a number that
/// it does not know (systemd before 247, lists written by hand), and such a filter usually is of the age of its
/// kernel. So the kernel's release is asked first.
/// </summary>
/// <param name="PidfdOpen">pidfd_open(2), number 434: Linux 5.3.</param>
/// <param name="FutexWaitv">futex_waitv(2), number 449: Linux 5.16. Asked for by waits for any of several, and by
/// asynchronous ones where there is no ring.</param>
/// <param name="FutexRing">io_uring(7) with futex waits, numbers 425 to 427: Linux 6.7.</param>
/// <remarks>
/// For a filter that is older than its kernel there are switches: NativeIpc.NoNewSystemCalls avoids all of these
/// numbers, NativeIpc.NoIoUring those of the ring. A kernel that says an
/// older release than it is (personality(2), gVisor) is believed: the older ways serve.
/// </remarks>
internal readonly record struct KernelCalls(bool PidfdOpen, bool FutexWaitv, bool FutexRing)
{
    /// <summary>In this process.</summary>
    internal static readonly KernelCalls s_here = OperatingSystem.IsLinux()
        ? Permitted(Of(Environment.OSVersion.Version)) : default;

    /// <summary>What a kernel has.</summary>
    /// <param name="release">Its release, as uname(2) says it, without what follows the numbers.</param>
    internal static KernelCalls Of(Version release)
        => new(release >= new Version(5, 3), release >= new Version(5, 16), release >= new Version(6, 7));

    private static KernelCalls Permitted(KernelCalls offered)
        => IsOn("NativeIpc.NoNewSystemCalls")
            ? default : offered with { FutexRing = offered.FutexRing && !IsOn("NativeIpc.NoIoUring") };

    private static bool IsOn(string name) => AppContext.TryGetSwitch(name, out bool isOn) && isOn;
}
