using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Users;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;

namespace NativeIpc.Posix.Events;

/// <summary>An open POSIX event: its page, and sleeping on its word.</summary>
/// <remarks>Calls count themselves in, or after some uses take the page's address without that, as those of a semaphore
/// do (MappedSemaphore): Dispose takes the address back, and a page stands in for it that says
/// <see cref="GlibcSemaphore.Gone"/> to threads that have read it before.</remarks>
internal sealed unsafe class PosixEvent : EventObject
{
    private const int UsesBeforePromotion = 16;

    private static readonly TimeSpan s_longestRemoval = TimeSpan.FromSeconds(1);

    private readonly PosixSemaphoreHandle _handle;
    private PosixRemoval? _removal;
    private PosixLastOut? _lastOut;
    private nint _fastAddress;
    private int _uses;
    private int _counted;
    private volatile bool _isPromoted;
    private StandInPage? _standIn;
    private NameWatch? _nameWatch;

    internal PosixEvent(in NativeIpcKey key, nint page, FileIdentity identity, Origin origin, EventResetMode mode)
        : base(key, mode)
    {
        _handle = PosixSemaphoreHandle.Mapped(page);
        Identity = identity;
        CreatedNew = origin == Origin.Made;
    }

    ~PosixEvent()
    {
        if (_removal is not null || _lastOut is not null) CloseElsewhere(null);
        else Close(); // unmaps, which waits for nobody
    }

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    /// <summary>The file behind it.</summary>
    internal FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity.ToString();

    /// <inheritdoc/>
    public override bool WasReplaced
    {
        get
        {
            if (Volatile.Read(ref _nameWatch) is { } watch) return watch.HasChanged;
            watch = NameWatch.TryWatch(PosixNames.FileOf(Key, IpcObjectKind.SystemEvent), Identity);
            if (watch is null) return false;

            // R7 Race: two callers begin a watch. Safe because: one that was never asked holds nothing of the system.
            return (Interlocked.CompareExchange(ref _nameWatch, watch, null) ?? watch).HasChanged;
        }
    }

    public override bool AreTriesDear => false;

    public override nint WaitWord => _handle.Address;

    private nint FastAddress => Volatile.Read(ref _fastAddress);

    /// <summary>Takes over the duty for the name. Called when it is certain that the object is this
    /// instance's.</summary>
    internal void TakeDuty(RemovalDuty duty)
    {
        Debug.Assert(_removal is null && _lastOut is null);
        if (duty.Policy == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(Key, IpcObjectKind.SystemEvent, lockKey: default, Identity, s_longestRemoval,
                _handle.Address, EventWord.Size, file: null);
            if (duty.AtProcessExit) ProcessExit.Add(_lastOut);
        }
        else if (duty.Policy == RemovalPolicy.Creator)
        {
            _removal = new PosixRemoval(Key, IpcObjectKind.SystemEvent, lockKey: default, Identity, s_longestRemoval);
            if (duty.AtProcessExit) ProcessExit.Add(_removal);
        }
    }

    public override void Set()
    {
        nint address = FastAddress;
        if (address == 0 || !EventWord.TrySetFast(address, ResetMode)) SetSlow();
        GC.KeepAlive(this);
    }

    private void SetSlow()
    {
        using Use use = BeginUse();
        EventWord.Set(use.Page, ResetMode);
    }

    public override void Reset()
    {
        nint address = FastAddress;

        // R1 Race: Dispose has put another page there. Safe because: that one is not set and says Gone.
        if (address == 0 || !EventWord.TryReset(address)) ResetSlow();
        GC.KeepAlive(this);
    }

    private void ResetSlow()
    {
        using Use use = BeginUse();
        EventWord.TryReset(use.Page);
    }

    /// <summary>Sets or resets it for a fresh start: of auto reset also what dead waiters were given goes.</summary>
    internal void SetAnew(bool isSet)
    {
        using Use use = BeginUse();
        if (ResetMode == EventResetMode.AutoReset) EventWord.SetAnew(use.Page, isSet);
        else if (isSet) EventWord.Set(use.Page, ResetMode);
        else EventWord.TryReset(use.Page);
    }

    public override bool TryGetIsSet(out bool isSet)
    {
        isSet = EventWord.IsSet(State());
        return true;
    }

    public override uint Look() => ResetMode == EventResetMode.AutoReset ? 0 : State();

    private uint State()
    {
        nint address = FastAddress;
        uint seen = address == 0 ? 0 : EventWord.Look(address);

        // R2 Race: Dispose has put another page there before the look. Safe because: it takes the address back first.
        if (FastAddress == 0) seen = StateSlow();
        GC.KeepAlive(this);
        return seen;
    }

    private uint StateSlow()
    {
        using Use use = BeginUse();
        return EventWord.Look(use.Page);
    }

    public override bool TryWait(out uint seen)
    {
        if (ResetMode == EventResetMode.ManualReset) return EventWord.IsSet(seen = Look());
        seen = 0;
        return TryTake(0, isWaiter: false);
    }

    public override bool TryTake(uint seen, bool isWaiter)
    {
        if (ResetMode == EventResetMode.ManualReset) return EventWord.IsFreed(seen, Look());
        nint address = FastAddress;
        bool taken = address != 0 && !isWaiter && EventWord.TryTake(address, isWaiter: false);
        if (!taken && IsCountedInVain) isWaiter = true;

        // R3 Race: as in R2; nothing can be taken of a page that says Gone but by a waiter.
        if (!taken && (isWaiter || FastAddress == 0)) taken = TryTakeSlow(isWaiter);
        GC.KeepAlive(this);
        return taken;
    }

