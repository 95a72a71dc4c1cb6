namespace NativeIpc.Interop.Unix;

/// <summary>The flags of the system this process runs on.</summary>
internal abstract class Flags : FlagsOf<ThisTarget>;

/// <summary>
/// Flags of the C headers, a pure function of the target: tests/NativeIpc.Abi checks those of Linux against glibc,
/// musl and the arm64 headers, and those of Apple against the stored facts, wherever it runs.
/// </summary>
internal abstract class FlagsOf<TTarget>
    where TTarget : ITarget
{
    internal const int O_RDONLY = 0;
    internal const int O_RDWR = 2;
    internal static readonly int O_CREAT = TTarget.IsApple ? 0x200 : 0x40;
    internal static readonly int O_EXCL = TTarget.IsApple ? 0x800 : 0x80;
    internal static readonly int O_NONBLOCK = TTarget.IsApple ? 4 : 0x800;
    internal static readonly int O_CLOEXEC = TTarget.IsApple ? 0x1000000 : 0x80000;
    internal static readonly int O_NOFOLLOW = TTarget.IsApple ? 0x100 : TTarget.IsArm64 ? 0x8000 : 0x20000;

    internal const int O_NOATIME = 0x40000; // Linux
    internal const int O_PATH = 0x200000; // Linux

    /// <summary>Linux only; it includes O_DIRECTORY, whose value differs between x64 and arm64.</summary>
    internal static readonly int O_TMPFILE = TTarget.IsArm64 ? 0x404000 : 0x410000;

    internal const int AT_FDCWD = -100; // Linux
    internal const int AT_SYMLINK_NOFOLLOW = 0x100; // Linux
    internal const int AT_SYMLINK_FOLLOW = 0x400; // Linux
    internal const int AT_EMPTY_PATH = 0x1000; // Linux
    internal const int AT_STATX_DONT_SYNC = 0x4000; // Linux

    internal const int PROT_READ = 1;
    internal const int PROT_WRITE = 2;
    internal const int MAP_SHARED = 1;
    internal const int MAP_PRIVATE = 2;
    internal const int MAP_FIXED = 0x10;
    internal static readonly int MAP_ANONYMOUS = TTarget.IsApple ? 0x1000 : 0x20;
    internal const int MAP_NORESERVE = 0x4000; // Linux
    internal const int MAP_POPULATE = 0x8000; // Linux
    internal const int MADV_HUGEPAGE = 14; // Linux
    internal const int MREMAP_MAYMOVE = 1; // Linux
    internal const int MREMAP_FIXED = 2; // Linux
    internal const int MADV_POPULATE_READ = 22; // Linux 5.14
    internal const int MADV_POPULATE_WRITE = 23; // Linux 5.14

    internal const int LOCK_SH = 1;
    internal const int LOCK_EX = 2;
    internal const int LOCK_NB = 4;
    internal const int LOCK_UN = 8;

    internal const int IPC_CREAT = 0x200;
    internal const int IPC_EXCL = 0x400;
    internal const int IPC_NOWAIT = 0x800;
    internal const int IPC_RMID = 0;
    internal const int IPC_SET = 1;
    internal const int IPC_STAT = 2;
    internal const int SEM_UNDO = 0x1000;
    internal const int SHM_RDONLY = 0x1000;
    internal const int SHM_DEST = 0x200;
    internal const int ST_RDONLY = 1; // Linux
    internal static readonly int GETPID = TTarget.IsApple ? 4 : 11;
    internal static readonly int GETVAL = TTarget.IsApple ? 5 : 12;
    internal static readonly int GETNCNT = TTarget.IsApple ? 3 : 14;
    internal static readonly int GETZCNT = TTarget.IsApple ? 7 : 15;
    internal static readonly int SETVAL = TTarget.IsApple ? 8 : 16;

    internal const int RLIMIT_FSIZE = 1;

    internal const int S_IFMT = 0xF000;
    internal const int S_IFREG = 0x8000;
    internal const int S_IFDIR = 0x4000;
    internal const int S_IFLNK = 0xA000;

    internal const int CLOCK_MONOTONIC = 1; // Linux
    internal const int CLOCK_REALTIME = 0;

    internal const int IN_ATTRIB = 0x4; // Linux
    internal const int IN_CLOSE_WRITE = 0x8; // Linux
    internal const int IN_MASK_ADD = 0x20000000; // Linux
    internal const int IN_DELETE_SELF = 0x400; // Linux
    internal const int IN_MOVE_SELF = 0x800; // Linux
    internal const int IN_IGNORED = 0x8000; // Linux
    internal const int IN_Q_OVERFLOW = 0x4000; // Linux
    internal static readonly int IN_CLOEXEC = O_CLOEXEC; // Linux

    internal const int FUTEX_WAKE = 1; // Linux
    internal const int FUTEX_WAIT_BITSET = 9; // Linux
    internal const int FUTEX_WAKE_BITSET = 10; // Linux
    internal const int FUTEX_PRIVATE_FLAG = 128; // Linux
    internal const int FUTEX_32 = 2; // Linux 5.16: the size of a word for futex_waitv

    internal const int EPOLL_CTL_ADD = 1; // Linux
    internal const int EPOLLIN = 1; // Linux
    internal const int EPOLLONESHOT = 1 << 30; // Linux
    internal static readonly int EPOLL_CLOEXEC = O_CLOEXEC; // Linux
    internal static readonly int EFD_CLOEXEC = O_CLOEXEC; // Linux
    internal static readonly int EFD_NONBLOCK = O_NONBLOCK; // Linux

    internal const int F_DUPFD = 0; // Linux
    internal const int F_RDLCK = 0; // Linux
    internal const int F_WRLCK = 1; // Linux
    internal const int F_UNLCK = 2; // Linux
    internal const int F_SETFL = 4; // Linux
    internal const int F_SETSIG = 10; // Linux
    internal const int F_OFD_GETLK = 36; // Linux
    internal const int F_OFD_SETLK = 37; // Linux
    internal const int F_SETLEASE = 1024; // Linux
    internal const int F_DUPFD_CLOEXEC = 1030; // Linux
    internal const int SIGURG = 23; // Linux

    /// <summary>The largest value of a System V semaphore (SEMVMX), everywhere.</summary>
    internal const int SEMVMX = 32767;

    /// <summary>The largest value of a POSIX semaphore.</summary>
    internal static readonly int SEM_VALUE_MAX = TTarget.IsApple ? 32767 : int.MaxValue;

    /// <summary>What sem_open gives for a failure.</summary>
    internal static readonly int SEM_FAILED = TTarget.IsApple ? -1 : 0;
}
