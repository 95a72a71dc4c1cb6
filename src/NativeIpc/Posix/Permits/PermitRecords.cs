using System.Diagnostics;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Permits;

/// <summary>
/// The permits that recording handles hold of a counting semaphore, kept in the semaphore's own page: so the permits of
/// a killed holder can be told from those in use, and be given back. Linux with glibc, beside peers that use
/// <c>sem_wait(3)</c> and <c>sem_post(3)</c> and know nothing of it. One instance for each open file description.
/// </summary>
/// <remarks>
/// <para><b>Where.</b> Behind the file's 32 bytes, in the part of the page that the C library does not look at (from
/// <see cref="JournalOffset"/>; <see cref="HolderSlots"/> has what is before): a journal, and <see cref="Count"/>
/// records. tmpfs keeps that part as long as the file (mmap(2), BUGS). It belongs to the inode, so a semaphore that is
/// made anew under the name has none of the old records.</para>
/// <para><b>Life.</b> A record has two bytes far past the file's end, for record locks of open file descriptions. The
/// process that has the <i>owner's</i> byte locked may write the record, and the journal in its name. The <i>heirs'</i>
/// byte is locked by a description that children inherit. Permits are lost when both are free: the kernel says so, in
/// every PID namespace. They are apart since an heir must not keep the journal of a dead owner closed.</para>
/// <para><b>Taking and giving</b> are one operation in a journal that one owner has at a time. Whoever gets the owner's
/// byte of a dead owner does what that had begun: see each <see cref="StopPoint"/>. So no death leaves a permit of
/// which nobody can say whether it was taken. <b>Mending</b> is giving in the name of the dead owner, with its byte
/// locked: a mender that dies half-way is a dead owner like any other.</para>
/// </remarks>
internal sealed unsafe class PermitRecords : IDisposable
{
    /// <summary>How many handles can record at a time; a further one works without recording.</summary>
    internal const int Count = 190;

    internal const int JournalOffset = 2560;
    private const int RecordsOffset = JournalOffset + sizeof(long);
    internal const long OwnersFirstByte = 1 << 21;
    private const long HeirsFirstByte = OwnersFirstByte + 1024;

    private static readonly TimeSpan s_longestTaking = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longestGiving = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly NativeIpcKey _key;
    private readonly nint _page;
    private readonly UnixDescriptor _file;
    private UnixDescriptor? _heirs;
    private int _slot = -1;

    /// <summary>Takes over the descriptor, which no child inherits; the page stays the caller's.</summary>
    internal PermitRecords(in NativeIpcKey key, nint page, UnixDescriptor file)
    {
        _key = key;
        _page = page;
        _file = file;
    }

    /// <summary>Whether permits can be recorded here.</summary>
    internal static bool IsOffered => PosixNames.s_areFiles && GlibcSemaphore.s_isKnown;

    /// <summary>The file behind the page.</summary>
    internal UnixDescriptor File => _file;

    /// <summary>Whether the last try found the journal taken, and waited for it in vain.</summary>
    internal bool IsHeldUp { get; private set; }

    /// <summary>What a record says: how many permits are held, and what an operation is about to add to that.</summary>
    private readonly record struct Entry(int Held, int Pending)
    {
        public bool IsEmpty => (Held | Pending) == 0;
    }

    private ref int Journal => ref *(int*)(_page + JournalOffset);

    private Entry Read(int slot) => Read(_page, slot);

    private static Entry Read(nint page, int slot)
    {
        long value = Volatile.Read(ref ((long*)(page + RecordsOffset))[slot]);
        return new((int)value, (int)(value >> 32));
    }

    private void Write(int slot, Entry entry)
        => Volatile.Write(ref ((long*)(_page + RecordsOffset))[slot], ((long)entry.Pending << 32) | (uint)entry.Held);

