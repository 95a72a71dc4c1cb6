using NativeIpc.Contracts;
using NativeIpc.Selection;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SystemEvent
{
    private readonly Lock _queueGate = new();
    private IEventWaits? _waits;
    private bool _isDisposed;

    /// <summary>Waits for the event without a thread.</summary>
    /// <remarks>Asynchronous waits on one instance are served in the order in which they came, but for a manual-reset
    /// event, which frees all at once; on Windows the system chooses. There the wait begins a moment after the call,
    /// and a Reset that follows a Set at once may come before it.</remarks>
    /// <param name="cancellationToken">Ends the wait; an auto-reset event is not taken then.</param>
    /// <returns>A task that ends when the wait is free.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; an auto-reset event was not
    /// taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
#pragma warning disable RS0026 // the other one begins with a timeout, of another type
    public async ValueTask WaitAsync(CancellationToken cancellationToken = default)
#pragma warning restore RS0026
        => _ = await Waits().WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);

    /// <summary>Waits for the event at most for a time on the monotonic clock, without a thread.</summary>
    /// <inheritdoc cref="WaitAsync(CancellationToken)" path="/remarks"/>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; an auto-reset event is not taken then.</param>
    /// <returns>A task that gives false when the time passed; an auto-reset event was not taken then, and no less time
    /// has passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; an auto-reset event was not
    /// taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
#pragma warning disable RS0026 // the other one has no timeout
    public ValueTask<bool> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0026
        => Waits().WaitAsync(timeout, cancellationToken);

    /// <summary>Opens an event, waiting without a thread until a peer has made it.</summary>
    /// <param name="key">The key, as the maker gives it.</param>
    /// <param name="timeout">The longest wait, on the monotonic clock; zero tries once,
    /// <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <param name="options">Owners; null for the defaults. In this call the timeout takes the place of
    /// <see cref="SystemEventOptions.PeerTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait, within about 20 ms.</param>
    /// <returns>The event. This instance does not remove it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NativeIpcException">NotFound when the time passed; LockError when a peer held the key file
    /// then; otherwise as <see cref="OpenExisting"/>.</exception>
    public static Task<SystemEvent> OpenExistingAsync(NativeIpcKey key, TimeSpan timeout,
        SystemEventOptions? options = null, CancellationToken cancellationToken = default)
    {
        SystemEventOptions wanted = Checked(key, options);
        return OpenWaiter.WaitAsync(bound => Open(bound, mustExist: false), () => Open(TimeSpan.Zero, mustExist: true)!,
            timeout, cancellationToken);

        SystemEvent? Open(PeerBound bound, bool mustExist)
        {
            using var call = Begin(key, wanted);
            return Selector.ForEvent(Opening, key).Open(key, wanted, bound, mustExist) is { } opened
                ? new SystemEvent(opened, wanted) : null;
        }
    }

    private IEventWaits Waits()
    {
        lock (_queueGate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return _waits ??= _event.WaitHandle is { } handle
                ? new HandleWaits(_event, handle) : new QueuedWaits(_event, _continuesAtOnce);
        }
    }

    private void CloseQueue()
    {
        IEventWaits? waits;
        QueuedWaits? shared;
        lock (_queueGate)
        {
            _isDisposed = true;
            waits = _waits;
            shared = _sharedWaits;
        }

        waits?.Close();
        shared?.Close();
    }

    private sealed class QueuedWaits : IAwaitable<bool>, IEventWaits
    {
        private readonly EventObject _event;
        private readonly WaitQueue<bool> _queue;

        public QueuedWaits(EventObject opened, bool continuesAtOnce)
        {
            _event = opened;
            _queue = new WaitQueue<bool>(this, continuesAtOnce);
            Signal = opened.WaitWord != 0 && FutexDispatcher.IsOfferedForEvents
                ? FutexDispatcher.s_any : WaitPoller.s_instance;
            opened.HasAsyncWaits = () => _queue.HasWaits;
        }

        public ValueTask<bool> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken)
            => _queue.WaitAsync(timeout, cancellationToken);

        public WaitQueue<bool> Queue => _queue;

        public void Close() => _queue.Close();

        public nint Word => _event.WaitWord;

        public NativeIpcKey Key => _event.Key;

        public IpcObjectKind Kind => IpcObjectKind.SystemEvent;

        public WaitObject BeginUse() => _event.TryBeginUse() ? _event : throw Disposed();

        public bool NeedsLooks => _event.NeedsLooks;

        public IWaitSignal Signal { get; }

        public uint Look() => _event.Look();

        // One Set frees all that wait, and one that comes while it is set need not wait for them.
        public bool IsInOrder => _event.ResetMode == EventResetMode.AutoReset;

        public bool TryTake(uint seen, out bool taken, out bool isHeldUp)
        {
            isHeldUp = false;
            return taken = _event.TryTake(seen, isWaiter: true);
        }

        public void AwaitMoment()
        {
        }

        public ObjectDisposedException Disposed() => new("NativeIpc.SystemEvent");
    }

    // A struct, for which the waiting is compiled on its own.
    private readonly struct One(EventObject opened, uint seen) : IAcquirable
    {
        public NativeIpcKey Key => opened.Key;

        public IpcObjectKind Kind => IpcObjectKind.SystemEvent;

        public ref SpinState Spin => ref opened.Spin;

        public bool AreTriesDear => opened.AreTriesDear;

        public bool TryAcquire() => opened.TryTake(seen, isWaiter: false);

        public bool TryAcquireFast() => opened.TryTake(seen, isWaiter: false);

        public bool Block(TimeSpan longest, Wakeup wakeup) => opened.Block(seen, longest, wakeup);
    }
}
