namespace NativeIpc;

/// <summary>How a wait on a word of a segment ended (<see cref="SharedMemory.WaitOnWord(long, uint)"/>).</summary>
public enum WordWaitResult
{
    /// <summary>Somebody has woken the sleepers of the word. What the word has by now is to be looked at: as with
    /// futex(2) the wake-up may have been meant for another sleeper.</summary>
    Woken,

    /// <summary>The word did not have the expected value, so there was no sleep.</summary>
    Changed,

    /// <summary>The time passed.</summary>
    TimedOut,
}
