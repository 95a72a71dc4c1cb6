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
        TryLock(Timeout.InfiniteTimeSpan, out SharedMemoryLock scope);
        return scope;
    }

    /// <summary>Takes the lock, waiting for it until the token is cancelled.</summary>
    /// <param name="cancellationToken">Seen within about 50 ms.</param>
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
    /// <param name="cancellationToken">Seen within about 50 ms.</param>
    /// <returns>False when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public bool TryLock(TimeSpan timeout, out SharedMemoryLock scope, CancellationToken cancellationToken = default)
    {
        scope = default;
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        SegmentLock? current = TryAcquireFrom(CurrentLock(), null);
        if (current is null)
        {
            var waiting = new LockWaiting(this);
            if (!Waiter.Acquire(waiting, deadline, cancellationToken)) return false;
            current = waiting.Acquired!;
        }

        try
        {
            long ticket = current.Take();
            if (Volatile.Read(ref _disposed) != 0)
            {
                // Dispose releases what is held when it looks; what was taken after that is released here.
                current.Release(ticket);
                ThrowDisposed();
            }

            scope = new SharedMemoryLock(current, ticket);
            return true;
        }
        finally
        {
            current.Semaphore.Leave();
        }
    }

    /// <summary>Tells who holds the segment's lock, without waiting for it and without changing anything; but on Windows a free lock is taken and given back at once.</summary>
    /// <returns>What could be seen.</returns>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public LockStatus GetLockStatus()
    {
        SegmentLock current = CurrentLock();
        if (!current.Semaphore.TryEnter()) ThrowDisposed();
        try
        {
            return current.Semaphore.GetStatus();
        }
        finally
        {
            current.Semaphore.Leave();
        }
    }

    /// <summary>Tries once, or for a slice. Gives the lock back entered when it was acquired, so that a racing Dispose cannot close it before
    /// the caller has noted that it holds it.</summary>
    private static SegmentLock? TryAcquireFrom(SegmentLock current, TimeSpan? slice)
    {
        if (!current.Semaphore.TryEnter()) ThrowDisposed();
        bool acquired = false;
        try
        {
            acquired = slice is { } wait ? current.Semaphore.Block(wait) : current.Semaphore.TryAcquire();
            return acquired ? current : null;
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound)
        {
            // A peer has removed it, System V: the next turn opens it anew.
            current.NoteLoss();
            return null;
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
        lock (_lockGate)
        {
            try
            {
                Enter(ref added);
                SegmentLock? current = _lock;
                if (current is { HasChanged: false }) return current;
                SemaphoreObject opened = _segment.OpenLock();
                var next = new SegmentLock(opened, _segment.WatchLock(opened), replacesAnother: current is not null);

                // Threads may hold the old one, or be waiting for it: it stays open until Dispose. Waiters look here again after each slice.
                if (current is not null) _retiredLocks.Add(current);
                Volatile.Write(ref _lock, next);
                return next;
            }
            finally
            {
                if (added) _segment.DangerousRelease();
            }
        }
    }

    private void CloseLocks()
    {
        lock (_lockGate)
        {
            foreach (SegmentLock retired in _retiredLocks) retired.Close();
            _lock?.Close();
        }
    }

    /// <summary>Waits for whichever lock is the current one, slice by slice.</summary>
    private sealed class LockWaiting(SharedMemory owner) : IAcquirable
    {
        public SegmentLock? Acquired { get; private set; }

        public bool TryAcquire() => (Acquired = TryAcquireFrom(owner.CurrentLock(), null)) is not null;

        public bool Block(TimeSpan slice) => (Acquired = TryAcquireFrom(owner.CurrentLock(), slice)) is not null;
    }
}

/// <summary>An open lock of a segment and who holds it within this instance: the ticket that the current scope carries, 0 for nobody.</summary>
/// <remarks>
/// Interleavings: two scopes with one ticket (a copy, a second Dispose, the segment's Dispose) come to the exchange together; one finds the
/// ticket and releases. Only the holder of the semaphore is between the acquire and Take, or in Unlock.
/// </remarks>
internal sealed class SegmentLock(SemaphoreObject semaphore, INameWatch? watch, bool replacesAnother)
{
    private long _lastTicket;
    private long _abandonedTicket;
    private long _holder;
    private volatile bool _isLost;

    // The last tickets whose holders may not have been alone. The first one of a lock that stands in for another is such a one.
    private long _firstDoubtful = 1;
    private long _lastDoubtful = replacesAnother ? 1 : 0;

    public SemaphoreObject Semaphore { get; } = semaphore;

    /// <summary>Whether the lock's name leads elsewhere by now, where that is noticed.</summary>
    public bool HasChanged => _isLost || watch is { HasChanged: true };

    /// <summary>An operation has found the lock gone.</summary>
    public void NoteLoss() => _isLost = true;

    /// <summary>Notes that the semaphore was acquired.</summary>
    public long Take()
    {
        long ticket = Interlocked.Increment(ref _lastTicket);
        if (Semaphore.TookOver) Volatile.Write(ref _abandonedTicket, ticket);
        long other = Interlocked.Exchange(ref _holder, ticket);

        // Two holders within this instance: a peer has reset the lock. Both are told.
        if (other != 0) NoteDoubt(other, ticket);
        return ticket;
    }

    /// <summary>Releases the semaphore, if the ticket still holds it.</summary>
    public void Release(long ticket)
    {
        if (ticket == 0 || !Semaphore.TryEnter()) return;
        try
        {
            if (Interlocked.CompareExchange(ref _holder, 0, ticket) == ticket && !Semaphore.TryUnlock()) NoteDoubt(ticket, ticket);
        }
        finally
        {
            Semaphore.Leave();
        }
    }

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
        Release(Interlocked.Read(ref _holder));
        Semaphore.Dispose();
        watch?.Dispose();
    }
}
