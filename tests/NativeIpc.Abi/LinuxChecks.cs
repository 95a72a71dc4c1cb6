using System.Reflection;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Abi;

/// <summary>What C must confirm of Interop on Linux, for one target.</summary>
internal sealed class LinuxChecks
{
    /// <summary>Numbers without a counterpart in C, each with the reason.</summary>
    private static readonly Dictionary<string, string> s_notInC = new()
    {
        ["Layout.SizeOfIpcBuffer"] = "room for the largest structure; the check is that both fit",
    };

    /// <summary>Numbers of the kernel that a C library does not repeat (SEMVMX), or not in every supported version
    /// (musl 1.2.3: MADV_POPULATE_*).</summary>
    private static readonly HashSet<string> s_kernelFlags = ["SEMVMX", "MADV_POPULATE_READ", "MADV_POPULATE_WRITE",
        "FUTEX_WAKE", "FUTEX_WAIT_BITSET", "FUTEX_WAKE_BITSET", "FUTEX_PRIVATE_FLAG", "FUTEX_32"];

    private static readonly Dictionary<string, string> s_layout = new()
    {
        ["SizeOfSemT"] = "sizeof(sem_t)",
        ["SizeOfEpollEvent"] = "sizeof(struct epoll_event)",
        ["EpollData"] = "offsetof(struct epoll_event, data)",
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

    internal const string LibcHeaders = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <grp.h>
        #include <limits.h>
        #include <pwd.h>
        #include <semaphore.h>
        #include <signal.h>
        #include <stddef.h>
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <time.h>
        #include <unistd.h>
        #include <sys/auxv.h>
        #include <sys/epoll.h>
        #include <sys/eventfd.h>
        #include <sys/file.h>
        #include <sys/inotify.h>
        #include <sys/ipc.h>
        #include <sys/mman.h>
        #include <sys/resource.h>
        #include <sys/sem.h>
        #include <sys/shm.h>
        #include <sys/stat.h>
        #include <sys/statvfs.h>
        #include <sys/xattr.h>
        #include <sys/syscall.h>
        #include <sys/types.h>

        """;

    // Apart from the others, because the kernel's headers declare some structures again.
    private const string KernelHeaders = """
        #include <stddef.h>
        #include <stdio.h>
        #include <asm/mman.h>
        #include <asm/unistd.h>
        #include <linux/futex.h>
        #include <linux/membarrier.h>
        #include <linux/io_uring.h>
        #include <linux/sem.h>
        #include <linux/stat.h>

        """;

    private readonly List<Check> _libc = [];
    private readonly List<Check> _kernel = [];

    private LinuxChecks(Type flags, Type errno, Type layout, Architecture architecture)
    {
        foreach ((string name, long value) in Numbers.Of(flags))
            (s_kernelFlags.Contains(name) ? _kernel : _libc).Add(new("Flags." + name, name, value));
        foreach ((string name, long value) in Numbers.Of(errno)) _libc.Add(new("Errno." + name, name, value));

        foreach ((string name, long value) in Numbers.Of(layout))
        {
            if (s_notInC.ContainsKey("Layout." + name)) continue;
            if (!s_layout.TryGetValue(name, out string? c))
                throw new InvalidOperationException($"Say in {nameof(s_layout)} what Layout.{name} is in C.");
            _libc.Add(new("Layout." + name, c, value));
        }

        long buffer = Layout.SizeOfIpcBuffer;
        Libc($"sizeof(struct shmid_ds) <= {buffer}", 1);
        Libc($"sizeof(struct semid_ds) <= {buffer}", 1);
        // One constant for both
        Libc("offsetof(struct semid_ds, sem_perm.uid)", _libc.Single(check => check.Name == "Layout.IpcPermUid").Value);
        Libc("offsetof(struct semid_ds, sem_perm.cuid)",
            _libc.Single(check => check.Name == "Layout.IpcPermCuid").Value);
        Libc("offsetof(struct semid_ds, sem_perm.mode)",
            _libc.Single(check => check.Name == "Layout.IpcPermMode").Value);

        foreach ((string name, long value) in Numbers.Of(typeof(Statx)))
        {
            _kernel.Add(new("Statx." + name, name switch
            {
                nameof(Statx.BASIC_STATS) => "STATX_BASIC_STATS",
                nameof(Statx.BTIME) => "STATX_BTIME",
                nameof(Statx.Size) => "sizeof(struct statx)",
                _ => $"offsetof(struct statx, {name})",
            }, value));
        }

        OlderStat older = OlderStat.Of(architecture);
        Libc("SYS_newfstatat", older.CallNumber);
        Libc("offsetof(struct stat, st_mode)", older.Mode);
        Libc("offsetof(struct stat, st_nlink)", older.Links);
        Libc("offsetof(struct stat, st_uid)", older.Uid);
        Libc("offsetof(struct stat, st_gid)", older.Gid);
        Libc("offsetof(struct stat, st_dev)", 0);
        Libc("offsetof(struct stat, st_ino)", OlderStat.Inode);
        Libc("offsetof(struct stat, st_size)", OlderStat.Size);
        Libc("offsetof(struct stat, st_atim)", OlderStat.Times);
        Libc("offsetof(struct stat, st_mtim)", OlderStat.Times + 16);
        Libc("offsetof(struct stat, st_ctim)", OlderStat.Times + 32);
        Libc($"sizeof(struct stat) <= {OlderStat.LargestSize}", 1);
        Libc("SYS_statx", Interop.Unix.Libc.StatxNumber(architecture));
        Kernel("__NR_statx", Interop.Unix.Libc.StatxNumber(architecture));
        Libc("SYS_getdents64", Interop.Unix.Libc.Getdents64Number(architecture));
        Kernel("__NR_getdents64", Interop.Unix.Libc.Getdents64Number(architecture));
        Libc("SYS_futex", Futex.Number(architecture));
        if (SystemCalls.Semop(architecture) is > 0 and var semop) Kernel("__NR_semop", semop);
        Kernel("__NR_semtimedop", SystemCalls.Semtimedop(architecture));
        Kernel("__NR_futex", Futex.Number(architecture));
        Kernel("__NR_pidfd_open", Interop.Unix.Libc.PidfdOpenNumber);
        Kernel("__NR_membarrier", Interop.Unix.Libc.MembarrierNumber(architecture));
        Kernel("MEMBARRIER_CMD_QUERY", Interop.Unix.Libc.MEMBARRIER_CMD_QUERY);
        Kernel("MEMBARRIER_CMD_PRIVATE_EXPEDITED", Interop.Unix.Libc.MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        Libc("MAP_FAILED", Interop.Unix.Libc.MAP_FAILED);

        Struct<Sembuf>("struct sembuf");
        Struct<Timespec>("struct timespec");
        Struct<Flock>("struct flock");
        Struct<FutexWord>("struct futex_waitv", Kernel);
        Kernel("FUTEX_WAITV_MAX", Futex.MostWords);
        AddRing();
        AddWhatCodeReliesOnWithoutAName();
    }

    /// <summary>The target this process runs on, as Interop uses it.</summary>
    internal static LinuxChecks Here { get; } = new(
        typeof(FlagsOf<ThisTarget>),
        typeof(ErrnoOf<ThisTarget>),
        typeof(LayoutOf<ThisTarget>),
        RuntimeInformation.ProcessArchitecture);

    internal static LinuxChecks Of<TTarget>(Architecture architecture)
        where TTarget : ITarget
        => new(typeof(FlagsOf<TTarget>), typeof(ErrnoOf<TTarget>), typeof(LayoutOf<TTarget>),
            architecture);

    internal IEnumerable<Check> All => _libc.Concat(_kernel);

    /// <summary>A program in two sources that prints name=value for every check.</summary>
    internal string[] WriteProgram(TempFolder folder) =>
    [
        folder.Write("libc.c", $"{LibcHeaders}\nvoid kernel(void);\nint main(void)\n{{\n{Check.Prints(_libc)}    "
            + $"kernel();\n    return 0;\n}}\n"),
        folder.Write("kernel.c",
            $"{KernelHeaders}\nvoid kernel(void);\nvoid kernel(void)\n{{\n{Check.Prints(_kernel)}}}\n"),
    ];

    /// <summary>Two sources that compile only where every number is right.</summary>
    internal string[] WriteAssertions(TempFolder folder) =>
    [
        folder.Write("libc-assertions.c", LibcHeaders + Check.Assertions(_libc)),
        folder.Write("kernel-assertions.c", KernelHeaders + Check.Assertions(_kernel)),
    ];

    private void Libc(string c, long value) => _libc.Add(new(c, c, value));

    private void Kernel(string c, long value) => _kernel.Add(new(c, c, value));

    private void Struct<T>(string name)
        where T : unmanaged
        => Struct<T>(name, Libc);

    private static unsafe void Struct<T>(string name, Action<string, long> check)
        where T : unmanaged
    {
        check($"sizeof({name})", sizeof(T));
        foreach (FieldInfo field in typeof(T).GetFields(
            BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            if (field.Name == "reserved") continue; // has underscores in C, and is 0
            check($"offsetof({name}, {field.Name})", Marshal.OffsetOf<T>(field.Name));
            check(SizeOf(name, field.Name), Marshal.SizeOf(field.FieldType));
        }
    }

    // Not IORING_OP_FUTEX_WAIT, which is younger than the headers: the library tries it before it relies on it.
    private void AddRing()
    {
        Kernel("__NR_io_uring_setup", IoUring.SetupNumber);
        Kernel("__NR_io_uring_enter", IoUring.EnterNumber);
        Kernel("__NR_io_uring_register", IoUring.RegisterNumber);
        Kernel("IORING_SETUP_R_DISABLED", IoUring.IORING_SETUP_R_DISABLED);
        Kernel("IORING_SETUP_SINGLE_ISSUER", IoUring.IORING_SETUP_SINGLE_ISSUER);
        Kernel("IORING_SETUP_DEFER_TASKRUN", IoUring.IORING_SETUP_DEFER_TASKRUN);
        Kernel("IORING_REGISTER_ENABLE_RINGS", IoUring.IORING_REGISTER_ENABLE_RINGS);
        Kernel("IORING_ENTER_GETEVENTS", IoUring.IORING_ENTER_GETEVENTS);
        Kernel("IORING_ENTER_EXT_ARG", IoUring.IORING_ENTER_EXT_ARG);
        Kernel("IORING_OFF_SQ_RING", IoUring.IORING_OFF_SQ_RING);
        Kernel("IORING_OFF_SQES", IoUring.IORING_OFF_SQES);
        Kernel("IORING_OP_ASYNC_CANCEL", IoUring.IORING_OP_ASYNC_CANCEL);
        Struct<UringParams>("struct io_uring_params", Kernel);
        Struct<UringSubmissionOffsets>("struct io_sqring_offsets", Kernel);
        Struct<UringCompletionOffsets>("struct io_cqring_offsets", Kernel);
        Struct<UringEntry>("struct io_uring_sqe", Kernel);
        Struct<UringResult>("struct io_uring_cqe", Kernel);
        Struct<UringWait>("struct io_uring_getevents_arg", Kernel);
    }

    /// <summary>Widths that a read at an offset implies, the structures of inotify and passwd, and the types behind the
    /// parameters of the declarations.</summary>
    private void AddWhatCodeReliesOnWithoutAName()
    {
        Libc(SizeOf("struct shmid_ds", "shm_perm.uid"), 4);
        Libc(SizeOf("struct shmid_ds", "shm_segsz"), 8);
        Libc(SizeOf("struct shmid_ds", "shm_nattch"), 8);
        Libc(SizeOf("struct shmid_ds", "shm_cpid"), 4);
        Libc(SizeOf("struct semid_ds", "sem_otime"), 8);
        // little-endian; musl declares two of its eight bytes
        Libc($"{SizeOf("struct semid_ds", "sem_nsems")} >= 2", 1);
        Libc(SizeOf("struct shmid_ds", "shm_perm.cuid"), 4);

        foreach ((string field, int size) in new[] { ("nlink", 4), ("uid", 4), ("gid", 4), ("mode", 2), ("ino", 8),
            ("size", 8), ("dev_major", 4), ("dev_minor", 4) })
        {
            Kernel(SizeOf("struct statx", "stx_" + field), size);
        }

        foreach (string time in new[] { "atime", "btime", "ctime", "mtime" })
        {
            Kernel(SizeOf("struct statx", $"stx_{time}.tv_sec"), 8);
            Kernel(SizeOf("struct statx", $"stx_{time}.tv_nsec"), 4);
        }

        Kernel(SizeOf("struct statx", "stx_mask"), 4);
        Kernel("offsetof(struct statx_timestamp, tv_nsec)", 8);

        foreach ((string field, int offset) in new[] { ("wd", 0), ("mask", 4), ("cookie", 8), ("len", 12),
            ("name", 16) })
        {
            Libc($"offsetof(struct inotify_event, {field})", offset);
        }

        Libc("sizeof(struct inotify_event)", 16);
        Libc("offsetof(struct passwd, pw_name)", 0);
        Libc("offsetof(struct group, gr_name)", 0); // UserGroups
        Libc("offsetof(struct group, gr_gid)", 16); // UserGroups
        Libc(SizeOf("struct group", "gr_gid"), 4);

        foreach ((string type, int size) in new[]
        {
            ("int", 4), ("void *", 8), ("size_t", 8), ("ssize_t", 8), ("off_t", 8), ("time_t", 8),
            ("mode_t", 4), ("key_t", 4), ("uid_t", 4), ("clockid_t", 4), ("long", 8),
        })
        {
            Libc($"sizeof({type})", size);
        }
    }

    private static string SizeOf(string type, string field) => $"sizeof((({type} *)0)->{field})";
}
