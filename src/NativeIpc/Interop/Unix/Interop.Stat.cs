using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace NativeIpc;

internal static partial class Interop
{
    /// <summary>What a name or a descriptor leads to. Two statuses with the same <see cref="Identity"/> are the same file, as long as one of them is held open.</summary>
    internal readonly record struct FileStatus(FileIdentity Identity, uint Mode, uint Uid, uint Gid, uint Links, long Size)
    {
        internal bool IsRegularFile => (Mode & Flags.S_IFMT) == Flags.S_IFREG;

        internal bool IsDirectory => (Mode & Flags.S_IFMT) == Flags.S_IFDIR;

        internal bool IsSymbolicLink => (Mode & Flags.S_IFMT) == Flags.S_IFLNK;

        internal uint Permissions => Mode & 0xFFF;
    }

    /// <summary>Device and inode.</summary>
    internal readonly record struct FileIdentity(ulong Device, ulong Inode)
    {
        public override string ToString() => $"{Device:x}:{Inode}";
    }

    internal static partial class Libc
    {
        // struct stat differs per architecture and glibc exports fstat only since 2.33; statx(2) (Linux 4.11) has one layout everywhere.
        // It is called by number, since musl before 1.2.4 has no wrapper; syscall() is variadic, which is harmless on Linux.
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
        private static unsafe partial nint syscall_statx(nint number, nint directory, byte* path, nint flags, nint mask, byte* buffer);

        // Apple: struct stat with 64-bit inodes, 144 bytes. The plain symbol is right on arm64; x64 needs the suffix.
        [LibraryImport(Libraries.Libc, EntryPoint = "fstat", SetLastError = true)]
        private static unsafe partial int fstat_apple(int fd, byte* buffer);

        [LibraryImport(Libraries.Libc, EntryPoint = "fstat$INODE64", SetLastError = true)]
        private static unsafe partial int fstat_apple_x64(int fd, byte* buffer);

        [LibraryImport(Libraries.Libc, EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
        private static unsafe partial int stat_apple(string path, byte* buffer);

        [LibraryImport(Libraries.Libc, EntryPoint = "stat$INODE64", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
        private static unsafe partial int stat_apple_x64(string path, byte* buffer);

        [LibraryImport(Libraries.Libc, EntryPoint = "lstat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
        private static unsafe partial int lstat_apple(string path, byte* buffer);

        [LibraryImport(Libraries.Libc, EntryPoint = "lstat$INODE64", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
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
            nint result = !IsApple ? syscall_statx(s_statx, fd, &empty, Flags.AT_EMPTY_PATH, Statx.BASIC_STATS, buffer)
                : VariadicArgumentsOnStack ? fstat_apple(fd, buffer)
                : fstat_apple_x64(fd, buffer);
            return Read(result, buffer, out status);
        }

        /// <summary>The status of what a path leads to, or of the link itself. Returns 0, or the error number.</summary>
        [SkipLocalsInit]
        internal static unsafe int Status(string path, bool followLink, out FileStatus status)
        {
            if (IsApple)
            {
                byte* buffer = stackalloc byte[AppleStat.Size];
                nint result = VariadicArgumentsOnStack
                    ? (followLink ? stat_apple(path, buffer) : lstat_apple(path, buffer))
                    : (followLink ? stat_apple_x64(path, buffer) : lstat_apple_x64(path, buffer));
                return Read(result, buffer, out status);
            }

            scoped Utf8StringMarshaller.ManagedToUnmanagedIn utf8 = default;
            try
            {
                utf8.FromManaged(path, stackalloc byte[Utf8StringMarshaller.ManagedToUnmanagedIn.BufferSize]);
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
            nint result = syscall_statx(s_statx, Flags.AT_FDCWD, path, followLink ? 0 : Flags.AT_SYMLINK_NOFOLLOW, Statx.BASIC_STATS, buffer);
            return Read(result, buffer, out status);
        }

        private static unsafe int Read(nint result, byte* buffer, out FileStatus status)
        {
            int error = result == 0 ? 0 : Marshal.GetLastPInvokeError();
            status = error == 0 ? ReadStatus(buffer) : default;
            return error;
        }

        private static unsafe FileStatus ReadStatus(byte* b) => IsApple
            ? new FileStatus(
                new FileIdentity(*(uint*)(b + AppleStat.st_dev), *(ulong*)(b + AppleStat.st_ino)),
                *(ushort*)(b + AppleStat.st_mode), *(uint*)(b + AppleStat.st_uid), *(uint*)(b + AppleStat.st_gid),
                *(ushort*)(b + AppleStat.st_nlink), *(long*)(b + AppleStat.st_size))
            : new FileStatus(
                new FileIdentity(((ulong)*(uint*)(b + Statx.stx_dev_major) << 32) | *(uint*)(b + Statx.stx_dev_minor), *(ulong*)(b + Statx.stx_ino)),
                *(ushort*)(b + Statx.stx_mode), *(uint*)(b + Statx.stx_uid), *(uint*)(b + Statx.stx_gid),
                *(uint*)(b + Statx.stx_nlink), *(long*)(b + Statx.stx_size));
    }

    /// <summary>struct statx of Linux: the mask asked for, the size, and the offsets of the fields that are read.</summary>
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

    /// <summary>struct stat of Apple with 64-bit inodes, the same on Arm64 and x64: the size and the offsets of the fields that are read.</summary>
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
}
