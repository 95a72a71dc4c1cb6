using System.Diagnostics;
using NativeIpc.Shared;

namespace NativeIpc.DistributedLock;

/// <summary>What is asked for: an object of the system, and how it is used.</summary>
/// <param name="Name">The name that the caller gave.</param>
/// <param name="Key">The key of the semaphore.</param>
/// <param name="Kind">A lock or a semaphore.</param>
/// <param name="MaxCount">The permits that it has in all; 1 for a lock.</param>
/// <param name="Options">The options of all its objects.</param>
internal sealed record GateSpec(string Name, NativeIpcKey Key, GateKind Kind, int MaxCount,
    NativeIpcDistributedLockOptions Options);

/// <summary>An open lock or semaphore of this process, which its handles and waits share.</summary>
/// <remarks>Race: a peer removes or replaces the object while it is open here. Safe because: a permit that is taken is
/// kept only if the key leads to this object after that; whoever waits is woken by <see cref="Watch"/>, and goes on at
/// the new one.</remarks>
internal sealed class Gate : IDisposable
{
    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromMilliseconds(250);

    private readonly Lock _watching = new();
    private readonly SystemSemaphore _semaphore;
    private readonly SharedMemory? _maximum;
    private readonly bool _isRobust;
    private readonly HashSet<Watcher> _watchers = [];
    private Timer? _timer;
    private long _lastTicket;
    private long _holder; // the ticket of a robust lock's holder in this process; 0 for none

    private Gate(GateSpec spec, SystemSemaphore semaphore, SharedMemory? maximum, bool isRobust)
    {
        Spec = spec;
        _semaphore = semaphore;
        _maximum = maximum;
        _isRobust = isRobust;
    }

    public GateSpec Spec { get; }

    /// <summary>Whether the key leads to another object by now.</summary>
    public bool WasReplaced => _semaphore.WasReplaced;

    /// <summary>Whether the permit that this process has just taken was left by a holder that died.</summary>
    public bool TookOver => _isRobust && _semaphore.WasAbandoned;

    /// <summary>Opens or makes the object of the system.</summary>
    public static Gate Open(GateSpec spec) => spec.Kind == GateKind.Lock ? OpenLock(spec) : OpenSemaphore(spec);

    private static Gate OpenLock(GateSpec spec)
    {
        SystemSemaphore semaphore = CrashSafe.OpenLock(spec.Key, RightsOf(spec), out bool isRobust);
        return new Gate(spec, semaphore, maximum: null, isRobust);
    }

    private static Gate OpenSemaphore(GateSpec spec)
    {
        SystemSemaphore semaphore = CrashSafe.OpenCounting(spec.Key, spec.MaxCount, MaximumKey(spec), RightsOf(spec),
            out SharedMemory maximum);
        return new Gate(spec, semaphore, maximum, isRobust: false);
    }

    private static Rights RightsOf(GateSpec spec)
        => new(spec.Options.Mode, spec.Options.Group, spec.Options.AllowOtherOwners);

    private static NativeIpcKey MaximumKey(GateSpec spec)
        => NameRule.KeyOf(spec.Name, GateKind.Maximum, spec.Options);

    internal static InvalidOperationException OtherMaximum(GateSpec spec, int there)
        => CrashSafe.OtherCount(spec.Key, MaximumKey(spec), spec.MaxCount, there);

    public bool TryTake() => _semaphore.TryAcquire();

    public bool TryTake(TimeSpan timeout, CancellationToken cancellationToken)
        => _semaphore.TryAcquire(timeout, cancellationToken);

    public ValueTask<bool> TryTakeAsync(TimeSpan timeout, CancellationToken cancellationToken)
        => _semaphore.TryAcquireAsync(timeout, cancellationToken);

