using NativeIpc.Lifetime;

namespace NativeIpc.SystemV;

/// <content>What is recorded on the file about the removal of the objects under it
/// (<see cref="RemovalRecord"/>).</content>
internal sealed partial class KeyFile
{
    // What is not removed with its objects is not ours to change either.
    private bool TakesRecords => !_isLink && _descriptor != -1 && Status is { IsRegularFile: true, Size: 0 }
        && IsOwn(Status);

    /// <summary>Records that this process has to remove an object that it has just made under the file.</summary>
    public void Record(IpcObjectKind kind, int id)
    {
        if (TakesRecords) RemovalRecord.Write(_descriptor, kind, (int)Key.Type, id);
    }

    /// <summary>Takes away what is recorded: the object is to be kept.</summary>
    public void EraseRecord(IpcObjectKind kind)
    {
        if (!IsNew && TakesRecords) RemovalRecord.Erase(_descriptor, kind, (int)Key.Type);
    }
}
