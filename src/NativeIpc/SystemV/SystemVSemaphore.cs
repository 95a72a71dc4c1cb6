using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>A set that was made or found, and what follows for its removal.</summary>
/// <param name="Id">The set's id; ids are not used again soon.</param>
/// <param name="KeyFile">The file that its key comes from.</param>
internal readonly record struct SystemVSet(int Id, FileIdentity KeyFile)
{
    /// <summary>Whether this call made it.</summary>
    internal bool CreatedNew { get; init; }

    /// <summary>Whether this instance removes it: it made it, or took it over.</summary>
    internal bool Owns { get; init; }

    /// <summary>Whether this instance made the key file.</summary>
    internal bool MadeKeyFile { get; init; }

    /// <summary>Whether it has the second semaphore, which tells of dead holders.</summary>
    internal bool Tells { get; init; }

    /// <summary>A set that was there.</summary>
    internal static SystemVSet Opened(int id, FileIdentity keyFile, in SetStatus status)
        => new(id, keyFile) { Tells = status.Count == SystemVLocks.Size };
}

/// <summary>An open System V semaphore. An id is no handle: there is nothing to close, and a stale one harms
/// nobody.</summary>
/// <remarks>What a lock does beyond that is in SystemVSemaphore.Lock.cs.</remarks>
internal sealed partial class SystemVSemaphore : SemaphoreObject
{
    private const string Acquiring = "acquire the semaphore";

    private readonly Lock _gate = new();
    private readonly SystemSemaphoreOptions _options;
    private readonly int? _initialCount;
    private readonly short _acquireFlags;
    private readonly short _releaseFlags;
    private volatile Opened _set = null!;
    private SystemVSemaphoreRemoval? _removal;

    internal SystemVSemaphore(in NativeIpcKey key, in SystemVSet set, int? initialCount, SystemSemaphoreOptions options)
        : base(key)
    {
        _options = options;
        _initialCount = initialCount;
        _acquireFlags = (short)(options.Undo == SystemVUndoPolicy.None ? 0 : Flags.SEM_UNDO);
        _releaseFlags = (short)(options.Undo == SystemVUndoPolicy.Both ? Flags.SEM_UNDO : 0);
        CreatedNew = set.CreatedNew;
        Adopt(set);
    }

    /// <summary>The file that the current set's key comes from.</summary>
    internal FileIdentity KeyFileIdentity { get; private set; }

    private void Adopt(in SystemVSet set)
    {
        KeyFileIdentity = set.KeyFile;
        if (set.Owns && _options.Removal is RemovalPolicy.Default or RemovalPolicy.Creator)
        {
            _removal = new SystemVSemaphoreRemoval(Key, set, _options.PeerTimeout);
            if (_options.RemoveAtProcessExit) ProcessExit.Add(_removal);
            NoticeDrop();
        }

        _set = new Opened(set.Id, set.Tells && _options.Robust);
    }

    /// <summary>An id, and whether its second semaphore is used; both change together.</summary>
    private sealed record Opened(int Id, bool Tells);

    internal int CurrentId => _set.Id;

    public override string ObjectIdentity => CurrentId.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public override bool TryAcquire()
    {
        Opened set = _set;
        if (!set.Tells) return TryOperateFast(-1, _acquireFlags) || Acquire(null);
        ThrowIfClosed(IsClosed);
        bool acquired = TryTakeFast(set) || Operate(Acquiring, -1, _acquireFlags, null, triedFast: true);
        if (acquired) Volatile.Write(ref _isHeld, 1);
        return acquired;
    }

    /// <inheritdoc/>
    /// <remarks>What else it may say than that there is no permit, the sleep that comes next says.</remarks>
    public override bool TryAcquireFast()
        => _set.Tells || _options.Robust ? Acquire(null) : TryOperateFast(-1, _acquireFlags);

