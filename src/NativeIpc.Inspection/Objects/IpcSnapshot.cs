using NativeIpc.Inspection.Objects;

namespace NativeIpc.Inspection;

/// <summary>The objects of the machine as they were found by one enumeration. Immutable.</summary>
/// <remarks>Objects come and go while they are listed: one that went is left out, one that came may be missing. Each
/// object is looked at once, so what belongs to one is of one moment.</remarks>
public sealed class IpcSnapshot
{
    internal IpcSnapshot(IReadOnlyList<IpcObjectInfo> objects, IReadOnlyList<IpcNote> notes)
    {
        Objects = objects;
        Remarks = notes;
        Notes = [.. notes.Select(note => note.Text)];
    }

    /// <summary>The notes, with what to do about them.</summary>
    internal IReadOnlyList<IpcNote> Remarks { get; }

    /// <summary>The objects: POSIX, then System V, each in the order in which the system tells them; on Windows
    /// segments, then semaphores, by name.</summary>
    public IReadOnlyList<IpcObjectInfo> Objects { get; }

    /// <summary>What else there is that programs share, where it was asked for
    /// (<see cref="IpcEnumerationOptions.IncludeOthers"/>); empty otherwise. Linux.</summary>
    public IReadOnlyList<IpcOtherObject> Others { get; internal init; } = [];

    /// <summary>How many there are of each kind, of those that fit the type and the kind that were asked for: memfds
    /// are of no type, and segments; queues are of POSIX or System V, and of neither kind. Linux; empty
    /// elsewhere.</summary>
    public IReadOnlyList<IpcOtherCount> OtherCounts { get; internal init; } = [];

    /// <summary>What the platform cannot say, or not to this user: one sentence each. Empty when the list is
    /// whole.</summary>
    public IReadOnlyList<string> Notes { get; }
}
