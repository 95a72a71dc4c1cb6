using NativeIpc.Contracts;
using NativeIpc.Lifetime;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting.Async;

/// <summary>The asynchronous waits on one open event.</summary>
internal interface IEventWaits
{
    /// <summary>Waits; false when the time passed.</summary>
    ValueTask<bool> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken);

    /// <summary>The event is being disposed: ends every wait, and lets no other one begin.</summary>
    void Close();
}

/// <summary>Asynchronous waits by the system's registered waits (Windows), one for each: so the kernel knows every one
/// of them, and a Set frees those that waited before it and no others.</summary>
internal sealed class HandleWaits(EventObject target, WaitHandle handle) : IEventWaits
{
    private readonly Lock _gate = new();
    private readonly HashSet<Wait> _waits = [];
    private bool _isClosed;

    public ValueTask<bool> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var deadline = new Deadline(timeout);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        if (target.TryWait(out _)) return new ValueTask<bool>(true);
        if (timeout == TimeSpan.Zero) return new ValueTask<bool>(false);
        var wait = new Wait(this, deadline, cancellationToken);
        lock (_gate)
        {
            if (_isClosed || !target.TryBeginUse()) throw EventObject.ClosedError();
            _waits.Add(wait);
        }

        wait.Start(timeout);
        return new ValueTask<bool>(wait.Task);
    }

    public void Close()
    {
        Wait[] ended;
        lock (_gate)
        {
            _isClosed = true;
            ended = [.. _waits];
        }

        foreach (Wait wait in ended) wait.End(Ending.Disposed);
    }

    // The event stays open until the last wait is over.
    private void Forget(Wait wait)
    {
        lock (_gate) _waits.Remove(wait);
        target.EndUse();
    }

    private enum Ending { None, TimedOut, Cancelled, Disposed }

    private sealed class Wait(HandleWaits owner, Deadline deadline, CancellationToken cancellationToken)
    {
        private readonly TaskCompletionSource<bool> _completion =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly long _began = IpcActivity.BeginWait();
        private readonly Lock _gate = new();
        private RegisteredWaitHandle? _registration;
        private CancellationTokenRegistration _listening;
        private Timer? _timer;
        private Ending _ending;
        private bool _isOver;

        public Task<bool> Task => _completion.Task;

        public void Start(TimeSpan timeout)
        {
            try
            {
                lock (_gate)
                {
                    if (_ending != Ending.None) Complete(_ending); // disposed meanwhile
                    if (_isOver) return;
                    _registration = ThreadPool.UnsafeRegisterWaitForSingleObject(owner.Handle,
                        static (wait, _) => ((Wait)wait!).Complete(Ending.None), this, Timeout.Infinite,
                        executeOnlyOnce: true);
                    if (timeout != Timeout.InfiniteTimeSpan)
                    {
                        var timer = new Timer(static wait => ((Wait)wait!).TimeOut(), this, Timeout.InfiniteTimeSpan,
                            Timeout.InfiniteTimeSpan);
                        _timer = timer;
                        SetTimer();
                    }
                }
            }
            catch (OutOfMemoryException)
            {
                if (_registration is not null) End(Ending.Cancelled);
                else owner.Forget(this);
                throw BackgroundThread.Refused(owner.Key);
            }

            if (!cancellationToken.CanBeCanceled) return;
            _listening = cancellationToken.UnsafeRegister(static wait => ((Wait)wait!).End(Ending.Cancelled), this);
            bool isOver;
            lock (_gate) isOver = _isOver; // in the gate: or neither this nor Complete would see the other's
            if (isOver) _listening.Unregister();
        }

        private void TimeOut()
        {
            // Timers count whole milliseconds and may be a little early; a wait never is.
            lock (_gate)
            {
                if (_isOver || _ending != Ending.None) return;
                if (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero)
                {
                    SetTimer();
                    return;
                }
            }

            End(Ending.TimedOut);
        }

        private void SetTimer() => _timer!.Change(TimeSpan.FromMilliseconds(Math.Ceiling(
            deadline.Left(TimeSpan.FromMilliseconds(int.MaxValue)).TotalMilliseconds)), Timeout.InfiniteTimeSpan);

        /// <summary>Ends the wait, unless it is free by then.</summary>
        /// <remarks>R1 Race: the system frees it, and takes the event, at that moment. Safe because: what ended is told
        /// only when the system says that no call back comes any more; one that came before made it a wait that was
        /// freed.</remarks>
        public void End(Ending ending)
        {
            ManualResetEvent ended;
            lock (_gate)
            {
                if (_isOver || _ending != Ending.None) return;
                _ending = ending;
                if (_registration is null) return; // Start sees it
                ended = new ManualResetEvent(false);
                _registration.Unregister(ended);
            }

            ThreadPool.UnsafeRegisterWaitForSingleObject(ended, (_, _) =>
            {
                ended.Dispose();
                Complete(ending);
            }, null, Timeout.Infinite, executeOnlyOnce: true);
        }

        private void Complete(Ending ending)
        {
            lock (_gate)
            {
                if (_isOver) return;
                _isOver = true;
                _timer?.Dispose();
            }

            _listening.Unregister();
            IpcActivity.EndWait(_began, owner.Key, IpcObjectKind.SystemEvent, ending == Ending.None);
            owner.Forget(this);
            switch (ending)
            {
                case Ending.Cancelled: _completion.SetCanceled(cancellationToken); break;
                case Ending.Disposed: _completion.SetException(EventObject.ClosedError()); break;
                default: _completion.SetResult(ending == Ending.None); break;
            }
        }
    }

    private WaitHandle Handle => handle;

    private NativeIpcKey Key => target.Key;
}
