using System.Diagnostics;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Posix.Words;

/// <summary>
/// The word of a lock: that of a glibc semaphore of one permit (<see cref="GlibcSemaphore"/>), with the mark of its
/// holder in the top bits. To take the permit and to say which handle has it is one exchange, and so is giving it back.
/// All steps on that word are here; they know of no handle.
/// </summary>
/// <remarks>Marks: 0, nobody, or a holder that leaves none; 1 to <see cref="MostHolders"/>, the handle with slot
/// mark - 1 (<see cref="HolderSlots"/>); then the three below.</remarks>
internal static unsafe class LockWord
{
    /// <summary>How many holders can be told apart.</summary>
    internal const int MostHolders = 500;

    /// <summary>The operation in a journal has changed the word (Posix/Permits).</summary>
    internal const uint Journaled = GlibcSemaphore.MaximumMark - 2;

    /// <summary>The page stands in for the true one (Posix/Recovery).</summary>
    internal const uint Away = GlibcSemaphore.MaximumMark - 1;

    /// <summary>The last holder died; the next one of this library learns of it.</summary>
    internal const uint Abandoned = GlibcSemaphore.MaximumMark;

    // Added to the waiters of a stand-in: waiters may be removed there that were added in the true page.
    private const uint WaitersOfAway = 1 << 16;

    // More than can be added there and removed in the true page during the return.
    private const uint WaitersOfReturn = 1 << 10;

    /// <summary>The mark of a slot; none for slot -1.</summary>
    internal static uint MarkOf(int slot) => (uint)(slot + 1);

    /// <summary>The slot of the handle that has the lock; null when no handle with a slot has it.</summary>
    internal static int? HolderOf(GlibcSemaphore.Word seen)
        => seen is { Count: 0, Mark: > 0 and <= MostHolders } ? (int)seen.Mark - 1 : null;

    /// <summary>Whether the lock is taken, and its holder has left no mark.</summary>
    internal static bool IsHeldByUnknown(GlibcSemaphore.Word seen) => seen is { Count: 0, Mark: 0 or Abandoned };

