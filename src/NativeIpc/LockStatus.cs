namespace NativeIpc;

/// <summary>What could be seen of a lock at one moment; it may have changed since.</summary>
/// <param name="Holder">Who holds it.</param>
/// <param name="ProcessId">The holder's process, in the numbering of its own PID namespace; null when that is not known.</param>
/// <param name="IsRecoverable">Whether the death of a holder that uses this library is noticed here, and the next one gets the lock.</param>
public readonly record struct LockStatus(LockHolder Holder, int? ProcessId, bool IsRecoverable)
{
    /// <summary>
    /// Whether this process holds it, through whatever instance: a thread of this process that waits for it waits until
    /// another thread releases it, or for ever. False also where the holder cannot be told
    /// (<see cref="LockHolder.CannotTell"/>) and another instance of this process may hold it.
    /// </summary>
    public bool IsHeldByThisProcess { get; init; }

    /// <summary>Whether it was taken through the instance that was asked, and not released yet.</summary>
    public bool IsHeldByThisInstance { get; init; }

    /// <summary>
    /// Whether the calling thread took it, through the instance that was asked: if the thread waits for it now, only
    /// another thread can end the wait, by disposing the scope. Told for the lock of a segment only; a lock that was
    /// taken by an asynchronous call counts for the thread that served the call.
    /// </summary>
    public bool WasTakenByThisThread { get; init; }
}
