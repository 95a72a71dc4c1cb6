using System.Collections.Frozen;

namespace NativeIpc.Faults;

/// <summary>The system calls that are made to fail, and the errors that their man pages name. Numbers of Linux
/// x86-64.</summary>
internal static class Errors
{
    /// <summary>Added to an error of mremap(2): it has unmapped its target when it fails.</summary>
    public const int Unmaps = 1000;

    private const int ENOMEM = 12;
    private const int F_SETSIG = 10; // the lease's signal
    private const int F_SETLEASE = 1024;

    private static readonly FrozenDictionary<string, int> s_numbers = new Dictionary<string, int>
    {
        ["EPERM"] = 1, ["ENOENT"] = 2, ["EINTR"] = 4, ["EIO"] = 5, ["ENXIO"] = 6, ["E2BIG"] = 7, ["EBADF"] = 9,
        ["EAGAIN"] = 11, ["ENOMEM"] = ENOMEM, ["EACCES"] = 13, ["EFAULT"] = 14, ["EBUSY"] = 16, ["EEXIST"] = 17,
        ["EXDEV"] = 18, ["ENODEV"] = 19, ["ENOTDIR"] = 20, ["EISDIR"] = 21, ["EINVAL"] = 22, ["ENFILE"] = 23,
        ["EMFILE"] = 24, ["ETXTBSY"] = 26, ["EFBIG"] = 27, ["ENOSPC"] = 28, ["EROFS"] = 30, ["EMLINK"] = 31,
        ["ERANGE"] = 34, ["EDEADLK"] = 35, ["ENAMETOOLONG"] = 36, ["ENOLCK"] = 37, ["ENOSYS"] = 38, ["ELOOP"] = 40,
        ["EIDRM"] = 43, ["EOVERFLOW"] = 75, ["EOPNOTSUPP"] = 95, ["ETIMEDOUT"] = 110, ["EDQUOT"] = 122,
    }.ToFrozenDictionary();

