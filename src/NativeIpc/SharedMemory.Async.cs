using NativeIpc.Backends;
using NativeIpc.Waiting;

namespace NativeIpc;

public sealed partial class SharedMemory
{
    private WaitQueue<SharedMemoryLock?>? _lockQueue;

    /// <summary>Takes the lock, waiting for it without a thread.</summary>
    /// <remarks>Asynchronous waits on one instance are served in the order in which they came. The scope may be disposed on any thread.</remarks>
    /// <param name="cancellationToken">Ends the wait; the lock is not taken then.</param>
    /// <returns>A task that gives the scope; dispose it to release the lock.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public async ValueTask<SharedMemoryLock> LockAsync(CancellationToken cancellationToken = default)
        => (await LockQueue().WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false)).GetValueOrDefault();

    /// <summary>Takes the lock, waiting for it at most for a time on the monotonic clock, without a thread.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="cancellationToken">Ends the wait; the lock is not taken then.</param>
    /// <returns>A task that gives the scope, or null when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="InvalidOperationException">The segment was opened with <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Lock()"/>.</exception>
    public ValueTask<SharedMemoryLock?> TryLockAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
        => LockQueue().WaitAsync(timeout, cancellationToken);

    /// <summary>Attaches to a segment, waiting without a thread until a peer has made it.</summary>
    /// <param name="key">The key, as the maker gives it.</param>
    /// <param name="timeout">The longest wait, on the monotonic clock; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="access">Whether it may be written.</param>
    /// <param name="options">Removal, lock; null for the defaults.</param>
    /// <param name="cancellationToken">Ends the wait, within about 20 ms.</param>
    /// <returns>The segment.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NativeIpcException">NotFound when the time passed; otherwise as <see cref="OpenExisting"/>.</exception>
    public static Task<SharedMemory> OpenExistingAsync(NativeIpcKey key, TimeSpan timeout, SharedMemoryAccess access = SharedMemoryAccess.ReadWrite,
        SharedMemoryOptions? options = null, CancellationToken cancellationToken = default)
    {
        SharedMemoryOptions wanted = Checked(options, access);
        SharedMemoryOptions polling = wanted with { PeerTimeout = TimeSpan.Zero };
        return OpenWaiter.WaitAsync(() => TryOpen(key, access, polling, wanted), () => OpenAtLast(key, access, polling, wanted), timeout, cancellationToken);
    }

    // When the time is up: the look without a bound says what is wrong. Should there be a segment after all, it is opened as it was asked for.
    private static SharedMemory OpenAtLast(NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions polling, SharedMemoryOptions wanted)
    {
        using (OpenExisting(key, access, polling with { Removal = RemovalPolicy.Keep })) return OpenExisting(key, access, wanted);
    }

    private static SharedMemory? TryOpen(NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions polling, SharedMemoryOptions wanted)
    {
        // A look that waits for nobody, and then the call as it was asked for: its bound also serves the lock and the last detach.
        if (!TryOpenExisting(key, out SharedMemory? seen, access, polling with { Removal = RemovalPolicy.Keep })) return null;
        using (seen) return TryOpenExisting(key, out SharedMemory? segment, access, wanted) ? segment : null;
    }

    private WaitQueue<SharedMemoryLock?> LockQueue()
    {
        CheckOpen();
        if (Volatile.Read(ref _lockQueue) is { } queue) return queue;
        _ = CurrentLock(); // what is wrong with the lock is thrown here
        Interlocked.CompareExchange(ref _lockQueue, new WaitQueue<SharedMemoryLock?>(new Locks(this)), null);
        return _lockQueue;
    }

    /// <summary>Waits on whichever lock is the current one.</summary>
    private sealed class Locks(SharedMemory owner) : IAwaitable<SharedMemoryLock?>
    {
        public bool TryTake(out SharedMemoryLock? taken)
        {
            bool got = owner.TryLock(out SharedMemoryLock scope);
            taken = got ? scope : null;
            return got;
        }

        public nint Word => owner.CurrentLock().Semaphore.WaitWord;

        public NativeIpcKey Key => owner.Key;

        public SemaphoreObject Enter() => owner.EnterCurrentLock().Semaphore;

        public bool NeedsLooks => true; // it may be replaced, too

        // All locks of a segment are of one kind.
        public IWaitSignal Signal { get; } = owner.CurrentLock().Semaphore.WaitWord != 0 && FutexDispatcher.IsOffered ? FutexDispatcher.s_any : WaitPoller.s_instance;

        public ObjectDisposedException Disposed() => new(typeof(SharedMemory).FullName);
    }
}
