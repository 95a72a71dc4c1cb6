namespace NativeIpc.Inspection;

/// <summary>One semaphore of a System V set, as <c>semctl(2)</c> tells (<c>ipcs -s -i ID</c> prints the
/// same).</summary>
/// <param name="Value">The count; null where this user may not read the set, as is everything else then.</param>
/// <param name="Waiting">How many threads wait for the count to grow (GETNCNT).</param>
/// <param name="WaitingForZero">How many wait for it to become 0 (GETZCNT).</param>
/// <param name="LastProcessId">The process that operated on it last (GETPID); 0 for none yet; null where it may be one
/// of another PID namespace, which has no number here. It may be long gone, and its number another's.</param>
public readonly record struct IpcSetMember(int? Value, int? Waiting, int? WaitingForZero, int? LastProcessId);