    // What a man page calls a fault of the program (a wrong pointer, a number that is no descriptor) is left out,
    // but where a filter or a file system gives it for a call that is right.
    private static readonly (long Number, string Name, string Errors)[] s_calls =
    [
        (2, "open", "EACCES EMFILE ENFILE ENOENT ENOMEM EINTR"),
        (257, "openat", "EACCES EAGAIN EBUSY EDQUOT EEXIST EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE "
            + "ENODEV ENOENT ENOMEM ENOSPC ENOSYS ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY"),
        (3, "close", "EINTR EIO ENOSPC EDQUOT"),
        (292, "dup3", "EBUSY EINTR EMFILE ENOMEM"),
        (72, "fcntl", "EACCES EAGAIN EBUSY EDEADLK EINTR EINVAL EMFILE ENOLCK ENOMEM EPERM ENOSYS"),
        (73, "flock", "EBADF EINTR EINVAL ENOLCK EAGAIN EOPNOTSUPP ENOSYS"),
        (0, "read", "EAGAIN EINTR EINVAL EIO EISDIR"),
        (17, "pread64", "EAGAIN EINTR EINVAL EIO EISDIR ENXIO"),
        (18, "pwrite64", "EAGAIN EDQUOT EFBIG EINTR EINVAL EIO ENOSPC EPERM"),
        (1, "write", "EAGAIN EDQUOT EFBIG EINTR EINVAL EIO ENOSPC EPERM"),
        (4, "stat", "EACCES ENOENT ENOMEM"),
        (5, "fstat", "EACCES ENOMEM EOVERFLOW"),
        (6, "lstat", "EACCES ENOENT ENOMEM"),
        (262, "newfstatat", "EACCES ENOENT ENOMEM EOVERFLOW"),
        (332, "statx", "EACCES EBADF EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR ENOSYS EPERM"),
        (77, "ftruncate", "EFBIG EINTR EINVAL EIO EPERM EROFS ETXTBSY ENOSPC"),
        (285, "fallocate", "EFBIG EINTR EINVAL EIO ENODEV ENOSPC ENOSYS EOPNOTSUPP EPERM ETXTBSY"),
        (265, "linkat", "EACCES EDQUOT EEXIST EINVAL EIO ELOOP EMLINK ENAMETOOLONG ENOENT ENOMEM ENOSPC ENOTDIR EPERM "
            + "EROFS EXDEV"),
        (87, "unlink", "EACCES EBUSY EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS"),
        (263, "unlinkat", "EACCES EBUSY EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS"),
        (83, "mkdir", "EACCES EDQUOT EEXIST EINVAL ELOOP EMLINK ENAMETOOLONG ENOENT ENOMEM ENOSPC ENOTDIR EPERM EROFS"),
        (90, "chmod", "EACCES EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS"),
        (91, "fchmod", "EACCES EBADF EIO EPERM EROFS"),
        (93, "fchown", "EBADF EIO EPERM EROFS"),
        (190, "fsetxattr", "EACCES EDQUOT ENOMEM ENOSPC ENOSYS EPERM ERANGE EROFS"),
        (193, "fgetxattr", "EACCES ENOMEM ENOSYS EPERM ERANGE"),
        (199, "fremovexattr", "EACCES ENOMEM ENOSYS EPERM EROFS"),
        (192, "lgetxattr", "EACCES ENOENT ENOMEM ENOSYS EPERM ERANGE"),
        (280, "utimensat", "EACCES EINVAL EPERM EROFS"),
        (217, "getdents64", "EINVAL ENOENT"),
        (21, "access", "EACCES ENOENT"),
        (269, "faccessat", "EACCES ENOENT"),
        (89, "readlink", "EACCES ENOENT EINVAL"),
        (9, "mmap", "EACCES EAGAIN EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY"),
        (11, "munmap", "EINVAL ENOMEM"),
        (25, "mremap", "EAGAIN EINVAL ENOMEM"),
        (28, "madvise", "EAGAIN EINVAL EIO ENOMEM EPERM"),
        (29, "shmget", "EACCES EEXIST EINVAL ENFILE ENOENT ENOMEM ENOSPC EPERM ENOSYS"),
        (30, "shmat", "EACCES EIDRM EINVAL ENOMEM"),
        (67, "shmdt", "EINVAL"),
        (31, "shmctl", "EACCES EIDRM EINVAL ENOMEM EOVERFLOW EPERM"),
        (64, "semget", "EACCES EEXIST EINVAL ENOENT ENOMEM ENOSPC ENOSYS"),
        (66, "semctl", "EACCES EIDRM EINVAL EPERM ERANGE"),
        (65, "semop", "E2BIG EACCES EAGAIN EFBIG EIDRM EINTR EINVAL ENOMEM ENOSPC ERANGE"),
        (220, "semtimedop", "E2BIG EACCES EAGAIN EFBIG EIDRM EINTR EINVAL ENOMEM ENOSPC ERANGE"),
        (202, "futex", "EACCES EAGAIN EINTR EINVAL ENOSYS ETIMEDOUT"),
        (291, "epoll_create1", "EINVAL EMFILE ENFILE ENOMEM"),
        (233, "epoll_ctl", "EEXIST EINVAL ENOENT ENOMEM ENOSPC EPERM"),
        (232, "epoll_wait", "EINTR EINVAL"),
        (434, "pidfd_open", "EINVAL EMFILE ENFILE ENODEV ENOMEM ENOSYS"),
        (294, "inotify_init1", "EINVAL EMFILE ENFILE ENOMEM"),
        (254, "inotify_add_watch", "EACCES EEXIST EINVAL ENAMETOOLONG ENOENT ENOMEM ENOSPC ENOTDIR"),
        (255, "inotify_rm_watch", "EBADF EINVAL"),
        (425, "io_uring_setup", "EINVAL EMFILE ENFILE ENOMEM EPERM ENOSYS"),
        (426, "io_uring_enter", "EAGAIN EBUSY EINTR EINVAL ENXIO EOPNOTSUPP"),
        (427, "io_uring_register", "EACCES EBADF EBUSY EINVAL ENOMEM"),
        (290, "eventfd2", "EINVAL EMFILE ENFILE ENODEV ENOMEM"),
        (137, "statfs", "EACCES EINTR EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOSYS ENOTDIR EOVERFLOW"),
        (138, "fstatfs", "EINTR EIO ENOMEM ENOSYS EOVERFLOW"),
        (302, "prlimit64", "EINVAL EPERM ENOSYS"),
        (449, "futex_waitv", "EAGAIN EINTR EINVAL ENOMEM ENOSYS ETIMEDOUT"),
    ];

