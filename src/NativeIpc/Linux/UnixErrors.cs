using NativeIpc.Errors;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Linux;

/// <summary>The arm that every table of Unix ends with.</summary>
internal static class UnixErrors
{
    /// <summary>A call failed with a number that has no meaning of its own there, but the one that it has for every
    /// call.</summary>
    /// <param name="attempt">What was tried, to follow "Cannot".</param>
    /// <param name="key">The key of the object.</param>
    /// <param name="call">The system call.</param>
    /// <param name="number">The system's error number.</param>
    public static NativeIpcException Unexplained(string attempt, in NativeIpcKey key, string call, int number)
    {
        (NativeIpcError error, string remedy) = Explain(call, number);
        return Failure.Of(error, attempt, key, call, number, remedy);
    }

    /// <summary>What an error number says whatever the call (errno(3)), and what helps: whole sentences. Nothing is
    /// guessed but this: what forbids a call that needs no right is a policy of the system or a sandbox, and what does
    /// not know it is an old kernel or a sandbox. A number that no man page of these calls names is
    /// Unknown.</summary>
    public static (NativeIpcError Error, string Remedy) Explain(string call, int number)
    {
        (NativeIpcError error, string remedy) = ExplainOfFile(call, number);
        return IsOfFile(call) || !IsOnlyOfFiles(number) ? (error, remedy) : (error, Overwritten(call));
    }

    /// <summary>Whether a call takes a file or its name, and not only memory or the id of a System V object.</summary>
    private static bool IsOfFile(string call) => call is not ("futex" or "sem_init" or "sem_wait" or "sem_trywait"
        or "sem_timedwait" or "sem_clockwait" or "sem_post" or "sem_getvalue"
        or "semget" or "semop" or "semtimedop" or "semctl" or "shmget" or "shmat" or "shmdt" or "shmctl");

    /// <summary>Whether what a number says is put in words of files below.</summary>
    private static bool IsOnlyOfFiles(int number)
        => number is Errno.EROFS or Errno.EIO or Errno.EFBIG or Errno.EBADF or Errno.EINVAL or Errno.EXDEV
            or Errno.EMLINK or Errno.ENODEV or Errno.ENXIO or Errno.ENOTDIR or Errno.EISDIR
            || number == Errno.EDQUOT || number == Errno.ENOLCK || number == Errno.EOPNOTSUPP
            || number == Errno.ENOTSUP || number == Errno.ELOOP || number == Errno.ENAMETOOLONG;

    private static (NativeIpcError Error, string Remedy) ExplainOfFile(string call, int number) => number switch
    {
        Errno.EPERM => (NativeIpcError.PermissionDenied, Sandbox(call)),
        Errno.EACCES => (NativeIpcError.PermissionDenied,
            $"The rights of this user, or a policy of the system (AppArmor, SELinux), do not allow {call} there: let "
                + $"its owner or that policy allow it."),
        Errno.EROFS => (NativeIpcError.PermissionDenied,
            "The file system is read-only: mount it for writing, or use a folder of another one."),
        Errno.ENOMEM => (NativeIpcError.OutOfResources,
            "The kernel has no memory left, or the container may take no more (memory.max): end programs, or raise "
                + "that limit."),
        Errno.EMFILE => (NativeIpcError.OutOfResources,
            "No file descriptor is left: dispose what is not used, or raise the limit (ulimit -n)."),
        Errno.ENFILE => (NativeIpcError.OutOfResources,
            "The whole system has as many files open as it may: end programs, or raise the limit (sysctl "
                + "fs.file-max)."),
        Errno.ENOSPC => (NativeIpcError.OutOfResources,
            $"{(IsOfFile(call) ? "The file system is full, or a" : "A")} limit of the kernel is reached: remove what "
                + $"is not used, or give it more."),
        Errno.E2BIG or Errno.ERANGE => (NativeIpcError.OutOfResources,
            $"It is more than {call} takes at once here: ask for less, or raise the limit that its man page names."),
        Errno.EIO => (NativeIpcError.OutOfResources,
            "The file system or the device under it has failed: the kernel's log says how (dmesg)."),
        Errno.EFBIG => (NativeIpcError.InvalidSize,
            "It is larger than the file system or a limit (ulimit -f) lets a file be: ask for less, or raise the "
                + "limit."),
        Errno.ENOENT => (NativeIpcError.NotFound, "It was removed meanwhile: open or create it again."),
        Errno.EEXIST => (NativeIpcError.AlreadyExists, "Somebody else has made it meanwhile: open it, or try again."),
        Errno.EINTR or Errno.EBUSY or Errno.ETXTBSY => (NativeIpcError.LockError, Busy(call)),
        Errno.EBADF => (NativeIpcError.KeyError,
            $"The descriptor does not do for {call}: other code of this process has closed it (a double close), or the "
                + $"file system does not let this one be used so."),
        Errno.EINVAL or Errno.EXDEV or Errno.EMLINK => (NativeIpcError.KeyError, Unable(call)),
        Errno.ENODEV or Errno.ENXIO or Errno.ENOTDIR or Errno.EISDIR => (NativeIpcError.KeyError, Planted),
        _ => ExplainByTarget(call, number),
    };

    // Those that have one value on Linux and another one on Apple's systems, so that they are no constants.
    private static (NativeIpcError Error, string Remedy) ExplainByTarget(string call, int number)
        => number == Errno.ENOSYS ? (NativeIpcError.PermissionDenied, Sandbox(call))
        : number == Errno.EDQUOT ? (NativeIpcError.OutOfResources,
            "This user's quota of the file system is used up: remove what is not used, or raise it.")
        : number == Errno.ENOLCK ? (NativeIpcError.LockError,
            $"The file system or the kernel has no lock to give: use a folder of a local file system, with locks that "
                + $"{call} gives, or end programs that hold many.")
        : number == Errno.EAGAIN || number == Errno.ETIMEDOUT || number == Errno.EDEADLK
            ? (NativeIpcError.LockError, Busy(call))
        : number == Errno.EOPNOTSUPP || number == Errno.ENOTSUP ? (NativeIpcError.KeyError, Unable(call))
        : number == Errno.ELOOP || number == Errno.ENAMETOOLONG ? (NativeIpcError.KeyError, Planted)
        : number == Errno.EOVERFLOW ? (NativeIpcError.InvalidSize,
            $"It has a size or a number that {call} has no room for: make it anew, and smaller.")
        : number == Errno.EIDRM ? (NativeIpcError.NotFound, "It was removed meanwhile: open or create it again.")
        : (NativeIpcError.Unknown, $"See {call} in the manual for error {number}.");

    private const string Planted =
        "Something else than such an object stands under the name, or on the path to it: remove that, or use another "
            + "name.";

    private static string Overwritten(string call)
        => $"{call} refuses what is there: another program may have written over it, or has made it otherwise. End its "
            + $"users, remove it, and make it anew.";

    private static string Sandbox(string call)
        => $"A sandbox (seccomp) refuses {call} to this process, or the kernel lacks it: allow it there.";

    private static string Busy(string call)
        => $"{call} was interrupted, or something else uses it at this moment: try again.";

    private static string Unable(string call)
        => $"The file system does not do for {call} what it was asked for: POSIX objects need a tmpfs at /dev/shm, and "
            + $"key files a local file system.";
}
