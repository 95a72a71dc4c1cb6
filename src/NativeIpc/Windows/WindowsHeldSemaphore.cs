using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop;
using NativeIpc.Interop.Windows;
using NativeIpc.Lifetime;

namespace NativeIpc.Windows;

/// <summary>
/// A Windows semaphore of one permit whose holder is known, so that the next one gets it when the holder was killed;
/// beside peers that use WaitForSingleObject and ReleaseSemaphore and know nothing of it.
/// </summary>
/// <remarks>
/// <para>Nothing is written into the semaphore; its holder stands in the <see cref="HolderTable"/> beside it. Taking
/// and noting are two steps, so each thread announces (Busy) before the first and withdraws after the second; the owner
/// word is set only while the permit is out, and cleared before it is given back. So: an owner whose slot is dead had
/// the permit when it died, and is taken over at once, whoever else has the semaphore open, if it was this very
/// semaphore. A permit that is out without an owner is that of a foreign program, of a handle of this library between
/// two steps, or of a dead one of either; it is taken over only when the kernel's count of handles proves that no
/// foreign program has the semaphore open, and every living handle of this library was seen outside of the two
/// steps.</para>
/// <para>To see that, the prover closes the gate: a thread that announces then finds it closed and withdraws, and one
/// that had announced before comes out when its slice of waiting ends. Announcing and closing are full fences, so that
/// one of the two sees the other. Behind the closed gate no handle of this library takes or gives. Giving waits for the
/// gate; a prover that dies leaves a gate that the next one opens.</para>
/// <para>Where a process can die, and what the next one finds (the names are those of StopPoint, with "windows." in
/// front): <c>claim.before</c>, <c>claim.owned</c>, <c>claim.noted</c>: a free slot. <c>take.before</c>,
/// <c>take.announced</c>: the semaphore as it was; a dead slot's announcement counts for nothing. <c>take.taken</c>: a
/// permit that is out without an owner: proven, taken over, told (nothing, if nobody else had the semaphore open: it
/// went with the dead one). <c>take.noted</c>, <c>take.done</c>, <c>unlock.before</c>, <c>unlock.announced</c>: an
/// owner that is dead: taken over, told. <c>unlock.cleared</c>: as <c>take.taken</c>. <c>unlock.released</c>,
/// <c>unlock.done</c>: a free semaphore. <c>recover.owned</c>: as it was; the mutex of the dead slot is abandoned and
/// owned by the next. <c>recover.taken</c>, <c>recover.done</c>: its own mark, and it is dead itself: taken over, told
/// again. <c>prove.closed</c>, <c>prove.proven</c>: as it was, and a gate whose slot is dead. <c>prove.taken</c>: a
/// dead owner and a dead gate. <c>prove.done</c>: as <c>take.done</c>.</para>
/// </remarks>
internal sealed class WindowsHeldSemaphore : SemaphoreObject
{
    private const int LongestSlice = 50; // milliseconds; how long a prover may have to wait for the others
    private static readonly TimeSpan s_firstProof = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan s_longestBetweenProofs = TimeSpan.FromSeconds(1);

    private readonly SafeWaitHandle _handle;
    private readonly SemaphoreWaitHandle _wait;
    private readonly HolderTable _table;
    private bool _tookOver;

    // Since when the holder is unknown, and when to try to prove that there is none.
    private readonly Lock _proofs = new();
    private long _unknownSince;
    private TimeSpan _nextProof;

    private WindowsHeldSemaphore(in NativeIpcKey key, SafeWaitHandle handle, HolderTable table, bool createdNew)
        : base(key)
    {
        _handle = handle;
        _wait = new SemaphoreWaitHandle(handle);
        _table = table;
        CreatedNew = createdNew;
    }

    ~WindowsHeldSemaphore() => WasDropped();

    /// <summary>Nobody disposed it. A permit that is held goes back as by Dispose, for which it may have to wait for
    /// one who proves that nobody has it.</summary>
    protected override void WasDropped()
    {
        if (GivesBackFirst is null)
        {
            Close();
            return;
        }

        _table.KeepHandles();
        CloseElsewhere(_handle);
    }

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    /// <summary>Opens the record of a semaphore that is open, and takes a slot in it. Takes over the handle, if it
    /// returns.</summary>
    /// <exception cref="NativeIpcException">The record cannot be had, or has no slot left.</exception>
    internal static WindowsHeldSemaphore Open(in NativeIpcKey key, SafeWaitHandle handle, bool createdNew,
        WindowsSecurity security)
    {
        StopPoint.At("windows.claim.before");
        var table = HolderTable.Open(key, security);
        try
        {
            if (!table.TryClaim())
            {
                throw Failure.Found(NativeIpcError.LockError, "open the lock", key, "CreateMutexExW",
                    $"it is open {HolderTable.Slots} times, and no more holders can be told apart",
                    "Open it less often, or do without RequireLockRecovery and Robust.");
            }

            return new WindowsHeldSemaphore(key, handle, table, createdNew);
        }
        catch
        {
            table.Dispose();
            throw;
        }
    }