    private bool TryTakeSlow(bool isWaiter)
    {
        using Use use = BeginUse();
        return EventWord.TryTake(use.Page, isWaiter);
    }

    private bool TryTakeAs(nint page, uint seen)
        => ResetMode == EventResetMode.ManualReset ? EventWord.IsFreed(seen, EventWord.Look(page))
            : EventWord.TryTake(page, isWaiter: true);

    /// <summary>Whether a thread is counted for asynchronous waits that are over, since it has not heard of that yet:
    /// what it is given, nobody waits for.</summary>
    private bool IsCountedInVain => Volatile.Read(ref _counted) > 0 && !IsAwaited;

    /// <inheritdoc/>
    public override void AddWaiter()
    {
        Interlocked.Increment(ref _counted); // first: as long as it is counted in the word, it is counted here
        EventWord.AddWaiter(_handle.Address);
    }

    /// <inheritdoc/>
    public override void RemoveWaiter()
    {
        EventWord.RemoveWaiter(_handle.Address, ResetMode, passesOn: true);
        Interlocked.Decrement(ref _counted);
    }

    public override bool Block(uint seen, TimeSpan longest, Wakeup wakeup)
    {
        using Use use = BeginUse();
        nint page = use.Page;
        bool isBounded = longest != TimeSpan.MaxValue;
        Timespec until = isBounded ? Timespec.After(longest, Flags.CLOCK_MONOTONIC) : default;
        bool isFree = false;
        EventWord.AddWaiter(page);
        StopPoint.At("event.joined"); // death: a waiter too many for ever, which costs each later Set a call
        try
        {
            while (true)
            {
                // R4 Race: it is set between the look and the sleep. Safe because: the word has another value then, and
                // the kernel does not sleep. R5 Race: it is woken and does not take, since it is to go. Safe because:
                // it looks once more after each sleep; what comes after that is for no sleeper, and the one who gives
                // sees in the kernel's answer that it woke nobody.
                isFree = TryTakeAs(page, seen);
                if (isFree)
                {
                    StopPoint.At("event.taken"); // death: as that of a thread that was freed
                    return true;
                }

                ThrowIfClosed(IsClosed);
                if (wakeup.IsSet) return false;
                int number = wakeup.Sleep(this, (uint*)page, isBounded ? &until : null, seen);
                StopPoint.At("event.up"); // death: as event.joined; what it was given, the next waiter takes
                if (number == Errno.ETIMEDOUT)
                {
                    isFree = TryTakeAs(page, seen);
                    return isFree;
                }

                if (number != 0 && number != Errno.EAGAIN && number != Errno.EINTR)
                    throw PosixErrors.Unknown("wait for the event", Key, "futex", number);
            }
        }
        finally
        {
            EventWord.RemoveWaiter(page, ResetMode, passesOn: !isFree);
            StopPoint.At("event.left"); // death: as event.taken, if it took
        }
    }

    /// <summary>Counts the caller in.</summary>
    /// <exception cref="ObjectDisposedException">Closed, or being closed.</exception>
    private Use BeginUse()
    {
        ThrowIfClosed(IsClosed || !TryBeginUse());
        if (!_isPromoted && ++_uses >= UsesBeforePromotion && StandInPage.Count < StandInPage.Most
            && GlibcSemaphore.ExchangesAtOnce && !StopPoint.IsOn)
            Promote();
        return new Use(this);
    }

    /// <summary>Counts its caller out at the end.</summary>
    private readonly ref struct Use(PosixEvent owner) : IDisposable
    {
        public nint Page => owner._handle.Address;

        public void Dispose() => owner.EndUse();
    }

    private void Promote()
    {
        _isPromoted = true; // before the address is out: Close reads it after the caller's EndUse
        if (ResetMode == EventResetMode.AutoReset)
            _step.Open(_handle.Address, EventWord.SetAlone, EventWord.UnsetAlone);
        Interlocked.Exchange(ref _fastAddress, _handle.Address);

        // R6 Race: Dispose comes meanwhile. Safe because: Dispose sets IsClosed and then takes the address back, this
        // gives it out and then reads IsClosed, with full barriers between: one of the two takes it back last.
        if (IsClosed) CloseFastPath();
    }

    private void CloseFastPath()
    {
        Volatile.Write(ref _fastAddress, 0);
        _step.Close();
    }

    protected override void EndWaits()
    {
        CloseFastPath();
        SleepWatch.WakeAll(_handle.Address);
    }

    protected override void Close()
    {
        _removal?.Perform(); // first of all, while the mapped page pins its inode number
        if (_lastOut is null) UnmapPage();
        else _lastOut.Close(static closed => closed.UnmapPage(), this);
    }

    private void UnmapPage()
    {
        Debug.Assert(!IsClosed || (FastAddress == 0 && !_step.IsOpen));
        _nameWatch?.Dispose();

        // Not closed: then this is the finalizer, and no thread can come late.
        if (!_isPromoted || !IsClosed) _handle.Close();
        else _standIn = StandInPage.Replace(_handle, Identity, atTheEnd: null);
        Debug.Assert(_standIn is null || _isPromoted);
    }
}
