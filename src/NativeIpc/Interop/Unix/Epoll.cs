using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// epoll(7), eventfd(2), Linux.

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int epoll_create1_plain(int flags);

    internal static int epoll_create1(int flags)
        => AboveStandard(epoll_create1_plain(flags), (flags & Flags.EPOLL_CLOEXEC) != 0);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial int epoll_ctl(int epoll, int operation, int descriptor, byte* wanted);

    [LibraryImport(Libraries.Libc)]
    internal static unsafe partial int epoll_wait(int epoll, byte* events, int most, int milliseconds);

    /// <summary>A descriptor that can be read after somebody has written a number other than 0 to it.
    /// eventfd(2).</summary>
    internal static int eventfd(uint value, int flags)
        => AboveStandard(eventfd_plain(value, flags), (flags & Flags.EFD_CLOEXEC) != 0);

    [LibraryImport(Libraries.Libc, EntryPoint = "eventfd", SetLastError = true)]
    private static partial int eventfd_plain(uint value, int flags);
}