    /// <summary>The operation that goes through at once, of a semaphore that is no lock. Whatever keeps it from that
    /// changes nothing, and shows when it is done again.</summary>
    // Inlined: each return after a system call costs some nanoseconds, on processors that mend their guesses of returns
    // there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private unsafe bool TryOperateFast(short change, short flags)
    {
        if (_options.Robust || IsClosed) return false;
        var operation = new Sembuf { sem_op = change, sem_flg = (short)(flags | Flags.IPC_NOWAIT) };
        return SemopFast.s_call(_set.Id, &operation, 1) == 0;
    }

    public override bool Block(TimeSpan slice)
    {
        if (OperatingSystem.IsLinux()) return Acquire(slice);

        // No semtimedop on Apple.
        var backoff = new Backoff(slice, longestMicroseconds: 10_000);
        do
        {
            if (TryAcquire()) return true;
        }
        while (backoff.Pause());

        return false;
    }

    public override bool TryAcquireSeveral(int count, TimeSpan? slice)
    {
        const string attempt = "acquire the semaphore";
        if (_options.Robust || count > Flags.SEMVMX)
            throw new ArgumentOutOfRangeException(nameof(count), count,
                $"The semaphore {Failure.Describe(Key)} never has that many "
                    + $"permits: {(_options.Robust ? "with Robust it has one" : $"a System V semaphore counts up "
                        + $"to {Flags.SEMVMX}")}.");
        short tries = (short)(_acquireFlags | Flags.IPC_NOWAIT);
        if (slice is not { } wait) return Operate(attempt, (short)-count, tries, null);
        if (OperatingSystem.IsLinux()) return Operate(attempt, (short)-count, _acquireFlags, wait);
        var backoff = new Backoff(wait, longestMicroseconds: 10_000);
        do
        {
            if (Operate(attempt, (short)-count, tries, null)) return true;
        }
        while (backoff.Pause());

