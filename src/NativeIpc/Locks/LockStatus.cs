using System.Globalization;
using System.Text;

namespace NativeIpc;

/// <summary>What could be seen of a lock at one moment; it may have changed since.</summary>
/// <param name="Holder">What kind of holder it has.</param>
/// <param name="ProcessId">The holder's process, in the numbering of its own PID namespace; null when that is not
/// known.</param>
/// <param name="IsRecoverable">Whether the death of a holder that uses this library is noticed here, and the next one
/// gets the lock.</param>
public readonly record struct LockStatus(LockHolder Holder, int? ProcessId, bool IsRecoverable)
{
    private readonly int[]? _stopped;

    /// <summary>
    /// Processes that use this library, have the lock open and are stopped (SIGSTOP, a debugger;
    /// <c>proc_pid_stat(5)</c>, state T or t), in the numbering of this PID namespace. While one is, it cannot be
    /// proven that a holder which is <see cref="LockHolder.Unknown"/> is dead, and the lock stays taken. Told for
    /// such a holder on POSIX, Linux, where <see cref="IsRecoverable"/>; empty otherwise, and when none was seen.
    /// </summary>
    public IReadOnlyList<int> StoppedProcesses
    {
        get => _stopped ?? [];
        init => _stopped = value is { Count: > 0 } ? Copy(value) : null;
    }

    /// <summary>
    /// How many more times the lock is open in processes that use this library and of which this one cannot say
    /// whether they are stopped: they are in another PID namespace, or another user's.
    /// Told as <see cref="StoppedProcesses"/> is; 0 otherwise.
    /// </summary>
    public int UnseenUsers { get; init; }

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

    /// <summary>Whether both say the same.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>True when they do.</returns>
    public bool Equals(LockStatus other)
        => Holder == other.Holder && ProcessId == other.ProcessId && IsRecoverable == other.IsRecoverable
            && IsHeldByThisProcess == other.IsHeldByThisProcess && IsHeldByThisInstance == other.IsHeldByThisInstance
            && WasTakenByThisThread == other.WasTakenByThisThread
            && UnseenUsers == other.UnseenUsers && _stopped.AsSpan().SequenceEqual(other._stopped);

    /// <inheritdoc/>
    public override int GetHashCode()
        => HashCode.Combine(Holder, ProcessId, IsRecoverable, UnseenUsers, StoppedProcesses.Count);

    private bool PrintMembers(StringBuilder text)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        text.Append(culture, $"Holder = {Holder}, ProcessId = {ProcessId}, IsRecoverable = {IsRecoverable}");
        text.Append(culture, $", IsHeldByThisProcess = {IsHeldByThisProcess}");
        text.Append(culture, $", IsHeldByThisInstance = {IsHeldByThisInstance}");
        text.Append(culture, $", WasTakenByThisThread = {WasTakenByThisThread}");
        if (_stopped is not null) text.Append(culture, $", StoppedProcesses = {string.Join(' ', _stopped)}");
        if (UnseenUsers > 0) text.Append(culture, $", UnseenUsers = {UnseenUsers}");
        return true;
    }

    private static int[] Copy(IReadOnlyList<int> from)
    {
        var copy = new int[from.Count];
        for (int i = 0; i < copy.Length; i++) copy[i] = from[i];
        return copy;
    }
}
