using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Words;

/// <summary>
/// The slots from which handles hold a lock, in the lock's own file: the handle that has locked byte n of a range far
/// past the file's end has slot n, in whatever process and PID namespace, stopped or not, until its open file
/// description is closed, by Dispose or by death.
/// </summary>
/// <remarks>
/// The kernel's lock is the only proof of life. Each slot also notes its process in the page behind the file's 32
/// bytes, for diagnosis only. A child of fork(2) inherits the description until its exec, and counts as its parent's
/// life.
/// </remarks>
internal static class HolderSlots
{
    /// <summary>How many handles can be told apart; a further one uses the lock as a program does that knows nothing
    /// of slots.</summary>
    internal const int Count = LockWord.MostHolders;

    /// <summary>How long, in milliseconds, a request to step aside holds, and a handle stays aside, if nothing ends it
    /// before.</summary>
    internal const int LongestRequest = 300;

    private const long FirstByte = 1 << 20;
    private const int NotesOffset = 64;
    private const int RequestOffset = 48;

    // A handle that is aside comes back after a fraction of that, unless its process is stopped.
    private const int MostSecondsAside = 60;

    /// <summary>Takes a free slot.</summary>
    /// <returns>The slot; -1 when all are taken, or when such locks are refused.</returns>
    internal static int Claim(in NativeIpcKey key, nint page, UnixDescriptor file, out int refusal)
    {
        refusal = 0;

        // By chance: handles that begin at the same slot try one another's first.
        int start = (int)((ulong)(Stopwatch.GetTimestamp() / 64) % (uint)Count);
        for (int i = 0; i < Count; i++)
        {
            int slot = (start + i) % Count;
            if (IsAside(page, slot) || !TryLock(key, file, slot, out refusal))
            {
                if (refusal != 0) return -1;
                continue;
            }

            // R1 Race: the slot's handle steps aside between the look and the lock. Safe because: it writes its note
            // before it releases the lock, so this second look finds the note.
            if (!IsAside(page, slot)) return slot;
            Unlock(file, slot);
        }

        return -1;
    }

    /// <summary>Takes the lock of a slot; false while another description has it, and when the system gives no such
    /// locks. <paramref name="refusal"/>: why the system gives no such locks, as an error number; 0 when it
    /// does.</summary>
    internal static bool TryLock(in NativeIpcKey key, UnixDescriptor file, int slot, out int refusal)
    {
        int number = Lock(file, slot);
        refusal = IsRefused(number) ? number : 0;
        if (number == 0) return true;
        return IsTaken(number) || refusal != 0 ? false : Throw(key, number);
    }

    /// <summary>The byte that the handle with a slot has locked.</summary>
    internal static long ByteOf(int slot) => FirstByte + slot;

    /// <summary>Takes the lock of a slot.</summary>
    /// <returns>0, or the error number (<see cref="IsTaken"/>).</returns>
    internal static int Lock(UnixDescriptor file, int slot)
    {
        int number;
        do
        {
            number = Libc.LockByte(file, FirstByte + slot, Flags.F_WRLCK);
        }
        while (number == Errno.EINTR);

        return number;
    }

    /// <summary>
    /// Whether an error number says that another description has the lock. POSIX allows EACCES for that, too; on Linux
    /// EACCES comes from AppArmor and SELinux only, and means that locks are forbidden.
    /// </summary>
    internal static bool IsTaken(int number) => number == Errno.EAGAIN;

    /// <summary>
    /// Whether an error number says that there are no such locks for this process: an older or another kernel
    /// (EINVAL), a filter (EPERM, ENOSYS), a security module (EACCES), a file system or a kernel without locks, or with
    /// none left (ENOLCK). The lock then works without the proof that its holder lives.
    /// </summary>
    internal static bool IsRefused(int number)
        => number is Errno.EINVAL or Errno.EPERM or Errno.EACCES || number == Errno.ENOSYS || number == Errno.ENOLCK
            || number == Errno.EOPNOTSUPP;

    internal static void Unlock(UnixDescriptor file, int slot)
        => _ = Libc.LockByte(file, FirstByte + slot, Flags.F_UNLCK); // fails for no lock that is held

    internal static bool IsAlive(UnixDescriptor file, int slot) => Libc.IsByteLockedByAnother(file, FirstByte + slot);

    internal static void NoteProcess(nint page, int slot)
        => Volatile.Write(ref Note(page, slot), Environment.ProcessId);

    /// <summary>The process that a slot notes; 0 for none.</summary>
    internal static int ReadProcess(nint page, int slot) => Math.Max(Volatile.Read(ref Note(page, slot)), 0);

    /// <summary>Notes that the slot's handle has stepped aside, and comes back.</summary>
    internal static void NoteAside(nint page, int slot)
        => Volatile.Write(ref Note(page, slot), -(int)(Environment.TickCount64 / 1000) - 1);

    private static bool IsAside(nint page, int slot)
    {
        int note = Volatile.Read(ref Note(page, slot));
        return note < 0 && Environment.TickCount64 / 1000 + 1 + note is >= 0 and <= MostSecondsAside;
    }

