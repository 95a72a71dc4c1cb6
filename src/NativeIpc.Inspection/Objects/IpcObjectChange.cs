namespace NativeIpc.Inspection;

/// <summary>What <see cref="IpcObjects.WatchAsync"/> saw happen.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Subject">The object as it is now; as it was seen last when it has gone.</param>
public sealed record IpcObjectChange(IpcObjectChangeKind Kind, IpcObjectInfo Subject);
