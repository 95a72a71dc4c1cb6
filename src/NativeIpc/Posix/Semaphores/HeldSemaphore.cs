using System.Diagnostics;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>
/// A POSIX semaphore of one permit whose holder is known (<see cref="LockWord"/>), so that the next one gets it when
/// the holder was killed. Linux with glibc, beside peers that use <c>sem_wait(3)</c> and <c>sem_post(3)</c> and know
/// nothing of it.
/// </summary>
/// <remarks>
/// A holder is dead when nobody has its slot locked (<see cref="HolderSlots"/>). One without a mark, a peer's, is dead
/// when the kernel says that nobody else has the file open (<see cref="SteppingAside"/>). The comments at each
/// <see cref="StopPoint"/> say what the next process finds when this one dies there; the tests kill one at each.
/// </remarks>
internal sealed partial class HeldSemaphore : MappedSemaphore
{
    private const string Taking = "take the lock";

    private readonly Lock _gate; // keeps threads of this handle apart, which record locks do not
    private readonly SteppingAside? _aside;
    private readonly UnixDescriptor _file;
    private int _slot = -1;
    private bool _hearsOfDeaths = true;
    private bool _tookOver;

    /// <summary>Takes over the page and the descriptor.</summary>
    internal HeldSemaphore(in NativeIpcKey key, nint page, UnixDescriptor file, FileIdentity identity, Origin origin,
        LockRecovery recovery)
        : base(key, PosixSemaphoreHandle.Mapped(page), identity, origin)
    {
        Debug.Assert(recovery != LockRecovery.None);
        _file = file;
        try
        {
            ClaimSlot(recovery);
        }
        catch
        {
            _ = UnmapPage();
            _file.Dispose();
            GC.SuppressFinalize(this);
            throw;
        }

        _aside = _slot < 0 ? null : new SteppingAside(key, page, file, _slot, identity);
        _gate = _aside?.Gate ?? new();
        if (_aside is not null) LockAttendant.Add(_aside);
    }

    ~HeldSemaphore() => CloseElsewhere(_file); // to come back from aside is to wait, too

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    /// <summary>Whether there are such semaphores here.</summary>
    internal static bool IsOffered => PosixNames.s_areFiles && GlibcSemaphore.s_isOffered;

    private protected override UnixDescriptor? File => _file;

    public override bool TookOver => _tookOver;

    public override bool NeedsLooks => true;

    private uint Mark => LockWord.MarkOf(_slot);

    private bool IsAway => _aside is { IsAway: true };

    private protected override void OpenFastPath()
    {
        if (_slot >= 0) _step.Open(Page, GlibcSemaphore.Free.Value, GlibcSemaphore.Free.With(0, Mark).Value);
    }

    public override bool TryAcquire()
    {
        if (TryAcquireByStep()) return true;
        using Use use = BeginUse();
        nint page = use.Page;
        return TryTake(page, out GlibcSemaphore.Word seen) || TryRecover(page, seen);
    }

    public override bool TryAcquireFast()
    {
        if (TryAcquireByStep()) return true;
        using Use use = BeginUse();
        return TryTake(use.Page);
    }

    /// <inheritdoc/>
    public override bool TryAcquire(out bool isHeldUp)
    {
        isHeldUp = false;
        if (TryAcquireByStep()) return true;
        using Use use = BeginUse();
        nint page = use.Page;
        if (TryTake(page, out GlibcSemaphore.Word seen)) return true;
        isHeldUp = _aside is not null && seen is { Count: 0, Mark: LockWord.Away };
        if (!isHeldUp) return TryRecover(page, seen);
        _aside!.ThrowIfLost();
        return false;
    }

    /// <inheritdoc/>
    public override void AwaitMoment()
    {
        if (!TryBeginUse()) return;
        _ = _aside?.TryReturnIfOver();
        EndUse();
    }

    private bool TryAcquireByStep()
    {
        if (!TryTakeFast()) return false;
        if (_tookOver) _tookOver = false; // of an earlier taking
        return true;
    }

    public override bool Block(TimeSpan slice) => Block(slice, Wakeup.Begin());

    /// <inheritdoc/>
    /// <remarks>The end of the process that the holder's slot notes wakes the sleeper; but the note may be of another
    /// PID namespace, so it also looks after a slice, soon at first.</remarks>
    public override bool Block(TimeSpan longest, Wakeup wakeup)
    {
        using Use use = BeginUse();
        nint page = use.Page;
        if (TryTake(page, out GlibcSemaphore.Word seen) || TryRecover(page, seen)) return true;
        TimeSpan slice = wakeup.NextSlice();
        using SleepWatch.Watch hint = SleepWatch.EndOf(wakeup.IsFirstSlice ? 0 : OtherHolder(page, seen), wakeup);
        return Sleep(page, longest < slice ? longest : slice, wakeup, Taking) || TryTake(page, out seen)
            || TryRecover(page, seen);
    }