    /// <summary>Whether the handle of any slot is aside, or may be. The caller keeps others from opening the file, and
    /// so from shortening it, meanwhile.</summary>
    internal static bool MayAnyBeAside(UnixDescriptor file) => IsAnyAside(file) != false;

    /// <summary>The same; null when it cannot be told.</summary>
    internal static bool? IsAnyAside(UnixDescriptor file)
    {
        if (!GlibcSemaphore.s_isOffered) return false;
        nuint length = (nuint)Environment.SystemPageSize;
        nint page = Libc.mmap(0, length, Flags.PROT_READ, Flags.MAP_SHARED, (int)file.DangerousGetHandle(), 0);
        if (page == Libc.MAP_FAILED) return null;
        bool isAny = false;
        for (int slot = 0; slot < Count && !isAny; slot++) isAny = IsAside(page, slot);
        _ = Libc.munmap(page, length);
        return isAny;
    }

    private static unsafe ref int Note(nint page, int slot) => ref ((int*)(page + NotesOffset))[slot];

    // A request: the time in milliseconds, shifted by 16, and one more than the slot of the handle that asks; without a
    // slot it is over.
    private static unsafe ref long Request(nint page) => ref *(long*)(page + RequestOffset);

    /// <summary>The last request: without a slot in its low half-word it is over.</summary>
    internal static long LastRequest(nint page) => Volatile.Read(ref Request(page));

    private static long AgeOf(long request) => Environment.TickCount64 - (request >> 16);

    private static bool IsBeingAsked(long request)
        => (ushort)request != 0 && AgeOf(request) is >= 0 and < LongestRequest;

    /// <summary>Asks the handles of all other slots to step aside; false while another one asks, or when the last
    /// request has ended a short time ago. <paramref name="gap"/>: how many milliseconds the last request must be
    /// over.</summary>
    internal static bool TryAsk(nint page, int slot, int gap)
    {
        long seen = LastRequest(page);
        if (IsBeingAsked(seen) || HasEndedWithin(seen, gap)) return false;

        // R2 Race: two ask at once. Safe because: one exchange succeeds; the other handle sees that request and steps
        // aside for it.
        return Interlocked.CompareExchange(ref Request(page), (Environment.TickCount64 << 16) | ((uint)slot + 1),
            seen) == seen;
    }

    private static bool HasEndedWithin(long request, int milliseconds)
        => (ushort)request == 0 && request != 0 && AgeOf(request) >= 0 && AgeOf(request) < milliseconds;

    /// <summary>Whether any handle asks, or did until some milliseconds ago.</summary>
    internal static bool IsOrWasAsked(nint page, int milliseconds)
    {
        long seen = LastRequest(page);
        return IsBeingAsked(seen) || HasEndedWithin(seen, milliseconds);
    }

    /// <summary>When the last request ended, or ends at the latest; in <see cref="Environment.TickCount64"/>.</summary>
    internal static long EndOfRequest(nint page, out bool isOver)
    {
        long seen = LastRequest(page);
        isOver = (ushort)seen == 0;
        return (seen >> 16) + (isOver ? 0 : LongestRequest);
    }

    /// <summary>Adds the slots of other handles that have the file open, but for one that is being claimed and has not
    /// noted its process yet.</summary>
    internal static void FindUsers(nint page, UnixDescriptor file, int own, List<int> users)
    {
        for (int slot = 0; slot < Count; slot++)
        {
            if (slot != own && IsUser(page, file, slot) && !users.Contains(slot)) users.Add(slot);
        }
    }

    /// <summary>Whether a slot has a living handle, which has not stepped aside.</summary>
    internal static bool IsUser(nint page, UnixDescriptor file, int slot)
        => Volatile.Read(ref Note(page, slot)) > 0 && IsAlive(file, slot);

    /// <summary>Whether another handle than that of a slot asks.</summary>
    internal static bool IsAsked(nint page, int slot)
    {
        long seen = LastRequest(page);
        return IsBeingAsked(seen) && (ushort)seen != slot + 1;
    }

    /// <summary>Withdraws the request of a slot, unless another handle asks by now. <paramref name="answer"/>: when
    /// answered, the next one to ask, about the next holder, need not wait.</summary>
    internal static void EndAsking(nint page, int slot, AskAnswer answer)
    {
        long seen = LastRequest(page);
        long end = answer == AskAnswer.Answered ? 0 : Environment.TickCount64 << 16;
        if ((ushort)seen == slot + 1) _ = Interlocked.CompareExchange(ref Request(page), end, seen);
    }

    /// <summary>How a request ended: answered, when there is nothing to ask any more.</summary>
    internal enum AskAnswer { None, Answered }

    [DoesNotReturn]
    private static bool Throw(in NativeIpcKey key, int number)
        => throw Failure.Of(number is Errno.ENOMEM ? NativeIpcError.OutOfResources : NativeIpcError.LockError,
            "open the lock", key, "fcntl", number,
            "The kernel gave no record lock on the semaphore's file: see fcntl(2), F_OFD_SETLK.");
}
