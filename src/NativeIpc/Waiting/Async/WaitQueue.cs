using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Lifetime;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting.Async;

/// <summary>What pending waits wait for.</summary>
/// <typeparam name="T">What a wait gets: true for a permit, the scope of a lock.</typeparam>
internal interface IAwaitable<T>
{
    /// <summary>What a wait that joins now has seen (<see cref="WaitObject.Look"/>).</summary>
    uint Look() => 0;

    /// <summary>Whether a newcomer lets those before it go first; not where one step serves all of them.</summary>
    bool IsInOrder => true;

    /// <summary>Takes one without waiting, and never on behalf of a wait that has gone: called under the queue's gate,
    /// so without any pause.</summary>
    /// <param name="seen">What the wait saw when it came.</param>
    /// <param name="taken">What was taken.</param>
    /// <param name="isHeldUp">Whether another try after <see cref="AwaitMoment"/> may say more.</param>
    bool TryTake(uint seen, out T taken, out bool isHeldUp);

    /// <summary>Lets pass a moment for what has held up a try. Called outside the gate, never on a caller's thread;
    /// <see cref="WaitQueue{T}.Close"/> waits for it, so it waits for nobody who may close.</summary>
    void AwaitMoment();

    /// <summary>What tells that trying again may help.</summary>
    IWaitSignal Signal { get; }

    /// <summary>The word to sleep on, for the signal that does; 0 for none. It can become another one.</summary>
    nint Word { get; }

    /// <summary>The key of the object, for messages.</summary>
    NativeIpcKey Key { get; }

    /// <summary>The object that the word is of, entered, so that its memory stays until the caller leaves
    /// it.</summary>
    WaitObject BeginUse();

    /// <summary>A semaphore, or a segment for its lock.</summary>
    IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

    /// <summary>Whether to try now and then although nothing has woken.</summary>
    bool NeedsLooks { get; }

    /// <summary>Whether its waits are told by <see cref="IpcActivity.Waited"/>.</summary>
    bool IsTold => true;

    /// <summary>The word that is slept on was woken, for what wants to know. Called before a try, by the sleeper's
    /// thread.</summary>
    void NoteWoken()
    {
    }

    /// <summary>What a wait gets when the object is disposed.</summary>
    ObjectDisposedException Disposed();
}

/// <summary>What hears, under the queue's gate, that its wait has got what it waited for: before a Dispose can end
/// the queue.</summary>
internal interface IWaitTicket
{
    void Begin();
}

/// <summary>One wait that stands in several queues, of which one serves it: waiting for any of several
/// objects.</summary>
/// <typeparam name="T">What it gets of the queue.</typeparam>
internal interface ISharedWait<T>
{
    /// <summary>Takes the turn to serve it, for a try: no other queue does until <see cref="EndTurn"/>, on the same
    /// thread. False when it is over. Called under a queue's gate, and takes none.</summary>
    bool TryBeginTurn();

    /// <summary>Gives the turn back.</summary>
    /// <param name="isOver">Whether the wait is over now.</param>
    void EndTurn(bool isOver);

    /// <summary>It is over, and has got this. Outside the gates.</summary>
    /// <param name="index">Which of its queues it was.</param>
    /// <param name="taken">What it has got.</param>
    void Serve(int index, T? taken);

    /// <summary>It is over, by a failure. Outside the gates.</summary>
    void Fail(Exception failure);
}

/// <summary>A place of a shared wait in one of its queues.</summary>
internal interface IJoinedWait
{
    /// <summary>Leaves the queue, if it is still there.</summary>
    bool Withdraw();
}

/// <summary>Tries queues again when it may help.</summary>
internal interface IWaitSignal
{
    /// <summary>Begins to watch for a queue. Called under the queue's gate.</summary>
    void Arm(WaitQueue queue);

    /// <summary>Ends it, now or soon. Called under the queue's gate.</summary>
    void Disarm(WaitQueue queue);

    /// <summary>When it returns, nothing touches the object's memory on behalf of the queue any more. Called outside
    /// the gate, when the queue is closed and does not arm any more.</summary>
    void Drain(WaitQueue queue);
}

/// <summary>The asynchronous waits on one open object, first come, first served.</summary>
internal abstract class WaitQueue
{
    /// <summary>The word to sleep on; 0 for none.</summary>
    public abstract nint Word { get; }

    /// <inheritdoc cref="IAwaitable{T}.Key"/>
    public abstract NativeIpcKey Key { get; }

    /// <inheritdoc cref="IAwaitable{T}.BeginUse"/>
    public abstract WaitObject BeginUse();

    /// <summary>The value of the word at which there is nothing for the wait at the head: what that one saw when it
    /// came. Needs no gate: an older one than that makes a sleeper look once more.</summary>
    public abstract uint Seen { get; }

    /// <inheritdoc cref="IAwaitable{T}.NeedsLooks"/>
    public abstract bool NeedsLooks { get; }

    /// <inheritdoc cref="IAwaitable{T}.NoteWoken"/>
    public abstract void NoteWoken();

