using System.Runtime.CompilerServices;
using NativeIpc.Backends;
using NativeIpc.Errors;
using NativeIpc.Waiting;

namespace NativeIpc;

public sealed partial class SharedMemory
{
    private readonly Lock _lockGate = new();
    private readonly List<SegmentLock> _retiredLocks = [];
    private SegmentLock? _lock;

    /// <summary>Takes the segment's lock across processes, waiting for it as long as it takes: the lock that Qt's <c>QSharedMemory::lock()</c> takes.</summary>
    /// <remarks>
    /// <para>The lock is a semaphore of value 1, made or opened when it is first needed and removed only together with the segment's name. It
    /// is not re-entrant: a second Lock waits for the first scope to end. The scope may end on another thread; disposing the segment ends
    /// it too. On System V the kernel gives the lock back when its holder dies.</para>
    /// <para>A lock whose name a peer has removed or replaced (a failed <c>create()</c> of Qt does that) is noticed on Linux: this
    /// instance then meets the others at the new one, and <see cref="SharedMemoryLock.WasReplaced"/> tells. On System V that is the key file;
    /// a lock that a peer reset or removed under the same key file is not noticed.</para>
    /// <para>When a holder that uses this library was killed, the next one gets the lock and <see cref="SharedMemoryLock.WasAbandoned"/> is true for it, where
    /// <see cref="LockStatus.IsRecoverable"/> says so (docs/crashes.md). Elsewhere the lock stays taken: for ever on POSIX, on Windows while anybody has it open.</para>
    /// </remarks>
    /// <returns>The scope; dispose it to release the lock.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">LockError when the lock cannot be made or opened: the segment has lost its name, its name is too long
    /// for a lock, or (musl) is the lock's file itself; PermissionDenied; KeyError when what has the lock's name is no semaphore; OutOfResources.</exception>
    public SharedMemoryLock Lock()
    {
        SegmentLock? current = Volatile.Read(ref _lock);
        if (current is not null && current.TryTakeDirectly() is not 0 and long ticket && Keeps(current, ticket)) return new SharedMemoryLock(current, ticket);
        TryLock(Timeout.InfiniteTimeSpan, out SharedMemoryLock scope);
        return scope;
    }

    /// <summary>Takes the lock, waiting for it until the token is cancelled.</summary>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The scope; dispose it to release the lock.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public SharedMemoryLock Lock(CancellationToken cancellationToken)
    {
        TryLock(Timeout.InfiniteTimeSpan, out SharedMemoryLock scope, cancellationToken);
        return scope;
    }

    /// <summary>Takes the lock if it is free now.</summary>
    /// <param name="scope">The scope; dispose it to release the lock. Without effect when the result is false.</param>
    /// <returns>False when somebody holds it.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public bool TryLock(out SharedMemoryLock scope) => TryLock(TimeSpan.Zero, out scope);

