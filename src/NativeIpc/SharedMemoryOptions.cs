namespace NativeIpc;

/// <summary>How a segment is made, opened and cleaned up. Immutable; one instance may serve many calls and threads.</summary>
public sealed record SharedMemoryOptions
{
    internal static readonly SharedMemoryOptions s_default = new();

    /// <summary>The permission bits of a new segment, set exactly, whatever the umask. Default: read and write for the owner only.
    /// Execute, set-id and sticky bits are refused. Not used on Windows.</summary>
    public UnixFileMode Mode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Who removes the segment. Default: <see cref="RemovalPolicy.Default"/>.</summary>
    public RemovalPolicy Removal { get; init; }

    /// <summary>When the memory of a new segment is taken. Default: <see cref="SharedMemoryAllocation.Reserve"/>. When opening, only
    /// <see cref="SharedMemoryAllocation.Populate"/> has an effect: the pages are mapped at once.</summary>
    public SharedMemoryAllocation Allocation { get; init; }

    /// <summary>Whether the segment takes part in the lock that Qt uses. Default: true. When false, <see cref="SharedMemory.Lock()"/> throws
    /// <see cref="InvalidOperationException"/> and clean-up on System V does not wait for a Qt peer's attach.</summary>
    public bool UseLock { get; init; } = true;

    /// <summary>Whether <see cref="SharedMemory.CreateOrOpen(NativeIpcKey, long, SharedMemoryOptions?)"/> accepts an existing segment that is smaller than asked for.
    /// Default: false.</summary>
    public bool AllowSmaller { get; init; }

    /// <summary>Whether a normal end of the process without Dispose (exit, SIGTERM, SIGINT, SIGHUP) removes what this instance owns. Default: true.</summary>
    public bool RemoveAtProcessExit { get; init; } = true;

    /// <summary>How long a call waits for a peer that is in the middle of creating or removing the object. Default: one second. Creating calls
    /// then recover a half-created leftover; opening calls report <see cref="NativeIpcError.NotFound"/>.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(1);
}
