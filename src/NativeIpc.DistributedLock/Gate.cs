using System.Collections.Concurrent;
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
/// <remarks>
/// R1 Race: a peer removes or replaces the object while it is open here. Safe because: a permit that is taken is kept
/// only if the key leads to this object after that; whoever waits is woken by <see cref="Watch"/>, and goes on at the
/// new one.
/// R2 Race: a peer resets a lock while it is held here. Safe because: <see cref="_turn"/> lets one of this process at a
/// time try for it, so that nobody here takes it before the holder has let go. Then the holder, if it asked, finds the
/// lock free or another one's, and what it gives back is its own permit or none. Another gate of this process, with
/// other options, may take it meanwhile; System V knows the process only, so <see cref="s_lastTakers"/> says which one
/// did.
/// </remarks>
internal sealed class Gate : IDisposable
{
    private static readonly TimeSpan s_betweenLooks = TimeSpan.FromMilliseconds(250);

    // By the keys of System V locks that are held here: the gate that took each last.
    private static readonly ConcurrentDictionary<NativeIpcKey, Gate> s_lastTakers = new();

    private readonly Lock _watching = new();
    private readonly SystemSemaphore _semaphore;
    private readonly SharedMemory? _maximum;
    private readonly bool _isRobust;
    private readonly bool _notesTakers;
    private readonly SemaphoreSlim? _turn; // of a lock: had by its holder, and by the one who waits for it
    private readonly HashSet<Watcher> _watchers = [];
    private Timer? _timer;

    private Gate(GateSpec spec, SystemSemaphore semaphore, SharedMemory? maximum, bool isRobust)
    {
        Spec = spec;
        _semaphore = semaphore;
        _maximum = maximum;
        _isRobust = isRobust;
        _notesTakers = isRobust && spec.Key.Type.IsSystemV;
        _turn = spec.Kind == GateKind.Lock ? new SemaphoreSlim(1, 1) : null;
    }

    public GateSpec Spec { get; }

    /// <summary>Whether the key leads to another object by now.</summary>
    public bool WasReplaced => _semaphore.WasReplaced;

    /// <summary>Whether the permit that this process has just taken was left by a holder that died.</summary>
    public bool TookOver => _isRobust && _semaphore.WasAbandoned;

    /// <summary>Opens or makes the object of the system; null while others agree on the maximum of a
    /// semaphore.</summary>
    public static Gate? TryOpen(GateSpec spec) => spec.Kind == GateKind.Lock ? OpenLock(spec) : OpenSemaphore(spec);

    private static Gate OpenLock(GateSpec spec)
    {
        SystemSemaphore semaphore = CrashSafe.OpenLock(spec.Key, RightsOf(spec), out bool isRobust);
        return new Gate(spec, semaphore, maximum: null, isRobust);
    }

    private static Gate? OpenSemaphore(GateSpec spec)
    {
        SystemSemaphore? semaphore = CrashSafe.TryOpenCounting(spec.Key, spec.MaxCount, MaximumKey(spec),
            RightsOf(spec), TimeSpan.Zero, out SharedMemory? maximum);
        return semaphore is null ? null : new Gate(spec, semaphore, maximum, isRobust: false);
    }

    /// <summary>Says that others agree on the maximum of a semaphore, and do not end that.</summary>
    public static TimeoutException NotAgreed(GateSpec spec)
        => CrashSafe.NotAgreed(spec.Key, MaximumKey(spec), CrashSafe.s_longestWait);

    private static Rights RightsOf(GateSpec spec)
        => new(spec.Options.Mode, spec.Options.Group, spec.Options.AllowOtherOwners);

    private static NativeIpcKey MaximumKey(GateSpec spec)
        => NameRule.KeyOf(spec.Name, GateKind.Maximum, spec.Options);

    /// <summary>Takes a permit, waiting for it with this thread.</summary>
    public bool TryTake(in Deadline deadline, CancellationToken cancellationToken)
    {
        if (_turn is not null && !_turn.Wait(deadline.Rest, cancellationToken)) return false;
        bool isTaken = false;
        try
        {
            isTaken = _semaphore.TryAcquire(deadline.Rest, cancellationToken);
            if (isTaken) NoteTaking();
            return isTaken;
        }
        finally
        {
            if (!isTaken) _turn?.Release();
        }
    }

    /// <summary>Takes a permit, waiting for it without a thread.</summary>
    public async ValueTask<bool> TryTakeAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        if (_turn is not null && !await _turn.WaitAsync(deadline.Rest, cancellationToken).ConfigureAwait(false))
            return false;
        bool isTaken = false;
        try
        {
            isTaken = await _semaphore.TryAcquireAsync(deadline.Rest, cancellationToken).ConfigureAwait(false);
            if (isTaken) NoteTaking();
            return isTaken;
        }
        finally
        {
            if (!isTaken) _turn?.Release();
        }
    }

    /// <remarks>R4 Race: a peer resets the lock before this is noted, and another gate takes it. Safe because: one of
    /// the two, which are both inside by then, is told of it.</remarks>
    private void NoteTaking()
    {
        if (_notesTakers) s_lastTakers[Spec.Key] = this;
    }

    /// <summary>Gives a permit back, once for each that was taken.</summary>
    /// <returns>False when it was lost before: the object was removed, or a peer has set its count anew.</returns>
    /// <exception cref="NativeIpcException">The system refused.</exception>
    public bool GiveBack()
    {
        try
        {
            // Before it is free, so that the next one's note stays. What another gate has taken since is not this
            // one's to give.
            if (_notesTakers && !s_lastTakers.TryRemove(new(Spec.Key, this))) return false;
            return CrashSafe.TryRelease(_semaphore, 1);
        }
        finally
        {
            _turn?.Release();
        }
    }

    /// <summary>Calls back when the object, or the permit of a holder, is found lost, until what is returned is
    /// disposed.</summary>
    /// <param name="lost">Called once at most, on a thread of the pool.</param>
    /// <param name="isHolder">Whether a permit that is held is watched, and not only the object. Its watch ends before
    /// the permit is given back.</param>
    public IDisposable Watch(Action lost, bool isHolder)
    {
        var watcher = new Watcher(this, lost, isHolder);
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
            if (!isGone && !(_watchers.Any(watcher => watcher.IsHolder) && IsTakenAway())) return;
            watchers = [.. _watchers.Where(watcher => isGone || watcher.IsHolder)];
            _watchers.ExceptWith(watchers);
            StopIfUnwatched();
        }

        foreach (Watcher watcher in watchers) watcher.Lost();
    }

    /// <summary>Whether a peer has reset the lock that is held here, or has it by now.</summary>
    /// <remarks>R3 Race: the holder gives back meanwhile. Safe because: it ends its watch before that, which waits for
    /// the look.</remarks>
    private bool IsTakenAway()
    {
        Debug.Assert(_watching.IsHeldByCurrentThread);
        if (!_isRobust) return false;
        if (_notesTakers && s_lastTakers.GetValueOrDefault(Spec.Key) != this) return true;
        try
        {
            LockStatus status = _semaphore.GetLockStatus();
            return status.Holder == LockHolder.Nobody
                || (status.Holder is LockHolder.Process or LockHolder.DeadProcess && !status.IsHeldByThisInstance);
        }
        catch (NativeIpcException)
        {
            return false; // it cannot be told now, and there is nobody to tell; the next look says more
        }
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

    private sealed class Watcher(Gate gate, Action lost, bool isHolder) : IDisposable
    {
        public bool IsHolder => isHolder;

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
