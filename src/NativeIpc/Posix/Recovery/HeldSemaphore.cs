using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Recovery;

/// <summary>
/// A POSIX semaphore of one permit whose holder is known, so that the next one gets it when the holder was killed.
/// Linux with glibc, beside peers that use <c>sem_wait(3)</c> and <c>sem_post(3)</c> and know nothing of it.
/// </summary>
/// <remarks>
/// <para>The holder's mark stands in the semaphore's own word (<see cref="GlibcSemaphore.Word"/>), so taking the permit
/// and saying who has it is one exchange, and so is giving it back. There is no moment at which a dead holder of ours
/// looks like a foreign one. Marks: 0 nobody, or somebody who leaves none; 1 to 500 slot 0 to 499
/// (<see cref="HolderSlots"/>); 511 the last holder died, and the next one of ours is told.</para>
/// <para>Where a process can die, and what the next one finds (the names are those of StopPoint):
/// <c>claim.before</c>, <c>claim.locked</c>, <c>claim.noted</c>: a free slot. <c>take.before</c>: the semaphore as it
/// was. <c>take.done</c>, <c>unlock.before</c>: count 0 and the mark of a slot that nobody has locked: it takes over,
/// and is told. <c>wait.joined</c>, <c>wait.woken</c>: one waiter too many in the word for ever, which costs later
/// releases a call; the wake-up that the dead one got and did not pass on is made good by the next slice of a waiter of
/// ours, or the next handle of ours that is opened. <c>wait.taken</c>: as <c>take.done</c>. <c>wait.left</c>: the same.
/// <c>unlock.done</c>: count 1; sleepers are not woken yet: as <c>wait.woken</c>. <c>unlock.woken</c>: nothing.
/// <c>recover.locked</c>: the dead holder's mark still; its slot is free again. <c>recover.taken</c>: its own mark, and
/// it is dead itself: taken over again, told again. <c>recover.done</c>: as <c>take.done</c>. <c>repair.before</c>: the
/// dead holder's mark; the slot is free again. <c>repair.done</c>: count 1 and mark 511. <c>prove.leased</c>: as it
/// was; the lease goes with the process. <c>prove.repaired</c>: count 1 and mark 511. More of them, of a handle that
/// lets go for a moment, in <see cref="SteppingAside"/>. The direct steps (<see cref="MappedSemaphore"/>) are the same
/// exchanges, and have no point between them: a process dies before or after one.</para>
/// <para>Interleavings. (1) Two take at once: one exchange succeeds. (2) Two find the same dead holder: who has its
/// slot's lock goes on, and looks again with the lock in hand. (3) A new process becomes the dead holder's slot: it
/// cannot while another one recovers, since that one has the slot's lock; before it uses the slot it repairs a word
/// that still has the mark. So a mark that is compared under its slot's lock is never that of a living one. (4) Two
/// threads of one handle recover: the record lock does not keep them apart, the gate does. (5) A peer takes or gives by
/// the C library meanwhile: the exchange fails and the turn begins again. (6) A peer resets the word or releases too
/// often: the mark is gone or the count not 0, and unlocking leaves it and says so. (7) A thread proves that this
/// handle is alone while another one of the handle takes: the word then has the handle's mark, or its count is 1, and
/// the proof exchanges only a word with neither. A process that comes meanwhile is held up by the kernel until the
/// lease is dropped.</para>
/// </remarks>
internal sealed partial class HeldSemaphore : MappedSemaphore
{
    private const uint Abandoned = GlibcSemaphore.MaximumMark;
    private const string Taking = "take the lock";

    private readonly Lock _checks;
    private readonly SteppingAside? _aside;
    private PosixRemoval? _removal;
    private PosixLastOut? _lastOut;
    private readonly UnixDescriptor _file;
    private int _slot = -1;
    private bool _hearsOfDeaths = true;
    private bool _tookOver;

    /// <summary>Takes over the mapping and the descriptor.</summary>
    internal HeldSemaphore(in NativeIpcKey key, nint page, UnixDescriptor file, FileIdentity identity,
        bool createdNew, bool requiresRecovery)
        : base(key, new PosixSemaphoreHandle(page, isMapping: true))
    {
        _file = file;
        Identity = identity;
        CreatedNew = createdNew;
        try
        {
            ClaimSlot(requiresRecovery);
        }
        catch
        {
            _ = LetGo();
            _file.Dispose();
            GC.SuppressFinalize(this);
            throw;
        }

        _aside = _slot < 0 ? null : new SteppingAside(key, page, file, _slot, identity);
        _checks = _aside?.Gate ?? new();
        if (_aside is not null) LockAttendant.Add(_aside);
    }