    public override bool TookOver => _tookOver;

    public override bool TryAcquire()
    {
        BeginUse();
        try
        {
            return TryTake(0) || TryTakeFromDead();
        }
        finally
        {
            EndUse();
        }
    }

    public override bool Block(TimeSpan slice)
    {
        BeginUse();
        try
        {
            return TryTake((int)Math.Min(Math.Ceiling(slice.TotalMilliseconds), LongestSlice)) || TryTakeFromDead();
        }
        finally
        {
            EndUse();
        }
    }

    /// <summary>Takes the permit if there is one in time.</summary>
    private bool TryTake(int milliseconds)
    {
        StopPoint.At("windows.take.before");
        if (!TryAnnounce())
        {
            if (milliseconds > 0) Pause.Microseconds(1000);
            return false;
        }

        try
        {
            StopPoint.At("windows.take.announced");
            if (!_wait.WaitOne(milliseconds)) return false;
            StopPoint.At("windows.take.taken");
            Note();
            StopPoint.At("windows.take.noted");
        }
        finally
        {
            Withdraw();
        }

        StopPoint.At("windows.take.done");
        return true;
    }

    // The permit is this thread's. An owner in the record is one who died, and whose semaphore is gone or was freed by
    // hand.
    private void Note()
    {
        Debug.Assert(Volatile.Read(ref _table.Own.Busy) > 0 || Volatile.Read(ref _table.Record.Gate) == _table.Mark);
        _tookOver = Interlocked.Exchange(ref _table.Record.Owner, _table.NextOwner()) != 0 && TellTakeover();
        if (Volatile.Read(ref _unknownSince) != 0) Volatile.Write(ref _unknownSince, 0);
    }

    private bool TryAnnounce()
    {
        Interlocked.Increment(ref _table.Own.Busy);
        if (Volatile.Read(ref _table.Record.Gate) == 0) return true;
        Withdraw();
        _table.OpenDeadGate();
        return false;
    }

    private void Withdraw() => Interlocked.Decrement(ref _table.Own.Busy);

    /// <summary>Takes the permit over, if its holder is dead.</summary>
    private bool TryTakeFromDead()
    {
        long owner = Volatile.Read(ref _table.Record.Owner);
        int mark = HolderTable.MarkOf(owner);
        if (mark == _table.Mark) return false;
        if (mark != 0)
        {
            if (_table.TryOwn(mark) is not { } life)
            {
                Volatile.Write(ref _unknownSince, 0);
                return false;
            }

            try
            {
                StopPoint.At("windows.recover.owned");

                // R1 Race: the record outlived the semaphore of its owner, and a new one got the name. Safe because:
                // the owner is believed only if somebody living had this semaphore open before it took; else it has to
                // be proven as for no owner.
                if (_table.IsOfThisSemaphore(owner))
                {
                    // R2 Race: two take over from one, or the dead slot gets a new user meanwhile. Safe because: those
                    // who take over own the slot's mutex in turn, and the exchange succeeds for one, since its turn
                    // makes each value unique; and nobody claims a slot while somebody owns its mutex, or while its
                    // mark is in the owner word.
                    if (Interlocked.CompareExchange(ref _table.Record.Owner, _table.NextOwner(), owner) != owner)
                        return false;
                    StopPoint.At("windows.recover.taken");
                    _tookOver = TellTakeover();
                    return true;
                }
            }
            finally
            {
                HolderTable.LetGo(life);
                StopPoint.At("windows.recover.done");
            }
        }

        return TakesOverUnknown && IsTimeForProof() && TryProve();
    }

    // A holder of this library between two steps looks unknown for an instant, and proving makes the others wait: not
    // at once, and then less and less often.
    private bool IsTimeForProof()
    {
        lock (_proofs)
        {
            long now = Stopwatch.GetTimestamp();
            if (_unknownSince == 0)
            {
                _unknownSince = now;
                _nextProof = s_firstProof;
                return false;
            }

            TimeSpan passed = Stopwatch.GetElapsedTime(_unknownSince, now);
            if (passed < _nextProof) return false;
            _nextProof = passed + (passed < s_longestBetweenProofs ? passed : s_longestBetweenProofs);
            return true;
        }
    }

    /// <summary>Takes the permit over, if it is proven that nobody alive has it.</summary>
    private bool TryProve()
    {
        if (!_table.AreAllHandlesOurs(_handle)) return false;
        if (Interlocked.CompareExchange(ref _table.Record.Gate, _table.Mark, 0) != 0) return false;
        try
        {
            StopPoint.At("windows.prove.closed");
            if (!AwaitQuiet()) return false;
            long owner = Volatile.Read(ref _table.Record.Owner);
            if (HolderTable.MarkOf(owner) is not 0 and var mark && _table.IsAlive(mark)) return false;
            for (int round = 0; round < 3; round++)
            {
                if (_wait.WaitOne(0))
                {
                    Note();
                    return true;
                }

                // R3 Race: a foreign program comes and goes during the proof. Not safe in theory: it would have to
                // release and close, and another one to open and take, in turn between each two of six calls.
                if (!_table.AreAllHandlesOurs(_handle)) return false;
            }

            StopPoint.At("windows.prove.proven");
            if (Interlocked.CompareExchange(ref _table.Record.Owner, _table.NextOwner(), owner) != owner) return false;
            StopPoint.At("windows.prove.taken");
            _tookOver = TellTakeover();
            Volatile.Write(ref _unknownSince, 0);
            return true;
        }
        finally
        {
            Interlocked.CompareExchange(ref _table.Record.Gate, 0, _table.Mark);
            StopPoint.At("windows.prove.done");
        }
    }