    /// <summary>Takes the permit if there is one.</summary>
    internal static bool TryTake(nint page, uint mark, out GlibcSemaphore.Word seen)
    {
        Debug.Assert(mark <= MostHolders);
        StopPoint.At("take.before"); // death: the word as it was
        while (true)
        {
            seen = GlibcSemaphore.Look(page);
            if (seen.Count == 0) return false;

            // R1 Race: two take at once, or a peer takes or gives by the C library. Safe because: one exchange
            // succeeds, the other caller looks again. After a peer's surplus sem_post the mark names the last taker.
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(seen.Count - 1, mark))) continue;
            StopPoint.At("take.done"); // death: count 0 and a mark whose slot nobody has locked: taken over, and told
            return true;
        }
    }

    /// <summary>Takes the lock over from a dead holder. The caller has the lock of that holder's slot.</summary>
    /// <returns>False when it is not that holder's any more.</returns>
    internal static bool TryTakeOver(nint page, uint dead, uint mark)
    {
        Debug.Assert(dead is > 0 and <= MostHolders && mark <= MostHolders && dead != mark);
        while (true)
        {
            GlibcSemaphore.Word now = GlibcSemaphore.Look(page);
            if (now.Count != 0 || now.Mark != dead) return false;
            if (!GlibcSemaphore.Exchange(page, now, now.With(0, mark))) continue;
            StopPoint.At("recover.taken"); // death: this mark, of a dead holder: taken over and told again
            return true;
        }
    }

    /// <summary>Gives the permit back if the word has the caller's mark: otherwise a peer has reset it, or the page is
    /// a stand-in. <paramref name="left"/>: the mark that stays in the word, 0 or <see cref="Abandoned"/>.</summary>
    internal static bool TryGive(nint page, uint mark, out GlibcSemaphore.Word seen, uint left = 0)
    {
        Debug.Assert(mark <= MostHolders && left is 0 or Abandoned);
        while (true)
        {
            StopPoint.At("unlock.before"); // death: as take.done
            seen = GlibcSemaphore.Look(page);
            if (seen.Count != 0 || seen.Mark != mark) return false;
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(1, left))) continue;

            // death: the permit is back and wakes nobody; the next slice of a waiter, or the next handle, makes it good
            StopPoint.At("unlock.done");
            if (seen.Waiters > 0) GlibcSemaphore.Wake(page, 1);
            StopPoint.At("unlock.woken");
            return true;
        }
    }

    /// <summary>Frees a lock that has a mark whose last user died holding. The caller has the lock of the mark's slot.
    /// </summary>
    internal static void Repair(nint page, uint mark)
    {
        Debug.Assert(mark is > 0 and <= MostHolders);
        while (true)
        {
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
            if (seen.Mark != mark) return;
            StopPoint.At("repair.before"); // death: the dead holder's mark; its slot is free again
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(Math.Max(seen.Count, 1), Abandoned))) continue;
            StopPoint.At("repair.done"); // death: free, and the next holder learns of it
            if (seen.Waiters > 0) GlibcSemaphore.Wake(page, 1);
            return;
        }
    }

    /// <summary>Frees a lock whose holder left no mark, if the kernel says that nobody else has the file open: then
    /// nobody can hold it. Under the gate of the handle, which is not aside.</summary>
    /// <remarks>A lease goes to the one description that has the file open, its mappings included (fcntl(2); Linux
    /// 6.18). A kernel that counts the caller's own mapping as another user refuses it, and the lock stays.</remarks>
    /// <returns>0 when it is free, or its holder has a mark by now; EAGAIN when somebody else has the file open;
    /// otherwise why the kernel does not say.</returns>
    internal static int FreeIfLeased(nint page, UnixDescriptor file)
    {
        if (!IsHeldByUnknown(GlibcSemaphore.Look(page))) return 0;
        int number = Libc.TakeLease(file);
        if (number != 0) return number;
        try
        {
            StopPoint.At("prove.leased"); // death: as it was; the lease goes with the process

            // R2 Race: another thread of this handle takes meanwhile. Safe because: the word then has its mark, or
            // count 1, and only a word with neither is exchanged. A process that opens the file now waits in the kernel
            // until the lease is dropped.
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
            if (IsHeldByUnknown(seen) && GlibcSemaphore.Exchange(page, seen, seen.With(1, Abandoned)))
                StopPoint.At("prove.repaired"); // death: free, and the next holder learns of it
        }
        finally
        {
            Libc.DropLease(file);
        }

        // All of them: the first one to wake may be in a process that is aside, and would look at the wrong page.
        if (GlibcSemaphore.Look(page) is { Count: > 0, Waiters: > 0 }) GlibcSemaphore.Wake(page, int.MaxValue);
        return 0;
    }

    /// <summary>Makes a fresh page a stand-in: it says that the lock is taken.</summary>
    internal static void WriteAway(nint page)
        => *(ulong*)page = new GlibcSemaphore.Word((ulong)WaitersOfAway << 32).With(0, Away).Value;

    /// <summary>Before the true page comes back: adds to its waiters what was added to and removed from those of the
    /// stand-in, and a surplus.</summary>
    /// <remarks>R3 Race: a waiter that was added in the stand-in is removed in the true page as soon as that is back.
    /// Safe because: the surplus keeps the number above 0 until <see cref="EndReturn"/>; below 0 it would change the
    /// mark above it, for ever if somebody takes or gives meanwhile. A death in between leaves the surplus, as sleepers
    /// that die leave theirs.</remarks>
    /// <returns>For <see cref="EndReturn"/>.</returns>
    internal static long BeginReturn(nint page, nint standIn)
    {
        long added = AddedIn(standIn) + WaitersOfReturn;
        Debug.Assert(added > -WaitersOfAway);
        Interlocked.Add(ref *(long*)page, added << 32);
        return added;
    }

    /// <summary>When no thread can reach the stand-in any more by the page's address: makes the number of waiters
    /// exact.</summary>
    internal static void EndReturn(nint page, nint standIn, long added)
        => Interlocked.Add(ref *(long*)page, (AddedIn(standIn) - added) << 32);

    /// <summary>The true page does not come back after all.</summary>
    internal static void CancelReturn(nint page, long added) => Interlocked.Add(ref *(long*)page, -added << 32);

    private static long AddedIn(nint standIn)
    {
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(standIn);
        Debug.Assert(seen.Mark == Away && seen.Count == 0, "Nothing is taken from, given to or marked in a stand-in.");
        return (long)seen.Waiters - WaitersOfAway;
    }
}
