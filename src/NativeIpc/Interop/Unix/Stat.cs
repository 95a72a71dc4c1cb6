using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Interop.Unix;

/// <summary>What a name or a descriptor leads to. Two statuses with the same <see cref="Identity"/> are the same
/// file, as long as one of them is held open.</summary>
internal readonly record struct FileStatus(FileIdentity Identity, uint Mode, uint Uid, uint Gid,
    uint Links, long Size)
{
    internal bool IsRegularFile => (Mode & Flags.S_IFMT) == Flags.S_IFREG;

    internal bool IsDirectory => (Mode & Flags.S_IFMT) == Flags.S_IFDIR;

    internal bool IsSymbolicLink => (Mode & Flags.S_IFMT) == Flags.S_IFLNK;

    internal uint Permissions => Mode & 0xFFF;
}

/// <summary>Device and inode.</summary>
internal readonly record struct FileIdentity(ulong Device, ulong Inode)
{
    // Without the comparers that a record asks for, which .NET would make for the first lock.
    public bool Equals(FileIdentity other) => Device == other.Device && Inode == other.Inode;

    public override int GetHashCode() => (int)(Inode ^ (Inode >> 32) ^ (Device * 31));

    public override string ToString() => $"{Device:x}:{Inode}";
}

/// <summary>When a file was made (null where the file system does not say), read, written, and changed in its
/// status; UTC.</summary>
internal readonly record struct FileTimes(DateTimeOffset? Born, DateTimeOffset Read, DateTimeOffset Written,
    DateTimeOffset Changed);

internal static partial class Libc
{
    // struct stat differs per architecture and glibc exports fstat only since 2.33; statx(2) (Linux 4.11) has one
    // layout everywhere. It is called by number, since musl before 1.2.4 has no wrapper; syscall() is variadic,
    // which is harmless on Linux.
    private static readonly nint s_statx = StatxNumber(RuntimeInformation.ProcessArchitecture);

