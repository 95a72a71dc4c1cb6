using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// statvfs(3).

/// <summary>struct statvfs of 64-bit Linux, glibc and musl alike.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Statvfs
{
    internal ulong f_bsize;
    internal ulong f_frsize;
    internal ulong f_blocks;
    internal ulong f_bfree;
    internal ulong f_bavail;
    internal ulong f_files;
    internal ulong f_ffree;
    internal ulong f_favail;
    internal ulong f_fsid;
    internal ulong f_flag;
    internal ulong f_namemax;
    private readonly ulong _spare0;
    private readonly ulong _spare1;
    private readonly ulong _spare2;
}

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int statvfs(string path, Statvfs* buf);

    /// <summary>What a file system has; null when it does not tell. Linux.</summary>
    internal static unsafe Statvfs? FileSystemOf(string path)
    {
        Statvfs status;
        return OperatingSystem.IsLinux() && statvfs(path, &status) == 0 ? status : null;
    }
}