    private static readonly FrozenDictionary<long, (string Name, int[] Errors)> s_byNumber = s_calls.ToFrozenDictionary(
        call => call.Number, call => (call.Name, call.Errors.Split(' ').Select(name => s_numbers[name]).ToArray()));

    private static readonly FrozenDictionary<int, string> s_names = s_numbers.ToFrozenDictionary(pair => pair.Value,
        pair => pair.Key);

    public static string NameOf(long call)
        => s_byNumber.TryGetValue(call, out (string Name, int[]) known) ? known.Name : $"call {call}";

    public static string NameOfError(int error)
        => error > Unmaps ? $"{NameOfError(error - Unmaps)} after unmapping" : s_names[error];

    /// <summary>How many arguments are worth showing.</summary>
    public static int CountOfArguments(long call)
        => s_byNumber.TryGetValue(call, out (string Name, int[]) known) ? known.Name switch
    {
        "close" or "unlink" or "shmdt" or "epoll_create1" or "inotify_init1" => 1,
        "open" or "flock" or "ftruncate" or "fchmod" or "chmod" or "munmap" or "stat" or "lstat" or "fstat" or "access"
            or "mkdir" or "eventfd2" or "statfs" or "fstatfs" => 2,
        "dup3" or "fcntl" or "read" or "write" or "fchown" or "shmget" or "shmat" or "shmctl" or "semget" or "semop"
            or "madvise" => 3,
        "mmap" => 6,
        "statx" or "linkat" or "mremap" => 5,
        _ => 4,
    } : 6;

    public static int Parse(string name) => s_numbers[name];

    /// <summary>How a call may fail.</summary>
    public static IEnumerable<int> Of(SystemCall call)
    {
        const int MREMAP_FIXED = 2;
        foreach (int error in s_byNumber[call.Number].Errors) yield return error;
        if (call is { Number: 25 } && (call.Arguments[3] & MREMAP_FIXED) != 0) yield return Unmaps + ENOMEM;
    }

    /// <summary>
    /// Whether a failure says, of the very thing that was made, that it is not there any more or is another one: then
    /// the library has nothing to remove, and what is left here is the price of a lie that no system tells.
    /// </summary>
    public static bool SaysItIsGone(SystemCall call, int error) => NameOfError(error) switch
    {
        // By name or by key; of what is open, nothing is said by that.
        "ENOENT" or "ENOTDIR" => IsOfObject(call) || call.Number is 29 or 64,

        // The id is nobody's.
        "EIDRM" or "EINVAL" => call.Number is 29 or 30 or 31 or 64 or 65 or 66 or 220,

        // Somebody else has the name or the key by now.
        "EEXIST" => call.Number is 29 or 64 || (call.Number is 257 or 265 && IsOfObject(call)),
        // A folder, a link or a FIFO has the name by now
        "EISDIR" or "ELOOP" or "ENXIO" => call.Number == 257 && IsOfObject(call),
        "EAGAIN" => call.Number == 72 && call.Arguments[1] is F_SETLEASE or F_SETSIG, // somebody uses it
        _ => false,
    };

    private static bool IsOfObject(SystemCall call) => call.Path.Contains(Place.Prefix, StringComparison.Ordinal);

    /// <summary>Whether a call gives something back; how such a one fails after another one has failed, or 0.</summary>
    public static int OfCleanUp(SystemCall call) => call.Number switch
    {
        87 or 263 => 1, // unlink: EPERM
        31 or 66 when call.Arguments[call.Number == 31 ? 1 : 2] == 0 => 1, // IPC_RMID: EPERM
        67 => 22,
        90 => 1, // chmod of what sem_open has made: EPERM
        73 when call.Arguments[1] != 8 => 37, // flock to look under: ENOLCK
        257 => 24, // opened in order to clean up: EMFILE
        332 => ENOMEM,
        25 => ENOMEM,
        72 when call.Arguments[1] == F_SETLEASE => 37, // asked who uses it: ENOLCK
        _ => 0,
    };
}