    /// <summary>Serves as many waits as can be served; true when it served any.</summary>
    public abstract bool Pump();
}

/// <inheritdoc/>
/// <remarks>Order of locks: this gate, then the signal's. Nothing is completed under a gate, since the continuation may
/// run right there.</remarks>
/// <param name="target">What is waited for.</param>
/// <param name="continuesAtOnce">Whether a wait that is served continues on the thread that serves it. One that ends
/// otherwise never continues on the thread that ended it: inside Cancel, or Dispose.</param>
internal sealed class WaitQueue<T>(IAwaitable<T> target, bool continuesAtOnce = false) : WaitQueue
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Wait> _waits = [];
    private volatile bool _isArmed;
    private bool _isClosed;
    private int _moments;
    private TaskCompletionSource? _momentsAreOver;

    private bool ContinuesAtOnce => continuesAtOnce;

    /// <summary>Whether any wait is in the queue. Needs no gate.</summary>
    public bool HasWaits => _isArmed;

    public override nint Word => target.Word;

    public override NativeIpcKey Key => target.Key;

    private IpcObjectKind Kind => target.Kind;

    public override WaitObject BeginUse() => target.BeginUse();

    private uint _seen;

    public override uint Seen => Volatile.Read(ref _seen);

    public override bool NeedsLooks => target.NeedsLooks;

    public override void NoteWoken() => target.NoteWoken();

    private bool IsTold => target.IsTold;

    /// <summary>Takes one now if nobody is before, or joins the queue.</summary>
    /// <param name="timeout">The longest wait.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="ticket">What hears when it is served; null for nothing.</param>
    /// <returns>The result; <c>default</c> when the time passed.</returns>
    public ValueTask<T?> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken, IWaitTicket? ticket = null)
    {
        var deadline = new Deadline(timeout);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<T?>(cancellationToken);
        Wait? wait = null;
        try
        {
            if (!TryJoin(deadline, timeout == TimeSpan.Zero, ticket, cancellationToken, ref wait, out T? taken))
                return new ValueTask<T?>(taken);
        }
        catch
        {
            wait?.TellEnd(wasAcquired: false); // outside the gate, as all that runs code of others
            throw;
        }

        try
        {
            wait!.Start(timeout == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : timeout);
            if (timeout == TimeSpan.Zero) wait.TryElsewhere();
        }
        catch (OutOfMemoryException)
        {
            // No thread for the runtime's timers: the wait would not end in time. It leaves, unless it is over by now.
            if (wait!.Withdraw())
            {
                wait.StopListening();
                wait.TellEnd(wasAcquired: false);
                throw BackgroundThread.Refused(Key);
            }
        }

        return new ValueTask<T?>(wait.Task);
    }

    /// <summary>Joins the queue; false when there is a result at once.</summary>
    private bool TryJoin(in Deadline deadline, bool isOnce, IWaitTicket? ticket, CancellationToken cancellationToken,
        ref Wait? wait, out T? taken)
    {
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (_isClosed) throw target.Disposed();
            taken = default;
            bool isHeldUp = false;
            uint seen = target.Look(); // before the try, so that what comes in between is not missed
            if ((_waits.Count == 0 || !target.IsInOrder) && target.TryTake(seen, out taken, out isHeldUp))
            {
                ticket?.Begin();
                return false;
            }

            if (isOnce && !isHeldUp) return false;
            wait = ticket is null ? new Wait(this, deadline, cancellationToken)
                : new TicketedWait(this, deadline, ticket, cancellationToken);
            wait.Seen = seen;
            Add(wait);
            return true;
        }
    }

    /// <summary>Takes one now if nobody is before.</summary>
    public bool TryTakeNow(out T? taken)
    {
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (_isClosed) throw target.Disposed();
            taken = default;
            uint seen = target.Look();
            return (_waits.Count == 0 || !target.IsInOrder) && target.TryTake(seen, out taken, out _);
        }
    }

    /// <summary>Takes one now if nobody is before, or joins the queue with a wait that stands in others as
    /// well.</summary>
    /// <param name="shared">The wait.</param>
    /// <param name="index">Which of its queues this is.</param>
    /// <param name="taken">What was taken.</param>
    /// <param name="wasTaken">Whether it is over now.</param>
    /// <returns>The place in the queue; null when the wait is over, now or before.</returns>
    public IJoinedWait? Join(ISharedWait<T> shared, int index, out T? taken, out bool wasTaken)
    {
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (_isClosed) throw target.Disposed();
            taken = default;
            wasTaken = false;
            uint seen = target.Look(); // before the try, so that what comes in between is not missed
            if (!shared.TryBeginTurn()) return null;
            try
            {
                wasTaken = (_waits.Count == 0 || !target.IsInOrder) && target.TryTake(seen, out taken, out _);
            }
            finally
            {
                shared.EndTurn(wasTaken);
            }

            if (wasTaken) return null;
            var wait = new SharedWait(this, shared, index) { Seen = seen };
            Add(wait);
            return wait;
        }
    }

    // Before the signal reads it: a sleep on an older value would last until the next change.
    private void NoteHead()
    {
        if (_waits.First is { } first) Volatile.Write(ref _seen, first.Value.Seen);
    }

    private void Add(Wait wait)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        wait.Node = _waits.AddLast(wait);
        NoteHead();
        if (_isArmed) return;

        // May fail for want of a thread: then nobody waits.
        try
        {
            target.Signal.Arm(this);
            _isArmed = true;
        }
        catch
        {
            _waits.Remove(wait);
            wait.Node = null;
            throw;
        }
    }

    /// <summary>The first wait that can be served, with the turn to do so; null when there is none.</summary>
    private Wait? BeginTurnOfFirst()
    {
        // R3 Race: another queue serves a shared wait. Safe because: one that is over is passed by, and leaves; one
        // that is being tried elsewhere is waited for, since a try does not pause.
        for (LinkedListNode<Wait>? node = _waits.First; node is not null; node = node.Next)
        {
            if (node.Value.TryBeginTurn()) return node.Value;
        }

        return null;
    }

    public override bool Pump()
    {
        bool served = false;
        bool mayPause = true;
        while (true)
        {
            Wait? head = TryServe(mayPause, out T? taken, out Exception? failure, out bool hasMoment);
            if (hasMoment)
            {
                mayPause = false;
                PassMoment();
                continue;
            }

            if (head is null) return served;
            if (failure is null) head.Serve(taken);
            else head.Fail(failure);
            served |= failure is null;
        }
    }

    private void PassMoment()
    {
        try
        {
            target.AwaitMoment();
        }
        finally
        {
            TaskCompletionSource? areOver = null;
            lock (_gate)
            {
                if (--_moments == 0) areOver = _momentsAreOver;
            }

            areOver?.SetResult();
        }
    }

    /// <summary>Takes out the wait at the head, with what it gets; null when there is no wait, or nothing for
    /// it.</summary>
    /// <param name="mayPause">Whether the caller can let pass a moment.</param>
    /// <param name="taken">What it gets.</param>
    /// <param name="failure">Or why it gets nothing.</param>
    /// <param name="hasMoment">Whether the caller has to let pass a moment, which has been counted.</param>
    private Wait? TryServe(bool mayPause, out T? taken, out Exception? failure, out bool hasMoment)
    {
        taken = default;
        failure = null;
        hasMoment = false;
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            // R1 Race: the wait at the head is cancelled, times out or fails. Safe because: it leaves the list under
            // the gate, so exactly one of these finds it; and a permit is taken under the gate for a wait that cannot
            // leave meanwhile.
            if (BeginTurnOfFirst() is not { } first) return null;
            bool isOver = false;
            try
            {
                if (!target.TryTake(first.Seen, out taken, out bool isHeldUp))
                {
                    hasMoment = isHeldUp && mayPause;
                    if (hasMoment) _moments++;
                    return null;
                }

                isOver = true;
                first.Begin();
            }
            catch (Exception found) when (found is NativeIpcException or ObjectDisposedException
                or PlatformNotSupportedException or InvalidOperationException)
            {
                failure = found;
                isOver = true;
            }
            finally
            {
                first.EndTurn(isOver);
            }

            Remove(first);
            return first;
        }
    }

    /// <summary>Gives the wait at the head what a signal has taken for it; false when there is none.</summary>
    public bool Offer(T taken)
    {
        Wait head;
        lock (_gate)
        {
            if (BeginTurnOfFirst() is not { } first) return false;
            Remove(head = first);
            head.Begin();
            head.EndTurn(isOver: true);
        }

        head.Serve(taken);
        return true;
    }

    /// <summary>The object is being disposed: ends every wait. When it returns, no signal touches the object's memory
    /// any more.</summary>
    public void Close()
    {
        Wait[] ended;
        Task? momentsAreOver = null;
        lock (_gate)
        {
            _isClosed = true;
            if (_moments > 0) momentsAreOver = (_momentsAreOver ??= new TaskCompletionSource()).Task;
            ended = new Wait[_waits.Count];
            _waits.CopyTo(ended, 0);
            foreach (Wait wait in ended) Remove(wait);
        }

        foreach (Wait wait in ended)
        {
            if (!wait.TryBeginTurn()) continue;
            wait.EndTurn(isOver: true);
            wait.Fail(target.Disposed());
        }

        // R2 Race: a pump lets pass a moment, outside the gate and inside the object. Safe because: this waits for it,
        // so that the disposing thread is the last one inside, and not the thread of a signal, which other objects
        // need.
        momentsAreOver?.Wait();
        target.Signal.Drain(this);
    }

    private void Remove(Wait wait)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread && wait.Node is not null);
        _waits.Remove(wait.Node!);
        wait.Node = null;
        NoteHead();
        if (_waits.Count > 0 || !_isArmed) return;
        _isArmed = false;
        target.Signal.Disarm(this);
    }

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