    /// <summary>Takes the lock, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="scope">The scope; dispose it to release the lock. Without effect when the result is false.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public bool TryLock(TimeSpan timeout, out SharedMemoryLock scope, CancellationToken cancellationToken = default)
    {
        SegmentLock? direct = Volatile.Read(ref _lock);
        if (direct is not null && !cancellationToken.IsCancellationRequested && Deadline.IsValid(timeout) && direct.TryTakeDirectly() is not 0 and long atOnce
            && Keeps(direct, atOnce))
        {
            scope = new SharedMemoryLock(direct, atOnce);
            return true;
        }

        scope = default;
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            SegmentLock tried = CurrentLock();
            SegmentLock? current = TryAcquireFrom(tried);
            if (current is null && tried.HasChanged) current = TryAcquireFrom(CurrentLock()); // removed by a peer: the one that stands there now may be free
            if (current is null)
            {
                if (timeout == TimeSpan.Zero) return false;
                var waiting = new LockWaiting(this);
                if (!Waiter.Acquire(waiting, deadline, cancellationToken)) return false;
                current = waiting.Acquired!;
            }

            try
            {
                long ticket = current.Take();
                Interlocked.MemoryBarrier(); // so that Dispose sees the ticket, or is seen
                if (!Keeps(current, ticket)) continue;
                scope = new SharedMemoryLock(current, ticket);
                return true;
            }
            finally
            {
                current.Semaphore.Leave();
            }
        }
    }

    /// <summary>Tells who holds the segment's lock, without waiting for it and without changing anything; but on Windows a free lock is taken and given back at once.</summary>
    /// <returns>What could be seen.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public LockStatus GetLockStatus()
    {
        SegmentLock current = EnterCurrentLock();
        try
        {
            return current.Semaphore.GetStatus();
        }
        finally
        {
            current.Semaphore.Leave();
        }
    }

    /// <summary>Whether the lock that was just taken is to be kept: not when a Dispose has begun, nor when another one has replaced it meanwhile; then it is given back.</summary>
    /// <remarks>
    /// <para>Interleavings with Dispose on another thread: the taking comes before the semaphore is closed, and its holder is noted in time for Dispose to give the lock back; or it is not,
    /// and then closing finds it taken (<see cref="SemaphoreObject.GivesBackAtClose"/>); or the taking finds it closed. The scope of a lock that was given back releases nothing.</para>
    /// <para>With a replacement: the new lock is published before the old one is looked at (<see cref="SegmentLock.Retire"/>), and the ticket is noted before this look. So one of the two sees
    /// the other: the old one stays open for its holder, or the taker goes on to the new one, or both.</para>
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool Keeps(SegmentLock taken, long ticket)
        => (Volatile.Read(ref _disposed) == 0 && Volatile.Read(ref _lock) == taken) || GiveUp(taken, ticket);

    private bool GiveUp(SegmentLock taken, long ticket)
    {
        taken.Release(ticket);
        CheckOpen();
        return false;
    }

    private SegmentLock EnterCurrentLock()
    {
        SegmentLock current;
        do current = CurrentLock();
        while (!TryEnter(current));
        return current;
    }

    /// <summary>Counts the caller in; false when another lock has replaced this one.</summary>
    private static bool TryEnter(SegmentLock current)
    {
        if (current.Semaphore.TryEnter()) return true;
        if (!current.IsRetired) ThrowDisposed();
        return false;
    }

    /// <summary>Tries once. Gives the lock back entered when it was acquired, so that a racing Dispose cannot close it before
    /// the caller has noted that it holds it.</summary>
    private static SegmentLock? TryAcquireFrom(SegmentLock current)
    {
        // As Try, without its delegate: the fewer methods are on the stack in a system call, the sooner it is back.
        if (!current.Semaphore.TryEnter()) ThrowDisposed();
        bool acquired = false;
        try
        {
            acquired = current.Semaphore.TryAcquire();
            return acquired ? current : null;
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound)
        {
            current.NoteLoss();
            return null;
        }
        finally
        {
            if (!acquired) current.Semaphore.Leave();
        }
    }

    private static SegmentLock? Try<T>(SegmentLock current, Func<SemaphoreObject, T, bool> acquire, T how)
    {
        if (!TryEnter(current)) return null;
        bool acquired = false;
        try
        {
            acquired = acquire(current.Semaphore, how);
            return acquired ? current : null;
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound)
        {
            // A peer has removed it, System V: the next turn opens it anew.
            current.NoteLoss();
            return null;
        }
        catch (ObjectDisposedException) when (current.IsRetired)
        {
            return null; // replaced while this thread was in it: the next turn goes on at the new one
        }
        finally
        {
            if (!acquired) current.Semaphore.Leave();
        }
    }

    /// <summary>The lock, opened when it is first needed, and anew when its name leads elsewhere.</summary>
    private SegmentLock CurrentLock()
    {
        CheckOpen();
        SegmentLock? current = Volatile.Read(ref _lock);
        return current is null || current.HasChanged ? OpenLock() : current;
    }

    private SegmentLock OpenLock()
    {
        if (!_options.UseLock)
            throw new InvalidOperationException($"The segment {Failure.Describe(Key)} was opened with UseLock = false, so it has no lock.");

        bool added = false;
        SegmentLock? replaced;
        SegmentLock next;
        lock (_lockGate)
        {
            try
            {
                Enter(ref added);
                replaced = _lock;
                if (replaced is { HasChanged: false }) return replaced;
                SemaphoreObject opened = _segment.OpenLock();
                opened.GivesBackAtClose = true;
                next = new SegmentLock(opened, _segment.WatchLock(opened), replacesAnother: replaced is not null);
                if (replaced is not null) Keep(replaced);
                Volatile.Write(ref _lock, next);
            }
            finally
            {
                if (added) _segment.DangerousRelease();
            }
        }

        // Outside the gate, which those who are woken there take.
        replaced?.Retire(Forget);
        return next;
    }

    // For Dispose: scopes that still hold a lock which was replaced.
    private void Keep(SegmentLock retired)
    {
        lock (_retiredLocks) _retiredLocks.Add(retired);
    }

    private void Forget(SegmentLock retired)
    {
        lock (_retiredLocks) _retiredLocks.Remove(retired);
    }

    private void CloseLocks()
    {
        lock (_lockGate)
        {
            SegmentLock[] retired;
            lock (_retiredLocks) retired = [.. _retiredLocks];
            foreach (SegmentLock one in retired) one.Close();
            _lock?.Close();
        }
    }

    /// <summary>Waits for whichever lock is the current one.</summary>
    private sealed class LockWaiting(SharedMemory owner) : IAcquirable
    {
        public SegmentLock? Acquired { get; private set; }

        public ref SpinState Spin => ref owner.CurrentLock().Semaphore.Spin;

        public bool AreTriesDear => owner.CurrentLock().Semaphore.AreTriesDear;

        public bool TryAcquire() => (Acquired = TryAcquireFrom(owner.CurrentLock())) is not null;

        public bool TryAcquireQuickly()
            => (Acquired = Try(owner.CurrentLock(), static (semaphore, _) => semaphore.TryAcquireQuickly(), 0)) is not null;

        public bool Block(TimeSpan longest, Wakeup wakeup)
            => (Acquired = Try(owner.CurrentLock(), static (semaphore, how) => semaphore.Block(how.longest, how.wakeup), (longest, wakeup))) is not null;
    }
}

