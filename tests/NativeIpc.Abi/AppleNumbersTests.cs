using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>
/// Constants and layouts of Apple. There is no SDK here: the values and the structures are typed from the stored facts
/// (platform-abi.md, sections 1 and 2; errno, MAP_FIXED and S_IF* also from the xnu sources, CLOCK_REALTIME from the
/// SDK's time.h). What this proves is that Interop agrees with them, and that clang lays these structures out so for
/// both Apple targets.
/// </summary>
public class AppleNumbersTests
{
    private static readonly Dictionary<string, long> s_flags = new()
    {
        ["O_RDONLY"] = 0, ["O_RDWR"] = 2, ["O_CREAT"] = 0x200, ["O_EXCL"] = 0x800, ["O_CLOEXEC"] = 0x1000000,
        ["O_NONBLOCK"] = 4, ["O_NOFOLLOW"] = 0x100,
        ["PROT_READ"] = 1, ["PROT_WRITE"] = 2, ["MAP_SHARED"] = 1, ["MAP_PRIVATE"] = 2, ["MAP_FIXED"] = 0x10,
        ["MAP_ANONYMOUS"] = 0x1000,
        ["LOCK_SH"] = 1, ["LOCK_EX"] = 2, ["LOCK_NB"] = 4, ["LOCK_UN"] = 8,
        ["IPC_CREAT"] = 0x200, ["IPC_EXCL"] = 0x400, ["IPC_NOWAIT"] = 0x800, ["IPC_RMID"] = 0, ["IPC_SET"] = 1,
        ["IPC_STAT"] = 2,
        ["SEM_UNDO"] = 0x1000, ["SHM_RDONLY"] = 0x1000,
        ["GETNCNT"] = 3, ["GETPID"] = 4, ["GETVAL"] = 5, ["GETZCNT"] = 7, ["SETVAL"] = 8,
        ["S_IFMT"] = 0xF000, ["S_IFREG"] = 0x8000, ["S_IFDIR"] = 0x4000, ["S_IFLNK"] = 0xA000,
        ["CLOCK_REALTIME"] = 0, ["SEMVMX"] = 32767, ["SEM_VALUE_MAX"] = 32767, ["SEM_FAILED"] = -1,
    };

    private static readonly Dictionary<string, long> s_errno = new()
    {
        ["EPERM"] = 1, ["ENOENT"] = 2, ["ESRCH"] = 3, ["EINTR"] = 4, ["EIO"] = 5, ["ENXIO"] = 6, ["E2BIG"] = 7,
            ["EBADF"] = 9, ["ENOMEM"] = 12, ["EACCES"] = 13, ["EFAULT"] = 14, ["EBUSY"] = 16, ["EEXIST"] = 17,
            ["EXDEV"] = 18, ["ENODEV"] = 19,
        ["ENOTDIR"] = 20, ["EISDIR"] = 21, ["EINVAL"] = 22, ["ENFILE"] = 23, ["EMFILE"] = 24, ["ETXTBSY"] = 26,
        ["EFBIG"] = 27, ["ENOSPC"] = 28, ["EROFS"] = 30, ["EMLINK"] = 31,
        ["EDEADLK"] = 11, ["ERANGE"] = 34, ["EAGAIN"] = 35, ["ENOTSUP"] = 45, ["ETIMEDOUT"] = 60, ["ELOOP"] = 62,
        ["ENAMETOOLONG"] = 63, ["EDQUOT"] = 69, ["ETIME"] = 101, ["ECANCELED"] = 89,
        ["ENOLCK"] = 77, ["ENOSYS"] = 78, ["EOVERFLOW"] = 84, ["EIDRM"] = 90, ["EOPNOTSUPP"] = 102,
    };

