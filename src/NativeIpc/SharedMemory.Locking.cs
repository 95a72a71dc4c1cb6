using System.Runtime.CompilerServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Holding;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SharedMemory
{
    private readonly Lock _lockGate = new();
    private readonly Lock _retiredGate = new();
    private List<SegmentLock>? _retiredLocks; // from the first one on
    private SegmentLock? _lock;

    /// <summary>Takes the segment's lock across processes, waiting for it as long as it takes: the lock that Qt's
    /// <c>QSharedMemory::lock()</c> takes.</summary>
    /// <remarks>
    /// <para>The lock is a semaphore of value 1, made or opened when it is first needed and removed only together with
    /// the segment's name. It is not re-entrant: a second Lock waits for the first scope to end. The scope may end on
    /// another thread; disposing the segment ends it too. On System V the kernel gives the lock back when its holder
    /// dies.</para>
    /// <para>A lock whose name a peer has removed or replaced (a failed <c>create()</c> of Qt does that) is noticed on
    /// Linux: this instance then meets the others at the new one, and <see cref="SharedMemoryLock.WasReplaced"/> tells.
    /// On System V that is the key file; a lock that a peer reset or removed under the same key file is not
    /// noticed.</para>
    /// <para>When a holder that uses this library was killed, the next one gets the lock and
    /// <see cref="SharedMemoryLock.WasAbandoned"/> is true for it, where <see cref="LockStatus.IsRecoverable"/> says so
    /// (docs/crashes.md). Elsewhere the lock stays taken: for ever on POSIX, on Windows while anybody has it
    /// open.</para>
    /// </remarks>
    /// <returns>The scope; dispose it to release the lock.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">LockError when the lock cannot be made or opened: the segment has lost its
    /// name, its name is too long for a lock, or POSIX segments have none (musl with the plain POSIX calls or the
    /// switch NativeIpc.PortableWaits); PermissionDenied; KeyError when what has the lock's name is no semaphore;
    /// OutOfResources.</exception>
    public SharedMemoryLock Lock()
    {
        SegmentLock? current = Volatile.Read(ref _lock);
        if (current is not null && current.TryTakeFast() is not 0 and long ticket && Keeps(current, ticket))
            return new SharedMemoryLock(current, ticket);
        TryLock(Timeout.InfiniteTimeSpan, out SharedMemoryLock scope);
        return scope;
    }

    /// <summary>Takes the lock, waiting for it until the token is cancelled.</summary>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The scope; dispose it to release the lock.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
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
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public bool TryLock(out SharedMemoryLock scope) => TryLock(TimeSpan.Zero, out scope);

    /// <summary>Takes the lock, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="scope">The scope; dispose it to release the lock. Without effect when the result is false.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed, also when a peer that makes or removes the lock kept its file for so
    /// long.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public bool TryLock(TimeSpan timeout, out SharedMemoryLock scope, CancellationToken cancellationToken = default)
    {
        SegmentLock? direct = Volatile.Read(ref _lock);
        if (direct is not null && !cancellationToken.IsCancellationRequested && Deadline.IsValid(timeout)
            && direct.TryTakeFast() is not 0 and long atOnce
            && Keeps(direct, atOnce))
        {
            scope = new SharedMemoryLock(direct, atOnce);
            return true;
        }

        scope = default;
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return TryLock(deadline, timeout == TimeSpan.Zero,
                new PeerBound(_options.PeerTimeout, deadline.Rest, this, cancellationToken), out scope,
                cancellationToken);
        }
        catch (CallersTimeIsOverException)
        {
            return false; // a peer that makes or removes the lock's name has had it for as long as this call waits
        }
    }

    private bool TryLock(in Deadline deadline, bool isOnce, in PeerBound bound, out SharedMemoryLock scope,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            SegmentLock tried = CurrentLock(bound);
            SegmentLock? current = TryAcquireFrom(tried);
            // Removed by a peer: the one that stands there now may be free
            if (current is null && tried.HasChanged) current = TryAcquireFrom(CurrentLock(bound));
            if (current is null)
            {
                scope = default;
                if (isOnce) return false;
                var waiting = new LockWaiting(this, bound);
                if (!Waiter.Acquire(waiting, deadline, cancellationToken)) return false;
                current = waiting.Acquired!;
            }

            if (TryKeep(current, out scope)) return true;
        }
    }

    /// <summary>Notes that a lock was acquired, and leaves it; false when it was given back, since it is not the one to
    /// be had any more.</summary>
    private bool TryKeep(SegmentLock acquired, out SharedMemoryLock scope)
    {
        try
        {
            long ticket = acquired.Take();
            Interlocked.MemoryBarrier(); // so that Dispose sees the ticket, or is seen
            bool isKept = Keeps(acquired, ticket);
            scope = isKept ? new SharedMemoryLock(acquired, ticket) : default;
            return isKept;
        }
        finally
        {
            acquired.Semaphore.EndUse();
        }
    }

    /// <summary>Tells who holds the segment's lock, without waiting for it and without changing anything; but on
    /// Windows a free lock is taken and given back at once.</summary>
    /// <returns>What could be seen.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public LockStatus GetLockStatus()
    {
        SegmentLock current = BeginUseOfCurrentLock(_options.PeerTimeout);
        try
        {
            LockStatus status = current.Semaphore.GetStatus();

            // The back end knows the holder, this instance its own scope; where there is no record, only this instance
            // knows.
            bool isHere = current.IsHeldHere && status.Holder is not LockHolder.Nobody
                && (status.IsHeldByThisProcess || status.Holder == LockHolder.CannotTell);
            return status with
            {
                IsHeldByThisProcess = status.IsHeldByThisProcess || isHere,
                IsHeldByThisInstance = isHere,
                WasTakenByThisThread = isHere && current.WasTakenByThisThread,
            };
        }
        finally
        {
            current.Semaphore.EndUse();
        }
    }

    /// <summary>Whether the lock that was just taken is to be kept: not when a Dispose has begun, nor when another one
    /// has replaced it meanwhile; then it is given back.</summary>
    /// <remarks>
    /// <para>R1 Race: Dispose on another thread. Safe because: the taking comes before the semaphore is closed, and its
    /// holder is noted in time for Dispose to give the lock back; or it is not, and closing finds it taken
    /// (<see cref="SemaphoreObject.GivesBackAtClose"/>); or the taking finds it closed. The scope of a lock that was
    /// given back releases nothing.</para>
    /// <para>R2 Race: another lock replaces this one. Safe because: the new lock is published before the old one is
    /// looked at (<see cref="SegmentLock.Retire"/>), and the ticket is noted before this look. So one sees the other:
    /// the old one stays open for its holder, or the taker goes on to the new one, or both.</para>
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

    private SegmentLock BeginUseOfCurrentLock(in PeerBound bound)
    {
        SegmentLock current;
        do current = CurrentLock(bound);
        while (!TryBeginUse(current));
        return current;
    }

    /// <summary>Counts the caller in; false when another lock has replaced this one.</summary>
    private static bool TryBeginUse(SegmentLock current)
    {
        if (current.Semaphore.TryBeginUse()) return true;
        if (!current.IsRetired) ThrowDisposed();
        return false;
    }

    /// <summary>Tries once. Gives the lock back entered when it was acquired, so that a racing Dispose cannot close it
    /// before the caller has noted that it holds it.</summary>
    private static SegmentLock? TryAcquireFrom(SegmentLock current)
    {
        // As Try, without its delegate: the fewer methods are on the stack in a system call, the sooner it is back.
        if (!TryBeginUse(current)) return null;
        bool acquired = false;
        try
        {
            acquired = current.Semaphore.TryAcquire();
        }
        catch (Exception failure) when (IsGone(current, failure))
        {
        }
        finally
        {
            if (!acquired) current.Semaphore.EndUse();
        }

        return acquired ? current : null;
    }

    /// <summary>The same without any pause.</summary>
    private static SegmentLock? TryAcquireNow(SegmentLock current, out bool isHeldUp)
    {
        isHeldUp = false;
        if (!TryBeginUse(current)) return null;
        bool acquired = false;
        try
        {
            acquired = current.Semaphore.TryAcquire(out isHeldUp);
        }
        catch (Exception failure) when (IsGone(current, failure))
        {
        }
        finally
        {
            if (!acquired) current.Semaphore.EndUse();
        }

        return acquired ? current : null;
    }

    private static SegmentLock? Try<T>(SegmentLock current, Func<SemaphoreObject, T, bool> acquire, T how)
    {
        if (!TryBeginUse(current)) return null;
        bool acquired = false;
        try
        {
            acquired = acquire(current.Semaphore, how);
        }
        catch (Exception failure) when (IsGone(current, failure))
        {
        }
        finally
        {
            if (!acquired) current.Semaphore.EndUse();
        }

        return acquired ? current : null;
    }

    /// <summary>Whether the lock is not to be had here any more, and the next turn goes on at another one: a peer has
    /// removed it (System V), or it was replaced while this thread was in it.</summary>
    private static bool IsGone(SegmentLock current, Exception failure)
    {
        bool isRemoved = failure is NativeIpcException { Error: NativeIpcError.NotFound };
        if (isRemoved) current.NoteLoss();
        return isRemoved || (failure is ObjectDisposedException && current.IsRetired);
    }

    /// <summary>The lock, opened when it is first needed, and anew when its name leads elsewhere.</summary>
    private SegmentLock CurrentLock(in PeerBound bound)
    {
        CheckOpen();
        SegmentLock? current = Volatile.Read(ref _lock);
        return current is null || current.HasChanged ? OpenLock(bound) : current;
    }

    /// <remarks>
    /// It may have to wait for a peer, so it is opened outside the gate: each thread waits by its own bound, and
    /// Dispose for none of them. R3 Race: two threads open it, or Dispose comes. Safe because: the first one to come to
    /// the gate publishes its own, the other closes what it has opened, unused; nothing is published after Dispose has
    /// closed what there is. What is replaced once more before that, the next look at the name finds.
    /// </remarks>
    private SegmentLock OpenLock(in PeerBound bound)
    {
        if (!_options.UseLock)
            throw new InvalidOperationException(
                $"The segment {Failure.Describe(Key)} was opened with UseLock = false, so it has no lock.");

        bool added = false;
        SegmentLock? replaced = null;
        SegmentLock? next = null;
        SegmentLock? current;
        try
        {
            Enter(ref added);
            if (Volatile.Read(ref _lock) is { HasChanged: false } there) return there;
            SemaphoreObject opened = _segment.OpenLock(bound);
            opened.GivesBackAtClose = true;
            opened.TakesOverUnknown = _options.TakeOverUnknownHolders;
            INameWatch? watch = _segment.WatchLock(opened);
            lock (_lockGate)
            {
                current = _lock;
                if (Volatile.Read(ref _disposed) == 0 && current is not { HasChanged: false })
                {
                    replaced = current;
                    current = next = new SegmentLock(opened, watch, replacesAnother: replaced is not null);
                    _segment.NoteLock(opened);
                    _segment.CloseLock = opened.GivesBackFirst = next.Close;
                    if (replaced is not null) Keep(replaced);
                    Volatile.Write(ref _lock, next);
                }
            }

            if (next is null)
            {
                opened.Dispose();
                watch?.Dispose();
                CheckOpen();
            }
        }
        catch (NativeIpcException) when (Volatile.Read(ref _disposed) != 0)
        {
            throw ((IWaitOwner)this).Disposed(); // Dispose has removed the names meanwhile
        }
        finally
        {
            if (added) _segment.DangerousRelease();
        }

        // Outside the gate, which those who are woken there take.
        replaced?.Retire(Forget);
        return current!;
    }

    bool IWaitOwner.IsDisposed => Volatile.Read(ref _disposed) != 0;

    ObjectDisposedException IWaitOwner.Disposed() => new("NativeIpc.SharedMemory");

    // For Dispose: scopes that still hold a lock which was replaced.
    private void Keep(SegmentLock retired)
    {
        lock (_retiredGate) (_retiredLocks ??= []).Add(retired);
    }

    private void Forget(SegmentLock retired)
    {
        lock (_retiredGate) _retiredLocks!.Remove(retired);
    }

    private void CloseLocks()
    {
        lock (_lockGate)
        {
            SegmentLock[]? retired;
            lock (_retiredGate) retired = _retiredLocks?.ToArray();
            if (retired is not null)
            {
                foreach (SegmentLock one in retired) one.Close();
            }

            _lock?.Close();
        }
    }

    /// <summary>Waits for whichever lock is the current one.</summary>
    private sealed class LockWaiting(SharedMemory owner, PeerBound bound) : IAcquirable
    {
        public SegmentLock? Acquired { get; private set; }

        public NativeIpcKey Key => owner.Key;

        public IpcObjectKind Kind => IpcObjectKind.SharedMemory;

        public ref SpinState Spin => ref owner.CurrentLock(bound).Semaphore.Spin;

        public bool AreTriesDear => owner.CurrentLock(bound).Semaphore.AreTriesDear;

        public bool TryAcquire() => (Acquired = TryAcquireFrom(owner.CurrentLock(bound))) is not null;

        public bool TryAcquireFast()
            => (Acquired = Try(owner.CurrentLock(bound), static (semaphore, _) => semaphore.TryAcquireFast(),
                0)) is not null;

        public bool Block(TimeSpan longest, Wakeup wakeup)
            => (Acquired = Try(owner.CurrentLock(bound),
                static (semaphore, how) => semaphore.Block(how.longest, how.wakeup), (longest, wakeup))) is not null;
    }
}