    /// <summary>Waits until no handle of this library is between two steps: at most for two slices, since a suspended
    /// one never comes out; and no longer than the owner is unknown.</summary>
    private bool AwaitQuiet()
    {
        long start = Stopwatch.GetTimestamp();
        while (!_table.IsQuiet())
        {
            if (Stopwatch.GetElapsedTime(start).TotalMilliseconds > 2 * LongestSlice || IsClosed) return false;
            if (HolderTable.MarkOf(Volatile.Read(ref _table.Record.Owner)) is not 0 and var mark
                && _table.IsAlive(mark))
                return false;
            Pause.Microseconds(1000);
        }

        return true;
    }

    public override bool TryUnlock()
    {
        BeginUse(evenIfClosed: true);
        try
        {
            StopPoint.At("windows.unlock.before");
            while (!TryAnnounce()) Pause.Microseconds(1000);
            try
            {
                StopPoint.At("windows.unlock.announced");
                long owner = Volatile.Read(ref _table.Record.Owner);

                // R4 Race: a peer has released too often, and another handle has the permit. Safe because: the
                // owner word is that one's, so this gives nothing, and says so.
                if (HolderTable.MarkOf(owner) != _table.Mark) return false;
                _tookOver = false;
                if (Interlocked.CompareExchange(ref _table.Record.Owner, 0, owner) != owner) return false;
                StopPoint.At("windows.unlock.cleared");
                if (Kernel32.ReleaseSemaphore(_handle, 1, 0) == 0) throw WindowsSemaphore.NotReleased(Key, _handle, 1);
                StopPoint.At("windows.unlock.released");
            }
            finally
            {
                Withdraw();
            }

            StopPoint.At("windows.unlock.done");
            return true;
        }
        finally
        {
            EndUse();
        }
    }

    public override void Release(int count)
    {
        ThrowIfClosed(IsClosed);
        if (count == 1 && TryUnlock()) return;
        throw Failure.NotHeld(Key, count);
    }

    /// <inheritdoc/>
    public override void ReturnPermit()
    {
        if (!TryUnlock()) throw Failure.NotHeld(Key, 1);
    }

    // See WindowsSemaphore.
    public override bool TryGetCount(out int count)
    {
        BeginUse();
        EndUse();
        count = 0;
        return false;
    }

    /// <inheritdoc/>
    /// <remarks>Whether a permit is there can only be found by taking it: a free lock is taken and given back, which
    /// keeps nobody out for longer than two calls.</remarks>
    public override LockStatus GetStatus()
    {
        BeginUse();
        try
        {
            for (int look = 0; ; look++)
            {
                long owner = Volatile.Read(ref _table.Record.Owner);
                int mark = HolderTable.MarkOf(owner);
                bool isDead = mark != 0 && !_table.IsAlive(mark);
                if (mark != 0 && !isDead) return Status(LockHolder.Process, mark);
                if (isDead && _table.IsOfThisSemaphore(owner)) return Status(LockHolder.DeadProcess, mark);
                if (IsFree())
                    return isDead ? Status(LockHolder.DeadProcess, mark)
                        : new(LockHolder.Nobody, null, IsRecoverable: true);

                // Another handle of this library may be between two steps.
                if (look == 3) return new(LockHolder.Unknown, null, IsRecoverable: true);
                Pause.Microseconds(1000);
            }
        }
        finally
        {
            EndUse();
        }
    }

    private LockStatus Status(LockHolder holder, int mark)
    {
        int process = Volatile.Read(ref _table.SlotOf(mark).ProcessId);
        return new(holder, process == 0 ? null : process, IsRecoverable: true)
        {
            IsHeldByThisInstance = mark == _table.Mark,
            IsHeldByThisProcess = holder == LockHolder.Process
                && (mark == _table.Mark || process == Environment.ProcessId),
        };
    }

    private bool IsFree()
    {
        if (!TryAnnounce()) return false;
        try
        {
            if (!_wait.WaitOne(0)) return false;
            if (Kernel32.ReleaseSemaphore(_handle, 1, 0) == 0) throw WindowsSemaphore.NotReleased(Key, _handle, 1);
            return true;
        }
        finally
        {
            Withdraw();
        }
    }

    private void BeginUse(bool evenIfClosed = false)
    {
        if (!evenIfClosed) ThrowIfClosed(IsClosed);
        ThrowIfClosed(!TryBeginUse());
    }

    protected override void Close()
    {
        _table.Dispose();
        _wait.Dispose();
    }
}