    /// <summary>SYS_statx.</summary>
    internal static int StatxNumber(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 332,
        Architecture.S390x => 379,
        Architecture.Ppc64le => 383,
        _ => 291, // arm64, riscv64, loongarch64: the generic table
    };

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint syscall_statx_plain(nint number, nint directory, byte* path, nint flags,
        nint mask, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint syscall_newfstatat(nint number, nint directory, byte* path, byte* buffer,
        nint flags);

    // Set when statx(2) was refused and the older call was not. Any thread may find that out; the answer is the
    // same.
    private static volatile bool s_isStatxRefused;

    /// <summary>
    /// statx(2); where a filter refuses it (containers of before 2018 do), the older call, put into the form of
    /// the new one. That has no time of making.
    /// </summary>
    private static unsafe nint syscall_statx(nint number, nint directory, byte* path, nint flags, nint mask,
        byte* buffer)
    {
        if (!s_isStatxRefused)
        {
            if (syscall_statx_plain(number, directory, path, flags, mask, buffer) == 0) return 0;
            int refusal = Marshal.GetLastPInvokeError();
            if (refusal != Errno.ENOSYS && refusal != Errno.EPERM) return -1; // by itself it gives neither
            nint older = OlderStatus(directory, path, flags, buffer);
            if (older == 0) s_isStatxRefused = true;
            return older;
        }

        return OlderStatus(directory, path, flags, buffer);
    }

    private static unsafe nint OlderStatus(nint directory, byte* path, nint flags, byte* buffer)
    {
        OlderStat layout = OlderStat.s_here;
        byte* older = stackalloc byte[OlderStat.LargestSize];
        nint taken = flags & (Flags.AT_SYMLINK_NOFOLLOW | Flags.AT_EMPTY_PATH);
        if (layout.CallNumber == 0) Marshal.SetLastPInvokeError(Errno.ENOSYS);
        if (layout.CallNumber == 0 || syscall_newfstatat(layout.CallNumber, directory, path, older, taken) != 0)
            return -1;
        ulong device = *(ulong*)older; // st_dev, as makedev(3) puts it together
        new Span<byte>(buffer, Statx.Size).Clear();
        *(uint*)(buffer + Statx.stx_dev_major) = (uint)(((device >> 8) & 0xFFF) | ((device >> 32) & ~0xFFFUL));
        *(uint*)(buffer + Statx.stx_dev_minor) = (uint)((device & 0xFF) | ((device >> 12) & ~0xFFUL));
        *(ulong*)(buffer + Statx.stx_ino) = *(ulong*)(older + OlderStat.Inode);
        *(ushort*)(buffer + Statx.stx_mode) = (ushort)*(uint*)(older + layout.Mode);
        // Of eight bytes, where it has as many, the low ones
        *(uint*)(buffer + Statx.stx_nlink) = *(uint*)(older + layout.Links);
        *(uint*)(buffer + Statx.stx_uid) = *(uint*)(older + layout.Uid);
        *(uint*)(buffer + Statx.stx_gid) = *(uint*)(older + layout.Gid);
        *(long*)(buffer + Statx.stx_size) = *(long*)(older + OlderStat.Size);
        for (int time = 0; time < 3; time++)
        {
            // Of reading, writing and changing: eight bytes of seconds, eight of nanoseconds; statx has them in
            // another order.
            byte* to = buffer + (time == 0 ? Statx.stx_atime : time == 1 ? Statx.stx_mtime : Statx.stx_ctime);
            byte* from = older + OlderStat.Times + (16 * time);
            *(long*)to = *(long*)from;
            *(uint*)(to + sizeof(long)) = (uint)*(long*)(from + sizeof(long));
        }

        return 0;
    }

    /// <summary>
    /// The status of what a path leads to by the call that is older than statx(2). Returns 0, or the error number.
    /// Linux only.
    /// </summary>
    internal static unsafe int StatusByOlderCall(byte* path, bool followLink, out FileStatus status)
    {
        byte* buffer = stackalloc byte[Statx.Size];
        return Read(OlderStatus(Flags.AT_FDCWD, path, followLink ? 0 : Flags.AT_SYMLINK_NOFOLLOW, buffer), buffer,
            out status);
    }

    // Apple: struct stat with 64-bit inodes, 144 bytes. The plain symbol is right on arm64; x64 needs the suffix.
    [LibraryImport(Libraries.Libc, EntryPoint = "fstat", SetLastError = true)]
    private static unsafe partial int fstat_apple(int fd, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "fstat$INODE64", SetLastError = true)]
    private static unsafe partial int fstat_apple_x64(int fd, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static unsafe partial int stat_apple(string path, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "stat$INODE64", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static unsafe partial int stat_apple_x64(string path, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "lstat", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static unsafe partial int lstat_apple(string path, byte* buffer);

    [LibraryImport(Libraries.Libc, EntryPoint = "lstat$INODE64", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static unsafe partial int lstat_apple_x64(string path, byte* buffer);

    /// <summary>The status of an open file. Returns 0, or the error number.</summary>
    internal static int Status(UnixDescriptor fd, out FileStatus status)
    {
        bool added = false;
        try
        {
            fd.DangerousAddRef(ref added);
            return Status((int)fd.DangerousGetHandle(), out status);
        }
        finally
        {
            if (added) fd.DangerousRelease();
        }
    }

    /// <summary>The status of an open file. Returns 0, or the error number.</summary>
    [SkipLocalsInit]
    internal static unsafe int Status(int fd, out FileStatus status)
    {
        byte* buffer = stackalloc byte[Statx.Size]; // the larger of the two
        byte empty = 0;
        nint result = !Target.IsApple
            ? syscall_statx(s_statx, fd, &empty, Flags.AT_EMPTY_PATH, Statx.BASIC_STATS, buffer)
            : Target.VariadicArgumentsOnStack ? fstat_apple(fd, buffer)
            : fstat_apple_x64(fd, buffer);
        return Read(result, buffer, out status);
    }

    /// <summary>The status of what a path leads to, or of the link itself. Returns 0, or the error
    /// number.</summary>
    [SkipLocalsInit]
    internal static unsafe int Status(string path, bool followLink, out FileStatus status)
    {
        if (Target.IsApple)
        {
            byte* buffer = stackalloc byte[AppleStat.Size];
            nint result = Target.VariadicArgumentsOnStack
                ? (followLink ? stat_apple(path, buffer) : lstat_apple(path, buffer))
                : (followLink ? stat_apple_x64(path, buffer) : lstat_apple_x64(path, buffer));
            return Read(result, buffer, out status);
        }

        scoped PathMarshaller.ManagedToUnmanagedIn utf8 = default;
        try
        {
            utf8.FromManaged(path, stackalloc byte[PathMarshaller.ManagedToUnmanagedIn.BufferSize]);
            return Status(utf8.ToUnmanaged(), followLink, out status);
        }
        finally
        {
            utf8.Free();
        }
    }

    /// <summary>As <see cref="Status(string, bool, out FileStatus)"/>, of a path in UTF-8. Linux only.</summary>
    [SkipLocalsInit]
    internal static unsafe int Status(byte* path, bool followLink, out FileStatus status)
    {
        byte* buffer = stackalloc byte[Statx.Size];
        nint result = syscall_statx(s_statx, Flags.AT_FDCWD, path, followLink ? 0 : Flags.AT_SYMLINK_NOFOLLOW,
            Statx.BASIC_STATS, buffer);
        return Read(result, buffer, out status);
    }

    private static unsafe int Read(nint result, byte* buffer, out FileStatus status)
    {
        int error = result == 0 ? 0 : Marshal.GetLastPInvokeError();
        status = error == 0 ? ReadStatus(buffer) : default;
        return error;
    }

    private static unsafe FileStatus ReadStatus(byte* b) => Target.IsApple
        ? new FileStatus(
            new FileIdentity(*(uint*)(b + AppleStat.st_dev), *(ulong*)(b + AppleStat.st_ino)),
            *(ushort*)(b + AppleStat.st_mode), *(uint*)(b + AppleStat.st_uid), *(uint*)(b + AppleStat.st_gid),
            *(ushort*)(b + AppleStat.st_nlink), *(long*)(b + AppleStat.st_size))
        : new FileStatus(
            new FileIdentity(((ulong)*(uint*)(b + Statx.stx_dev_major) << 32) | *(uint*)(b + Statx.stx_dev_minor),
                *(ulong*)(b + Statx.stx_ino)),
            *(ushort*)(b + Statx.stx_mode), *(uint*)(b + Statx.stx_uid), *(uint*)(b + Statx.stx_gid),
            *(uint*)(b + Statx.stx_nlink), *(long*)(b + Statx.stx_size));

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

    /// <summary>When the file was written that a path leads to, in ticks since 1970; Linux. Returns 0, or the error
    /// number.</summary>
    internal static unsafe int WrittenAt(string path, out long ticks)
    {
        byte* buffer = stackalloc byte[Statx.Size];
        byte[] bytes = Encoding.UTF8.GetBytes(path + '\0');
        fixed (byte* first = bytes)
        {
            int error = syscall_statx(s_statx, Flags.AT_FDCWD, first, Flags.AT_STATX_DONT_SYNC, Statx.BASIC_STATS,
                buffer) == 0 ? 0 : Marshal.GetLastPInvokeError();
            byte* time = buffer + Statx.stx_mtime;
            ticks = error != 0 ? 0
                : (*(long*)time * TimeSpan.TicksPerSecond) + (*(uint*)(time + sizeof(long)) / 100);
            return error;
        }
    }

    // struct statx_timestamp: 64-bit seconds, then 32-bit nanoseconds.
    private static unsafe DateTimeOffset ReadTime(byte* time)
        => DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(*(long*)time, -62_135_596_800, 253_402_300_799))
            .AddTicks(*(uint*)(time + sizeof(long)) / 100);
}

/// <summary>struct statx of Linux: the mask asked for, the size, and the offsets of the fields that are
/// read.</summary>
internal static class Statx
{
    internal const int BASIC_STATS = 0x7FF;
    internal const int BTIME = 0x800;
    internal const int Size = 256;
    internal const int stx_mask = 0; // 4 bytes
    internal const int stx_nlink = 16; // 4 bytes
    internal const int stx_uid = 20; // 4 bytes
    internal const int stx_gid = 24; // 4 bytes
    internal const int stx_mode = 28; // 2 bytes
    internal const int stx_ino = 32; // 8 bytes
    internal const int stx_size = 40; // 8 bytes
    internal const int stx_atime = 64; // 16 bytes, as the other times
    internal const int stx_btime = 80;
    internal const int stx_ctime = 96;
    internal const int stx_mtime = 112;
    internal const int stx_dev_major = 136; // 4 bytes
    internal const int stx_dev_minor = 140; // 4 bytes
}

/// <summary>
/// struct stat of 64-bit Linux, as newfstatat(2) fills it: the offsets of the fields that are read.
/// </summary>
/// <param name="CallNumber">SYS_newfstatat; 0 where the layout is not known.</param>
/// <param name="Mode">st_mode, 4 bytes.</param>
/// <param name="Links">st_nlink, 4 or 8 bytes.</param>
/// <param name="Uid">st_uid, 4 bytes.</param>
/// <param name="Gid">st_gid, 4 bytes.</param>
internal readonly record struct OlderStat(int CallNumber, int Mode, int Links, int Uid, int Gid)
{
    internal const int LargestSize = 144;
    internal const int Inode = 8; // after st_dev
    internal const int Size = 48;
    internal const int Times = 72;

    internal static readonly OlderStat s_here = Of(RuntimeInformation.ProcessArchitecture);

    internal static OlderStat Of(Architecture architecture) => architecture switch
    {
        Architecture.X64 => new(262, Mode: 24, Links: 16, Uid: 28, Gid: 32),
        Architecture.Ppc64le => new(291, Mode: 24, Links: 16, Uid: 28, Gid: 32),
        // The generic table
        Architecture.Arm64 or Architecture.RiscV64 => new(79, Mode: 16, Links: 20, Uid: 24, Gid: 28),
        _ => default, // s390x: big-endian; loongarch64 has statx alone
    };
}

/// <summary>struct stat of Apple with 64-bit inodes, the same on Arm64 and x64: the size and the offsets of the
/// fields that are read.</summary>
internal static class AppleStat
{
    internal const int Size = 144;
    internal const int st_dev = 0; // 4 bytes
    internal const int st_mode = 4; // 2 bytes
    internal const int st_nlink = 6; // 2 bytes
    internal const int st_ino = 8; // 8 bytes
    internal const int st_uid = 16; // 4 bytes
    internal const int st_gid = 20; // 4 bytes
    internal const int st_size = 96; // 8 bytes
}
