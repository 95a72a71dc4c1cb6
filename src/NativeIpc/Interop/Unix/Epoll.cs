using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>Waiting for the end of processes, Linux 5.3: pidfd_open(2), epoll(7).</summary>
internal static unsafe partial class Libc
{
    /// <summary>SYS_pidfd_open, on every architecture; older C libraries have no wrapper.</summary>
    internal const nint PidfdOpenNumber = 434;

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint syscall_pidfd_open(nint number, nint process, nint flags);

    /// <summary>A descriptor that can be read when the process has ended; -1 when there is none, or the kernel has
    /// no such call. Close-on-exec.</summary>
    internal static int pidfd_open(int process)
        => AboveStandard((int)syscall_pidfd_open(PidfdOpenNumber, process, 0), closesOnExec: true);

    [LibraryImport(Libraries.Libc, EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int epoll_create1_plain(int flags);

    internal static int epoll_create1(int flags)
        => AboveStandard(epoll_create1_plain(flags), (flags & Flags.EPOLL_CLOEXEC) != 0);

    [LibraryImport(Libraries.Libc)]
    internal static partial int epoll_ctl(int epoll, int operation, int descriptor, byte* wanted);

    [LibraryImport(Libraries.Libc)]
    internal static partial int epoll_wait(int epoll, byte* events, int most, int milliseconds);

    /// <summary>A descriptor that can be read after somebody has written a number other than 0 to it.
    /// eventfd(2).</summary>
    internal static int eventfd(uint value, int flags)
        => AboveStandard(eventfd_plain(value, flags), (flags & Flags.EFD_CLOEXEC) != 0);

    [LibraryImport(Libraries.Libc, EntryPoint = "eventfd", SetLastError = true)]
    private static partial int eventfd_plain(uint value, int flags);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial nint write(UnixDescriptor fd, byte* buffer, nuint count);

    [LibraryImport(Libraries.Libc, EntryPoint = "close")]
    internal static partial int close_number(int descriptor);
}
