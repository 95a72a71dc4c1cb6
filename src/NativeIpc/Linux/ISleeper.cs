namespace NativeIpc.Linux;

/// <summary>A thread that sleeps on a word of memory now and then. From any thread.</summary>
internal interface ISleeper
{
    /// <summary>Whether it sleeps, or is about to.</summary>
    bool IsAsleep { get; }

    /// <summary>Whether it sleeps, or is about to, on a word between two addresses.</summary>
    bool SleepsWithin(nint first, nint end);

    /// <summary>Ends its sleep, or the next one. Returns at once: whether it is not asleep any more.</summary>
    bool TryWake();

    /// <summary>The same once more for one that was asleep still; one that has seen the first time is let
    /// alone.</summary>
    bool TryWakeAgain();

    /// <summary>Makes it look once more, should it sleep.</summary>
    void Nudge();
}
