using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Lifetime;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting.Async;

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

/// <inheritdoc path="/*[not(self::param)]"/>
/// <remarks>Order of locks: this gate, then the signal's. Nothing is completed under a gate, since the continuation may
/// run right there.</remarks>
/// <param name="target">What is waited for.</param>
/// <param name="continuesAtOnce">Whether a wait that is served continues on the thread that serves it. One that ends
/// otherwise never continues on the thread that ended it: inside Cancel, or Dispose.</param>
internal sealed partial class WaitQueue<T>(IAwaitable<T> target, bool continuesAtOnce = false) : WaitQueue
{
    // For how long others who wait are passed over by permits that are handed on here: about what it takes to wake one.
    private static readonly long s_longestHandingOn = Stopwatch.Frequency / 10_000;

    private readonly Lock _gate = new();
    private readonly LinkedList<Wait> _waits = [];
    private volatile bool _isArmed;
    private bool _isClosed;
    private long _leftToSystem; // when a release was, which others could have
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

    /// <summary>Gives the wait at the head what its caller is about to release, without the system in between; false
    /// when there is none, or when it is the turn of others: threads, other instances and processes.</summary>
    /// <remarks>As if the caller had released it, and the wait had come first. A release that is left to the system
    /// costs a call and wakes the signal's thread; but it is what others wait for. So for a tenth of a millisecond
    /// after one that was, the next ones may be handed on. On the caller's thread nothing continues.</remarks>
    public bool TryHandOn(T taken)
    {
        if (!_isArmed || continuesAtOnce) return false;
        long now = Stopwatch.GetTimestamp();

        // R4 Race: two threads release at once. Safe because: at worst both leave it to the system.
        if (now - Volatile.Read(ref _leftToSystem) < s_longestHandingOn) return Offer(taken);
        Volatile.Write(ref _leftToSystem, now);
        return false;
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
}
