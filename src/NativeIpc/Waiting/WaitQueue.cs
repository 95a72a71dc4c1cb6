using NativeIpc.Backends;

namespace NativeIpc.Waiting;

/// <summary>What pending waits wait for.</summary>
/// <typeparam name="T">What a wait gets: true for a permit, the scope of a lock.</typeparam>
internal interface IAwaitable<T>
{
    /// <summary>Takes one without waiting, and never on behalf of a wait that has gone: called under the queue's gate.</summary>
    bool TryTake(out T taken);

    /// <summary>What tells that trying again may help.</summary>
    IWaitSignal Signal { get; }

    /// <summary>The word to sleep on, for the signal that does; 0 for none. It can become another one.</summary>
    nint Word { get; }

    /// <summary>The semaphore that the word is of, entered, so that its memory stays until the caller leaves it.</summary>
    SemaphoreObject Enter();

    /// <summary>Whether to try now and then although nothing has woken.</summary>
    bool NeedsLooks { get; }

    /// <summary>What a wait gets when the object is disposed.</summary>
    ObjectDisposedException Disposed();
}

/// <summary>Tries queues again when it may help.</summary>
internal interface IWaitSignal
{
    /// <summary>Begins to watch for a queue. Called under the queue's gate.</summary>
    void Arm(WaitQueue queue);

    /// <summary>Ends it; when it returns, nothing touches the object's memory on behalf of the queue any more. Called under the queue's gate.</summary>
    void Disarm(WaitQueue queue);
}

/// <summary>The asynchronous waits on one open object, first come, first served.</summary>
internal abstract class WaitQueue
{
    /// <summary>The word to sleep on; 0 for none.</summary>
    public abstract nint Word { get; }

    /// <inheritdoc cref="IAwaitable{T}.Enter"/>
    public abstract SemaphoreObject Enter();

    /// <inheritdoc cref="IAwaitable{T}.NeedsLooks"/>
    public abstract bool NeedsLooks { get; }

    /// <summary>Serves as many waits as can be served; true when it served any.</summary>
    public abstract bool Pump();
}

/// <inheritdoc/>
/// <remarks>
/// Interleavings. A wait is in the list until, under the gate, it is served, cancelled, timed out or failed: exactly one of these finds it. A permit is taken under
/// the gate, for the wait at the head, which cannot leave meanwhile; so none is taken for nobody. A release between a failed try and the
/// signal's sleep is the signal's business. Order of locks: this gate, then the signal's.
/// </remarks>
internal sealed class WaitQueue<T>(IAwaitable<T> target) : WaitQueue
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Wait> _waits = [];
    private bool _isArmed;
    private bool _isClosed;

    public override nint Word => target.Word;

    public override SemaphoreObject Enter() => target.Enter();

    public override bool NeedsLooks => target.NeedsLooks;

    /// <summary>Takes one now if nobody is before, or joins the queue.</summary>
    /// <returns>The result; <c>default</c> when the time passed.</returns>
    public ValueTask<T?> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(timeout);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<T?>(cancellationToken);
        Wait wait;
        lock (_gate)
        {
            if (_isClosed) throw target.Disposed();
            if (_waits.Count == 0 && target.TryTake(out T taken)) return new ValueTask<T?>(taken);
            if (timeout == TimeSpan.Zero) return new ValueTask<T?>(default(T));
            wait = new Wait(this, deadline, cancellationToken);
            wait.Node = _waits.AddLast(wait);
            if (!_isArmed)
            {
                // May fail for want of a thread: then nobody waits.
                try
                {
                    target.Signal.Arm(this);
                    _isArmed = true;
                }
                catch
                {
                    _waits.Remove(wait);
                    throw;
                }
            }
        }

        wait.Start(timeout);
        return new ValueTask<T?>(wait.Task);
    }

    public override bool Pump()
    {
        bool served = false;
        lock (_gate)
        {
            while (_waits.First is { Value: var head })
            {
                try
                {
                    if (!target.TryTake(out T taken)) return served;
                    Remove(head);
                    head.Serve(taken);
                    served = true;
                }
                catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException or PlatformNotSupportedException or InvalidOperationException)
                {
                    Remove(head);
                    head.Fail(failure);
                }
            }
        }

        return served;
    }

    /// <summary>Gives the wait at the head what a signal has taken for it; false when there is none.</summary>
    public bool Offer(T taken)
    {
        lock (_gate)
        {
            if (_waits.First is not { Value: var head }) return false;
            Remove(head);
            head.Serve(taken);
            return true;
        }
    }

    /// <summary>The object is being disposed: ends every wait. When it returns, no signal touches the object's memory any more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            while (_waits.First is { Value: var head })
            {
                Remove(head);
                head.Fail(target.Disposed());
            }
        }
    }

    private void Remove(Wait wait)
    {
        _waits.Remove(wait.Node!);
        wait.Node = null;
        if (_waits.Count > 0 || !_isArmed) return;
        _isArmed = false;
        target.Signal.Disarm(this);
    }

    private sealed class Wait(WaitQueue<T> queue, Deadline deadline, CancellationToken cancellationToken)
    {
        private readonly TaskCompletionSource<T?> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private CancellationTokenRegistration _registration;
        private Timer? _timer;

        public LinkedListNode<Wait>? Node { get; set; }

        public Task<T?> Task => _completion.Task;

        /// <summary>Begins to listen, outside the gate: a token that is cancelled already calls back at once.</summary>
        public void Start(TimeSpan timeout)
        {
            if (cancellationToken.CanBeCanceled) _registration = cancellationToken.UnsafeRegister(static state => ((Wait)state!).Cancel(), this);
            if (timeout != Timeout.InfiniteTimeSpan)
            {
                var timer = new Timer(static state => ((Wait)state!).TimeOut(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer = timer;
                timer.Change(Due(deadline), Timeout.InfiniteTimeSpan);
            }

            if (Task.IsCompleted) StopListening();
        }

        public void Serve(T taken)
        {
            _completion.SetResult(taken);
            StopListening();
        }

        public void Fail(Exception failure)
        {
            _completion.SetException(failure);
            StopListening();
        }

        private void Cancel()
        {
            if (Leave()) _completion.SetCanceled(cancellationToken);
            StopListening();
        }

        private void TimeOut()
        {
            // Timers count whole milliseconds and may be a little early; a wait never is.
            if (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero)
            {
                try
                {
                    _timer?.Change(Due(deadline), Timeout.InfiniteTimeSpan);
                }
                catch (ObjectDisposedException)
                {
                    // Served meanwhile.
                }

                return;
            }

            if (Leave()) _completion.SetResult(default);
            StopListening();
        }

        private bool Leave()
        {
            lock (queue._gate)
            {
                if (Node is null) return false;
                queue.Remove(this);
                return true;
            }
        }

        private void StopListening()
        {
            _registration.Unregister(); // does not wait for a callback, which may be waiting for the gate
            _timer?.Dispose();
        }

        private static TimeSpan Due(in Deadline deadline) => TimeSpan.FromMilliseconds(Math.Ceiling(deadline.Left(TimeSpan.FromMilliseconds(int.MaxValue)).TotalMilliseconds));
    }
}
