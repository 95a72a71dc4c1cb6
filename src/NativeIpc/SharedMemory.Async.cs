using NativeIpc.Contracts;
using NativeIpc.Holding;
using NativeIpc.Lifetime;
using NativeIpc.Selection;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SharedMemory
{
    private WaitQueue<SharedMemoryLock?>? _lockQueue;

    /// <summary>Takes the lock, waiting for it without a thread.</summary>
    /// <remarks>Asynchronous waits on one instance are served in the order in which they came. The scope may be
    /// disposed on any thread.</remarks>
    /// <param name="cancellationToken">Ends the wait; the lock is not taken then.</param>
    /// <returns>A task that gives the scope; dispose it to release the lock.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public async ValueTask<SharedMemoryLock> LockAsync(CancellationToken cancellationToken = default)
        => (await TryLockAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false)).GetValueOrDefault();

    /// <summary>Takes the lock, waiting for it at most for a time on the monotonic clock, without a thread.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; the lock is not taken then.</param>
    /// <returns>A task that gives the scope, or null when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public ValueTask<SharedMemoryLock?> TryLockAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
        => LockQueue() is { } queue ? queue.WaitAsync(timeout, cancellationToken)
            : OpenLockAndWaitAsync(new Deadline(timeout), cancellationToken);

    /// <summary>A peer keeps the lock from being opened at once: that is waited for on the pool, as long as the caller
    /// waits.</summary>
    private async ValueTask<SharedMemoryLock?> OpenLockAndWaitAsync(Deadline deadline,
        CancellationToken cancellationToken)
    {
        if (!await MakeLockReadyAsync(deadline, cancellationToken).ConfigureAwait(false)) return null;
        return await LockQueue(isOpened: true)!.WaitAsync(deadline.Rest, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Opens the lock, if need be on the pool; false when the caller's time has passed.</summary>
    internal async ValueTask<bool> MakeLockReadyAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        if (LockQueue() is not null) return true;
        try
        {
            if (deadline.Rest == TimeSpan.Zero) return false;
            await Task.Run(
                () => CurrentLock(new PeerBound(_options.PeerTimeout, deadline.Rest, this, cancellationToken)),
                cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (CallersTimeIsOverException)
        {
            return false;
        }
    }

    /// <summary>Attaches to a segment, waiting without a thread until a peer has made it.</summary>
    /// <param name="key">The key, as the maker gives it.</param>
    /// <param name="timeout">The longest wait, on the monotonic clock; zero tries once,
    /// <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="access">Whether it may be written.</param>
    /// <param name="options">Removal, lock; null for the defaults. In this call the timeout takes the place of
    /// <see cref="SharedMemoryOptions.PeerTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait, within about 20 ms.</param>
    /// <returns>The segment.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NativeIpcException">NotFound when the time passed; LockError when a peer held the key file
    /// then; otherwise as <see cref="OpenExisting"/>.</exception>
    public static Task<SharedMemory> OpenExistingAsync(NativeIpcKey key, TimeSpan timeout,
        SharedMemoryAccess access = SharedMemoryAccess.ReadWrite,
        SharedMemoryOptions? options = null, CancellationToken cancellationToken = default)
    {
        SharedMemoryOptions wanted = Checked(key, options, access);
        return OpenWaiter.WaitAsync(bound => TryOpen(key, access, wanted, bound), () => OpenAtLast(key, access, wanted),
            timeout, cancellationToken);
    }

    private static SharedMemory? TryOpen(NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        PeerBound bound)
    {
        using ProcessExit.Call call = BeginOpening(key, options);
        return Selector.ForSegment(Opening, key).Open(key, access, options, bound, mustExist: false) is { } opened
            ? new SharedMemory(opened, options) : null;
    }

    // When the time is up: the look that waits for nobody says what is wrong.
    private static SharedMemory OpenAtLast(NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options)
    {
        using ProcessExit.Call call = BeginOpening(key, options);
        return new SharedMemory(Selector.ForSegment(Opening, key).Open(key, access, options, TimeSpan.Zero,
            mustExist: true)!, options);
    }

    /// <summary>The queue of the asynchronous waits; null when there is none yet, and a peer keeps the lock from being
    /// opened at once.</summary>
    internal WaitQueue<SharedMemoryLock?>? LockQueue(bool isOpened = false)
    {
        CheckOpen();
        WaitQueue<SharedMemoryLock?>? queue = Volatile.Read(ref _lockQueue);
        try
        {
            if (!isOpened) _ = CurrentLock(PeerBound.Once); // what is wrong with the lock is thrown here
        }
        catch (CallersTimeIsOverException)
        {
            return queue; // which goes on to the new lock by itself
        }

        if (queue is not null) return queue;
        var locks = new Locks(this, Volatile.Read(ref _lock)!.Semaphore);
        return Interlocked.CompareExchange(ref _lockQueue, locks.Queue, null) ?? locks.Queue;
    }

    /// <summary>Waits on whichever lock is the current one.</summary>
    /// <remarks>
    /// Whoever tries here does so under the queue's gate, and may be the thread that serves all other queues: so it
    /// tries the lock that is open, and has another one opened on the pool, where a peer may be waited for.
    /// R1 Race: the lock changes while a wait joins. Safe because: the next look at all finds that, and begins to
    /// open; the pool tries the new one when it has opened it. Where it cannot be opened, the first wait gets the
    /// failure, and the next look opens again for the others, each of which gets its own. Dispose ends the wait for the
    /// peer, and so does a queue that is empty; then a failure that is left over is for nobody, since a newcomer has
    /// not waited.
    /// </remarks>
    private sealed class Locks : IAwaitable<SharedMemoryLock?>, IWaitOwner
    {
        public IpcObjectKind Kind => IpcObjectKind.SharedMemory;

        private readonly SharedMemory _owner;
        private int _isOpening;
        private Exception? _failure;

        public Locks(SharedMemory owner, SemaphoreObject opened)
        {
            _owner = owner;

            // All locks of a segment are of one kind.
            Signal = opened.WaitWord != 0 && FutexDispatcher.IsOffered ? FutexDispatcher.s_any : WaitPoller.s_instance;
            Queue = new WaitQueue<SharedMemoryLock?>(this);
        }

        public WaitQueue<SharedMemoryLock?> Queue { get; }

        public bool TryTake(uint seen, out SharedMemoryLock? taken, out bool isHeldUp)
        {
            taken = null;
            isHeldUp = false;
            if (Interlocked.Exchange(ref _failure, null) is { } failure && Queue.HasWaits) throw failure;
            _owner.CheckOpen();
            SegmentLock current = Volatile.Read(ref _owner._lock)!;
            if (current.TryTakeFast() is not 0 and long ticket && _owner.Keeps(current, ticket))
                taken = new SharedMemoryLock(current, ticket);
            else if (!current.HasChanged && TryAcquireNow(current, out isHeldUp) is { } acquired
                && _owner.TryKeep(acquired, out SharedMemoryLock scope)) taken = scope;
            else if (current.HasChanged) OpenElsewhere();
            return taken is not null;
        }

        public void AwaitMoment() => Volatile.Read(ref _owner._lock)!.Semaphore.AwaitMoment();

        /// <summary>The lock that is open, changed or not: a look at all goes on to the next one.</summary>
        public WaitObject BeginUse()
        {
            SegmentLock current;
            do
            {
                _owner.CheckOpen();
                current = Volatile.Read(ref _owner._lock)!;
            }
            while (!TryBeginUse(current));
            return current.Semaphore;
        }

        public NativeIpcKey Key => _owner.Key;

        public nint Word => Volatile.Read(ref _owner._lock)!.Semaphore.WaitWord;

        public bool NeedsLooks => true; // it may be replaced, too

        public IWaitSignal Signal { get; }

        public ObjectDisposedException Disposed() => new("NativeIpc.SharedMemory");

        bool IWaitOwner.IsDisposed => ((IWaitOwner)_owner).IsDisposed;

        bool IWaitOwner.IsWoken => !Queue.HasWaits;

        private void OpenElsewhere()
        {
            if (Interlocked.Exchange(ref _isOpening, 1) == 0)
                ThreadPool.UnsafeQueueUserWorkItem(static locks => locks.Open(), this, preferLocal: false);
        }

        private void Open()
        {
            try
            {
                _owner.CurrentLock(new PeerBound(_owner._options.PeerTimeout, Timeout.InfiniteTimeSpan, this));
            }
            catch (CallersTimeIsOverException)
            {
                // Nobody waits any more.
            }
            catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException
                or PlatformNotSupportedException or InvalidOperationException)
            {
                Volatile.Write(ref _failure, failure);
            }

            Volatile.Write(ref _isOpening, 0);
            Queue.Pump();
        }
    }
}
