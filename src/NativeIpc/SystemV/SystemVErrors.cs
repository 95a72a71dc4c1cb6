using System.Globalization;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>What error numbers mean to each System V call, and to those on key files.</summary>
internal static class SystemVErrors
{
    private const string Removed = "It was removed meanwhile: open or create it again.";
    private const string RemovedInUse = "It was removed while in use: open or create it again.";

    /// <summary>Opening the key file (open(2), ftok(3)).</summary>
    public static NativeIpcException KeyFile(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.ENOENT or Errno.ENOTDIR => NoFolder(attempt, key, call, number),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"This user may not reach the key file {Path(key)}{Owner(key, ", which")}: choose a folder that both "
                + $"processes can use, or let its owner change its mode and those of the folders above it."),
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"The file system of the folder {Folder(key)} is read-only: choose another folder."),
        Errno.EISDIR or Errno.EINVAL or Errno.ENXIO or Errno.ENODEV
            => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The native key is no usable path of a key file."),
        Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "No file descriptor is left: dispose what is not used, or raise the limit (ulimit -n)."),
        Errno.ENFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The whole system has as many files open as it may: end programs, or raise the limit (sysctl "
                + "fs.file-max)."),
        Errno.ENOMEM
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The kernel has no memory left: end programs, or raise the memory limit of the container."),
        _ when number == Errno.ENAMETOOLONG => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The path of the key file is too long: use a shorter name."),
        _ when number == Errno.ELOOP => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "Symbolic links lead in a circle: repair them, or use another path."),
        _ when number == Errno.EAGAIN => Failure.Of(NativeIpcError.LockError, attempt, key, call, number,
            "Another process keeps the key file from being opened by a lease (F_SETLEASE; /proc/locks names it): try "
                + "again, or remove the file if somebody has planted it."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>Making the key file (open(2) with O_CREAT).</summary>
    public static NativeIpcException MakeKeyFile(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"The folder {Folder(key)} of the key file{FolderMode(key)} lets user {Libc.geteuid()} make no file: "
                + $"choose a folder that both processes can write, or change the mode of that one."),
        Errno.ENOSPC => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            Libc.FileSystemOf(Folder(key)) is { f_files: > 0, f_ffree: 0 }
                ? $"The file system of the folder {Folder(key)} has no inodes left (df -i): remove files there, or "
                    + $"choose another folder for key files."
                : $"The file system of the folder {Folder(key)} is full (df): remove files there, or choose another "
                    + $"folder for key files."),
        _ when number == Errno.EDQUOT => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"This user's quota in the folder {Folder(key)} is used up: remove files there, or choose another folder "
                + $"for key files."),
        _ when number == Errno.EOVERFLOW => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"The user namespace that the file system of {Folder(key)} was mounted in does not map this user: choose "
                + $"another folder for key files."),
        _ => KeyFile(attempt, key, call, number),
    };

    /// <summary>fchown of a new key file to a group.</summary>
    public static NativeIpcException GiveKeyFile(string attempt, in NativeIpcKey key, int number) => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fchown", number,
            "This user may not give the key file to that Group: be a member of the group, or root."),
        Errno.EINVAL => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fchown", number,
            "That Group is not mapped in this user namespace (/proc/self/gid_map): name one that is, or map it."),
        _ => MakeKeyFile(attempt, key, "fchown", number),
    };

    /// <summary>Removing the key file (unlink(2)).</summary>
    public static NativeIpcException RemoveKeyFile(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"The folder {Folder(key)} of the key file{FolderMode(key)} does not let user {Libc.geteuid()} remove "
                + $"it: remove it as a user who may (rm {Path(key)})."),
        _ => KeyFile(attempt, key, call, number),
    };

    /// <summary>shmget or semget, creating.</summary>
    /// <param name="kind">Which of the two.</param>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="number">The error number.</param>
    /// <param name="size">The bytes of a segment, or the semaphores of a set.</param>
    public static NativeIpcException Make(IpcObjectKind kind, string attempt, in NativeIpcKey key, int number,
        long size) => kind == IpcObjectKind.SharedMemory
        ? CreateSegment(attempt, key, number, size) : GetSemaphore(attempt, key, number, (int)size, kind);

    /// <summary>shmget or semget of what exists.</summary>
    public static NativeIpcException Get(IpcObjectKind kind, string attempt, in NativeIpcKey key, int number)
        => kind == IpcObjectKind.SharedMemory
        ? UseSegment(attempt, key, "shmget", number) : GetSemaphore(attempt, key, number, kind: kind);

    /// <summary>shmget, creating (shmget(2)).</summary>
    public static NativeIpcException CreateSegment(string attempt, in NativeIpcKey key, int number, long size)
        => number switch
    {
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, "shmget", number,
            $"Open it, use CreateOrOpen, or remove a leftover with "
                + $"Remove{ByTool(key, IpcObjectKind.SharedMemory, "or ")}."),
        Errno.EINVAL => Failure.Of(NativeIpcError.InvalidSize, attempt, key, "shmget", number,
            $"A size of {size} bytes is more than the system allows "
                + $"(kernel.shmmax{SystemVLimits.Value("kernel.shmmax")}): ask for less, or raise the limit."),
        Errno.ENOSPC
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number,
            SystemVLimits.WhyNoSegment(size)),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number,
            $"There is no memory for {size} bytes (CommitLimit of /proc/meminfo, where vm.overcommit_memory is 2; or "
                + $"the kernel's own): ask for less, or end programs."),
        Errno.ENFILE or Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "shmget", number,
            "The whole system has as many files open as it may: end programs, or raise the limit (sysctl "
                + "fs.file-max)."),
        Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "shmget", number,
            $"A segment of another user has this key: let its owner or root remove "
                + $"it{ByTool(key, IpcObjectKind.SharedMemory)}, or use another key."),
        _ => Unknown(attempt, key, "shmget", number),
    };

    /// <summary>shmget of what exists, shmat, shmctl(IPC_STAT) (shmop(2), shmctl(2)).</summary>
    public static NativeIpcException UseSegment(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number,
            "No such segment: start the peer that makes it, or use CreateOrOpen."),
        Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"Its mode does not let this user in{Owner(key, ", and its key file")}: let its creator choose a wider "
                + $"Mode, open it for reading only, or run as its owner."),
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The address space of this process has no room for it, or it has too many mappings (ulimit -v, "
                + "vm.max_map_count)."),
        Errno.EMFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "This process has as many segments attached as it may (kern.sysv.shmseg)."),
        Errno.EINVAL => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, Removed),
        _ when number == Errno.EIDRM => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, Removed),
        _ when number == Errno.EAGAIN => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "This process keeps all that it maps in memory (mlockall), and may lock no more: raise the limit (ulimit "
                + "-l; LimitMEMLOCK= of systemd)."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>shmctl and semctl with IPC_RMID: what lets use an object does not let remove it.</summary>
    public static NativeIpcException Remove(string attempt, in NativeIpcKey key, string call, int number)
        => number is Errno.EPERM or Errno.EACCES
        ? Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"Only its owner, its creator and root may remove a System V object, whatever its mode, and this is user "
                + $"{Libc.geteuid()}: run as one of them{OwnerByTool(key)}.")
        : call == "semctl" ? UseSemaphore(attempt, key, call, number) : UseSegment(attempt, key, call, number);

    /// <summary>shmctl and semctl with IPC_SET: giving a new object to a group or an owner.</summary>
    public static NativeIpcException Give(string attempt, in NativeIpcKey key, string call, int number)
        => number is Errno.EPERM or Errno.EACCES or Errno.EINVAL
        ? Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "It could not be given to that Group or owner: this user namespace may not map them (/proc/self/gid_map, "
                + "uid_map), or it was removed meanwhile. Name a group that is mapped.")
        : call == "semctl" ? UseSemaphore(attempt, key, call, number) : UseSegment(attempt, key, call, number);

    /// <summary>semget (semget(2)).</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="number">The error number.</param>
    /// <param name="size">How many semaphores a new set was to have; 0 when none was to be made.</param>
    /// <param name="kind">A semaphore, or an event.</param>
    public static NativeIpcException GetSemaphore(string attempt, in NativeIpcKey key, int number, int size = 0,
        IpcObjectKind kind = IpcObjectKind.SystemSemaphore)
        => number switch
    {
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, "semget", number,
            kind == IpcObjectKind.SystemEvent
                ? "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh state."
                : "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count."),
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, "semget", number,
            $"No such {What(kind)}: start the peer that makes it, or use CreateOrOpen."),
        Errno.EINVAL when size > 0
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semget", number,
            SystemVLimits.WhyNoSetOf(size)),
        Errno.ENOSPC
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semget", number,
            SystemVLimits.WhyNoSemaphore(size)),
        Errno.ENOMEM
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semget", number,
            "The kernel has no memory left: end programs, or raise the memory limit of the container."),
        Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "semget", number,
            $"{(kind == IpcObjectKind.SystemEvent ? "An event" : "A semaphore")} of another user has this key: let its "
                + $"owner or root remove it{ByTool(key, kind)}, "
                + "or use another key."),
        _ => Unknown(attempt, key, "semget", number),
    };

    /// <summary>semop and semctl on an open semaphore (semop(2), semctl(2)). Removal is the caller's
    /// business.</summary>
    public static NativeIpcException UseSemaphore(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"Its mode does not let this user in{Owner(key, ", and its key file")}: let its creator choose a wider "
                + $"Mode, or run as its owner."),
        Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            $"Only its owner, its creator and root may do that, whatever its mode, and this is user "
                + $"{Libc.geteuid()}: run as one of them{OwnerByTool(key)}."),
        // semctl never says so
        Errno.E2BIG => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "semop", number,
            SystemVLimits.WhyTooManySteps()),
        Errno.ERANGE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"A System V semaphore counts up to {Flags.SEMVMX}, and so does what the kernel would take back for a "
                + $"process: use the undo policy None or AcquireOnly for a producer that only releases."),
        Errno.ENOSPC or Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "The kernel has no room for this process's undo record: use the undo policy None."),
        // EFBIG: a smaller set has the id
        Errno.EINVAL or Errno.EFBIG => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, RemovedInUse),
        _ when number == Errno.EIDRM => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number, RemovedInUse),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>The arm that every table ends with: what the number says whatever the call.</summary>
    public static NativeIpcException Unknown(string attempt, in NativeIpcKey key, string call, int number)
        => UnixErrors.Unexplained(attempt, key, call, number);

    private static string Owner(in NativeIpcKey key, string which)
        => Libc.Status(key.NativeKey, followLink: false, out FileStatus status) == 0
            ? $"{which} belongs to user {RealIds.Users.Describe(status.Uid)}" : "";

    private static NativeIpcException NoFolder(string attempt, in NativeIpcKey key, string call, int number)
        => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            $"The folder {Folder(key)} of the key file does not exist: make it (mkdir -p), or use a key made by "
                + $"PlatformSafeKey.");

    /// <summary>The command that looks again and removes, to follow "remove it"; nipc lists nothing but on Linux, and a
    /// key that cannot be typed as it is shown names nothing.</summary>
    private static string ByTool(in NativeIpcKey key, IpcObjectKind kind, string before = "")
    {
        bool isSegment = kind == IpcObjectKind.SharedMemory;
        string word = isSegment ? "shm" : kind == IpcObjectKind.SystemSemaphore ? "sem" : "event";
        return Typed(key) is { } typed ? $" ({before}'nipc rm -k {word} {typed}')"
            : isSegment ? $" ({before}ipcs -m, ipcrm -m)" : $" ({before}ipcs -s, ipcrm -s)";
    }

    private static string What(IpcObjectKind kind) => kind == IpcObjectKind.SystemEvent ? "event" : "semaphore";

    private static string OwnerByTool(in NativeIpcKey key)
        => Typed(key) is { } typed ? $" ('nipc show {typed}' tells the owner)" : " (ipcs -a tells the owner)";

    private static string? Typed(in NativeIpcKey key)
        => OperatingSystem.IsLinux() && Failure.ForCommand(key) is { } name && Failure.Quote(name) is var typed
            && Failure.IsPrintable(typed) ? typed
            : null;

    private static string Path(in NativeIpcKey key) => Failure.Printable(SystemV.KeyFile.Path(key));

    private static string Folder(in NativeIpcKey key)
        => Failure.Printable(KeyFileTrust.FolderOf(SystemV.KeyFile.Path(key)));

    /// <summary>Mode and owner of the folder, to follow its name; empty when they are not known.</summary>
    private static string FolderMode(in NativeIpcKey key)
        => Libc.Status(KeyFileTrust.FolderOf(SystemV.KeyFile.Path(key)), followLink: true, out FileStatus folder) == 0
            ? string.Create(CultureInfo.InvariantCulture,
                $" (mode {Convert.ToString(folder.Permissions, 8)}, of user "
                    + $"{RealIds.Users.Describe(folder.Uid)})") : "";
}
