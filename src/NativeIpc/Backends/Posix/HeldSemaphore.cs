using System.Runtime.InteropServices;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>
/// A POSIX semaphore of one permit whose holder is known, so that the next one gets it when the holder was killed. Linux with glibc, beside
/// peers that use <c>sem_wait(3)</c> and <c>sem_post(3)</c> and know nothing of it.
/// </summary>
/// <remarks>
/// <para>The holder's mark stands in the semaphore's own word (<see cref="GlibcSemaphore.Word"/>), so taking the permit and saying who has it is one
/// exchange, and so is giving it back. There is no moment at which a dead holder of ours looks like a foreign one. Marks: 0 nobody, or somebody who
/// leaves none; 1 to 500 slot 0 to 499 (<see cref="HolderSlots"/>); 511 the last holder died, and the next one of ours is told.</para>
/// <para>Where a process can die, and what the next one finds (the names are those of StopPoint):
/// <c>claim.before</c>, <c>claim.locked</c>, <c>claim.noted</c>: a free slot. <c>take.before</c>: the semaphore as it was.
/// <c>take.done</c>, <c>unlock.before</c>: count 0 and the mark of a slot that nobody has locked: it takes over, and is told.
/// <c>wait.joined</c>, <c>wait.woken</c>: one waiter too many in the word for ever, which costs later releases a call; the wake-up that the dead one got and
/// did not pass on is made good by the next slice of a waiter of ours, or the next handle of ours that is opened. <c>wait.taken</c>: as <c>take.done</c>.
/// <c>wait.left</c>: the same. <c>unlock.done</c>: count 1; sleepers are not woken yet: as <c>wait.woken</c>. <c>unlock.woken</c>: nothing.
/// <c>recover.locked</c>: the dead holder's mark still; its slot is free again. <c>recover.taken</c>: its own mark, and it is dead itself: taken over again, told again.
/// <c>recover.done</c>: as <c>take.done</c>. <c>repair.before</c>: the dead holder's mark; the slot is free again. <c>repair.done</c>: count 1 and mark 511.
/// <c>probe.closed</c>, <c>probe.leased</c>: as it was; the lease goes with the process. <c>probe.repaired</c>: count 1 and mark 511.</para>
/// <para>Interleavings. (1) Two take at once: one exchange succeeds. (2) Two find the same dead holder: who has its slot's lock goes on, and looks again
/// with the lock in hand. (3) A new process becomes the dead holder's slot: it cannot while another one recovers, since that one has the slot's lock;
/// before it uses the slot it repairs a word that still has the mark. So a mark that is compared under its slot's lock is never that of a living
/// one. (4) Two threads of one handle recover: the record lock does not keep them apart, the gate does. (5) A peer takes or gives by the C
/// library meanwhile: the exchange fails and the turn begins again. (6) A peer resets the word or releases too often: the mark is gone or the count not 0, and
/// unlocking leaves it and says so.</para>
/// </remarks>
internal sealed class HeldSemaphore : SemaphoreObject
{
    private const uint Abandoned = GlibcSemaphore.MaximumMark;
    private const string Taking = "take the lock";

    private readonly Lock _checks = new();
    private readonly PosixRemoval? _removal;
    private readonly PosixLastOut? _lastOut;
    private UnixDescriptor _file;
    private nint _page;
    private int _slot = -1;
    private bool _tookOver;
    private volatile bool _isLost;

    // Threads inside, and whether one of them wants to be alone; see Probe.
    private int _inside;
    private int _isProbing;
    private int _slicesWithUnknown;

