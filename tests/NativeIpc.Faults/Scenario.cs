namespace NativeIpc.Faults;

/// <summary>A use of an object, of which each system call is made to fail once.</summary>
/// <param name="Name">A word or a few, with dots.</param>
/// <param name="IsPosix">Whether the key is a POSIX one; otherwise it is a System V one.</param>
/// <param name="Act">The use: it disposes what it opens.</param>
internal sealed record Scenario(string Name, bool IsPosix, Action<NativeIpcKey> Act)
{
    /// <summary>Makes what the use finds, before; it is disposed after. Nothing fails in it.</summary>
    public Func<NativeIpcKey, IDisposable?>? Prepare { get; init; }

    /// <summary>A use of what <see cref="Prepare"/> has opened, instead of <see cref="Act"/>.</summary>
    public Action<NativeIpcKey, IDisposable>? ActOn { get; init; }

    /// <summary>Looks afterwards whether the object works; nothing fails in it. Throws when it does not.</summary>
    public Action<NativeIpcKey>? Check { get; init; }

    /// <summary>Whether the calls of other threads count, too.</summary>
    public bool OnAllThreads { get; init; }

    /// <summary>What it makes stays when it succeeds.</summary>
    public bool Leaves { get; init; }

    /// <summary>What was there before may go: it removes that, or is the last one out.</summary>
    public bool Removes { get; init; }

    /// <summary>It removes what was there only if it succeeds: what it did not take over is not its own.</summary>
    public bool OnlyRemovesWhenDone { get; init; }

    /// <summary>It is refused although no call fails: the object is there already, or is too small.</summary>
    public bool IsRefused { get; init; }

    /// <summary>It removes by name, and says by its exception what it could not remove.</summary>
    public bool SaysWhatIsLeft { get; init; }

    /// <summary>What was open before lets go of what it has, and has something else instead, until it is
    /// disposed.</summary>
    public bool Exchanges { get; init; }

    /// <summary>A page, and its file, may stay until the garbage collector says that nobody knows its
    /// address.</summary>
    public bool LeavesPage { get; init; }
}