    /// <summary>Flags that are passed on Linux only, each with the reason why Apple has no use for it.</summary>
    private static readonly Dictionary<string, string> s_linuxFlags = new()
    {
        ["O_TMPFILE"] = "no unnamed files on Apple", ["O_NOATIME"] = "no such flag",
        ["AT_STATX_DONT_SYNC"] = "for statx",
        ["AT_FDCWD"] = "for linkat and statx", ["AT_SYMLINK_FOLLOW"] = "for linkat",
        ["AT_SYMLINK_NOFOLLOW"] = "for statx", ["AT_EMPTY_PATH"] = "for statx",
        ["MAP_NORESERVE"] = "another value on Apple, and not needed", ["MAP_POPULATE"] = "no such flag",
        ["MADV_HUGEPAGE"] = "no such advice", ["MADV_POPULATE_READ"] = "no such advice",
        ["MADV_POPULATE_WRITE"] = "no such advice",
        ["SHM_DEST"] = "not visible to programs on Apple", ["ST_RDONLY"] = "segments are no files",
        ["CLOCK_MONOTONIC"] = "for sem_clockwait, which Apple lacks",
        ["IN_CLOSE_WRITE"] = "no inotify", ["IN_MASK_ADD"] = "no inotify",
        ["IN_ATTRIB"] = "no inotify", ["IN_DELETE_SELF"] = "no inotify", ["IN_MOVE_SELF"] = "no inotify",
        ["IN_IGNORED"] = "no inotify",
        ["FUTEX_WAKE"] = "no futexes", ["FUTEX_WAIT_BITSET"] = "no futexes", ["FUTEX_WAKE_BITSET"] = "no futexes",
        ["FUTEX_PRIVATE_FLAG"] = "no futexes", ["FUTEX_32"] = "no futexes",
        ["EPOLL_CTL_ADD"] = "no epoll", ["EPOLLIN"] = "no epoll", ["EPOLLONESHOT"] = "no epoll",
        ["EPOLL_CLOEXEC"] = "no epoll", ["EFD_CLOEXEC"] = "no eventfd", ["O_PATH"] = "no such flag",
        ["EFD_NONBLOCK"] = "no eventfd",
        ["MREMAP_MAYMOVE"] = "no such call", ["MREMAP_FIXED"] = "no such call",
        ["F_RDLCK"] = "for locks of open file descriptions", ["F_WRLCK"] = "for locks of open file descriptions",
        ["F_UNLCK"] = "for locks of open file descriptions",
        ["F_OFD_GETLK"] = "no such locks", ["F_OFD_SETLK"] = "no such locks",
        ["F_SETFL"] = "for O_NOATIME", ["RLIMIT_FSIZE"] = "segments are no files", ["F_SETSIG"] = "for leases",
            ["F_SETLEASE"] = "no leases", ["SIGURG"] = "for leases",
            ["F_DUPFD"] = "no descriptor is moved there",
            ["F_DUPFD_CLOEXEC"] = "another value on Apple, whose table of descriptors nobody enlarges",
        ["IN_Q_OVERFLOW"] = "no inotify", ["IN_CLOEXEC"] = "no inotify",
    };

    private static readonly Dictionary<string, string> s_layout = new()
    {
        ["IpcPermUid"] = "offsetof(struct shmid_ds, shm_perm.uid)",
        ["IpcPermMode"] = "offsetof(struct shmid_ds, shm_perm.mode)",
        ["ShmSegsz"] = "offsetof(struct shmid_ds, shm_segsz)",
        ["ShmNattch"] = "offsetof(struct shmid_ds, shm_nattch)",
        ["ShmCpid"] = "offsetof(struct shmid_ds, shm_cpid)",
        ["SemOtime"] = "offsetof(struct semid_ds, sem_otime)",
        ["SemCtime"] = "offsetof(struct semid_ds, sem_ctime)",
        ["SemNsems"] = "offsetof(struct semid_ds, sem_nsems)",
        ["IpcPermCuid"] = "offsetof(struct shmid_ds, shm_perm.cuid)",
    };

    private static readonly Dictionary<string, string> s_linuxLayout = new()
    {
        ["SizeOfSemT"] = "a semaphore has no file on Apple",
        ["SizeOfEpollEvent"] = "no epoll", ["EpollData"] = "no epoll",
        ["SizeOfIpcBuffer"] = "room for the largest structure; the check is that both fit",
    };

