namespace NativeIpc.Inspection;

/// <summary>A limit that the system sets to IPC objects, and how much of it is used.</summary>
/// <param name="Name">The system's name of it: <c>kernel.shmmni</c>, <c>/dev/shm</c>.</param>
/// <param name="Description">What it limits.</param>
/// <param name="Used">How much is used now; null where it limits a single object, or the system does not say.</param>
/// <param name="Maximum">The limit, in units of <paramref name="Unit"/>.</param>
/// <param name="Unit">What is counted: "bytes", "segments".</param>
public sealed record IpcLimit(string Name, string Description, long? Used, long Maximum, string Unit)
{
    /// <summary>Whether nine tenths of it are used.</summary>
    public bool IsNear => Used is { } used && Maximum > 0 && used / 9.0 * 10 >= Maximum;
}