    /// <summary>Takes a free slot. <paramref name="heirs"/>: a description of its own of the same file, which programs
    /// inherit; null for none. Taken over.</summary>
    /// <returns>False when all are taken.</returns>
    internal bool Claim(UnixDescriptor? heirs)
    {
        _heirs = heirs;

        // At random: handles that begin at the same slot try one another's first.
        int start = Random.Shared.Next(Count);
        for (int i = 0; i < Count; i++)
        {
            int slot = (start + i) % Count;
            if (!TryLock(_file, OwnersFirstByte + slot, Flags.F_WRLCK)) continue;

            // R1 Race: a new owner gets the slot of a dead one. Safe because: with the owner's byte it first completes
            // what was pending, and goes to another slot if the record still holds something or an heir lives. No heir
            // can appear after this look: only a claim or an heir makes another heir.
            Recover(slot);
            if (Read(slot).IsEmpty && !Libc.IsByteLockedByAnother(_file, HeirsFirstByte + slot)
                && (heirs is null || TryLock(heirs, HeirsFirstByte + slot, Flags.F_RDLCK)))
            {
                _slot = slot;
                StopPoint.At("record.claimed");
                return true;
            }

            Unlock(_file, OwnersFirstByte + slot);
        }

        return false;
    }

    /// <summary>Takes a permit if there is one.</summary>
    internal bool TryTake()
    {
        bool taken = TryTake(Moment.Allowed, out bool isHeldUp);
        IsHeldUp = isHeldUp;
        return taken;
    }

    /// <summary>Takes a permit if there is one. <paramref name="moment"/>: whether to wait for another owner that has
    /// the journal. <paramref name="isHeldUp"/>: whether another owner has it.</summary>
    internal bool TryTake(Moment moment, out bool isHeldUp)
    {
        isHeldUp = false;
        if (_slot < 0) return GlibcSemaphore.TryTake(_page);
        if (GlibcSemaphore.Look(_page).Count == 0) return false;
        isHeldUp = !TryEnterGate(moment);
        if (isHeldUp) return false;
        try
        {
            isHeldUp = !TryLockJournal(_slot, LongestOf(moment));
            return !isHeldUp && Change(_slot, 1);
        }
        finally
        {
            _gate.Exit();
        }
    }

    private static TimeSpan LongestOf(Moment moment) => moment == Moment.Allowed ? s_longestTaking : TimeSpan.Zero;

    // R2 Race: two threads of this description. Safe because: the gate keeps them apart, which record locks do not. A
    // thread in it may pause.
    private bool TryEnterGate(Moment moment)
    {
        if (moment == Moment.None) return _gate.TryEnter();
        _gate.Enter();
        return true;
    }

    /// <summary>Waits a moment for the owner that has the journal.</summary>
    internal void AwaitMoment()
    {
        var backoff = new Backoff(s_longestTaking);
        _ = backoff.Elapsed; // counts from here, for both waits
        if (!_gate.TryEnter(s_longestTaking)) return;
        _gate.Exit();
        while (Volatile.Read(ref Journal) != 0 && backoff.Pause())
        {
        }
    }

    /// <summary>Gives permits, all or none. What is given beyond those that were recorded is given all the same.
    /// <paramref name="maximum"/>: the largest count that it may make.</summary>
    /// <returns>False when the count would pass its maximum.</returns>
    internal bool TryGive(int count, int maximum)
    {
        lock (_gate)
        {
            int recorded = _slot < 0 ? 0 : Math.Min(count, Read(_slot).Held);
            if (recorded == count && TryLockJournal(_slot, s_longestGiving)) return Change(_slot, -count, maximum);

            // R3 Race: an owner is suspended with the journal. Safe because: this gives past the journal after a while,
            // and writes the record off before, so that a death in between loses permits and never adds any.
            if (recorded > 0) Write(_slot, new(Read(_slot).Held - recorded, 0));
            if (!GlibcSemaphore.TryGive(_page, count, maximum, out GlibcSemaphore.Word before))
            {
                if (recorded > 0) Write(_slot, new(Read(_slot).Held + recorded, 0));
                return false;
            }

            if (before.Waiters > 0) GlibcSemaphore.Wake(_page, count);
            return true;
        }
    }

