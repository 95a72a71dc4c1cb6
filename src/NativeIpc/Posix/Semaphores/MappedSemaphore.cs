using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Users;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;

namespace NativeIpc.Posix.Semaphores;

/// <summary>What all POSIX semaphores share: the page, its counted users, sleeping on the word, the name's removal, and
/// unmapping the page under threads that may still touch it.</summary>
/// <remarks>
/// An operation counts itself in and out (<see cref="WaitObject.TryBeginUse"/>), so that Close comes after the
/// last one. That costs as much as the operation itself. So after some uses the object is promoted (Linux with glibc):
/// <see cref="FastAddress"/>, for a lock its <see cref="FastStep"/>, has the page's address from then on, and
/// operations of one step use it without counting. Dispose sets it back to 0, and a <see cref="StandInPage"/> serves
/// threads that have read it before.
/// </remarks>
internal abstract unsafe class MappedSemaphore : SemaphoreObject
{
    private const int UsesBeforePromotion = 16;

    private static readonly TimeSpan s_longestRemoval = TimeSpan.FromSeconds(1);

    private readonly PosixSemaphoreHandle _handle;
    private PosixRemoval? _removal;
    private PosixLastOut? _lastOut;
    private nint _fastAddress;
    private int _uses;
    private volatile bool _isPromoted;
    private StandInPage? _standIn;
    private NameWatch? _nameWatch;