    // 64-bit: int is 4 bytes, long 8. The two System V structures are packed to 4 bytes, which leaves the times
    // unaligned.
    private const string Structures = """
        #define offsetof(type, field) __builtin_offsetof(type, field)

        struct timespec { long tv_sec; long tv_nsec; };

        struct stat {
            int st_dev;
            unsigned short st_mode;
            unsigned short st_nlink;
            unsigned long st_ino;
            unsigned int st_uid;
            unsigned int st_gid;
            int st_rdev;
            struct timespec accessed, modified, changed, born;
            long st_size;
            long st_blocks;
            int st_blksize;
            unsigned int st_flags;
            unsigned int st_gen;
            int spare;
            long spares[2];
        };

        struct sembuf { unsigned short sem_num; short sem_op; short sem_flg; };

        #pragma pack(push, 4)
        struct ipc_perm {
            unsigned int uid, gid, cuid, cgid;
            unsigned short mode;
            unsigned short sequence;
            int key;
        };

        struct shmid_ds {
            struct ipc_perm shm_perm;
            unsigned long shm_segsz;
            int shm_lpid;
            int shm_cpid;
            unsigned short shm_nattch;
            long shm_atime, shm_dtime, shm_ctime;
            void *internal;
        };

        struct semid_ds {
            struct ipc_perm sem_perm;
            int base;
            unsigned short sem_nsems;
            long sem_otime;
            int pad1;
            long sem_ctime;
            int pad2;
            int pad3[4];
        };
        #pragma pack(pop)

        // The sizes and offsets of the facts themselves, so that a slip in typing the structures shows.
        _Static_assert(sizeof(struct stat) == 144, "stat");
        _Static_assert(sizeof(struct ipc_perm) == 24 && offsetof(struct ipc_perm, mode) == 16
            && offsetof(struct ipc_perm, key) == 20, "ipc_perm");
        _Static_assert(sizeof(struct shmid_ds) == 76 && offsetof(struct shmid_ds, shm_lpid) == 32
            && offsetof(struct shmid_ds, shm_atime) == 44
            && offsetof(struct shmid_ds, shm_dtime) == 52 && offsetof(struct shmid_ds, shm_ctime) == 60, "shmid_ds");
        _Static_assert(sizeof(struct semid_ds) == 72 && offsetof(struct semid_ds, sem_nsems) == 28
            && offsetof(struct semid_ds, sem_ctime) == 44, "semid_ds");
        _Static_assert(sizeof(struct sembuf) == 6 && sizeof(struct timespec) == 16, "sembuf, timespec");

        // The widths with which the fields are read.
        #define WIDTH(type, field, size) _Static_assert(sizeof(((type *)0)->field) == size, #field)
        WIDTH(struct stat, st_dev, 4);
        WIDTH(struct stat, st_mode, 2);
        WIDTH(struct stat, st_nlink, 2);
        WIDTH(struct stat, st_ino, 8);
        WIDTH(struct stat, st_uid, 4);
        WIDTH(struct stat, st_gid, 4);
        WIDTH(struct stat, st_size, 8);
        WIDTH(struct shmid_ds, shm_perm.uid, 4);
        WIDTH(struct shmid_ds, shm_perm.mode, 2);
        WIDTH(struct shmid_ds, shm_segsz, 8);
        WIDTH(struct shmid_ds, shm_cpid, 4);
        WIDTH(struct shmid_ds, shm_nattch, 2);
        WIDTH(struct semid_ds, sem_otime, 8);
        WIDTH(struct semid_ds, sem_nsems, 2);
        WIDTH(struct shmid_ds, shm_perm.cuid, 4);

        """;

    public static TheoryData<string> Targets => ["arm64-apple-macos11", "x86_64-apple-macos11"];

    [Fact]
    public void Error_numbers_are_those_of_the_facts()
    {
        Assert.Equal(s_errno.OrderBy(pair => pair.Key),
            Numbers.Of(typeof(ErrnoOf<AppleArm64>)).OrderBy(pair => pair.Key));
        Assert.Equal(s_errno.OrderBy(pair => pair.Key),
            Numbers.Of(typeof(ErrnoOf<AppleX64>)).OrderBy(pair => pair.Key));
    }

