using NativeIpc.Lifetime;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public static partial class SystemWait
{
    /// <summary>Waits without a thread until one of the objects is ready, and takes it.</summary>
    /// <inheritdoc cref="AnyAsync(ReadOnlySpan{SystemWaitTarget}, TimeSpan, CancellationToken)" path="/remarks"/>
    /// <param name="targets">One or more; the same one may come twice.</param>
    /// <returns>A task that gives which one was taken.</returns>
    /// <exception cref="ArgumentException"><paramref name="targets"/> is empty, or one of them is none.</exception>
    /// <exception cref="InvalidOperationException">A segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">One of the objects was disposed, before or meanwhile; nothing was
    /// taken.</exception>
    /// <exception cref="NativeIpcException">One of the objects failed, as <see cref="SystemSemaphore.Acquire()"/> and
    /// <see cref="SharedMemory.Lock()"/> do; nothing was taken.</exception>
    public static ValueTask<SystemWaitResult> AnyAsync(params ReadOnlySpan<SystemWaitTarget> targets)
        => AnyAsync(targets, Timeout.InfiniteTimeSpan);

    /// <summary>Waits without a thread until one of the objects is ready, at most for a time on the monotonic clock,
    /// and takes it.</summary>
    /// <remarks>The wait stands in the queue of each object, behind asynchronous waits that came before it. Where
    /// several objects are ready at once, the one with the lowest index is taken; later the first one that becomes
    /// ready. The scope of a lock may be disposed on any thread.</remarks>
    /// <param name="targets">One or more; the same one may come twice.</param>
    /// <param name="timeout">The longest wait; zero tries each once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; nothing is taken then.</param>
    /// <returns>A task that gives which one was taken, or that the time passed, which is never said early.</returns>
    /// <exception cref="ArgumentException"><paramref name="targets"/> is empty, or one of them is none.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="InvalidOperationException">A segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was taken.</exception>
    /// <exception cref="ObjectDisposedException">One of the objects was disposed, before or meanwhile; nothing was
    /// taken.</exception>
    /// <exception cref="NativeIpcException">One of the objects failed, as <see cref="SystemSemaphore.Acquire()"/> and
    /// <see cref="SharedMemory.Lock()"/> do; nothing was taken.</exception>
    public static ValueTask<SystemWaitResult> AnyAsync(ReadOnlySpan<SystemWaitTarget> targets, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        Check(targets);
        var deadline = new Deadline(timeout);
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<SystemWaitResult>(cancellationToken);
        bool isReady = true;
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i].TryTakeInTurn(out SharedMemoryLock scope, ref isReady))
                return new ValueTask<SystemWaitResult>(new SystemWaitResult(i, scope));
        }

        if (timeout == TimeSpan.Zero) return default;
        SystemWaitTarget[] kept = targets.ToArray();
        return isReady ? new Pending(kept, deadline, cancellationToken).Begin()
            : MakeReadyAndWaitAsync(kept, deadline, cancellationToken);
    }

    /// <summary>A peer keeps a lock from being opened at once: that is waited for on the pool.</summary>
    private static async ValueTask<SystemWaitResult> MakeReadyAndWaitAsync(SystemWaitTarget[] targets,
        Deadline deadline, CancellationToken cancellationToken)
    {
        foreach (SystemWaitTarget target in targets)
        {
            if (!await target.MakeReadyAsync(deadline, cancellationToken).ConfigureAwait(false)) return default;
        }

        return await new Pending(targets, deadline, cancellationToken).Begin().ConfigureAwait(false);
    }

    /// <summary>A wait that stands in the queue of each target.</summary>
    /// <remarks>
    /// Order of locks: a queue's gate, then this one's. R2 Race: two queues have something for it, or its time passes,
    /// or its token is cancelled, or a target is disposed. Safe because: each tries or ends it in its turn only, and
    /// after the first one it is over; nothing is taken for one that is over. R3 Race: it is over while it is still
    /// joining. Safe because: it notes each place and then looks whether it is over, who ends it sets that first and
    /// then leaves the noted places, with the gate between; so one of the two leaves each.
    /// </remarks>
    private sealed class Pending(SystemWaitTarget[] targets, Deadline deadline, CancellationToken cancellationToken)
        : ISharedWait<bool>, ISharedWait<SharedMemoryLock?>
    {
        private readonly Lock _gate = new();
        private readonly TaskCompletionSource<SystemWaitResult> _completion =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IJoinedWait?[] _places = new IJoinedWait?[targets.Length];
        private readonly long _began = IpcActivity.BeginWait();
        private bool _isOver;
        private CancellationTokenRegistration _registration;
        private Timer? _timer;

        private bool IsOver
        {
            get
            {
                lock (_gate) return _isOver;
            }
        }

        public ValueTask<SystemWaitResult> Begin()
        {
            try
            {
                for (int i = 0; i < targets.Length && !IsOver; i++)
                {
                    _places[i] = targets[i].Join(this, i, out SharedMemoryLock scope, out bool wasTaken);
                    if (!wasTaken) continue;
                    Complete(new SystemWaitResult(i, scope));
                    return new ValueTask<SystemWaitResult>(_completion.Task);
                }

                Listen();
            }
            catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException
                or PlatformNotSupportedException or InvalidOperationException or OutOfMemoryException)
            {
                // No memory is no thread for the runtime's timers. What was taken meanwhile stays taken.
                if (TryEnd())
                    Fail(failure is OutOfMemoryException ? BackgroundThread.Refused(targets[0].Key) : failure);
            }

            if (IsOver)
            {
                Leave();
                StopListening();
            }

            return new ValueTask<SystemWaitResult>(_completion.Task);
        }

        private void Listen()
        {
            if (cancellationToken.CanBeCanceled)
                _registration = cancellationToken.UnsafeRegister(static state => ((Pending)state!).Cancel(), this);
            if (deadline.Rest == Timeout.InfiniteTimeSpan) return;
            var timer = new Timer(static state => ((Pending)state!).TimeOut(), this, Timeout.InfiniteTimeSpan,
                Timeout.InfiniteTimeSpan);
            Volatile.Write(ref _timer, timer); // before the call back, which sets it again
            SetTimer(timer);
        }

        private void SetTimer(Timer timer)
        {
            try
            {
                timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(deadline.Rest.TotalMilliseconds)),
                    Timeout.InfiniteTimeSpan);
            }
            catch (ObjectDisposedException)
            {
                // It is over meanwhile.
            }
        }

        private void StopListening()
        {
            _registration.Unregister(); // does not wait for a callback, which may be waiting for the gate
            Volatile.Read(ref _timer)?.Dispose();
        }

        public bool TryBeginTurn()
        {
            _gate.Enter();
            if (!_isOver) return true;
            _gate.Exit();
            return false;
        }

        public void EndTurn(bool isOver)
        {
            _isOver = isOver;
            _gate.Exit();
        }

        private bool TryEnd()
        {
            if (!TryBeginTurn()) return false;
            EndTurn(isOver: true);
            return true;
        }

        public void Serve(int index, bool taken) => Complete(new SystemWaitResult(index, default));

        public void Serve(int index, SharedMemoryLock? taken)
            => Complete(new SystemWaitResult(index, taken.GetValueOrDefault()));

        private void Complete(SystemWaitResult result)
        {
            End(wasAcquired: !result.TimedOut, targets[Math.Max(result.Index, 0)]);
            _completion.SetResult(result);
        }

        public void Fail(Exception failure)
        {
            End(wasAcquired: false, targets[0]);
            _completion.SetException(failure);
        }

        private void Cancel()
        {
            if (!TryEnd()) return;
            End(wasAcquired: false, targets[0]);
            _completion.SetCanceled(cancellationToken);
        }

        private void TimeOut()
        {
            // Timers count whole milliseconds and may be a little early; a wait never is.
            if (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero) SetTimer(Volatile.Read(ref _timer)!);
            else if (TryEnd()) Complete(default);
        }

        private void End(bool wasAcquired, in SystemWaitTarget told)
        {
            StopListening();
            Leave();
            IpcActivity.EndWait(_began, told.Key, told.Kind, wasAcquired);
        }

        private void Leave()
        {
            foreach (IJoinedWait? place in _places) place?.Withdraw();
        }
    }
}
