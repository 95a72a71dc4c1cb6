using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Interop.Unix;

// Limits of the process and of a file system, and the small files in which the kernel tells of
// itself.

/// <summary>struct rlimit of Linux: two numbers of 64 bits (rlim_t on 64-bit systems).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Rlimit
{
    internal ulong rlim_cur;
    internal ulong rlim_max;
}

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
    // A look at a number of this process: it neither waits nor calls back.
    [LibraryImport(Libraries.Libc)]
    [SuppressGCTransition]
    private static unsafe partial int getrlimit(int resource, Rlimit* rlim);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int statvfs(string path, Statvfs* buf);

    /// <summary>How large a file of this process may become (RLIMIT_FSIZE), in bytes; the kernel ends who goes
    /// beyond it by SIGXFSZ. Long.MaxValue for no limit.</summary>
    internal static unsafe long LargestFile()
    {
        Rlimit limit;
        return getrlimit(Flags.RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur <= long.MaxValue ? (long)limit.rlim_cur
            : long.MaxValue;
    }

    /// <summary>What a file system has; null when it does not tell. Linux.</summary>
    internal static unsafe Statvfs? FileSystemOf(string path)
    {
        Statvfs status;
        return OperatingSystem.IsLinux() && statvfs(path, &status) == 0 ? status : null;
    }

    /// <summary>The text of a small file of /proc or /sys; null, with the error number, when it cannot be read.
    /// Throws nothing and loads nothing.</summary>
    internal static unsafe string? TextOf(string path, out int error)
    {
        const int most = 64 << 10;
        int file = open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0);
        error = file == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (error != 0) return null;
        byte[] text = new byte[1024];
        int length = 0;
        try
        {
            while (length < most)
            {
                if (length == text.Length) Array.Resize(ref text, text.Length * 4);
                nint read;
                fixed (byte* start = text) read =
                    pread(file, start + length, (nuint)(text.Length - length), length);
                error = read < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (error == Errno.EINTR) continue;
                if (error != 0) return null;
                if (read == 0) break;
                length += (int)read;
            }
        }
        finally
        {
            _ = close(file);
        }

        return Encoding.UTF8.GetString(text, 0, length);
    }
}