    [Fact]
    public void Flags_are_those_of_the_facts()
    {
        Assert.Equal(s_flags.OrderBy(pair => pair.Key), AppleFlags<AppleArm64>());
        Assert.Equal(s_flags.OrderBy(pair => pair.Key), AppleFlags<AppleX64>());
        // No stale exceptions
        Assert.All(s_linuxFlags.Keys, name => Assert.Contains(name, Numbers.Of(typeof(FlagsOf<AppleArm64>))));
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Offsets_are_those_of_the_structures(string target)
    {
        using var folder = new TempFolder();
        IEnumerable<Check> checks = target.StartsWith("arm64", StringComparison.Ordinal)
            ? Layout<AppleArm64>() : Layout<AppleX64>();

        _ = Compiler.CheckSyntax(target, folder.Write("layout.c", Structures + Check.Assertions(checks))).Succeeded;
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void Offsets_of_Linux_are_refused(string target)
    {
        using var folder = new TempFolder();
        string errors = Compiler.CheckSyntax(target,
            folder.Write("layout.c", Structures + Check.Assertions(Layout<LinuxX64>())), "-ferror-limit=0").Error;

        Assert.All(s_layout.Keys, name => Assert.Contains($"Layout.{name} is ", errors, StringComparison.Ordinal));
    }

    private static IEnumerable<KeyValuePair<string, long>> AppleFlags<TTarget>()
        where TTarget : ITarget
        => Numbers.Of(typeof(FlagsOf<TTarget>)).Where(pair => !s_linuxFlags.ContainsKey(pair.Key))
            .OrderBy(pair => pair.Key);

    private static IEnumerable<Check> Layout<TTarget>()
        where TTarget : ITarget
    {
        foreach ((string name, long value) in Numbers.Of(typeof(LayoutOf<TTarget>))
            .Where(pair => !s_linuxLayout.ContainsKey(pair.Key)))
        {
            if (!s_layout.TryGetValue(name, out string? c))
                throw new InvalidOperationException($"Say in {nameof(s_layout)} what Layout.{name} is in C.");
            yield return new("Layout." + name, c, value);
            if (name.StartsWith("IpcPerm", StringComparison.Ordinal)) // one constant for both structures
            {
                yield return new($"Layout.{name} (semaphores)",
                    c.Replace("shm", "sem", StringComparison.Ordinal), value);
            }
        }

        foreach ((string name, long value) in Numbers.Of(typeof(AppleStat)))
        {
            yield return new("AppleStat." + name,
                name == nameof(AppleStat.Size)
                    ? "sizeof(struct stat)" : $"offsetof(struct stat, {name})", value);
        }

        yield return new("SizeOfIpcBuffer",
            $"sizeof(struct shmid_ds) <= {Interop.Unix.Layout.SizeOfIpcBuffer} && sizeof(struct semid_ds) "
                + $"<= {Interop.Unix.Layout.SizeOfIpcBuffer}", 1);
        yield return new("the buffer of Status", $"sizeof(struct stat) <= {Statx.Size}", 1);
        yield return new("Sembuf", "sizeof(struct sembuf)", SizeOf<Sembuf>());
        yield return new("Sembuf.sem_op", "offsetof(struct sembuf, sem_op)",
            Marshal.OffsetOf<Sembuf>("sem_op"));
        yield return new("Sembuf.sem_flg", "offsetof(struct sembuf, sem_flg)",
            Marshal.OffsetOf<Sembuf>("sem_flg"));
        yield return new("Timespec", "sizeof(struct timespec)", SizeOf<Timespec>());
        yield return new("Timespec.tv_nsec", "offsetof(struct timespec, tv_nsec)",
            Marshal.OffsetOf<Timespec>("tv_nsec"));
    }

    private static unsafe long SizeOf<T>()
        where T : unmanaged => sizeof(T);
}
