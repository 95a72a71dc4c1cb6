namespace NativeIpc.Waiting;

/// <summary>What spinning has brought on one object so far; see Spinner. Threads may overwrite each other's
/// notes: they are hints.</summary>
internal struct SpinState
{
    /// <summary>How many waits do not spin.</summary>
    public int ToSkip;

    /// <summary>How many did not after the last spin that brought nothing.</summary>
    public int Skipped;
}