    /// <summary>Takes over the mapping and the descriptor.</summary>
    internal HeldSemaphore(in NativeIpcKey key, nint page, UnixDescriptor file, FileIdentity identity, bool createdNew, RemovalPolicy removal, bool removeAtExit)
        : base(key)
    {
        _page = page;
        _file = file;
        Identity = identity;
        CreatedNew = createdNew;
        try
        {
            ClaimSlot();
        }
        catch
        {
            Unmap();
            GC.SuppressFinalize(this);
            throw;
        }

        if (removal == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1), _page, Layout.SizeOfSemT, _file);
            if (removeAtExit) ProcessExit.Add(_lastOut);
        }

        if (removal != RemovalPolicy.Creator) return;
        _removal = new PosixRemoval(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1));
        if (removeAtExit) ProcessExit.Add(_removal);
    }

    ~HeldSemaphore() => Close();

    /// <summary>Whether there are such semaphores here.</summary>
    internal static bool IsOffered => PosixNames.s_areFiles && GlibcSemaphore.s_isKnown;

    /// <summary>The file behind it.</summary>
    internal FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity.ToString();

    public override bool TookOver => _tookOver;

    private uint Mark => (uint)(_slot + 1);

    public override bool TryAcquire()
    {
        Enter();
        try
        {
            return TryTake(out GlibcSemaphore.Word seen) || TryRecover(seen);
        }
        finally
        {
            Leave(ref _inside);
        }
    }

    public override unsafe bool Block(TimeSpan slice)
    {
        bool isUnknown;
        Enter();
        try
        {
            if (TryTake(out GlibcSemaphore.Word seen) || TryRecover(seen)) return true;
            if (Libc.clock_gettime(Flags.CLOCK_MONOTONIC, out Timespec until) != 0) throw PosixErrors.Unknown(Taking, Key, "clock_gettime", Marshal.GetLastPInvokeError());
            long nanoseconds = until.tv_nsec + (slice.Ticks * 100);
            until.tv_sec += nanoseconds / 1_000_000_000;
            until.tv_nsec = nanoseconds % 1_000_000_000;
            GlibcSemaphore.JoinWaiters(_page);
            StopPoint.At("wait.joined");
            try
            {
                int number;
                do
                {
                    if (TryTake(out seen))
                    {
                        StopPoint.At("wait.taken");
                        return true;
                    }

                    number = GlibcSemaphore.Sleep(_page, &until);
                    StopPoint.At("wait.woken");
                    ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
                }
                while (number == 0 || number == Errno.EAGAIN);
                if (number != Errno.ETIMEDOUT && number != Errno.EINTR) throw PosixErrors.Unknown(Taking, Key, "futex", number);
            }
            finally
            {
                GlibcSemaphore.LeaveWaiters(_page);
                StopPoint.At("wait.left");
            }

            if (TryTake(out seen) || TryRecover(seen)) return true;
            isUnknown = seen.Count == 0 && seen.Mark is 0 or Abandoned;
        }
        finally
        {
            Leave(ref _inside);
        }

        // After 0.1 s, 0.3, 0.7 and then every second: the lease may hold up an opener for a moment.
        int slices = isUnknown ? Interlocked.Increment(ref _slicesWithUnknown) : _slicesWithUnknown = 0;
        if (slices is 2 or 6 or 14 || (slices > 0 && slices % 20 == 0)) Probe();
        return false;
    }

    /// <summary>Takes the permit if there is one.</summary>
    private bool TryTake(out GlibcSemaphore.Word seen)
    {
        StopPoint.At("take.before");
        while (true)
        {
            seen = GlibcSemaphore.Look(_page);
            if (seen.Count == 0) return false;

            // More than one permit: a peer released too often. Then the mark says who took last.
            if (!GlibcSemaphore.Exchange(_page, seen, seen.With(seen.Count - 1, Mark))) continue;
            StopPoint.At("take.done");
            _tookOver = seen.Mark == Abandoned;
            return true;
        }
    }

    /// <summary>Takes over from the holder, if it is one of ours and dead.</summary>
    private bool TryRecover(GlibcSemaphore.Word seen)
    {
        if (seen.Count != 0 || seen.Mark is 0 or Abandoned || seen.Mark == Mark) return false;
        int slot = (int)seen.Mark - 1;
        if (slot >= HolderSlots.Count) return false; // no mark of ours
        lock (_checks)
        {
            if (!HolderSlots.TryLock(Key, _file, slot)) return false;
            try
            {
                StopPoint.At("recover.locked");
                while (true)
                {
                    GlibcSemaphore.Word now = GlibcSemaphore.Look(_page);
                    if (now.Count != 0 || now.Mark != seen.Mark) return false;
                    if (!GlibcSemaphore.Exchange(_page, now, now.With(0, Mark))) continue;
                    StopPoint.At("recover.taken");
                    _tookOver = true;
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

    public override bool TryUnlock()
    {
        Enter(evenIfClosed: true);
        try
        {
            while (true)
            {
                StopPoint.At("unlock.before");
                GlibcSemaphore.Word seen = GlibcSemaphore.Look(_page);
                if (seen.Count != 0 || seen.Mark != Mark) return false; // reset by a peer, who has let somebody else in
                _tookOver = false;
                if (!GlibcSemaphore.Exchange(_page, seen, seen.With(1, 0))) continue;
                StopPoint.At("unlock.done");
                if (seen.Waiters > 0) GlibcSemaphore.Wake(_page, 1);
                StopPoint.At("unlock.woken");
                return true;
            }
        }
        finally
        {
            Leave(ref _inside);
        }
    }

    public override void Release(int count)
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
        if (count == 1 && TryUnlock()) return;
        throw Failure.NotHeld(Key, count);
    }

    public override bool TryGetCount(out int count)
    {
        Enter();
        try
        {
            count = (int)GlibcSemaphore.Look(_page).Count;
            return true;
        }
        finally
        {
            Leave(ref _inside);
        }
    }

    public override LockStatus GetStatus()
    {
        Enter();
        try
        {
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(_page);
            if (seen.Count > 0) return new(LockHolder.Nobody, null, IsRecoverable: true);
            if (seen.Mark is 0 or Abandoned || seen.Mark > HolderSlots.Count) return new(LockHolder.Unknown, null, IsRecoverable: true);
            int slot = (int)seen.Mark - 1;
            int process = HolderSlots.ReadProcess(_page, slot);
            bool lives = slot == _slot || HolderSlots.IsAlive(_file, slot);
            return new(lives ? LockHolder.Process : LockHolder.DeadProcess, process == 0 ? null : process, IsRecoverable: true);
        }
        finally
        {
            Leave(ref _inside);
        }
    }

    /// <summary>Sets the count in place, while others may be using the semaphore.</summary>
    internal void SetCount(int count)
    {
        Enter();
        try
        {
            GlibcSemaphore.SetCount(_page, (uint)count);
        }
        finally
        {
            Leave(ref _inside);
        }
    }

    private void ClaimSlot()
    {
        StopPoint.At("claim.before");
        int slot = HolderSlots.Claim(Key, _file);
        StopPoint.At("claim.locked");
        if (slot < 0)
        {
            NativeIpcEventSource.s_log.NotWatched($"the lock {Failure.Describe(Key)} is open more than {HolderSlots.Count} times: should this process die while it holds the lock, nobody can tell");
        }
        else
        {
            Repair((uint)slot + 1);
            HolderSlots.NoteProcess(_page, slot);
            StopPoint.At("claim.noted");
        }

        _slot = slot;

        // Somebody may have died between giving the permit and waking the next one.
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(_page);
        if (seen.Count > 0 && seen.Waiters > 0) GlibcSemaphore.Wake(_page, 1);
    }

    /// <summary>A mark that is in the word when its slot is claimed is that of the slot's last user, who died holding.</summary>
    private void Repair(uint mark)
    {
        while (true)
        {
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(_page);
            if (seen.Mark != mark) return;
            StopPoint.At("repair.before");
            if (!GlibcSemaphore.Exchange(_page, seen, seen.With(Math.Max(seen.Count, 1), Abandoned))) continue;
            StopPoint.At("repair.done");
            if (seen.Waiters > 0) GlibcSemaphore.Wake(_page, 1);
            return;
        }
    }

    /// <summary>
    /// Frees a semaphore that somebody unknown has taken, if the kernel says that no other process has it open any more: then nobody can hold it.
    /// </summary>
    /// <remarks>
    /// To ask, this handle itself has to let go of the file, so it must be the only thread inside: it announces itself, then counts; others
    /// count themselves first and then look for an announcement, so that one of the two sees the other. What keeps the file
    /// open elsewhere in this process makes the answer no. If the name leads elsewhere meanwhile, there is no way back: the lock is lost, as one that was removed.
    /// </remarks>
    private void Probe()
    {
        if (_lastOut is not null) return; // whose clean-up at the end of the process knows where the page is
        if (_isLost || Interlocked.CompareExchange(ref _isProbing, 1, 0) != 0) return;
        try
        {
            if (Volatile.Read(ref _inside) != 0 || !TryEnter()) return; // TryEnter: no Dispose closes it meanwhile
            try
            {
                // Look again, now that nobody can come in: another thread of this handle may have taken the permit since, and closing would give up
                // the slot that proves its life. Without a slot, this handle's own permit looks like a foreign one.
                if (_page == 0 || _slot < 0 || GlibcSemaphore.Look(_page) is not { Count: 0, Mark: 0 or Abandoned }) return;
                Unmap();
                _page = 0;
                _slot = -1;
                StopPoint.At("probe.closed");
                Reopen();
            }
            finally
            {
                if (_page == 0) _isLost = true;
                Leave();
            }
        }
        finally
        {
            Volatile.Write(ref _isProbing, 0);
        }
    }

    private void Reopen()
    {
        int descriptor = PosixSemaphores.OpenFile(Key, out int number);
        if (number == Errno.ENOENT) return;
        if (number != 0) throw PosixErrors.Open(Taking, Key, "open", number);
        var file = new UnixDescriptor(descriptor);
        try
        {
            number = Libc.Status(file, out FileStatus status);
            if (number != 0) throw PosixErrors.Unknown(Taking, Key, "statx", number);
            if (status.Identity != Identity || status.Links == 0 || status.Size != Layout.SizeOfSemT)
            {
                file.Dispose();
                return;
            }

            bool isAlone = Libc.TakeLease(file) == 0; // any error number: no proof, so it stays as it is
            StopPoint.At("probe.leased");
            nint page;
            try
            {
                page = PosixSemaphores.MapPage(Taking, Key, file);
                if (isAlone)
                {
                    GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
                    if (seen is { Count: 0, Mark: 0 or Abandoned }) _ = GlibcSemaphore.Exchange(page, seen, seen.With(1, Abandoned));
                    StopPoint.At("probe.repaired");
                }
            }
            finally
            {
                if (isAlone) Libc.DropLease(file);
            }

            _file = file;
            _page = page;
        }
        catch
        {
            file.Dispose();
            throw;
        }

        ClaimSlot();
    }

    private void Enter(bool evenIfClosed = false)
    {
        if (!evenIfClosed) ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
        ObjectDisposedException.ThrowIf(!TryEnter(), typeof(SystemSemaphore));
        while (true)
        {
            Interlocked.Increment(ref _inside);
            if (Volatile.Read(ref _isProbing) == 0) break;
            Interlocked.Decrement(ref _inside);
            Pause.Microseconds(50);
        }

        if (!_isLost) return;
        Leave(ref _inside);
        throw Failure.Found(NativeIpcError.NotFound, Taking, Key, "open", "it was removed while this process waited for it", "Open it again.");
    }

    private void Leave(ref int inside)
    {
        Interlocked.Decrement(ref inside);
        Leave();
    }

    private void Unmap()
    {
        if (_page == 0) return;
        _ = Libc.munmap(_page, Layout.SizeOfSemT);
        _file.Dispose(); // and with it the slot
    }

    protected override void Close()
    {
        // The name first, while the object still pins its inode number.
        _removal?.Perform();
        Unmap();
        _page = 0;
        _lastOut?.Closed();
    }
}