        return false;
    }

    public override void Release(int count)
    {
        if (_options.Robust)
        {
            ReleaseAsHolder(count);
            return;
        }

        if (_options.MaximumCount is { } maximum)
        {
            ReleaseWithin(maximum, count);
            return;
        }

        ReleaseFreely(count);
    }

    private void ReleaseFreely(int count)
    {
        if (count == 1 && TryOperateFast(1, _releaseFlags)) return;
        if (count > Flags.SEMVMX) throw Full(Errno.ERANGE, count);
        try
        {
            Operate("release the semaphore", (short)count, _releaseFlags, null);
        }
        catch (NativeIpcException failure) when (failure.NativeErrorCode == Errno.ERANGE)
        {
            throw Full(Errno.ERANGE, count);
        }
    }

    /// <summary>Releases unless that passes a maximum.</summary>
    /// <remarks>semop(2) can ask for a count of 0 and add in one step, but not for "at most n". So only a release of
    /// the whole maximum is exact. With any other one the count passes the maximum by what another process releases
    /// between the look and the release; that is documented.</remarks>
    private void ReleaseWithin(int maximum, int count)
    {
        if (count > maximum) throw Failure.OverMaximum(Key, count, maximum);
        if (count == maximum)
        {
            ReleaseFromNone(count);
            return;
        }

        TryGetCount(out int seen);
        if (seen > maximum - count) throw Failure.OverMaximum(Key, count, maximum);
        ReleaseFreely(count);
    }

    /// <summary>Releases if there is no permit, in one operation.</summary>
    private unsafe void ReleaseFromNone(int count)
    {
        const string attempt = "release the semaphore";
        if (count > Flags.SEMVMX) throw Full(Errno.ERANGE, count);
        Sembuf* steps = stackalloc Sembuf[2];
        steps[0] = new Sembuf { sem_flg = (short)Flags.IPC_NOWAIT };
        steps[1] = new Sembuf { sem_op = (short)count, sem_flg = _releaseFlags };
        while (true)
        {
            ThrowIfClosed(IsClosed);
            int id = CurrentId;
            if (Libc.semop(id, steps, 2) == 0) return;
            int number = Marshal.GetLastPInvokeError();
            if (number == Errno.EAGAIN) throw Failure.OverMaximum(Key, count, _options.MaximumCount ?? Flags.SEMVMX);
            if (number == Errno.EINTR) continue;
            if (number == Errno.ERANGE) throw Full(Errno.ERANGE, count);
            if (!SystemVSupport.IsGone(number)) throw SystemVErrors.UseSemaphore(attempt, Key, "semop", number);
            if (GoOnAfterLoss(attempt, (short)count, null, id, number) is not null) return;
        }
    }

    /// <inheritdoc/>
    /// <remarks>An id is no handle, so a permit can be released after Close; but the holder of a robust lock is known
    /// to the object only.</remarks>
    public override bool ReturnsAfterClose => !_options.Robust;

    /// <inheritdoc/>
    public override unsafe void ReturnPermit()
    {
        try
        {
            Release(1);
            return;
        }
        catch (ObjectDisposedException) when (!_options.Robust)
        {
            // The set may stand all the same: another instance or process owns it.
        }

        var operation = new Sembuf { sem_op = 1, sem_flg = _releaseFlags };
        while (Libc.semop(CurrentId, &operation, 1) != 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (SystemVSupport.IsGone(number)) return; // removed, and the permit with it
            if (number != Errno.EINTR) throw SystemVErrors.UseSemaphore("release the semaphore", Key, "semop", number);
        }
    }

    private NativeIpcException Full(int number, int count)
        => SystemVErrors.UseSemaphore($"release {Failure.Permits(count)} of the semaphore", Key, "semop", number);

    private bool Acquire(TimeSpan? slice)
    {
        bool acquired = Operate(Acquiring, -1,
            (short)(slice is null ? _acquireFlags | Flags.IPC_NOWAIT : _acquireFlags), slice);
        if (acquired && _options.Robust) Volatile.Write(ref _isHeld, 1);
        return acquired;
    }

    /// <summary>One operation on semaphore number 0; false when it would have to wait, or its slice passed.</summary>
    private unsafe bool Operate(string attempt, short change, short flags, TimeSpan? slice, bool triedFast = false)
    {
        var operation = new Sembuf { sem_op = change, sem_flg = flags };
        while (true)
        {
            ThrowIfClosed(IsClosed);
            Opened set = _set;
            int id = set.Id;
            if (change < 0 && set.Tells)
            {
                if (TryTake(set, slice, triedFast) is { } taken) return taken;
                triedFast = false;
                continue; // it is gone, and was made anew
            }

            int result;
            if (slice is { } wait)
            {
                var timeout = new Timespec { tv_sec = wait.Ticks / TimeSpan.TicksPerSecond,
                    tv_nsec = wait.Ticks % TimeSpan.TicksPerSecond * 100 };
                result = Libc.semtimedop(id, &operation, 1, &timeout);
            }
            else
            {
                result = Libc.semop(id, &operation, 1);
            }

            if (result == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            if (number == Errno.EAGAIN) return false;
            if (number == Errno.EINTR)
            {
                if (slice is not null) return false; // the caller knows how much of the deadline is left
                continue;
            }

            if (!SystemVSupport.IsGone(number))
                throw SystemVErrors.UseSemaphore(attempt, Key, slice is null ? "semop" : "semtimedop", number);
            if (GoOnAfterLoss(attempt, change, slice, id, number) is { } answer) return answer;
        }
    }

    /// <summary>The set is gone: what the operation says, or null when it was made anew.</summary>
    private bool? GoOnAfterLoss(string attempt, short change, TimeSpan? slice, int id, int number)
    {
        if (ProcessExit.IsEnding && change > 0) return true; // the set went with its owner at the end of both processes

        // R1 Race: the process ends, or this instance is closed, while its threads wait; the removal wakes them.
        // Safe because: they make nothing anew, which nobody would remove any more, and wait for the end; or they find
        // the instance closed, in the next round.
        if (change < 0 && !IsClosed && (ProcessExit.IsEnding || _removal is { HasBegun: true }))
        {
            if (slice is { } rest) Pause.Microseconds((int)rest.TotalMicroseconds);
            return false;
        }

        // An acquire only tries here: how long the caller waits is known where it sleeps (AwaitReady).
        if (change < 0) return TryRevive(id, number, PeerBound.Once) ? null : false;
        Revive(attempt, id, number, _options.PeerTimeout);
        return null;
    }

    // The set that was found gone while a peer keeps what is under the key from being looked at; -1 for none.
    private volatile int _heldUpId = -1;
    private int _isReviving;
    private Tuple<int, Exception>? _reviveFailure; // of which set

    /// <inheritdoc/>
    public override bool AwaitReady(TimeSpan longest, Wakeup wakeup)
        => _heldUpId is var gone && (gone == -1 || TryRevive(gone, Errno.EIDRM, new PeerBound(_options.PeerTimeout,
            longest == TimeSpan.MaxValue ? Timeout.InfiniteTimeSpan : longest, new Sleeper(this, wakeup))));

    /// <inheritdoc/>
    public override bool Block(TimeSpan longest, Wakeup wakeup)
        => AwaitReady(longest, wakeup) && base.Block(longest, wakeup);

    /// <inheritdoc/>
    /// <remarks>A peer that keeps the set from being made anew is waited for on the pool, as long as anybody waits: it
    /// may be one that has died in the middle, which no try finds out. The first waiter gets a failure, and the next
    /// look begins again for the others, each of which gets its own. A waiter that has just come, and found nobody
    /// before, has not waited for the peer yet.</remarks>
    public override bool TryAcquire(out bool isHeldUp)
    {
        isHeldUp = false;
        if (TryAcquire()) return true;
        if (_heldUpId is var gone && gone == -1) return false;
        Tuple<int, Exception>? failure = Interlocked.Exchange(ref _reviveFailure, null);
        if (!IsAwaited) return false;
        if (failure is not null && failure.Item1 == gone) throw failure.Item2;
        if (Interlocked.Exchange(ref _isReviving, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(static semaphore => semaphore.ReviveElsewhere(), this,
                preferLocal: false);
        return false;
    }

    private void ReviveElsewhere()
    {
        int gone = _heldUpId;
        try
        {
            var bound = new PeerBound(_options.PeerTimeout, Timeout.InfiniteTimeSpan, new Sleeper(this, null));
            if (gone != -1) TryRevive(gone, Errno.EIDRM, bound);
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException
            or PlatformNotSupportedException or InvalidOperationException)
        {
            Volatile.Write(ref _reviveFailure, new(gone, failure));
        }
        finally
        {
            Volatile.Write(ref _isReviving, 0);
        }
    }

    /// <summary>A wait for a peer that is over when the sleeper is woken or this object is disposed; without a wake-up,
    /// when no asynchronous wait is left.</summary>
    private sealed class Sleeper(SystemVSemaphore target, Wakeup? wakeup) : IWaitOwner
    {
        public bool IsDisposed => target.IsClosed;

        public bool IsWoken => wakeup?.IsSet ?? !target.IsAwaited;

        public ObjectDisposedException Disposed() => ClosedError();
    }

    private bool TryRevive(int goneId, int number, in PeerBound bound)
    {
        try
        {
            Revive(Acquiring, goneId, number, bound);
            _heldUpId = -1;
            return true;
        }
        catch (CallersTimeIsOverException)
        {
            _heldUpId = goneId;
            return false;
        }
    }

    private void Revive(string attempt, int goneId, int number, in PeerBound bound)
    {
        using var reports = HeldReports.Begin();
        using ProcessExit.Call call = ProcessExit.Begin(
            Key, owns: _options is { Removal: RemovalPolicy.Default or RemovalPolicy.Creator,
                RemoveAtProcessExit: true }, bound);
        bound.WaitForGate(_gate);
        try
        {
            // R2 Race: several threads find the set gone (EIDRM or EINVAL), and several processes.
            // Safe because: the first thread makes the set anew, and the others find that the id has changed; the file
            // lock lets one process make it, and the others find it.
            ThrowIfClosed(IsClosed);
            if (CurrentId != goneId) return;
            if (_initialCount is not { } count || _removal is { HasBegun: true })
                throw SystemVErrors.UseSemaphore(attempt, Key, "semop", number);
            SystemVSemaphores.Create(Key, count, _options, Existing.Use, bound, out SystemVSet set);
            bool hadMadeKeyFile = _removal?.Forget(set.KeyFile) == true;
            Adopt(set with { MadeKeyFile = set.MadeKeyFile || hadMadeKeyFile });
        }
        finally
        {
            _gate.Exit();
        }
    }

    public override bool TryGetCount(out int count)
    {
        while (true)
        {
            ThrowIfClosed(IsClosed);
            int id = CurrentId;
            count = Libc.semctl(id, 0, Flags.GETVAL);
            if (count != -1) return true;
            int number = Marshal.GetLastPInvokeError();
            if (!SystemVSupport.IsGone(number))
                throw SystemVErrors.UseSemaphore("read the count of the semaphore", Key, "semctl", number);
            Revive("read the count of the semaphore", id, number, _options.PeerTimeout);
        }
    }

    /// <summary>Whether the set was removed.</summary>
    internal bool IsGone => Libc.semctl(CurrentId, 0, Flags.GETVAL) == -1
        && SystemVSupport.IsGone(Marshal.GetLastPInvokeError());

    /// <inheritdoc/>
    /// <remarks>A key file that was made anew has another inode, and newcomers get another key of it.</remarks>
    public override bool WasReplaced
    {
        get
        {
            if (IsGone) return true;
            if (KeyFileIdentity == default) return false;
            int error = Libc.Status(SystemV.KeyFile.Path(Key), followLink: true, out FileStatus now);
            return error == Errno.ENOENT || (error == 0 && now.Identity != KeyFileIdentity);
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Two steps in one operation: the count must be 0, then it becomes 1. A failed create() of Qt sets the count of a
    /// held lock to 1; the plain step would make it 2, and let two in from then on. (If somebody has taken the reset
    /// lock meanwhile, nothing can tell.)
    /// </remarks>
    public override unsafe bool TryUnlock()
    {
        Opened set = _set;
        if (set.Tells) return TryReleaseFast(set) || TryRelease(set);
        Sembuf* steps = stackalloc Sembuf[2];
        steps[0] = new Sembuf { sem_flg = (short)Flags.IPC_NOWAIT };
        steps[1] = new Sembuf { sem_op = 1, sem_flg = _releaseFlags };
        while (Libc.semop(set.Id, steps, 2) != 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (number == Errno.EAGAIN || SystemVSupport.IsGone(number)) return false;
            if (number != Errno.EINTR)
                throw SystemVErrors.UseSemaphore("release the lock of the segment", Key, "semop", number);
        }

        return true;
    }

    /// <summary>Whether this process did the last operation that succeeded: on a lock that is taken, whether it is the
    /// holder.</summary>
    internal bool WasLastUsedByThisProcess => Libc.semctl(CurrentId, 0, Flags.GETPID) == Environment.ProcessId;

    /// <summary>Removes the set, if it is still there.</summary>
    internal void RemoveNow() => SystemVSupport.RemoveSemaphore("remove the lock of the segment", Key, CurrentId);

    /// <inheritdoc/>
    /// <remarks>The lock of a segment is closed by the segment.</remarks>
    protected override bool NoticesDrop => GivesBackAtClose;

    protected override void Close()
    {
        using var reports = HeldReports.Begin();
        lock (_gate) _removal?.Perform();
    }
}
