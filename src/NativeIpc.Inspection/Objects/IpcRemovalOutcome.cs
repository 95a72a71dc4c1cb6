namespace NativeIpc.Inspection;

/// <summary>What became of an object that was to be removed if nobody uses it
/// (<see cref="IpcObjects.RemoveUnused"/>).</summary>
public enum IpcRemovalOutcome
{
    /// <summary>Nobody used it, and it is removed.</summary>
    Removed = 0,

    /// <summary>Somebody uses it, so it stays.</summary>
    InUse = 1,

    /// <summary>It was gone before, or its name leads to another object by now.</summary>
    Gone = 2,

    /// <summary>The system does not say, or not to this process, whether somebody uses it, so it stays; or it is a file
    /// in a folder of <c>/dev/shm</c>, which belongs to the program that has made the folder.</summary>
    CannotTell = 3,
}
