using System.Diagnostics;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting.Async;

/// <content>The waits that stand in it.</content>
internal sealed partial class WaitQueue<T>
{
    private sealed class TicketedWait(WaitQueue<T> queue, Deadline deadline, IWaitTicket ticket,
        CancellationToken cancellationToken)
        : Wait(queue, deadline, cancellationToken)
    {
        public override void Begin() => ticket.Begin();
    }

    /// <summary>Not <see cref="Wait.Start">started</see>: whose it is ends it.</summary>
    private sealed class SharedWait(WaitQueue<T> queue, ISharedWait<T> shared, int index)
        : Wait(queue, default, CancellationToken.None, isShared: true), IJoinedWait
    {
        public override bool TryBeginTurn() => shared.TryBeginTurn();

        public override void EndTurn(bool isOver) => shared.EndTurn(isOver);

        public override void Serve(T? taken) => shared.Serve(index, taken);

        public override void Fail(Exception failure) => shared.Fail(failure);
    }

    private class Wait(WaitQueue<T> queue, Deadline deadline, CancellationToken cancellationToken,
        bool isShared = false)
    {
        private readonly TaskCompletionSource<T?> _completion = isShared ? null! : new(queue.ContinuesAtOnce
            ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly long _began = isShared || !queue.IsTold ? 0 : IpcActivity.BeginWait();
        private volatile bool _isOver;
        private CancellationTokenRegistration _registration;
        private Timer? _timer;

        public LinkedListNode<Wait>? Node { get; set; }

        /// <summary>What it saw of the object when it came.</summary>
        public uint Seen { get; set; }

        public Task<T?> Task => _completion.Task;

        /// <summary>It got what it waited for. Under the gate.</summary>
        public virtual void Begin()
        {
        }

        /// <inheritdoc cref="ISharedWait{T}.TryBeginTurn"/>
        public virtual bool TryBeginTurn() => true;

        /// <inheritdoc cref="ISharedWait{T}.EndTurn"/>
        public virtual void EndTurn(bool isOver)
        {
        }

        /// <summary>Begins to listen, outside the gate: a token that is cancelled already calls back at once.</summary>
        public void Start(TimeSpan timeout)
        {
            if (cancellationToken.CanBeCanceled)
                _registration = cancellationToken.UnsafeRegister(static state => ((Wait)state!).Cancel(), this);
            if (timeout != Timeout.InfiniteTimeSpan)
            {
                var timer = new Timer(static state => ((Wait)state!).TimeOut(), this, Timeout.InfiniteTimeSpan,
                    Timeout.InfiniteTimeSpan);
                _timer = timer; // before the call back, which sets it again
                SetTimer(timer);
            }

            Interlocked.MemoryBarrier();
            if (_isOver) StopListening();
        }

        /// <summary>Tries once more on a thread that may pause, and gives up.</summary>
        public void TryElsewhere()
            => ThreadPool.UnsafeQueueUserWorkItem(static wait =>
            {
                wait.PumpQueue();
                wait.TimeOut();
            }, this, preferLocal: false);

        /// <summary>Tells that it is over. Outside the gate: those who hear it may do anything.</summary>
        public void TellEnd(bool wasAcquired)
        {
            Debug.Assert(!queue._gate.IsHeldByCurrentThread);
            IpcActivity.EndWait(_began, queue.Key, queue.Kind, wasAcquired);
        }

        public virtual void Serve(T? taken)
        {
            StopListening();
            TellEnd(wasAcquired: true);
            _completion.SetResult(taken);
        }

        public virtual void Fail(Exception failure)
            => End(static (completion, failure) => completion.SetException(failure), failure);

        // On a thread that must not run what comes after the wait.
        private void End<TState>(Action<TaskCompletionSource<T?>, TState> complete, TState state)
        {
            StopListening();
            TellEnd(wasAcquired: false);
            if (queue.ContinuesAtOnce) ThreadPool.UnsafeQueueUserWorkItem(_ => complete(_completion, state), null);
            else complete(_completion, state);
        }

        private void PumpQueue() => queue.Pump();

        private void Cancel()
        {
            if (Withdraw()) End(static (completion, token) => completion.SetCanceled(token), cancellationToken);
        }

        private void TimeOut()
        {
            // Timers count whole milliseconds and may be a little early; a wait never is.
            if (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero)
            {
                if (_timer is { } timer) SetTimer(timer);
                return;
            }

            if (Withdraw()) End(static (completion, nothing) => completion.SetResult(nothing), default(T));
        }

        private void SetTimer(Timer timer)
        {
            try
            {
                timer.Change(Due(deadline), Timeout.InfiniteTimeSpan);
            }
            catch (ObjectDisposedException)
            {
                // Served meanwhile.
            }
        }

        /// <summary>Takes the wait out of the queue; false when it is over.</summary>
        public bool Withdraw()
        {
            lock (queue._gate)
            {
                if (Node is null) return false;
                queue.Remove(this);
                return true;
            }
        }

        public void StopListening()
        {
            _isOver = true; // before the look at what Start may be writing
            Interlocked.MemoryBarrier();
            _registration.Unregister(); // does not wait for a callback, which may be waiting for the gate
            _timer?.Dispose();
        }

        private static TimeSpan Due(in Deadline deadline)
            => TimeSpan.FromMilliseconds(Math.Ceiling(
                deadline.Left(TimeSpan.FromMilliseconds(int.MaxValue)).TotalMilliseconds));
    }
}
