namespace NativeIpc;

/// <summary>How a segment is made, opened and cleaned up. Immutable; one instance may serve many calls and threads.</summary>
public sealed record SharedMemoryOptions
{
    internal static readonly SharedMemoryOptions s_default = new();

    /// <summary>The permission bits of a new segment, set exactly, whatever the umask. The owner must be able to read and write. Default: that and
    /// nothing else. Execute, set-id and sticky bits are refused. Not used on Windows.</summary>
    public UnixFileMode Mode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Who removes the segment. Default: <see cref="RemovalPolicy.Default"/>.</summary>
    public RemovalPolicy Removal { get; init; }

    /// <summary>When the memory of a new segment is taken. Default: <see cref="SharedMemoryAllocation.Reserve"/>. When opening, only
    /// <see cref="SharedMemoryAllocation.Populate"/> has an effect: the pages are mapped at once.</summary>
    public SharedMemoryAllocation Allocation { get; init; }

    /// <summary>Whether the segment takes part in the lock that Qt uses. Default: true. When false, <see cref="SharedMemory.Lock()"/> throws
    /// <see cref="InvalidOperationException"/> and the last detach on System V does not wait for a Qt peer that is attaching.</summary>
    public bool UseLock { get; init; } = true;

    /// <summary>Whether <see cref="SharedMemory.CreateOrOpen(NativeIpcKey, long, SharedMemoryOptions?)"/> accepts an existing segment that is smaller than asked for.
    /// Default: false.</summary>
    public bool AllowSmaller { get; init; }

    /// <summary>The group of a new object, by name or number; null leaves it to the system (the group of this process). Unix only, and not for POSIX
    /// semaphores on macOS. Default: null.</summary>
    public string? Group { get; init; }

    /// <summary>Whether an object, or a key file, of another user than this one and root is accepted. Default: false: such a thing may have been planted
    /// under the name, and is refused with <see cref="NativeIpcError.PermissionDenied"/>. Set it where users share objects. Unix only.</summary>
    public bool AllowOtherOwners { get; init; }

    /// <summary>Whether a creating call that finds an object without a living user starts afresh, as if there had been none. Default: false. Where
    /// the system cannot tell who uses it, the call fails and says so.</summary>
    public bool Reclaim { get; init; }

    /// <summary>Whether taking the lock fails, with <see cref="PlatformNotSupportedException"/>, where a holder's death cannot be noticed (macOS; Linux without glibc; Windows, so far).
    /// Default: false: the lock then works there without recovery.</summary>
    public bool RequireLockRecovery { get; init; }

    /// <summary>Whether a normal end of the process without Dispose (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT) removes what this instance owns. Default: true.</summary>
    /// <remarks>A program that handles such a signal itself and goes on for a while must register its handler after its first object was made, or
    /// set this to false and dispose: handlers run newest first, and one that was registered earlier cannot be seen.</remarks>
    public bool RemoveAtProcessExit { get; init; } = true;

    /// <summary>How long a call waits for a peer that is in the middle of creating or removing the object, and the last detach on System V for a
    /// holder of the lock. Default: one second. Creating calls then recover a half-created leftover; opening calls report
    /// <see cref="NativeIpcError.NotFound"/>. Zero does not wait.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(1);
}
