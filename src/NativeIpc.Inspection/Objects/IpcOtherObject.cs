namespace NativeIpc.Inspection;

/// <summary>What else programs share memory and messages by on Linux. No key leads to any of it, so
/// <see cref="IpcObjects"/> shows it and does nothing else with it.</summary>
public enum IpcOtherKind
{
    /// <summary>A file of memory without a name in the file system (<c>memfd_create(2)</c>). It is shared by its
    /// descriptors, and goes with the last descriptor and mapping.</summary>
    Memfd = 0,

    /// <summary>A System V message queue (<c>msgget(2)</c>). It stays until it is removed, as <c>ipcrm -q ID</c>
    /// does.</summary>
    SystemVMessageQueue = 1,

    /// <summary>A POSIX message queue (<c>mq_overview(7)</c>), a file of <c>/dev/mqueue</c> where that is mounted. It
    /// stays until it is removed, by <c>mq_unlink(3)</c> or as a file there.</summary>
    PosixMessageQueue = 2,
}

/// <summary>How many there are of one kind of <see cref="IpcOtherObject"/>.</summary>
/// <param name="Kind">What is counted.</param>
/// <param name="Count">How many; null where that is not known: memfds without a look at the processes
/// (<see cref="IpcEnumerationOptions.IncludeAttachments"/>), POSIX queues where <c>/dev/mqueue</c> is not
/// mounted.</param>
/// <param name="IsAtLeast">Whether there may be more, since not every process could be looked at.</param>
public readonly record struct IpcOtherCount(IpcOtherKind Kind, int? Count, bool IsAtLeast);

/// <summary>One of those, as it was when it was looked at. What the system does not say, or not to this user, is null.
/// An immutable value; safe to share between threads.</summary>
/// <remarks>Linux: <c>memfd_create(2)</c>, <c>sysvipc(7)</c>, <c>mq_overview(7)</c>, <c>proc(5)</c>. None of it is
/// opened.</remarks>
public sealed record IpcOtherObject
{
    internal IpcOtherObject()
    {
    }

    /// <summary>What it is.</summary>
    public IpcOtherKind Kind { get; internal init; }

    /// <summary>A memfd's name, which its maker gave and which others may have, too; the number of a System V queue's
    /// key (<c>0x5100abcd</c>); the name of a POSIX queue, with its slash. Bytes that are no UTF-8 stand as
    /// <c>\xff</c>.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The inode of a memfd, which tells two of the same name apart; null for queues.</summary>
    public long? Inode { get; internal init; }

    /// <summary>The id of a System V queue, as <c>ipcs</c> shows it; null for others.</summary>
    public int? SystemVId { get; internal init; }

    /// <summary>The key of a System V queue; 0 for IPC_PRIVATE; null for others.</summary>
    public int? SystemVKey { get; internal init; }

    /// <summary>The size in bytes of a memfd; the bytes that are in a System V queue; null for a POSIX queue.</summary>
    public long? Size { get; internal init; }

    /// <summary>How many messages are in a System V queue; null for others.</summary>
    public long? MessageCount { get; internal init; }

    /// <summary>The mode bits.</summary>
    public UnixFileMode? Mode { get; internal init; }

    /// <summary>The user id of the owner; of a memfd, that of its maker.</summary>
    public long? OwnerId { get; internal init; }

    /// <summary>The name of the owner; null where the user has none.</summary>
    public string? OwnerName { get; internal init; }

    /// <summary>The group id.</summary>
    public long? GroupId { get; internal init; }

    /// <summary>The name of the group; null where it has none.</summary>
    public string? GroupName { get; internal init; }

    /// <summary>The processes that were seen to have a memfd open or mapped; empty for queues, whose users the system
    /// does not tell.</summary>
    public IReadOnlyList<IpcAttachment> Attachments { get; internal init; } = [];

    /// <summary>When it was made, UTC; of a System V queue, when it was made or changed last.</summary>
    public DateTimeOffset? Created { get; internal init; }

    /// <summary>When a System V queue was sent to or received from last, UTC; null for never, and for others.</summary>
    public DateTimeOffset? LastUsed { get; internal init; }
}
