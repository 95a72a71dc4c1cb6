namespace NativeIpc;

/// <summary>What went wrong, in the words that Qt uses for the same outcomes.</summary>
public enum NativeIpcError
{
    /// <summary>The system gave a number that has no meaning of its own here;
    /// <see cref="NativeIpcException.NativeErrorCode"/> has it.</summary>
    Unknown = 0,

    /// <summary>The caller may not do this to the object (EACCES, EPERM, ERROR_ACCESS_DENIED).</summary>
    PermissionDenied,

    /// <summary>The system can never give this size, or an existing segment is smaller than was asked for.</summary>
    InvalidSize,

    /// <summary>The key cannot name an object here: empty, too long, of an unsupported type, without a usable key file;
    /// or something else has the name.</summary>
    KeyError,

    /// <summary>An object is there already under this key.</summary>
    AlreadyExists,

    /// <summary>No object is there under this key, or only a half-created one, or it was removed while in
    /// use.</summary>
    NotFound,

    /// <summary>The lock of the segment could not be made or opened; or a peer is stuck in the middle of making or
    /// removing the object.</summary>
    LockError,

    /// <summary>A limit of the system was reached: memory, /dev/shm, descriptors, System V limits, the maximum count;
    /// or a device has failed (EIO).</summary>
    OutOfResources,
}