    /// <inheritdoc/>
    public override int HolderToWatch => OtherHolder(Page, GlibcSemaphore.Look(Page));

    private static int OtherHolder(nint page, GlibcSemaphore.Word seen)
        => LockWord.HolderOf(seen) is { } slot && HolderSlots.ReadProcess(page, slot) is var holder
            && holder != Environment.ProcessId ? holder : 0;

    private protected override bool TryTake(nint page) => TryTake(page, out _);

    private bool TryTake(nint page, out GlibcSemaphore.Word seen)
    {
        if (!LockWord.TryTake(page, Mark, out seen)) return false;
        _aside?.Pacing.End();
        _tookOver = seen.Mark == LockWord.Abandoned && TellTakeover();
        return true;
    }

    /// <summary>Takes the lock over if its holder is dead: one of this library, or one without a mark.</summary>
    private bool TryRecover(nint page, GlibcSemaphore.Word seen)
    {
        if (seen.Count != 0 || seen.Mark == Mark) return false;
        if (LockWord.IsHeldByUnknown(seen))
        {
            FreeIfAlone(page);
            return TryTake(page);
        }

        if (seen.Mark == LockWord.Away)
        {
            _aside?.ThrowIfLost();
            return _aside is not null && _aside.TryReturnIfOver()
                && (TryTake(page, out seen) || (seen.Mark != LockWord.Away && TryRecover(page, seen)));
        }

        _aside?.Pacing.End();
        return _hearsOfDeaths && LockWord.HolderOf(seen) is { } slot && TryTakeOver(page, slot);
    }

    private bool TryTakeOver(nint page, int slot)
    {
        // R1 Race: two threads of this handle recover. Safe because: the gate lets one in at a time.
        lock (_gate)
        {
            // A refusal may pass: the next look tries again.
            if (IsAway || !HolderSlots.TryLock(Key, _file, slot, out _)) return false;
            try
            {
                // R2 Race: two processes find the same dead holder, or a new one claims its slot. Safe because: both
                // need the slot's lock, and a claimer repairs the word before it uses the slot; so a mark that is
                // compared under its slot's lock is never that of a living holder.
                StopPoint.At("recover.locked"); // death: the dead holder's mark still; its slot is free again
                _tookOver = LockWord.TryTakeOver(page, LockWord.MarkOf(slot), Mark) && TellTakeover();
                return _tookOver;
            }
            finally
            {
                HolderSlots.Unlock(_file, slot);
                StopPoint.At("recover.done"); // death: as take.done
            }
        }
    }

