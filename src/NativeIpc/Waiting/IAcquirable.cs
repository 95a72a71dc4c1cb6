namespace NativeIpc.Waiting;

/// <summary>What waiting is built on: to try, and to block.</summary>
internal interface IAcquirable
{
    /// <summary>The key of what is waited for.</summary>
    NativeIpcKey Key { get; }

    /// <summary>A semaphore, or a segment for its lock. No default: one would box a struct each time.</summary>
    IpcObjectKind Kind { get; }

    /// <summary>Takes a permit if there is one; also one that a dead holder has left, where that is noticed.</summary>
    bool TryAcquire();

    /// <summary>Takes a permit if there is one, without a look for dead holders: for trying again and again.</summary>
    bool TryAcquireFast();

    /// <summary>Takes a permit, waiting for it for <paramref name="longest"/> at most (<see cref="TimeSpan.MaxValue"/>:
    /// for ever). False when none came, also earlier: the wake-up was set, or the system wants to be asked
    /// again.</summary>
    bool Block(TimeSpan longest, Wakeup wakeup);

    /// <summary>What spinning has brought so far.</summary>
    ref SpinState Spin { get; }

    /// <summary>Whether a try is a system call: then the others come through only if there are pauses between the
    /// tries.</summary>
    bool AreTriesDear { get; }
}

/// <summary>What a thread may sleep on, until it is closed.</summary>
internal interface ICloseable
{
    /// <summary>Whether it is closed, or is being closed.</summary>
    bool IsClosed { get; }
}