    /// <summary>Gives back what dead owners held. <paramref name="moment"/>: whether to wait for another owner that has
    /// the journal. <paramref name="isHeldUp"/>: whether another owner has it, so that not all was given
    /// back.</summary>
    /// <returns>How many permits.</returns>
    internal int Mend(Moment moment, out bool isHeldUp)
    {
        int given = 0;
        isHeldUp = !TryEnterGate(moment);
        if (isHeldUp) return 0;
        try
        {
            for (int slot = 0; slot < Count; slot++)
            {
                if (slot == _slot || (Read(slot).IsEmpty && Volatile.Read(ref Journal) != slot + 1)
                    || !TryLock(_file, OwnersFirstByte + slot, Flags.F_WRLCK))
                    continue;

                // R4 Race: two processes mend. Safe because: the owner's byte lets one in, which then looks at the
                // record. A description never asks for its own slot, whose lock it would get and then give away.
                try
                {
                    Recover(slot);
                    int held = Read(slot).Held;
                    if (held <= 0 || Libc.IsByteLockedByAnother(_file, HeirsFirstByte + slot)) continue;
                    StopPoint.At("record.mending");
                    if (!TryLockJournal(slot, LongestOf(moment))) isHeldUp = true;
                    else if (Change(slot, -held)) given += held;
                }
                finally
                {
                    Unlock(_file, OwnersFirstByte + slot);
                }
            }
        }
        finally
        {
            _gate.Exit();
        }

        return given;
    }

    /// <summary>How many permits dead owners hold. Changes nothing; for a look from outside.</summary>
    internal static int CountLost(nint page, UnixDescriptor file)
    {
        long lost = 0;
        for (int slot = 0; slot < Count; slot++)
        {
            Entry entry = Read(page, slot);
            if (entry.IsEmpty || Libc.IsByteLockedByAnother(file, OwnersFirstByte + slot)
                || Libc.IsByteLockedByAnother(file, HeirsFirstByte + slot))
                continue;
            bool isDone = Volatile.Read(ref *(int*)(page + JournalOffset)) == slot + 1
                && GlibcSemaphore.Look(page).Mark == LockWord.Journaled;
            lost += Math.Max(entry.Held + (isDone ? entry.Pending : 0), 0);
        }

        return (int)Math.Min(lost, int.MaxValue); // any peer may write the page
    }

    /// <summary>How many permits each owner, and each heir, has, by the byte that it has locked.</summary>
    internal static void AddHeld(nint page, Dictionary<long, (int Slot, int Permits)> held)
    {
        for (int slot = 0; slot < Count; slot++)
        {
            if (Read(page, slot).Held is not (> 0 and var permits)) continue;
            held[OwnersFirstByte + slot] = (slot, permits);
            held[HeirsFirstByte + slot] = (slot, permits);
        }
    }

    /// <summary>Forgets all records, since the count is about to be reset and nobody holds what was reset.</summary>
    /// <remarks>R5 Race: an owner takes at this very moment. Safe because: it counts as before or after the reset, as
    /// without records.</remarks>
    internal static void Forget(nint page)
    {
        for (int slot = 0; slot < Count; slot++) Volatile.Write(ref ((long*)(page + RecordsOffset))[slot], 0);
    }

