namespace NativeIpc.Inspection;

/// <summary>What speaks for, or against, somebody still needing an object that nobody has open. Evidence, never proof:
/// nothing is removed, nor kept, for it alone.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">What was found, in a sentence.</param>
/// <param name="ProcessId">The living process that it is about; null for none, or several.</param>
public sealed record IpcSign(IpcSignKind Kind, string Text, int? ProcessId = null);

/// <summary>The kinds of <see cref="IpcSign"/>.</summary>
public enum IpcSignKind
{
    /// <summary>Processes wait for a System V semaphore: it is in use.</summary>
    Waiting = 0,

    /// <summary>The process that used a System V object last lives, or cannot be seen from here.</summary>
    LastProcess = 1,

    /// <summary>The process that made a System V segment lives.</summary>
    Creator = 2,

    /// <summary>Who has to remove it, as this library recorded, and whether that process lives.</summary>
    Recorded = 3,

    /// <summary>How many processes its owner has.</summary>
    Owner = 4,

    /// <summary>Its name is one that known software gives.</summary>
    Software = 5,

    /// <summary>When it was made; a System V object: when it was made or changed last.</summary>
    Age = 6,
}
