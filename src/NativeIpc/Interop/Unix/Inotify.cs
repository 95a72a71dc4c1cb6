using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// inotify(7), Linux.

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial int inotify_init1_plain(int flags); // Linux

    internal static int inotify_init1(int flags)
        => AboveStandard(inotify_init1_plain(flags), (flags & Flags.IN_CLOEXEC) != 0);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int inotify_add_watch(UnixDescriptor fd, string path, uint mask); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int inotify_rm_watch(UnixDescriptor fd, int watch); // Linux
}