/// <summary>An open lock of a segment and who holds it within this instance: the ticket that the current scope carries.</summary>
/// <remarks>
/// <para>A ticket is ended once, whoever comes: copies of a scope, a second Dispose, the segment's Dispose, on any threads (<see cref="TryEnd"/>). Nearly always that is the thread that took it, and
/// it does so without an interlocked step: it says that it is ending the ticket, looks for strangers, and then ends it. Another thread says that there is a stranger, has the system put a
/// barrier into every thread of the process, and waits until the taker is not in the middle. Interleavings: either the taker said that it is ending before the barrier, and the stranger sees that and
/// waits; or it looks for strangers after it, sees one, and becomes one itself. Strangers come one by one.</para>
/// <para>Only the holder of the semaphore is between the acquire and Take, so what is noted there takes no interlocked steps; after a peer's reset there can be two, who are told unless
/// they come in the same nanoseconds. The ticket is ended before the permit is given; a Dispose in between gives it in its place (<see cref="SemaphoreObject.GivesBackAtClose"/>), where it is not
/// counted that somebody is inside.</para>
/// <para>A lock that another one has replaced is closed as soon as no scope holds it (<see cref="Retire"/>); who replaces one in a loop would use up the descriptors otherwise. Interleavings: (1) Nobody holds it: it is
/// closed at once. Threads that sleep in it are woken and go on at the new one; the descriptor and the page go with the last of those who are counted in, to whom pending asynchronous waits belong. (2) A
/// scope holds it: the one that replaced says that there is a stranger, for good, so whoever ends the ticket comes by the gate of the strangers, finds the lock retired, and closes it after giving the permit. (3) The
/// taker was ending its ticket without having seen that: it is waited for. (4) A thread takes it after all: see SharedMemory.Keeps. (5) Dispose at the same time: closing twice closes once.</para>
/// </remarks>
internal sealed class SegmentLock(SemaphoreObject semaphore, INameWatch? watch, bool replacesAnother)
{
    private long _abandonedTicket;

    // The ticket of the holder: odd. Even when nobody of this instance holds it: one more than the last ticket.
    private long _holder;

    private readonly Lock _strangers = new();
    private int _hasStranger;
    private Taker? _taker;

    [ThreadStatic]
    private static Taker? t_taker;

    /// <summary>A thread that takes locks, and the ticket that it is ending.</summary>
    private sealed class Taker
    {
        public long Ending;
    }

    private volatile bool _isLost;
    private volatile Action<SegmentLock>? _closed; // what is told when a retired lock is closed
    private int _unchangedAt = -1;

    // The last tickets whose holders may not have been alone. The first one of a lock that stands in for another is such a one.
    private long _firstDoubtful = 1;
    private long _lastDoubtful = replacesAnother ? 1 : 0;

    public SemaphoreObject Semaphore { get; } = semaphore;

    /// <summary>Whether the lock's name leads elsewhere by now, where that is noticed.</summary>
    public bool HasChanged => _isLost || IsRetired || watch is { HasChanged: true };

    /// <summary>Whether another lock has replaced this one.</summary>
    public bool IsRetired => _closed is not null;

    /// <summary>An operation has found the lock gone.</summary>
    public void NoteLoss() => _isLost = true;

    /// <summary>Takes the lock in one step on memory and notes it.</summary>
    /// <returns>The ticket; 0 when it was not taken, also when the name may have changed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long TryTakeDirectly()
        => (_unchangedAt == Volatile.Read(ref NameChanges.s_count) || IsUnchanged()) && Semaphore.TryTakeDirectly() ? Note() : 0;

