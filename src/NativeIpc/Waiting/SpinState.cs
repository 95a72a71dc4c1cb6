namespace NativeIpc.Waiting;

/// <summary>What spinning has brought on one object so far (<see cref="Spinner"/>).</summary>
/// <remarks>R1 Race: threads overwrite each other's numbers. Safe because: they are hints.</remarks>
internal struct SpinState
{
    /// <summary>How many of the next waits do not spin.</summary>
    public int ToSkip;

    /// <summary>What that was after the last spin that brought nothing.</summary>
    public int Skipped;
}
