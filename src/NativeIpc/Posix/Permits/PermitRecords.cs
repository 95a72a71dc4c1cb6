using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Permits;

/// <summary>
/// What recorded holders have of a counting POSIX semaphore, kept in the semaphore's own page: so the permits of a
/// killed one can be told from those in use, and be given back. Linux with glibc, beside peers that use
/// <c>sem_wait(3)</c> and <c>sem_post(3)</c> and know nothing of it. One for each open description.
/// </summary>
/// <remarks>
/// <para><b>Where.</b> Behind the file's 32 bytes, in the part of the page that every user maps and the C library does
/// not look at (from <see cref="JournalOffset"/>; <see cref="HolderSlots"/> has what is before): a journal, and
/// <see cref="Count"/> records. tmpfs keeps that part as long as the file (mmap(2), BUGS). It belongs to the inode, so
/// a semaphore that is made anew under the name has none of the old records.</para>
/// <para><b>Who lives.</b> A record has two bytes far past the file's end, for record locks of open file descriptions.
/// Who has the <i>owner's</i> byte locked may write the record and the journal in its name. The <i>heirs'</i> byte is
/// locked by a description that programs inherit. Permits are lost when both are free: the kernel says so, in every PID
/// namespace. They are apart because an heir must not keep the journal of a dead owner closed.</para>
/// <para><b>Taking and giving</b> are one operation in a journal that one owner has at a time. Its steps, and what is
/// done for an owner that dies after each of them, by whoever then has its owner's byte (names of StopPoint):
/// <c>record.entered</c>, the journal is this owner's: it is let go of. <c>record.intended</c>, the record says what is
/// pending: it is not in the word, so nothing has happened, and that is taken back. <c>record.changed</c>, the
/// semaphore's word has the new count and a mark, by one exchange: it has happened, waiters are woken and the record is
/// completed. <c>record.noted</c>, the record says what is held now: the mark is taken away. <c>record.unmarked</c>:
/// the journal is let go of. So no death leaves a permit of which nobody can say whether it was taken.</para>
/// <para><b>Mending</b> is giving in the name of the dead owner, with its byte locked: a mender that dies half-way is a
/// dead owner like any other.</para>
/// <para>Interleavings. (1) Two mend: the owner's byte lets one in, who looks at the record with it. (2) A new process
/// takes the slot of a dead one: it needs the owner's byte, completes what was pending, and goes to another slot if the
/// record still holds something. (3) An heir appears after the look at the heirs' byte: only a claim or an heir makes
/// another heir, and there is neither. (4) Threads of one description: record locks do not keep them apart, the gate
/// does; and a description never asks for its own slot. (5) Peers take and give meanwhile, by the C library: they keep
/// the mark, and the exchange is tried again. (6) A peer resets the count in place: records are forgotten, since nobody
/// holds what was reset; a taking at that very moment counts as after or before it, as without records. (7) An owner
/// that is suspended inside the journal: the others wait, find nothing to take for a while, and try again; who gives
/// waits for <see cref="s_longestGiving"/> and gives past the journal, with its record written off before, so that a
/// death between loses permits and never adds any.</para>
/// </remarks>
internal sealed unsafe class PermitRecords : IDisposable
{
    /// <summary>How many handles can record at a time; further ones work as one that does not record.</summary>
    internal const int Count = 190;

    internal const int JournalOffset = 2560;
    private const int RecordsOffset = JournalOffset + sizeof(long);
    internal const long OwnersFirstByte = 1 << 21;
    private const long HeirsFirstByte = OwnersFirstByte + 1024;

    /// <summary>The mark of a word that was changed by the operation in the journal.</summary>
    internal const uint Mark = GlibcSemaphore.Away - 1;

    private static readonly TimeSpan s_longestTaking = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_longestGiving = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly NativeIpcKey _key;
    private readonly nint _page;
    private readonly UnixDescriptor _file;
    private UnixDescriptor? _heirs;
    private int _slot = -1;

    /// <summary>Takes over the descriptor, which nobody inherits; the page stays the caller's.</summary>
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

    /// <summary>Whether the last try found the journal taken by somebody who did not leave it.</summary>
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