    private protected MappedSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity,
        Origin origin)
        : base(key)
    {
        _handle = handle;
        HasWord = SemaphoreFile.HasGlibcWord(key);
        Identity = identity;
        CreatedNew = origin == Origin.Made;
    }

    /// <summary>Whether its page begins with glibc's word.</summary>
    private protected bool HasWord { get; }

    /// <summary>The file behind it; all zero where there is none.</summary>
    internal FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity == default ? "" : Identity.ToString();

    /// <inheritdoc/>
    public override bool WasReplaced
    {
        get
        {
            if (Identity == default) return false;
            if (Volatile.Read(ref _nameWatch) is { } watch) return watch.HasChanged;
            watch = NameWatch.TryWatch(PosixNames.SemaphoreFile(PosixNames.Native(Key)), Identity);
            if (watch is null) return false;

            // R1 Race: two callers begin a watch. Safe because: one that was never asked holds nothing of the system.
            return (Interlocked.CompareExchange(ref _nameWatch, watch, null) ?? watch).HasChanged;
        }
    }

    /// <summary>The descriptor that it keeps besides the page; null for none.</summary>
    private protected virtual UnixDescriptor? File => null;

    /// <summary>Takes over the duty for the name. Called when it is certain that the object is this instance's: one
    /// that fails before closes what it has open, and removes no name.</summary>
    internal void TakeDuty(RemovalDuty duty)
    {
        Debug.Assert(_removal is null && _lastOut is null);
        if (duty.Policy == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(Key, IpcObjectKind.SystemSemaphore, lockKey: default, Identity,
                s_longestRemoval, Page, Layout.SizeOfSemT, File, ReturnToFile);
            Debug.Assert(ReturnToFile?.Target is not SemaphoreObject);
            if (duty.AtProcessExit) ProcessExit.Add(_lastOut);
        }
        else if (duty.Policy == RemovalPolicy.Creator)
        {
            _removal = new PosixRemoval(Key, IpcObjectKind.SystemSemaphore, lockKey: default, Identity,
                s_longestRemoval);
            if (duty.AtProcessExit) ProcessExit.Add(_removal);
        }
    }

    /// <summary>Whether closing may have to wait for others.</summary>
    private protected bool HasDuty => _removal is not null || _lastOut is not null;

    /// <summary>Comes back to the true page and file for good, if it has stepped aside; null where none does. Does not
    /// refer to this object: the duties of the end of the process have it, and would keep an object that was
    /// dropped.</summary>
    private protected virtual Action? ReturnToFile => null;

    /// <summary>Sets the count in place, while others may be using the semaphore.</summary>
    internal abstract void SetCount(int count);

    /// <summary>The address for operations of one step; 0 before the promotion and after Dispose.</summary>
    private protected nint FastAddress => Volatile.Read(ref _fastAddress);

    /// <summary>The address for a counted user.</summary>
    private protected nint Page => _handle.Address;

    public override bool AreTriesDear => false;

    public override nint WaitWord => HasWord ? Page : 0;

    /// <inheritdoc/>
    public override void AddWaiter() => GlibcSemaphore.AddWaiter(WaitWord);

    /// <inheritdoc/>
    public override void RemoveWaiter() => GlibcSemaphore.RemoveWaiter(WaitWord);

    /// <summary>Counts the caller in.</summary>
    /// <exception cref="ObjectDisposedException">Closed, or being closed.</exception>
    private protected Use BeginUse()
    {
        ThrowIfClosed(IsClosed || !TryBeginUse());
        if (!_isPromoted && ++_uses >= UsesBeforePromotion && StandInPage.Count < StandInPage.Most && _handle.IsMapping
            && HasWord && GlibcSemaphore.ExchangesAtOnce && !StopPoint.IsOn)
            Promote();
        return new Use(this);
    }

    /// <summary>Counts its caller out at the end.</summary>
    private protected readonly ref struct Use(MappedSemaphore semaphore) : IDisposable
    {
        public nint Page => semaphore.Page;

        public void Dispose() => semaphore.EndUse();
    }

    private void Promote()
    {
        _isPromoted = true; // before the address is out: Close reads it after the caller's EndUse
        Volatile.Write(ref _countPlace, (nint)GlibcSemaphore.SleepingPlace(Page));
        OpenFastPath();

        // R2 Race: Dispose comes meanwhile. Safe because: Dispose sets IsClosed and then closes the fast path, this
        // opens it and then reads IsClosed, with full barriers between: one of the two closes it last.
        if (IsClosed) CloseFastPath();
    }

    /// <summary>Lets operations of one step use the address. A full barrier.</summary>
    private protected virtual void OpenFastPath() => Interlocked.Exchange(ref _fastAddress, Page);

    private void CloseFastPath()
    {
        Volatile.Write(ref _countPlace, 0);
        Volatile.Write(ref _fastAddress, 0);
        _step.Close();
    }

    protected override void EndWaits()
    {
        CloseFastPath();
        SleepWatch.WakeAll((nint)GlibcSemaphore.SleepingPlace(Page));
    }

    /// <summary>Takes the permit, as a waiter.</summary>
    private protected abstract bool TryTake(nint page);

    /// <summary>Whether something else than the count kept the last try from taking a permit, so that sleeping on the
    /// word makes no sense.</summary>
    private protected virtual bool IsHeldUp => false;

    /// <summary>Sleeps until a permit is taken (true), the time has passed or the wake-up is set. The caller is counted
    /// in.</summary>
    private protected bool Sleep(nint page, TimeSpan longest, Wakeup wakeup, string attempt)
    {
        bool isBounded = longest != TimeSpan.MaxValue;
        Timespec until = isBounded ? Timespec.After(longest, Flags.CLOCK_MONOTONIC) : default;
        GlibcSemaphore.AddWaiter(page);
        StopPoint.At("wait.joined"); // death: a waiter too many for ever, which costs each later release a call
        try
        {
            while (true)
            {
                if (TryTake(page))
                {
                    StopPoint.At("wait.taken"); // death: as take.done
                    return true;
                }

                ThrowIfClosed(IsClosed);
                if (wakeup.IsSet || IsHeldUp) return false;
                int number = wakeup.Sleep(this, GlibcSemaphore.SleepingPlace(page), isBounded ? &until : null);

                // death: as wait.joined; the next slice of a waiter, or the next handle, makes a lost wake-up good
                StopPoint.At("wait.woken");
                if (number == Errno.ETIMEDOUT) return TryTake(page);
                if (number != 0 && number != Errno.EAGAIN && number != Errno.EINTR)
                    throw PosixErrors.Unknown(attempt, Key, "futex", number);
            }
        }
        finally
        {
            GlibcSemaphore.RemoveWaiter(page);
            StopPoint.At("wait.left"); // death: as take.done, if it took
        }
    }

    /// <summary>What is still to be done with the word when no operation of this object can change it any more; null
    /// for nothing.</summary>
    private protected virtual Action<nint>? AtTheEnd => null;

    /// <summary>Performs the duty of a creator. First of all, while the open object still pins its inode
    /// number.</summary>
    private protected void RemoveName() => _removal?.Perform();

    /// <summary>Unmaps the page. Called once, when nobody is counted in.</summary>
    /// <returns>False when a thread that comes late may still change the true word, until this object is
    /// collected.</returns>
    private protected bool UnmapPage()
    {
        Debug.Assert(!IsClosed || (FastAddress == 0 && !HasFastPath));
        _nameWatch?.Dispose();

        // Not closed: then this is the finalizer, and no thread can come late.
        if (!_isPromoted || !IsClosed)
        {
            _handle.Close();
            return true;
        }

        _standIn = StandInPage.Replace(_handle, Identity, AtTheEnd);
        return _standIn.IsInPlace;
    }

    /// <summary>Says of a descriptor that it is no use any more, if others may ask for that.</summary>
    private protected void MarkNoUse(UnixDescriptor file)
    {
        if (_lastOut is not null) NoUseMark.Set(file);
    }

    protected override void Close()
    {
        RemoveName();
        BeforeUnmapping();
        if (_lastOut is null) CloseFiles();
        else _lastOut.Close(static semaphore => semaphore.CloseForLastOut(), this);
    }

    /// <summary>What has to be done while the page is the true one, and may wait.</summary>
    private protected virtual void BeforeUnmapping()
    {
    }

    /// <summary>Unmaps the page and closes the descriptors.</summary>
    private protected virtual void CloseFiles() => UnmapPage();

    private void CloseForLastOut()
    {
        CloseFiles();
        ReleaseKept(); // or the look for other users would find this descriptor
        Debug.Assert(File is null or { IsClosed: true } || _standIn is { IsInPlace: false });
    }
}
