namespace NativeIpc;

/// <summary>The objects of the machine as they were found by one enumeration. Immutable.</summary>
/// <remarks>Objects come and go while they are listed: one that went is left out, one that came may be missing. Each object is looked at once, so what belongs to one is of one moment.</remarks>
public sealed class IpcSnapshot
{
    internal IpcSnapshot(IReadOnlyList<IpcObjectInfo> objects, IReadOnlyList<string> notes)
    {
        Objects = objects;
        Notes = notes;
    }

    /// <summary>The objects: POSIX, then System V, each in the order in which the system tells them; on Windows segments, then semaphores, by name.</summary>
    public IReadOnlyList<IpcObjectInfo> Objects { get; }

    /// <summary>What the platform cannot say, or not to this user: one sentence each. Empty when the list is whole.</summary>
    public IReadOnlyList<string> Notes { get; }
}