    /// <summary>Takes a free slot.</summary>
    /// <param name="heirs">A description of its own of the same file, which programs inherit; null for none. Taken
    /// over.</param>
    /// <returns>False when all are taken.</returns>
    internal bool Claim(UnixDescriptor? heirs)
    {
        _heirs = heirs;

        // Handles that begin at the same place would try one another's slots first.
        int start = Random.Shared.Next(Count);
        for (int i = 0; i < Count; i++)
        {
            int slot = (start + i) % Count;
            if (!TryLock(_file, OwnersFirstByte + slot, Flags.F_WRLCK)) continue;
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
        bool taken = TryTake(mayPause: true, out bool isHeldUp);
        IsHeldUp = isHeldUp;
        return taken;
    }

    /// <summary>The same without a pause.</summary>
    /// <param name="isHeldUp">Whether somebody else has the journal.</param>
    internal bool TryTakeAtOnce(out bool isHeldUp) => TryTake(mayPause: false, out isHeldUp);

    private bool TryTake(bool mayPause, out bool isHeldUp)
    {
        isHeldUp = false;
        if (_slot < 0) return GlibcSemaphore.TryTake(_page);
        if (GlibcSemaphore.Look(_page).Count == 0) return false;
        isHeldUp = !TryEnterGate(mayPause);
        if (isHeldUp) return false;
        try
        {
            isHeldUp = !TryEnter(_slot, mayPause ? s_longestTaking : TimeSpan.Zero);
            return !isHeldUp && Change(_slot, 1);
        }
        finally
        {
            _gate.Exit();
        }
    }

    // Inside it other threads of this process pause.
    private bool TryEnterGate(bool mayPause)
    {
        if (!mayPause) return _gate.TryEnter();
        _gate.Enter();
        return true;
    }

    /// <summary>Waits a moment for who has the journal.</summary>
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

    /// <summary>Gives permits, all or none. What is given beyond those that were recorded is given all the
    /// same.</summary>
    /// <param name="count">How many.</param>
    /// <param name="maximum">The largest count that it may make.</param>
    /// <returns>False when the count would pass its maximum.</returns>
    internal bool TryGive(int count, int maximum)
    {
        lock (_gate)
        {
            int recorded = _slot < 0 ? 0 : Math.Min(count, Read(_slot).Held);
            if (recorded == count && TryEnter(_slot, s_longestGiving)) return Change(_slot, -count, maximum);
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

    /// <summary>Gives back what dead owners held.</summary>
    /// <param name="mayPause">Whether to wait for who has the journal.</param>
    /// <param name="isHeldUp">Whether somebody else has it, so that not all was given back.</param>
    /// <returns>How many permits.</returns>
    internal int Mend(bool mayPause, out bool isHeldUp)
    {
        int given = 0;
        isHeldUp = !TryEnterGate(mayPause);
        if (isHeldUp) return 0;
        try
        {
            for (int slot = 0; slot < Count; slot++)
            {
                if (slot == _slot || (Read(slot).IsEmpty && Volatile.Read(ref Journal) != slot + 1)
                    || !TryLock(_file, OwnersFirstByte + slot, Flags.F_WRLCK))
                    continue;
                try
                {
                    Recover(slot);
                    int held = Read(slot).Held;
                    if (held <= 0 || Libc.IsByteLockedByAnother(_file, HeirsFirstByte + slot)) continue;
                    StopPoint.At("record.mending");
                    if (!TryEnter(slot, mayPause ? s_longestTaking : TimeSpan.Zero)) isHeldUp = true;
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
                && GlibcSemaphore.Look(page).Mark == Mark;
            lost += Math.Max(entry.Held + (isDone ? entry.Pending : 0), 0);
        }

        return (int)Math.Min(lost, int.MaxValue); // the page is everybody's who may write it
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

    /// <summary>After a reset of the count: nobody holds anything of it any more.</summary>
    internal static void Forget(nint page)
    {
        for (int slot = 0; slot < Count; slot++) Volatile.Write(ref ((long*)(page + RecordsOffset))[slot], 0);
    }

    /// <summary>Does the operation whose owner is in the journal, and leaves the journal. False when the count does not
    /// allow it.</summary>
    private bool Change(int slot, int change, int maximum = int.MaxValue)
    {
        Entry before = Read(slot);
        Write(slot, before with { Pending = change });
        StopPoint.At("record.intended");
        GlibcSemaphore.Word seen;
        do
        {
            seen = GlibcSemaphore.Look(_page);
            if (seen.Count - (long)change < 0 || (change < 0 && seen.Count - (long)change > maximum))
            {
                Write(slot, before);
                Leave();
                return false;
            }
        }
        while (!GlibcSemaphore.Exchange(_page, seen, seen.With((uint)(seen.Count - change), Mark)));
        StopPoint.At("record.changed");
        Complete(slot, new(before.Held, change), seen.Mark);
        return true;
    }

    /// <summary>The steps after the exchange.</summary>
    private void Complete(int slot, Entry entry, uint earlierMark)
    {
        if (entry.Pending < 0 && GlibcSemaphore.Look(_page).Waiters > 0) GlibcSemaphore.Wake(_page, -entry.Pending);
        Write(slot, new(entry.Held + entry.Pending, 0));
        StopPoint.At("record.noted");
        Unmark(earlierMark);
        StopPoint.At("record.unmarked");
        Leave();
    }

    /// <summary>Does what a dead owner had begun. The caller has the owner's byte.</summary>
    private void Recover(int slot)
    {
        Entry entry = Read(slot);
        if (Volatile.Read(ref Journal) != slot + 1)
        {
            // Outside of the journal nothing is pending
            if (entry.Pending != 0) Write(slot, entry with { Pending = 0 });
            return;
        }

        if (entry.Pending != 0 && GlibcSemaphore.Look(_page).Mark == Mark)
        {
            Complete(slot, entry, earlierMark: 0);
            return;
        }

        Write(slot, entry with { Pending = 0 });
        Unmark(0);
        Leave();
    }

    private void Unmark(uint earlierMark)
    {
        GlibcSemaphore.Word seen;
        do seen = GlibcSemaphore.Look(_page);
        while (seen.Mark == Mark && !GlibcSemaphore.Exchange(_page, seen, seen.With(seen.Count, earlierMark)));
    }

    /// <summary>Waits for the journal, which it takes from an owner that has died. Zero does not wait.</summary>
    private bool TryEnter(int slot, TimeSpan longest)
    {
        int fewest = longest == TimeSpan.Zero ? 0 : 10;
        var backoff = new Backoff(longest, longestMicroseconds: 1000, fewestPauses: fewest);
        while (true)
        {
            int found = Interlocked.CompareExchange(ref Journal, slot + 1, 0);
            if (found == 0) break;
            int owner = found - 1;
            // No slot's: not written by this library
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

        StopPoint.At("record.entered");
        Unmark(0);
        return true;
    }

    private void Leave() => Volatile.Write(ref Journal, 0);

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

    // Fails for no lock that is held
    private static void Unlock(UnixDescriptor file, long offset) => _ = Libc.LockByte(file, offset, Flags.F_UNLCK);

    /// <summary>Lets go. What is still held is lost from now on, unless heirs live; else they keep the slot no
    /// longer.</summary>
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