    /// <summary>Does the operation of the owner that has the journal, and unlocks the journal. False when the count
    /// does not allow it.</summary>
    private bool Change(int slot, int change, int maximum = int.MaxValue)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread && change != 0);
        Entry before = Read(slot);
        Write(slot, before with { Pending = change });
        StopPoint.At("record.intended"); // death: not in the word, so nothing has happened: taken back
        GlibcSemaphore.Word seen;
        do
        {
            // R6 Race: peers take and give meanwhile, by the C library. Safe because: they keep the mark, and the
            // exchange is tried again.
            seen = GlibcSemaphore.Look(_page);
            if (seen.Count - (long)change < 0 || (change < 0 && seen.Count - (long)change > maximum))
            {
                Write(slot, before);
                UnlockJournal();
                return false;
            }
        }
        while (!GlibcSemaphore.Exchange(_page, seen, seen.With((uint)(seen.Count - change), LockWord.Journaled)));
        StopPoint.At("record.changed"); // death: it has happened, by one exchange: completed
        Complete(slot, new(before.Held, change), seen.Mark);
        return true;
    }

    /// <summary>The steps after the exchange.</summary>
    private void Complete(int slot, Entry entry, uint earlierMark)
    {
        if (entry.Pending < 0 && GlibcSemaphore.Look(_page).Waiters > 0) GlibcSemaphore.Wake(_page, -entry.Pending);
        Write(slot, new(entry.Held + entry.Pending, 0));
        StopPoint.At("record.noted"); // death: the mark is taken away
        Unmark(earlierMark);
        StopPoint.At("record.unmarked"); // death: the journal is unlocked
        UnlockJournal();
    }

    /// <summary>Ends what a dead owner had begun. The caller has the owner's byte.</summary>
    private void Recover(int slot)
    {
        Entry entry = Read(slot);
        if (Volatile.Read(ref Journal) != slot + 1)
        {
            // Without the journal nothing is pending.
            if (entry.Pending != 0) Write(slot, entry with { Pending = 0 });
            return;
        }

        if (entry.Pending != 0 && GlibcSemaphore.Look(_page).Mark == LockWord.Journaled)
        {
            Complete(slot, entry, earlierMark: 0);
            return;
        }

        Write(slot, entry with { Pending = 0 });
        Unmark(0);
        UnlockJournal();
    }

    private void Unmark(uint earlierMark)
    {
        GlibcSemaphore.Word seen;
        do seen = GlibcSemaphore.Look(_page);
        while (seen.Mark == LockWord.Journaled
            && !GlibcSemaphore.Exchange(_page, seen, seen.With(seen.Count, earlierMark)));
    }

    /// <summary>Waits for the journal, which it takes from an owner that has died. Zero does not wait.</summary>
    private bool TryLockJournal(int slot, TimeSpan longest)
    {
        Debug.Assert(_gate.IsHeldByCurrentThread && slot is >= 0 and < Count);
        int fewest = longest == TimeSpan.Zero ? 0 : 10;
        var backoff = new Backoff(longest, longestMicroseconds: 1000, fewestPauses: fewest);
        while (true)
        {
            int found = Interlocked.CompareExchange(ref Journal, slot + 1, 0);
            if (found == 0) break;
            int owner = found - 1;
            // Not written by this library
            if (owner is < 0 or >= Count) _ = Interlocked.CompareExchange(ref Journal, 0, found);
            else if (owner != slot && owner != _slot && TryLock(_file, OwnersFirstByte + owner, Flags.F_WRLCK))
            {
                Recover(owner);
                Unlock(_file, OwnersFirstByte + owner);
            }
            else if (!backoff.Pause())
            {
                return false;
            }
        }

        StopPoint.At("record.entered"); // death: the journal is unlocked
        Unmark(0);
        return true;
    }

    private void UnlockJournal() => Volatile.Write(ref Journal, 0);

    private bool TryLock(UnixDescriptor file, long offset, int type)
    {
        int number;
        do number = Libc.LockByte(file, offset, type);
        while (number == Errno.EINTR);
        if (number == 0) return true;
        if (HolderSlots.IsTaken(number)) return false;
        throw Failure.Of(number == Errno.ENOMEM ? NativeIpcError.OutOfResources : NativeIpcError.LockError,
            "record the permits of the semaphore", _key, "fcntl", number,
            "The kernel gave no record lock on the semaphore's file: see fcntl(2), F_OFD_SETLK; or do without "
                + "Recording.");
    }

    // Cannot fail for a lock that is held.
    private static void Unlock(UnixDescriptor file, long offset) => _ = Libc.LockByte(file, offset, Flags.F_UNLCK);

    /// <summary>Closes the descriptors. What is still held is lost from now on, unless heirs live; where nothing is
    /// held, they keep the slot no longer.</summary>
    public void Dispose()
    {
        if (_heirs is { } heirs)
        {
            if (_slot >= 0 && Read(_slot).Held == 0) Unlock(heirs, HeirsFirstByte + _slot);
            heirs.Dispose();
        }

        _file.Dispose();
    }
}

/// <summary>Whether a try may let pass a moment; not where gates and threads are held that others need.</summary>
internal enum Moment { None, Allowed }
