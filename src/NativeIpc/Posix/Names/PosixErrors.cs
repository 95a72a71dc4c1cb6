using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;

namespace NativeIpc.Posix.Names;

/// <summary>What error numbers mean to each POSIX call. What fails for the folder's sake names the folder: see
/// <see cref="PosixFolder"/>.</summary>
internal static class PosixErrors
{
    private const string MakeRoom =
        "remove leftovers there, or give it more (mount -o remount,size=…; docker --shm-size)";

    /// <summary>Opening what exists: shm_open and sem_open, and the file calls that stand for them on Linux
    /// (shm_open(3), sem_open(3)).</summary>
    public static NativeIpcException Open(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number,
            "No such object: start the peer that makes it, or use CreateOrOpen. In a container, /dev/shm must be "
                + "shared with the peer."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            PosixFolder.WhyNothingCanBeReached() ?? WhoseItIs(attempt, key, call) + ": let its creator choose a wider "
                + "Mode, or run as its owner."),
        _ => Any(attempt, key, call, number),
    };

    private static string WhoseItIs(string attempt, in NativeIpcKey key, string call)
    {
        bool isSemaphore = call == "sem_open"
            || (call != "shm_open" && attempt.Contains("semaphore", StringComparison.Ordinal));
        IpcObjectKind kind = isSemaphore ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory;
        return PosixNames.s_areFiles
            && Libc.Status(PosixNames.FileOf(key, kind), followLink: false, out FileStatus status) == 0
            ? $"It belongs to user {RealIds.Users.Describe(status.Uid)}, and its mode "
                + $"{Convert.ToString(status.Permissions, 8)} (octal) does not let this one, {Libc.geteuid()}, in"
            : "It belongs to another user or its mode does not let this one in";
    }

    /// <summary>Making what does not exist: shm_open and sem_open with O_CREAT, open with O_TMPFILE, linkat, and the
    /// first bytes of a semaphore.</summary>
    public static NativeIpcException Create(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, call, number,
            "Open it, use CreateOrOpen, or remove a leftover with Remove."),
        Errno.ENOENT or Errno.ENOTDIR
            => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            $"{PosixFolder.Missing}: {PosixFolder.Mount}."),
        Errno.EACCES or Errno.EPERM
            => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            PosixFolder.WhyNothingCanBeMade()),
        Errno.ENOSPC
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            PosixFolder.WhyFull() ?? $"/dev/shm is full: {MakeRoom}."),
        _ when number == Errno.EOVERFLOW => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "The user namespace that /dev/shm was mounted in does not map this user: map the user there (podman run "
                + "--uidmap), or mount a /dev/shm of this namespace."),
        _ => Any(attempt, key, call, number),
    };

    /// <summary>What has the same cause when an object is made and when it is opened.</summary>
    private static NativeIpcException Any(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, PosixFolder.ReadOnly),
        Errno.EINVAL or Errno.EISDIR or Errno.ENXIO or Errno.ENOTDIR or Errno.ENODEV
            => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The name cannot be that of a POSIX object, or something else stands under it in /dev/shm: use a name "
                + "made by PlatformSafeKey, or remove what is there."),
        Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            WhyTooMany(call, OperatingSystem.IsLinux() && !Libraries.IsGlibc)),
        Errno.ENFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The whole system has as many files open as it may: end programs, or raise the limit (sysctl "
                + "fs.file-max)."),
        Errno.ENOSPC
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, $"/dev/shm is full: {MakeRoom}."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The kernel has no memory left, or the container may take no more (memory.max): end programs, or raise "
                + "that limit."),
        _ when number == Errno.ENAMETOOLONG => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The name is too long: use a shorter one (255 bytes for a segment, 251 with a lock or for a semaphore; 30 "
                + "on macOS)."),
        _ when number == Errno.ELOOP => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "A symbolic link stands under this name; it is not followed. Remove the link."),
        _ when number == Errno.EDQUOT => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "This user's quota of /dev/shm is used up: remove what is not used, or raise it (mount -o "
                + "usrquota_block_hardlimit=…, usrquota_inode_hardlimit=…)."),
        _ when number == Errno.EAGAIN => Failure.Of(NativeIpcError.LockError, attempt, key, call, number,
            "Another process keeps its file from being opened by a lease (F_SETLEASE; /proc/locks names it): try "
                + "again, or remove the file if somebody has planted it."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>Which limit of the process EMFILE means, and what helps. The sem_open of musl gives it as well when its
    /// own table is full (SEM_NSEMS_MAX of its limits.h, 256; sysconf(3) tells it), glibc has no such table.</summary>
    internal static string WhyTooMany(string call, bool isMusl)
        => call == "sem_open" && isMusl
            ? "This process has as many semaphores open by sem_open as the musl C library allows (256, "
                + "SEM_NSEMS_MAX), or "
                + "no file descriptor is left (ulimit -n): dispose what is not used, share one instance per name, or "
                + "mount a tmpfs at /dev/shm that makes files without a name (O_TMPFILE), where that limit does not "
                + "count."
            : "No file descriptor is left: dispose what is not used, or raise the limit (ulimit -n).";

    /// <summary>Writing a new semaphore: a few bytes.</summary>
    public static NativeIpcException Reserve(string attempt, in NativeIpcKey key, string call, int number)
        => number is Errno.ENOSPC or Errno.ENOMEM || number == Errno.EDQUOT ? Create(attempt, key, call, number)
            : Unknown(attempt, key, call, number);

    /// <summary>ftruncate and posix_fallocate on a new segment.</summary>
    public static NativeIpcException Resize(string attempt, in NativeIpcKey key, string call, int number, long size)
        => number switch
    {
        Errno.ENOSPC => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"There is no room for {size} bytes in /dev/shm: remove leftovers, give it more (mount -o remount,size=…; "
                + $"docker --shm-size), or ask for Sparse allocation."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"The kernel has no memory for {size} bytes, or the container may take no more (memory.max): ask for "
                + $"less, or for Sparse allocation, or raise that limit."),
        Errno.EINVAL or Errno.EFBIG => Failure.Of(NativeIpcError.InvalidSize, attempt, key, call, number,
            $"A size of {size} bytes is more than the system can give: ask for less."),
        Errno.EPERM or Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "The file is sealed against growing (F_SEAL_GROW), or a sandbox (seccomp) refuses the call: make it "
                + "anew, or allow the call there."),
        Errno.ENODEV => NoReservation(attempt, key, call, number),
        _ when number == Errno.ENOSYS || number == Errno.EOPNOTSUPP => NoReservation(attempt, key, call, number),
        _ when number == Errno.EOVERFLOW => Failure.Of(NativeIpcError.InvalidSize, attempt, key, call, number,
            $"A size of {size} bytes is more than the system can give: ask for less."),
        _ when number == Errno.EDQUOT => Create(attempt, key, call, number),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>pwrite to a segment that exists: a sparse one takes its memory then.</summary>
    public static NativeIpcException Write(string attempt, in NativeIpcKey key, int number) => number switch
    {
        Errno.ENOSPC => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "pwrite", number,
            PosixFolder.WhyFull()
                ?? $"/dev/shm is full, and the segment has no memory there yet, since its allocation is Sparse: "
                + $"{MakeRoom}."),
        Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "pwrite", number,
            "It is sealed against writing (F_SEAL_WRITE): open it for reading only."),
        Errno.ENOMEM => Any(attempt, key, "pwrite", number),
        _ when number == Errno.EDQUOT => Any(attempt, key, "pwrite", number),
        _ => Unknown(attempt, key, "pwrite", number),
    };

    private static NativeIpcException NoReservation(string attempt, in NativeIpcKey key, string call, int number)
        => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "Memory cannot be reserved there: the file system of /dev/shm or a sandbox (seccomp) lacks the call. Ask "
                + "for Sparse allocation, mount a tmpfs there, or allow the call.");

    /// <summary>fchown of a new object to a group.</summary>
    public static NativeIpcException Group(string attempt, in NativeIpcKey key, string group, int number)
        => number switch
    {
        Errno.EPERM or Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fchown", number,
            $"This user may not give it to the group '{group}': be a member of that group, or root."),
        Errno.EINVAL => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fchown", number,
            $"The group '{group}' is not mapped in this user namespace (/proc/self/gid_map): name one that is, or "
                + $"map it."),
        _ when number == Errno.EDQUOT => Create(attempt, key, "fchown", number),
        _ => Unknown(attempt, key, "fchown", number),
    };

    /// <summary>mmap of a segment or a semaphore.</summary>
    public static NativeIpcException Map(string attempt, in NativeIpcKey key, int number, long size) => number switch
    {
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "mmap", number,
            $"The address space of this process has no room for {size} bytes, or it has too many mappings (ulimit -v, "
                + $"vm.max_map_count)."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "mmap", number,
            "It may not be mapped for writing (sealed by F_SEAL_WRITE, or a policy of the system): open it for "
                + "reading only."),
        Errno.EINVAL => Failure.Of(NativeIpcError.InvalidSize, attempt, key, "mmap", number,
            $"A size of {size} bytes cannot be mapped."),
        Errno.ENODEV
            => Failure.Of(NativeIpcError.KeyError, attempt, key, "mmap", number,
            "The file system of /dev/shm does not let files be mapped: mount a tmpfs there."),
        Errno.ENFILE => Any(attempt, key, "mmap", number),
        _ when number == Errno.EOVERFLOW
            => Failure.Of(NativeIpcError.InvalidSize, attempt, key, "mmap", number,
            $"A size of {size} bytes cannot be mapped."),
        _ when number == Errno.EAGAIN => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "mmap", number,
            "This process keeps all that it maps in memory (mlockall), and may lock no more: raise the limit (ulimit "
                + "-l; LimitMEMLOCK= of systemd)."),
        _ => Unknown(attempt, key, "mmap", number),
    };

    /// <summary>shm_unlink and sem_unlink.</summary>
    public static NativeIpcException Unlink(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            PosixFolder.WhyShut()
                ?? "Only its owner, the owner of /dev/shm and root may remove it from there, whatever its mode: run "
                + "as one of them."),
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, PosixFolder.ReadOnly),
        Errno.EISDIR or Errno.EINVAL => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "What stands under this name is no POSIX object."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>The arm that every table ends with: what the number says whatever the call.</summary>
    public static NativeIpcException Unknown(string attempt, in NativeIpcKey key, string call, int number)
        => UnixErrors.Unexplained(attempt, key, call, number);
}
