namespace NativeIpc.Inspection;

/// <summary>Something that is wrong, or worth knowing, about the IPC objects of this machine; and how to mend
/// it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Severity">How much it matters.</param>
/// <param name="Summary">What was found, in one or two sentences.</param>
/// <param name="Remedy">What to do about it, in a sentence.</param>
public sealed record IpcFinding(IpcFindingKind Kind, IpcSeverity Severity, string Summary, string Remedy)
{
    /// <summary>A shell command that mends it; null where no single command does, and where removing would be a guess.
    /// Objects are removed by <c>nipc</c>, which looks again before it does.</summary>
    public string? Command { get; internal init; }

    /// <summary>The object it is about; null for findings about the machine.</summary>
    public IpcObjectInfo? Subject { get; internal init; }

    /// <summary>Whether <see cref="IpcObjects.TryMend"/> mends it without any loss, by proof and not by a guess:
    /// permits are given back that nobody holds, as the records in the semaphore say. False for objects that are empty,
    /// unused or look broken: somebody may have left them so on purpose.</summary>
    public bool IsSafeToFix { get; internal init; }
}
