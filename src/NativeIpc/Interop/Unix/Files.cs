using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace NativeIpc.Interop.Unix;

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "open", SetLastError = true)]
    private static partial int open_plain([MarshalUsing(typeof(PathMarshaller))] string path, int oflag, uint mode);

    [LibraryImport(Libraries.Libc, EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial int open_appleArm64(string path, int oflag, nint p2, nint p3, nint p4, nint p5, nint p6,
        nint p7, nint mode);

    /// <summary>open(2), variadic; again after a signal, which a file system that asks a server lets in.</summary>
    internal static int open(string path, int oflag, uint mode)
    {
        int opened;
        do opened = Target.VariadicArgumentsOnStack
            ? open_appleArm64(path, oflag, 0, 0, 0, 0, 0, 0, (nint)mode) : open_plain(path, oflag, mode);
        while (opened == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return AboveStandard(opened, (oflag & Flags.O_CLOEXEC) != 0);
    }

    // The forms with a path that is UTF-8 already, on the stack, are for what is done at each open and close.
    [LibraryImport(Libraries.Libc, EntryPoint = "open", SetLastError = true)]
    private static unsafe partial int open_utf8_plain(byte* path, int oflag, uint mode); // Linux

    /// <summary>As <see cref="open(string, int, uint)"/>; Linux only.</summary>
    internal static unsafe int open_utf8(byte* path, int oflag, uint mode)
    {
        int opened;
        do opened = open_utf8_plain(path, oflag, mode);
        while (opened == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return AboveStandard(opened, (oflag & Flags.O_CLOEXEC) != 0);
    }

    [LibraryImport(Libraries.Libc, EntryPoint = "unlink", SetLastError = true)]
    internal static unsafe partial int unlink_utf8(byte* path);

    [LibraryImport(Libraries.Libc, EntryPoint = "linkat", SetLastError = true)]
    // Linux
    internal static unsafe partial int linkat_utf8(int oldDirectory, byte* oldPath, int newDirectory,
        byte* newPath, int flags);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int unlink([MarshalUsing(typeof(PathMarshaller))] string path);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int mkdir(string path, uint mode);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int chmod(string path, uint mode);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int fchmod(int fd, uint mode);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int fchown(int fd, uint uid, uint gid);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint pread(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint pwrite(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    /// <summary>posix_fallocate(3) returns the error number; errno is not set.</summary>
    [LibraryImport(Libraries.Libc)]
    internal static partial int posix_fallocate(int fd, long offset, long length); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int flock(int fd, int operation);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint realpath(string path, nint buffer);

    [LibraryImport(Libraries.Libc)]
    private static partial void free(nint memory);

    [LibraryImport(Libraries.Libc)]
    internal static partial uint geteuid();

    [LibraryImport(Libraries.Libc)]
    internal static partial uint getegid();

    /// <summary>getpwuid(3) is not thread-safe: the caller serializes. The name is the first field of struct passwd
    /// on every system.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial byte** getpwuid(uint uid);

    /// <summary>getgrnam(3) is not thread-safe: the caller serializes. Gives a struct group.</summary>
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static unsafe partial byte* getgrnam(string name);

    /// <summary>realpath(3): absolute, without links, dots and double slashes; null when the path does not lead
    /// anywhere.</summary>
    internal static string? RealPath(string path)
    {
        nint resolved = realpath(path, 0);
        if (resolved == 0) return null;
        try
        {
            return Marshal.PtrToStringUTF8(resolved);
        }
        finally
        {
            free(resolved);
        }
    }
}
