using System.Runtime.Versioning;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Holding;
using NativeIpc.Selection;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SystemSemaphore
{
    private readonly Lock _queueGate = new();
    private WaitQueue<bool>? _queue;
    private bool _isDisposed;

    /// <summary>Takes a permit, waiting for it without a thread.</summary>
    /// <remarks>Asynchronous waits on one instance are served in the order in which they came; they do not hold a
    /// thread each: see docs/waiting.md.</remarks>
    /// <param name="cancellationToken">Ends the wait; no permit is taken then.</param>
    /// <returns>A task that ends when the permit is taken.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public async ValueTask AcquireAsync(CancellationToken cancellationToken = default)
        => _ = await Queue().WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);

    /// <summary>Takes a permit, waiting for it at most for a time on the monotonic clock, without a thread.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; no permit is taken then.</param>
    /// <returns>A task that gives false when the time passed; no permit was taken then, and no less time has
    /// passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public ValueTask<bool> TryAcquireAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
        => Queue().WaitAsync(timeout, cancellationToken);

    /// <summary>Takes several permits in one step, waiting until there are as many. System V only: <c>semop(2)</c> with
    /// -n.</summary>
    /// <param name="count">How many, 1 or more; 1 works with every key type.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1, or more than the
    /// semaphore can ever have.</exception>
    /// <exception cref="PlatformNotSupportedException">The system has no such operation for this type of key
    /// (<see cref="IsMultipleAcquireSupported"/>).</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    [UnsupportedOSPlatform("windows")]
    public void Acquire(int count, CancellationToken cancellationToken = default)
        => TryAcquireSeveral(count, Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Takes several permits in one step if there are as many now. System V only.</summary>
    /// <inheritdoc cref="Acquire(int, CancellationToken)" path="/exception"/>
    /// <param name="count">How many, 1 or more; 1 works with every key type.</param>
    /// <returns>False when there are fewer; none was taken then.</returns>
    [UnsupportedOSPlatform("windows")]
    public bool TryAcquire(int count) => TryAcquireSeveral(count, TimeSpan.Zero, CancellationToken.None);

    /// <summary>Takes several permits in one step, waiting at most for a time on the monotonic clock. System V
    /// only.</summary>
    /// <inheritdoc cref="Acquire(int, CancellationToken)" path="/exception"/>
    /// <param name="count">How many, 1 or more; 1 works with every key type.</param>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed; no permit was taken then.</returns>
    [UnsupportedOSPlatform("windows")]
    public bool TryAcquire(int count, TimeSpan timeout, CancellationToken cancellationToken)
        => TryAcquireSeveral(count, timeout, cancellationToken);

    private bool TryAcquireSeveral(int count, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return count == 1
            ? Waiter.Acquire(new One(_semaphore), new Deadline(timeout), cancellationToken)
            : Waiter.Acquire(new Several(_semaphore, count), new Deadline(timeout), cancellationToken);
    }

    /// <summary>Whether several permits can be acquired in one step with keys of a type.</summary>
    /// <param name="type">The key type.</param>
    /// <returns>True for System V.</returns>
    [UnsupportedOSPlatformGuard("windows")]
    public static bool IsMultipleAcquireSupported(NativeIpcKeyType type) => type.IsSystemV;

    /// <summary>Opens a semaphore, waiting without a thread until a peer has made it.</summary>
    /// <param name="key">The key, as the maker gives it.</param>
    /// <param name="timeout">The longest wait, on the monotonic clock; zero tries once,
    /// <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="options">Undo policy; null for the defaults. In this call the timeout takes the place of
    /// <see cref="SystemSemaphoreOptions.PeerTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait, within about 20 ms.</param>
    /// <returns>The semaphore. This instance does not remove it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NativeIpcException">NotFound when the time passed; LockError when a peer held the key file
    /// then; otherwise as <see cref="OpenExisting"/>.</exception>
    public static Task<SystemSemaphore> OpenExistingAsync(NativeIpcKey key, TimeSpan timeout,
        SystemSemaphoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        SystemSemaphoreOptions wanted = Checked(key, options);
        return OpenWaiter.WaitAsync(bound => Open(bound, mustExist: false), () => Open(TimeSpan.Zero, mustExist: true)!,
            timeout, cancellationToken);

        SystemSemaphore? Open(PeerBound bound, bool mustExist)
            => Selector.ForSemaphore(Opening, key).Open(key, wanted, bound, mustExist) is { } opened
                ? new SystemSemaphore(opened, wanted) : null;
    }

    internal WaitQueue<bool> Queue()
    {
        lock (_queueGate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_queue is not null) return _queue;
            return _queue = new PermitWaits(this).Queue;
        }
    }

    private void CloseQueue()
    {
        WaitQueue<bool>? queue;
        PermitTable? permits;
        lock (_queueGate)
        {
            _isDisposed = true;
            queue = _queue;
            permits = _permits;
        }

        queue?.Close();
        permits?.Close(); // after the queue, which takes no permit any more
    }

    private sealed class PermitWaits : IAwaitable<bool>
    {
        private readonly SemaphoreObject _semaphore;

        public PermitWaits(SystemSemaphore owner)
        {
            _semaphore = owner._semaphore;
            // A registered wait is called back on the pool anyway; and what comes after a wait may dispose, which waits
            // for the callback.
            Queue = new WaitQueue<bool>(this, owner._continuesAtOnce && _semaphore.WaitHandle is null);
            Signal = _semaphore.WaitHandle is { } handle ? new RegisteredWait(handle, () => Queue.Offer(true), GiveBack)
                : _semaphore.WaitWord != 0 && FutexDispatcher.IsOffered ? FutexDispatcher.s_any
                : WaitPoller.s_instance;
            _semaphore.HasAsyncWaits = () => Queue.HasWaits;
            _semaphore.HandOn = () => Queue.TryHandOn(true);
        }

        public WaitQueue<bool> Queue { get; }

        public nint Word => _semaphore.WaitWord;

        public NativeIpcKey Key => _semaphore.Key;

        public WaitObject BeginUse() => _semaphore.TryBeginUse() ? _semaphore : throw Disposed();

        public bool NeedsLooks => _semaphore.NeedsLooks;

        public IWaitSignal Signal { get; }

        public bool TryTake(uint seen, out bool taken, out bool isHeldUp)
            => taken = _semaphore.TryAcquire(out isHeldUp);

        public void AwaitMoment() => _semaphore.AwaitMoment();

        public ObjectDisposedException Disposed() => new("NativeIpc.SystemSemaphore");

        // As a lock gives back: also while the object is being disposed.
        private void GiveBack()
        {
            try
            {
                _semaphore.TryUnlock();
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
            {
                // Others have released up to the maximum meanwhile. Nobody is there who could be told by an exception.
                NativeIpcEventSource.s_log.NotGivenBack(failure.Message);
            }
        }
    }

    // Structs, for which the waiting is compiled on their own.
    private readonly struct One(SemaphoreObject semaphore) : IAcquirable
    {
        public NativeIpcKey Key => semaphore.Key;

        public IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

        public ref SpinState Spin => ref semaphore.Spin;

        public bool AreTriesDear => semaphore.AreTriesDear;

        public bool TryAcquire() => semaphore.TryAcquire();

        public bool TryAcquireFast() => semaphore.TryAcquireFast();

        public bool Block(TimeSpan longest, Wakeup wakeup) => semaphore.Block(longest, wakeup);
    }

    private readonly struct Several(SemaphoreObject semaphore, int count) : IAcquirable
    {
        public NativeIpcKey Key => semaphore.Key;

        public IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

        public ref SpinState Spin => ref semaphore.Spin;

        public bool AreTriesDear => true;

        public bool TryAcquire() => semaphore.TryAcquireSeveral(count, null);

        public bool TryAcquireFast() => TryAcquire();

        public bool Block(TimeSpan longest, Wakeup wakeup)
            => semaphore.AwaitReady(longest, wakeup)
                && semaphore.TryAcquireSeveral(count, longest < Wakeup.LongestSlice ? longest : Wakeup.LongestSlice);
    }
}
