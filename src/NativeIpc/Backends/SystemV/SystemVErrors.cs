using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.SystemV;

/// <summary>What error numbers mean to each System V call, and to those on key files.</summary>
internal static class SystemVErrors
{
    /// <summary>Making or opening the key file (open(2), ftok(3)).</summary>
    public static NativeIpcException KeyFile(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.ENOENT or Errno.ENOTDIR => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The folder of the key file does not exist: make it, or use a key made by PlatformSafeKey."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "This user may not make or reach the key file: choose a folder that both processes can use."),
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, "The key file's file system is read-only: choose another folder."),
        Errno.EISDIR or Errno.EINVAL or Errno.ENXIO => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number, "The native key is no usable path of a key file."),
        Errno.EMFILE or Errno.ENFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "No file descriptor is left: dispose what is not used, or raise the limit (ulimit -n)."),
        Errno.ENOSPC or Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "The key file's file system or the memory is full."),
        _ when number == Errno.ENAMETOOLONG => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number, "The path of the key file is too long: use a shorter name."),
        _ when number == Errno.ELOOP => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number, "Symbolic links lead in a circle: repair them, or use another path."),
        _ when number == Errno.EDQUOT => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "The quota is used up."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>shmget, creating (shmget(2)).</summary>
    public static NativeIpcException CreateSegment(string attempt, in NativeIpcKey key, int number, long size) => number switch
    {
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, "shmget", number, "Open it, use CreateOrOpen, or remove a leftover with Remove (or ipcrm -m)."),
        Errno.EINVAL => Failure.Of(NativeIpcError.InvalidSize, attempt, key, "shmget", number,
            $"A size of {size} bytes is more than the system allows (kernel.shmmax): ask for less, or raise the limit."),
        Errno.ENOSPC => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number,
            "A System V limit is reached (kernel.shmmni segments, kernel.shmall pages): remove leftovers (ipcs -m, ipcrm -m), or raise it."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number, $"There is no memory for {size} bytes: ask for less."),
        Errno.ENFILE or Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number, "The system has no file handle left."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "shmget", number, "A segment of another user has this key."),
        _ => Unknown(attempt, key, "shmget", number),
    };

    /// <summary>shmget of what exists, shmat, shmctl (shmop(2), shmctl(2)).</summary>
    public static NativeIpcException UseSegment(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, "No such segment: start the peer that makes it, or use CreateOrOpen."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "Its mode does not let this user in: let its creator choose a wider Mode, open it for reading only, or run as its owner."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "The address space of this process has no room for it."),
        Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "This process has as many segments attached as it may (kern.sysv.shmseg)."),
        Errno.EINVAL => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, "It was removed meanwhile: open or create it again."),
        _ when number == Errno.EIDRM => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, "It was removed meanwhile: open or create it again."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>semget (semget(2)).</summary>
    public static NativeIpcException GetSemaphore(string attempt, in NativeIpcKey key, int number) => number switch
    {
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, "semget", number,
            "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count."),
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, "semget", number, "No such semaphore: start the peer that makes it, or use CreateOrOpen."),
        Errno.ENOSPC => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semget", number,
            "A System V limit is reached (kernel.sem: sets and semaphores): remove leftovers (ipcs -s, ipcrm -s), or raise it."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semget", number, "The kernel has no memory left."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "semget", number, "A semaphore of another user has this key."),
        _ => Unknown(attempt, key, "semget", number),
    };

    /// <summary>semop and semctl on an open semaphore (semop(2), semctl(2)). Removal is the caller's business.</summary>
    public static NativeIpcException UseSemaphore(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "Its mode does not let this user in: let its creator choose a wider Mode, or run as its owner."),
        Errno.ERANGE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"A System V semaphore counts up to {Flags.SEMVMX}, and so does what the kernel would take back for a process: use the undo policy None or AcquireOnly for a producer that only releases."),
        Errno.ENOSPC or Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The kernel has no room for this process's undo record: use the undo policy None."),
        Errno.EINVAL => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, "It was removed while in use: open or create it again."),
        _ when number == Errno.EIDRM => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, "It was removed while in use: open or create it again."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>The arm that every table ends with: the number is kept, the meaning is not guessed.</summary>
    public static NativeIpcException Unknown(string attempt, in NativeIpcKey key, string call, int number)
        => Filtered.Is(call, number) ? Filtered.Failed(attempt, key, call, number)
            : Failure.Of(NativeIpcError.Unknown, attempt, key, call, number, $"See {call} in the manual for error {number}.");
}