    /// <summary>
    /// Frees a lock whose holder left no mark, if the kernel says that nobody else has it open. If others have, asks
    /// those of this library to step aside, once in a while.
    /// </summary>
    /// <remarks>A handle without a slot does not: its own permit looks like that of a peer.</remarks>
    private void FreeIfAlone(nint page)
    {
        if (!TakesOverUnknown) return;
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (_aside is null || !LockWord.IsHeldByUnknown(GlibcSemaphore.Look(page))) return;
            long now = Environment.TickCount64;
            if (!_aside.Pacing.Look(now) || _aside.IsAsking) return;
            int number = LockWord.FreeIfLeased(page, _file);
            if (number == 0)
            {
                _aside.Pacing.End();
                return;
            }

            _aside.Pacing.Asking(now);
            if (number == Errno.EAGAIN) LockAttendant.Ask(_aside);
        }
    }

    public override bool TryUnlock() => GiveBack() is not false; // closed meanwhile: then closing has given it back

    /// <inheritdoc/>
    public override void Abandon()
    {
        ThrowIfClosed(IsClosed);
        bool? given = GiveBackSlow(LockWord.Abandoned);
        ThrowIfClosed(given is null);
        if (given == false) throw Failure.NotHeld(Key, 1);
    }

    /// <summary>Takes the permit of a lock that no peer can know yet.</summary>
    internal void TakeAtFirst()
    {
        bool isTaken = LockWord.TryTake(Page, Mark, out _);
        Debug.Assert(isTaken);
    }

    /// <summary>Gives the permit back; false when this handle does not hold it, since a peer has reset it; null when
    /// the handle is closed.</summary>
    private bool? GiveBack() => TryGiveFast() ? true : GiveBackSlow(left: 0);

    private bool? GiveBackSlow(uint left)
    {
        if (!TryBeginUse()) return null;
        try
        {
            while (true)
            {
                if (LockWord.TryGive(Page, Mark, out GlibcSemaphore.Word seen, left)) return true;
                if (seen.Mark != LockWord.Away) return false; // reset by a peer, which may have let somebody else in

                // R3 Race: the holder gives back while the pages are exchanged (SteppingAside R1). Safe because: under
                // the gate the true page is back, or known: it is kept when there was no memory to put it back.
                lock (_gate)
                {
                    if (IsAway) return _aside!.Kept is not 0 and nint kept && LockWord.TryGive(kept, Mark, out _, left);
                }
            }
        }
        finally
        {
            EndUse();
        }
    }

    public override void Release(int count)
    {
        ThrowIfClosed(IsClosed);
        bool? given = count == 1 ? GiveBack() : false;
        if (given == true) return;
        ThrowIfClosed(given is null);
        throw Failure.NotHeld(Key, count);
    }

    /// <inheritdoc/>
    public override void ReturnPermit()
    {
        if (!TryUnlock()) throw Failure.NotHeld(Key, 1);
    }

    public override bool TryGetCount(out int count)
    {
        using Use use = BeginUse();
        count = (int)LookHere(use.Page).Count;
        return true;
    }

    public override LockStatus GetStatus()
    {
        using Use use = BeginUse();
        nint page = use.Page;
        GlibcSemaphore.Word seen = LookHere(page);
        if (seen.Count > 0) return new(LockHolder.Nobody, null, IsRecoverable: _slot >= 0);
        if (LockWord.HolderOf(seen) is not { } slot)
        {
            var unknown = new LockStatus(LockHolder.Unknown, null, IsRecoverable: _slot >= 0);
            return _aside is null ? unknown : StoppedUsers.AddTo(unknown, _aside);
        }

        return _hearsOfDeaths ? StatusOfHolder(page, slot)
            : new(LockHolder.CannotTell, null, IsRecoverable: false);
    }

    private LockStatus StatusOfHolder(nint page, int slot)
    {
        int process;
        bool lives;
        lock (_gate)
        {
            if (IsAway) return new(LockHolder.Unknown, null, IsRecoverable: true); // since the look
            process = HolderSlots.ReadProcess(page, slot);
            lives = slot == _slot || HolderSlots.IsAlive(_file, slot);
        }

        // The number of a process says nothing where PID namespaces differ. Slots do: each belongs to one handle.
        return new(lives ? LockHolder.Process : LockHolder.DeadProcess, process == 0 ? null : process,
            IsRecoverable: true)
        {
            IsHeldByThisInstance = slot == _slot,
            IsHeldByThisProcess = slot == _slot
                || LockAttendant.OpenOnes(Identity).Exists(handle => handle.Slot == slot),
        };
    }

    /// <summary>The word, of the true page if it can be had.</summary>
    private GlibcSemaphore.Word LookHere(nint page)
    {
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
        return seen.Mark == LockWord.Away && _aside is not null && _aside.TryReturnIfOver()
            ? GlibcSemaphore.Look(page) : seen;
    }

    internal override void SetCount(int count)
    {
        using Use use = BeginUse();
        var backoff = new Backoff(Timeout.InfiniteTimeSpan);
        while (true)
        {
            lock (_gate)
            {
                if (!IsAway)
                {
                    GlibcSemaphore.SetCount(use.Page, (uint)count);
                    return;
                }
            }

            _aside!.ThrowIfLost();
            backoff.Pause();
        }
    }

    private protected override Action<nint>? AtTheEnd => GivesBackAtClose && _slot >= 0 ? GiveBackWhatIsLeft : null;

    private void GiveBackWhatIsLeft(nint page) => _ = LockWord.TryGive(page, Mark, out _);

    private protected override Action? ReturnToFile => _aside is null ? null : Returning(_aside);

    private static Action Returning(SteppingAside aside) => () => Return(aside);

    private static void Return(SteppingAside aside)
    {
        LockAttendant.Forget(aside);
        aside.Close();
    }

    private protected override void BeforeUnmapping()
    {
        if (_aside is not null) Return(_aside);
    }

    private protected override void CloseFiles()
    {
        // The slot goes with the file. Where a late thread may still set this handle's mark, both stay until the object
        // is collected, so that the mark never becomes another handle's.
        bool isOver = UnmapPage();
        MarkNoUse(_file);
        if (isOver) _file.Dispose();
    }
}