    internal override void TakeDuty(RemovalPolicy removal, bool removeAtExit)
    {
        if (removal == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(Key, isSegment: false, lockKey: default, Identity, TimeSpan.FromSeconds(1),
                Page, Layout.SizeOfSemT, _file, _aside is null ? null : _aside.Close);
            if (removeAtExit) ProcessExit.Add(_lastOut);
        }

        if (removal != RemovalPolicy.Creator) return;
        _removal = new PosixRemoval(Key, isSegment: false, lockKey: default, Identity, TimeSpan.FromSeconds(1));
        if (removeAtExit) ProcessExit.Add(_removal);
    }

    ~HeldSemaphore() => CloseElsewhere(_file); // to come back from aside is to wait, too

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    /// <summary>Whether there are such semaphores here.</summary>
    internal static bool IsOffered => PosixNames.s_areFiles && GlibcSemaphore.s_isKnown;

    /// <summary>The file behind it.</summary>
    internal override FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity.ToString();

    public override bool TookOver => _tookOver;

    public override bool NeedsLooks => true;

    private uint Mark => (uint)(_slot + 1);

    private protected override void OpenDirectWay()
    {
        if (_slot >= 0) _step.Open(Page, GlibcSemaphore.Free.Value, GlibcSemaphore.Free.With(0, Mark).Value);
    }

    public override bool TryAcquire() => TryAcquireDirectly() || TryAcquireCounted(looks: true);

    public override bool TryAcquireQuickly() => TryAcquireDirectly() || TryAcquireCounted(looks: false);

    /// <inheritdoc/>
    public override bool TryAcquireAtOnce(out bool isHeldUp)
    {
        isHeldUp = false;
        if (TryAcquireDirectly()) return true;
        nint page = Enter();
        try
        {
            if (TryTake(page, out GlibcSemaphore.Word seen)) return true;
            isHeldUp = _aside is not null && seen is { Count: 0, Mark: GlibcSemaphore.Away };
            if (!isHeldUp) return TryRecover(page, seen);
            _aside!.ThrowIfLost();
            return false;
        }
        finally
        {
            Leave();
        }
    }

    /// <inheritdoc/>
    public override void AwaitMoment()
    {
        if (!TryEnter()) return;
        _ = _aside?.TryReturnIfOver();
        Leave();
    }

    private bool TryAcquireDirectly()
    {
        if (!TryTakeDirectly()) return false;
        if (_tookOver) _tookOver = false; // of an earlier taking
        return true;
    }

    private bool TryAcquireCounted(bool looks)
    {
        nint page = Enter();
        try
        {
            return TryTake(page, out GlibcSemaphore.Word seen) || (looks && TryRecover(page, seen));
        }
        finally
        {
            Leave();
        }
    }

    public override bool Block(TimeSpan slice) => Block(slice, Wakeup.Begin());

    /// <inheritdoc/>
    /// <remarks>When the process that the holder's slot notes ends, the sleeper is woken; but the note may be of
    /// another PID namespace, so it also looks after a slice, soon at first.</remarks>
    public override bool Block(TimeSpan longest, Wakeup wakeup)
    {
        nint page = Enter();
        try
        {
            if (TryTake(page, out GlibcSemaphore.Word seen) || TryRecover(page, seen)) return true;
            TimeSpan slice = wakeup.NextSlice();
            int holder = !wakeup.IsFirstSlice && seen is { Count: 0, Mark: > 0 and <= HolderSlots.Count }
                ? HolderSlots.ReadProcess(page, (int)seen.Mark - 1) : 0;
            using SleepWatch.Watch hint = SleepWatch.EndOf(holder == Environment.ProcessId ? 0 : holder, wakeup);
            return Sleep(page, longest < slice ? longest : slice, wakeup, Taking) || TryTake(page, out seen)
                || TryRecover(page, seen);
        }
        finally
        {
            Leave();
        }
    }

    private protected override bool TryTake(nint page) => TryTake(page, out _);