    private bool IsUnchanged()
    {
        int count = Volatile.Read(ref NameChanges.s_count);
        if (!Semaphore.IsDirect || HasChanged || watch is { IsTold: false }) return false;
        _unchangedAt = count;
        return true;
    }

    /// <summary>Notes that the semaphore was acquired.</summary>
    public long Take()
    {
        long ticket = Note();
        if (Semaphore.TookOver) Volatile.Write(ref _abandonedTicket, ticket);
        return ticket;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Note()
    {
        long last = _holder;

        // Two holders within this instance: a peer has reset the lock. Both are told.
        if (IsHeld(last)) NoteDoubt(last, ++last + 1);
        Taker taker = t_taker ?? MakeTaker();
        if (_taker != taker) _taker = taker;
        Volatile.Write(ref _holder, ++last);
        return last;
    }

    /// <summary>Releases the semaphore, if the ticket still holds it.</summary>
    public void Release(long ticket)
    {
        if (ticket == 0) return;
        if (Semaphore.IsDirect)
        {
            GiveBack(ticket);
            return;
        }

        if (!Semaphore.TryEnter()) return;
        try
        {
            GiveBack(ticket);
        }
        finally
        {
            Semaphore.Leave();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void GiveBack(long ticket)
    {
        if (TryEnd(ticket) && !Semaphore.TryGiveDirectly()) GiveBackSlowly(ticket);
    }

    private void GiveBackSlowly(long ticket)
    {
        if (!Semaphore.TryUnlock()) NoteDoubt(ticket, ticket);
    }

    /// <summary>Ends a ticket, once: true when the caller has to give the permit back then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryEnd(long ticket)
    {
        if (t_taker is { } taker && taker == _taker)
        {
            Volatile.Write(ref taker.Ending, ticket);
            if (Volatile.Read(ref _hasStranger) == 0)
            {
                bool ends = _holder == ticket;
                if (ends) Volatile.Write(ref _holder, ticket + 1);
                Volatile.Write(ref taker.Ending, 0);
                return ends;
            }

            Volatile.Write(ref taker.Ending, 0);
        }

        return TryEndAsStranger(ticket);
    }

    private bool TryEndAsStranger(long ticket)
    {
        if (Interlocked.Read(ref _holder) != ticket) return false; // ended, and tickets do not come again
        lock (_strangers)
        {
            bool ends = ShutOut(ticket) == ticket;
            if (ends) Volatile.Write(ref _holder, ticket + 1);
            if (!IsRetired)
            {
                Volatile.Write(ref _hasStranger, 0);
                return ends;
            }

            if (!ends) return false;
        }

        try
        {
            GiveBackSlowly(ticket);
        }
        finally
        {
            Close();
        }

        return false;
    }

    /// <summary>Makes whoever ends a ticket come by the gate of the strangers, and waits until nobody is ending this one without having seen that. The ticket that holds then.</summary>
    private long ShutOut(long ticket)
    {
        Volatile.Write(ref _hasStranger, 1);
        Interlocked.MemoryBarrierProcessWide();
        if (ticket == 0) ticket = Volatile.Read(ref _holder);
        Taker? taker = Volatile.Read(ref _taker);
        SpinWait spinner = default;
        while (taker is not null && Volatile.Read(ref taker.Ending) == ticket) spinner.SpinOnce();
        return Volatile.Read(ref _holder);
    }

    /// <summary>Another lock has replaced this one: closes it, now or when its holder has let go.</summary>
    /// <param name="closed">Told then, once or twice.</param>
    public void Retire(Action<SegmentLock> closed)
    {
        lock (_strangers)
        {
            _closed = closed;
            if (IsHeld(ShutOut(0))) return;
        }

        Close();
    }

    private static bool IsHeld(long holder) => (holder & 1) != 0;

    private static Taker MakeTaker() => t_taker = new Taker();

    /// <summary>Whether the holder of a ticket may have been inside together with others, at the old lock and the new one.</summary>
    public bool WasReplaced(long ticket) => HasChanged || (ticket >= Volatile.Read(ref _firstDoubtful) && ticket <= Volatile.Read(ref _lastDoubtful));

    /// <summary>Whether the holder of a ticket took over from one that died.</summary>
    public bool WasAbandoned(long ticket) => ticket != 0 && Volatile.Read(ref _abandonedTicket) == ticket;

    private void NoteDoubt(long first, long last)
    {
        Volatile.Write(ref _lastDoubtful, last);
        Volatile.Write(ref _firstDoubtful, first);
    }

    public void Close()
    {
        // The holder's own Release finds the ticket gone then.
        long holder = Interlocked.Read(ref _holder);
        if (IsHeld(holder)) Release(holder);
        Semaphore.Dispose();
        watch?.Dispose();
        _closed?.Invoke(this);
    }
}
