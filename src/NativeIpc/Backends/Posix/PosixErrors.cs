using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>What error numbers mean to each POSIX call.</summary>
internal static class PosixErrors
{
    /// <summary>shm_open and sem_open, with or without O_CREAT, and the file calls that stand for them on Linux (shm_open(3), sem_open(3)).</summary>
    public static NativeIpcException Open(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.ENOENT => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number,
            "No such object: start the peer that makes it, or use CreateOrOpen. In a container, /dev/shm must be shared with the peer."),
        Errno.EEXIST => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, call, number,
            "Open it, use CreateOrOpen, or remove a leftover with Remove."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "It belongs to another user or its mode does not let this one in: let its creator choose a wider Mode, or run as its owner."),
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, "/dev/shm is mounted read-only here: mount it writable."),
        Errno.EINVAL or Errno.EISDIR or Errno.ENXIO or Errno.ENOTDIR => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The name cannot be that of a POSIX object, or something else stands under it in /dev/shm: use a name made by PlatformSafeKey, or remove what is there."),
        Errno.EMFILE or Errno.ENFILE => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "No file descriptor is left: dispose what is not used, or raise the limit (ulimit -n)."),
        Errno.ENOSPC or Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            "Memory or /dev/shm is full: remove leftovers there, or give it more (mount -o remount,size=…; docker --shm-size)."),
        _ when number == Errno.ENAMETOOLONG => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "The name is too long: use a shorter one (255 bytes for a segment, 251 with a lock or for a semaphore; 30 on macOS)."),
        _ when number == Errno.ELOOP => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "A symbolic link stands under this name; it is not followed. Remove the link."),
        _ when number == Errno.EDQUOT => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "The quota is used up: remove what is not used."),
        _ when number == Errno.EAGAIN => Failure.Of(NativeIpcError.LockError, attempt, key, call, number,
            "Another process keeps its file from being opened by a lease (F_SETLEASE; /proc/locks names it): try again, or remove the file if somebody has planted it."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>Writing a new semaphore: a few bytes.</summary>
    public static NativeIpcException Reserve(string attempt, in NativeIpcKey key, string call, int number)
        => number is Errno.ENOSPC or Errno.ENOMEM || number == Errno.EDQUOT ? Open(attempt, key, call, number) : Unknown(attempt, key, call, number);

    /// <summary>ftruncate and posix_fallocate on a new segment.</summary>
    public static NativeIpcException Resize(string attempt, in NativeIpcKey key, string call, int number, long size) => number switch
    {
        Errno.ENOSPC or Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
            $"There is no room for {size} bytes in /dev/shm: remove leftovers, give it more (mount -o remount,size=…; docker --shm-size), or ask for Sparse allocation."),
        Errno.EINVAL or Errno.EFBIG => Failure.Of(NativeIpcError.InvalidSize, attempt, key, call, number,
            $"A size of {size} bytes is more than the system can give: ask for less."),
        Errno.EPERM or Errno.EACCES => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, "Run as its owner."),
        _ when number == Errno.EOVERFLOW => Failure.Of(NativeIpcError.InvalidSize, attempt, key, call, number,
            $"A size of {size} bytes is more than the system can give: ask for less."),
        _ when number == Errno.EDQUOT => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number, "The quota is used up: remove what is not used."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>fchown of a new object to a group.</summary>
    public static NativeIpcException Group(string attempt, in NativeIpcKey key, string group, int number) => number is Errno.EPERM or Errno.EACCES
        ? Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fchown", number, $"This user may not give it to the group '{group}': be a member of that group, or root.")
        : Unknown(attempt, key, "fchown", number);

    /// <summary>mmap of a segment or a semaphore.</summary>
    public static NativeIpcException Map(string attempt, in NativeIpcKey key, int number, long size) => number switch
    {
        Errno.ENOMEM => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "mmap", number,
            $"The address space of this process has no room for {size} bytes, or it has too many mappings (ulimit -v, vm.max_map_count)."),
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "mmap", number, "Open it for reading only."),
        Errno.EINVAL => Failure.Of(NativeIpcError.InvalidSize, attempt, key, "mmap", number, $"A size of {size} bytes cannot be mapped."),
        _ => Unknown(attempt, key, "mmap", number),
    };

    /// <summary>shm_unlink and sem_unlink.</summary>
    public static NativeIpcException Unlink(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Errno.EACCES or Errno.EPERM => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "Only its owner or root may remove it from the sticky /dev/shm."),
        Errno.EROFS => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number, "/dev/shm is mounted read-only here."),
        Errno.EISDIR or Errno.EINVAL => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number, "What stands under this name is no POSIX object."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>The arm that every table ends with: the number is kept, the meaning is not guessed.</summary>
    public static NativeIpcException Unknown(string attempt, in NativeIpcKey key, string call, int number)
        => Filtered.Is(call, number) ? Filtered.Failed(attempt, key, call, number)
            : Failure.Of(NativeIpcError.Unknown, attempt, key, call, number, $"See {call} in the manual for error {number}.");
}
