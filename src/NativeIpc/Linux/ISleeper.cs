namespace NativeIpc.Linux;

/// <summary>A thread that sleeps on a word of memory now and then. From any thread.</summary>
internal interface ISleeper
{
    /// <summary>Where it sleeps; 0 for nowhere.</summary>
    nint Place { get; }

    /// <summary>Ends its sleep, or the next one.</summary>
    void Wake();

    /// <summary>Makes it look once more, should it sleep.</summary>
    void Nudge();
}
