using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Interop.Unix;

// What listing objects needs beyond making and opening them. Nothing here opens, follows or waits for what it
// asks about.

/// <summary>When a file was made (null where the file system does not say), read, written, and changed in its
/// status; UTC.</summary>
internal readonly record struct FileTimes(DateTimeOffset? Born, DateTimeOffset Read, DateTimeOffset Written,
    DateTimeOffset Changed);

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial nint readlink(string path, byte* buffer, nuint size);

    /// <summary>getgrgid(3) is not thread-safe: the caller serializes. The name is the first field of struct group
    /// on every system.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial byte** getgrgid(uint gid);

    /// <summary>The status and times of what a path leads to, or of the link itself; Linux. A file system behind a
    /// network is not asked anew. Returns 0, or the error number.</summary>
    internal static unsafe int StatusAndTimes(string path, bool followLink, out FileStatus status,
        out FileTimes times)
    {
        byte* buffer = stackalloc byte[Statx.Size];
        scoped PathMarshaller.ManagedToUnmanagedIn bytes = default;
        int error;
        try
        {
            bytes.FromManaged(path, stackalloc byte[PathMarshaller.ManagedToUnmanagedIn.BufferSize]);
            nint flags = Flags.AT_STATX_DONT_SYNC | (followLink ? 0 : Flags.AT_SYMLINK_NOFOLLOW);
            error = syscall_statx(s_statx, Flags.AT_FDCWD, bytes.ToUnmanaged(), flags,
                Statx.BASIC_STATS | Statx.BTIME, buffer) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
        finally
        {
            bytes.Free();
        }

        bool found = error == 0;
        status = found ? ReadStatus(buffer) : default;
        times = !found ? default : new FileTimes(
            (*(uint*)(buffer + Statx.stx_mask) & Statx.BTIME) != 0 ? ReadTime(buffer + Statx.stx_btime) : null,
            ReadTime(buffer + Statx.stx_atime), ReadTime(buffer + Statx.stx_mtime),
            ReadTime(buffer + Statx.stx_ctime));
        return error;
    }

    // struct statx_timestamp: 64-bit seconds, then 32-bit nanoseconds.
    private static unsafe DateTimeOffset ReadTime(byte* time)
        => DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(*(long*)time, -62_135_596_800, 253_402_300_799))
            .AddTicks(*(uint*)(time + sizeof(long)) / 100);

    /// <summary>Opens a file to read it without a trace and without waiting: no link followed, a FIFO not waited
    /// for, no time of reading left where the file is this user's.</summary>
    internal static UnixDescriptor OpenToLook(string path, out int error)
    {
        int flags = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;
        int fd = open(path, flags | Flags.O_NOATIME, 0);
        error = fd == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (error == Errno.EPERM) // another user's
        {
            fd = open(path, flags, 0);
            error = fd == -1 ? Marshal.GetLastPInvokeError() : 0;
        }

        Shortage.Note(error);
        return new UnixDescriptor(fd);
    }

    /// <summary>The text of a symbolic link, which is not followed; null when there is none, or none that this user
    /// may read.</summary>
    internal static unsafe string? LinkText(string path)
    {
        const int longest = 4096; // PATH_MAX
        byte* buffer = stackalloc byte[longest];
        nint length = readlink(path, buffer, longest);
        return length < 0 ? null : Encoding.UTF8.GetString(buffer, (int)length);
    }
}
