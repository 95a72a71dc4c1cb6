namespace NativeIpc;

/// <summary>What could be seen of a lock at one moment; it may have changed since.</summary>
/// <param name="Holder">Who holds it.</param>
/// <param name="ProcessId">The holder's process, in the numbering of its own PID namespace; null when that is not known.</param>
/// <param name="IsRecoverable">Whether the death of a holder that uses this library is noticed here, and the next one gets the lock.</param>
public readonly record struct LockStatus(LockHolder Holder, int? ProcessId, bool IsRecoverable);