    /// <summary>Notes that a permit was taken.</summary>
    /// <returns>The ticket of who holds it; 0 where there can be several.</returns>
    public long Note()
    {
        if (!_isRobust) return 0;
        long ticket = Interlocked.Increment(ref _lastTicket);
        Volatile.Write(ref _holder, ticket);
        return ticket;
    }

    /// <summary>Gives a permit back.</summary>
    /// <param name="ticket">What <see cref="Note"/> gave.</param>
    /// <returns>False when it was lost before: the object was removed, or a peer has set its count anew.</returns>
    /// <exception cref="NativeIpcException">The system refused.</exception>
    public bool GiveBack(long ticket)
    {
        // After a reset another thread of this process may hold the lock: that one's permit stays.
        if (ticket != 0 && Interlocked.CompareExchange(ref _holder, 0, ticket) != ticket) return false;
        try
        {
            _semaphore.Release();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
        catch (NativeIpcException failure) when (failure.Error is NativeIpcError.NotFound
            or NativeIpcError.OutOfResources or NativeIpcError.LockError)
        {
            return false;
        }
    }

    /// <summary>Calls back when the object, or the permit of a holder, is found lost, until what is returned is
    /// disposed.</summary>
    /// <param name="lost">Called once at most, on a thread of the pool.</param>
    /// <param name="ticket">Whose permit is watched; 0 for a wait, and where there is no ticket.</param>
    public IDisposable Watch(Action lost, long ticket)
    {
        var watcher = new Watcher(this, lost, ticket);
        lock (_watching)
        {
            _watchers.Add(watcher);
            _timer ??= new Timer(static gate => ((Gate)gate!).Look(), this, TimeSpan.Zero, s_betweenLooks);
        }

        return watcher;
    }

    private void Look()
    {
        Watcher[] watchers;
        lock (_watching)
        {
            if (_timer is null) return; // the last watcher has gone, and its gate may be closed
            bool isGone = WasReplaced;
            long robbed = isGone ? 0 : FindRobbed();
            if (!isGone && robbed == 0) return;
            watchers = [.. _watchers.Where(watcher => isGone || watcher.Ticket == robbed)];
            _watchers.ExceptWith(watchers);
            StopIfUnwatched();
        }

        foreach (Watcher watcher in watchers) watcher.Lost();
    }

    /// <summary>The ticket whose lock a peer has reset or taken; 0 for none.</summary>
    /// <remarks>Race: the holder gives back meanwhile, and another one takes. Safe because: then it is not the holder
    /// any more after the look.</remarks>
    private long FindRobbed()
    {
        long holder = Volatile.Read(ref _holder);
        if (holder == 0) return 0;
        LockStatus status;
        try
        {
            status = _semaphore.GetLockStatus();
        }
        catch (NativeIpcException)
        {
            return 0; // it cannot be told now, and there is nobody to tell; the next look says more
        }

        bool isOthers = status.Holder == LockHolder.Nobody
            || (status.Holder is LockHolder.Process or LockHolder.DeadProcess && !status.IsHeldByThisProcess);
        return isOthers && Volatile.Read(ref _holder) == holder ? holder : 0;
    }

    private void StopWatching(Watcher watcher)
    {
        lock (_watching)
        {
            _watchers.Remove(watcher);
            StopIfUnwatched();
        }
    }

    private void StopIfUnwatched()
    {
        if (_watchers.Count > 0) return;
        _timer?.Dispose();
        _timer = null;
    }

    public void Dispose()
    {
        Debug.Assert(_watchers.Count == 0, "A gate is closed when nobody uses it.");
        _semaphore.Dispose();
        _maximum?.Dispose();
    }

    private sealed class Watcher(Gate gate, Action lost, long ticket) : IDisposable
    {
        public long Ticket => ticket;

        public void Lost()
        {
            try
            {
                lost();
            }
            catch (ObjectDisposedException)
            {
                // The wait has ended between the look and this.
            }
        }

        public void Dispose() => gate.StopWatching(this);
    }
}