    /// <summary>Takes the permit if there is one.</summary>
    private bool TryTake(nint page, out GlibcSemaphore.Word seen)
    {
        StopPoint.At("take.before");
        while (true)
        {
            seen = GlibcSemaphore.Look(page);
            if (seen.Count == 0) return false;

            // More than one permit: a peer released too often. Then the mark says who took last.
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(seen.Count - 1, Mark))) continue;
            StopPoint.At("take.done");
            _aside?.Pacing.End();
            _tookOver = seen.Mark == Abandoned && TellTakeover();
            return true;
        }
    }

    /// <summary>Takes over from the holder, if it is one of ours and dead, or unknown and this handle the only one that
    /// is left.</summary>
    private bool TryRecover(nint page, GlibcSemaphore.Word seen)
    {
        if (seen.Count != 0 || seen.Mark == Mark) return false;
        if (seen.Mark is 0 or Abandoned)
        {
            FreeIfAlone(page);
            return TryTake(page, out _);
        }

        if (seen.Mark == GlibcSemaphore.Away)
        {
            _aside?.ThrowIfLost();
            return _aside is not null && _aside.TryReturnIfOver()
                && (TryTake(page, out seen) || (seen.Mark != GlibcSemaphore.Away && TryRecover(page, seen)));
        }

        _aside?.Pacing.End();
        int slot = (int)seen.Mark - 1;
        // No mark of ours, or none that can be asked about
        if (slot >= HolderSlots.Count || !_hearsOfDeaths) return false;
        lock (_checks)
        {
            if (IsAway) return false;
            // Refused for once: a later look may be lucky
            if (!HolderSlots.TryLock(Key, _file, slot, out _)) return false;
            try
            {
                StopPoint.At("recover.locked");
                while (true)
                {
                    GlibcSemaphore.Word now = GlibcSemaphore.Look(page);
                    if (now.Count != 0 || now.Mark != seen.Mark) return false;
                    if (!GlibcSemaphore.Exchange(page, now, now.With(0, Mark))) continue;
                    StopPoint.At("recover.taken");
                    _tookOver = TellTakeover();
                    return true;
                }
            }
            finally
            {
                HolderSlots.Unlock(_file, slot);
                StopPoint.At("recover.done");
            }
        }
    }

    /// <summary>Whether somebody has taken it who left no mark.</summary>
    internal static bool IsHeldByUnknown(GlibcSemaphore.Word seen) => seen is { Count: 0, Mark: 0 or Abandoned };

    private bool IsAway => _aside is { IsAway: true };

    /// <summary>
    /// Frees a semaphore that somebody unknown has taken, if the kernel says that nobody else has it open any more:
    /// then nobody can hold it. If others have, those of this library are asked to step aside
    /// (<see cref="SteppingAside"/>).
    /// </summary>
    /// <remarks>Without a slot this handle's own permit looks like a foreign one, so then it is not asked.</remarks>
    private void FreeIfAlone(nint page)
    {
        lock (_checks)
        {
            if (_aside is null || !IsHeldByUnknown(GlibcSemaphore.Look(page))) return;
            long now = Environment.TickCount64;
            if (!_aside.Pacing.Look(now) || _aside.IsAsking) return;
            int number = FreeIfLeased(page, _file);
            if (number == 0)
            {
                _aside.Pacing.End();
                return;
            }

            _aside.Pacing.Asking(now);
            if (number == Errno.EAGAIN) LockAttendant.Ask(_aside);
        }
    }

    /// <summary>Frees a semaphore that somebody unknown has taken, if nobody else has it open. Under the gate of the
    /// handle, which is not aside.</summary>
    /// <remarks>
    /// The kernel gives a lease on the file to the one description that has it open, its mappings included (Linux 6.18;
    /// a kernel that counts the own mapping as another user says no, and the lock stays as it is).
    /// </remarks>
    /// <returns>0 when it is free, or not held by somebody unknown any more; EAGAIN when somebody else has it open;
    /// otherwise why the kernel does not say.</returns>
    internal static int FreeIfLeased(nint page, UnixDescriptor file)
    {
        if (!IsHeldByUnknown(GlibcSemaphore.Look(page))) return 0;
        int number = Libc.TakeLease(file);
        if (number != 0) return number;
        try
        {
            StopPoint.At("prove.leased");
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
            if (IsHeldByUnknown(seen) && GlibcSemaphore.Exchange(page, seen, seen.With(1, Abandoned)))
                StopPoint.At("prove.repaired");
        }
        finally
        {
            Libc.DropLease(file);
        }

        // All of them: the one that is woken first may be in a process that is aside, and would look at the wrong page.
        if (GlibcSemaphore.Look(page) is { Count: > 0, Waiters: > 0 }) GlibcSemaphore.Wake(page, int.MaxValue);
        return 0;
    }

    public override bool TryUnlock() => GiveBack() is not false; // closed meanwhile: then closing has given it back

    /// <summary>Gives the permit back; false when this handle does not hold it, since a peer has reset it; null when
    /// the handle is closed.</summary>
    private bool? GiveBack()
    {
        if (TryGiveDirectly()) return true;
        if (!TryEnter()) return null;
        try
        {
            while (true)
            {
                if (TryGiveMarked(Page, out GlibcSemaphore.Word seen)) return true;
                if (seen.Mark != GlibcSemaphore.Away) return false; // reset by a peer, who has let somebody else in

                // It is aside, which it is only while it does not hold, or about to find that it may not be. Or it has
                // found that, and there is no memory to put the page back.
                lock (_checks)
                {
                    if (IsAway) return _aside!.Kept is not 0 and nint kept && TryGiveMarked(kept, out _);
                }
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Gives the permit back if the word has this handle's mark.</summary>
    private bool TryGiveMarked(nint page, out GlibcSemaphore.Word seen)
    {
        while (true)
        {
            StopPoint.At("unlock.before");
            seen = GlibcSemaphore.Look(page);
            if (seen.Count != 0 || seen.Mark != Mark) return false;
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(1, 0))) continue;
            StopPoint.At("unlock.done");
            if (seen.Waiters > 0) GlibcSemaphore.Wake(page, 1);
            StopPoint.At("unlock.woken");
            return true;
        }
    }

    public override void Release(int count)
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
        bool? given = count == 1 ? GiveBack() : false;
        if (given == true) return;
        ObjectDisposedException.ThrowIf(given is null, typeof(SystemSemaphore));
        throw Failure.NotHeld(Key, count);
    }

    /// <inheritdoc/>
    public override void ReturnPermit()
    {
        if (!TryUnlock()) throw Failure.NotHeld(Key, 1);
    }

    public override bool TryGetCount(out int count)
    {
        nint page = Enter();
        count = (int)LookHere(page).Count;
        Leave();
        return true;
    }

    public override LockStatus GetStatus()
    {
        nint page = Enter();
        try
        {
            GlibcSemaphore.Word seen = LookHere(page);
            if (seen.Count > 0) return new(LockHolder.Nobody, null, IsRecoverable: _slot >= 0);
            if (seen.Mark is 0 or Abandoned || seen.Mark > HolderSlots.Count)
            {
                var unknown = new LockStatus(LockHolder.Unknown, null, IsRecoverable: _slot >= 0);
                return _aside is null ? unknown : StoppedUsers.AddTo(unknown, _aside);
            }

            int slot = (int)seen.Mark - 1;
            // One of ours, living or dead
            if (!_hearsOfDeaths) return new(LockHolder.CannotTell, null, IsRecoverable: false);
            int process;
            bool lives;
            lock (_checks)
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
        finally
        {
            Leave();
        }
    }

    /// <summary>The word, of the true page if it can be had.</summary>
    private GlibcSemaphore.Word LookHere(nint page)
    {
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
        return seen.Mark == GlibcSemaphore.Away && _aside is not null && _aside.TryReturnIfOver()
            ? GlibcSemaphore.Look(page) : seen;
    }

    /// <summary>Sets the count in place, while others may be using the semaphore.</summary>
    internal void SetCount(int count)
    {
        nint page = Enter();
        try
        {
            var backoff = new Backoff(Timeout.InfiniteTimeSpan);
            while (true)
            {
                lock (_checks)
                {
                    if (!IsAway)
                    {
                        GlibcSemaphore.SetCount(page, (uint)count);
                        return;
                    }
                }

                _aside!.ThrowIfLost();
                backoff.Pause();
            }
        }
        finally
        {
            Leave();
        }
    }

    private protected override Action<nint>? AtTheEnd => GivesBackAtClose && _slot >= 0 ? GiveBackWhatIsLeft : null;

    private void GiveBackWhatIsLeft(nint page) => _ = TryGiveMarked(page, out _);

    protected override void Close()
    {
        // The name first, while the object still pins its inode number.
        _removal?.Perform();
        _aside?.Close();
        // The slot goes with the file. Without a stand-in it is kept until nobody can come late, so that nobody else's
        // mark is ever taken for this handle's.
        bool isOver = LetGo();
        if (_lastOut is not null) NoUseMark.Set(_file);
        if (isOver) _file.Dispose();
        _lastOut?.Closed();
    }
}
