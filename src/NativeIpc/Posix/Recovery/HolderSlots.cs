using System.Diagnostics.CodeAnalysis;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Recovery;

/// <summary>
/// The places from which handles of this library hold a semaphore, in the semaphore's own file: who has the lock on
/// byte n of a range far past the file's end is slot n, in whatever process and PID namespace, stopped or not, until
/// its description is closed, by Dispose or by its death.
/// </summary>
/// <remarks>
/// The kernel's lock is the only proof of life. Beside it each slot notes its process in the page behind the file's 32
/// bytes, which all users map and nobody else looks at: for diagnosis only. A child made by fork(2) without exec
/// inherits the description and counts as its parent's life.
/// </remarks>
internal static class HolderSlots
{
    /// <summary>How many handles can be told apart; more of them use the semaphore as a process does that knows nothing
    /// of slots.</summary>
    internal const int Count = 500;

    private const long FirstByte = 1 << 20;
    private const int NotesOffset = 64;
    private const int RequestOffset = 48;

    // How long a slot is kept for a user that is aside; it comes back after a fraction of that, unless it is stopped.
    private const int MostSecondsAside = 60;

    /// <summary>Takes a free slot.</summary>
    /// <returns>The slot; -1 when all are taken, or when such locks are refused.</returns>
    internal static int Claim(in NativeIpcKey key, nint page, UnixDescriptor file, out int refusal)
    {
        refusal = 0;

        // Handles that begin at the same place would try one another's slots first.
        int start = Random.Shared.Next(Count);
        for (int i = 0; i < Count; i++)
        {
            int slot = (start + i) % Count;
            if (IsAside(page, slot) || !TryLock(key, file, slot, out refusal))
            {
                if (refusal != 0) return -1;
                continue;
            }

            if (!IsAside(page, slot)) return slot;
            Unlock(file, slot); // its user has stepped aside between the two
        }

        return -1;
    }

    /// <summary>
    /// Takes the lock of a slot; false while another description has it, and when such locks are refused.
    /// </summary>
    /// <param name="key">The semaphore.</param>
    /// <param name="file">Its file.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="refusal">Why the system gives no such locks, as an error number; 0 when it does.</param>
    internal static bool TryLock(in NativeIpcKey key, UnixDescriptor file, int slot, out int refusal)
    {
        int number = Lock(file, slot);
        refusal = IsRefused(number) ? number : 0;
        return number == 0 || (IsTaken(number) || refusal != 0 ? false : Throw(key, number));
    }

    /// <summary>The byte that the user of a slot has locked.</summary>
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
    /// Whether an error number says that another description has the lock. POSIX allows EACCES for that, too; Linux
    /// never says it, but AppArmor and SELinux do, who forbid locks.
    /// </summary>
    internal static bool IsTaken(int number) => number == Errno.EAGAIN;

    /// <summary>
    /// Whether an error number says that there are no such locks for this process: an older or another kernel
    /// (EINVAL), a filter (EPERM, ENOSYS), a security module (EACCES), a file
    /// system or a kernel that has no locks, or none left (ENOLCK). Whether a holder lives can then not be told, and
    /// the semaphore works without.
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

    /// <summary>Notes that the slot's user has let go of the file for a moment, and comes back to it.</summary>
    internal static void NoteAside(nint page, int slot)
        => Volatile.Write(ref Note(page, slot), -(int)(Environment.TickCount64 / 1000) - 1);

    private static bool IsAside(nint page, int slot)
    {
        int note = Volatile.Read(ref Note(page, slot));
        return note < 0 && Environment.TickCount64 / 1000 + 1 + note is >= 0 and <= MostSecondsAside;
    }

    /// <summary>Whether the user of any slot is aside, in a semaphore's file that nobody else can open or shorten
    /// meanwhile.</summary>
    internal static bool IsAnyAside(UnixDescriptor file) => LookAside(file) != false;

    /// <summary>The same; null when it cannot be told.</summary>
    internal static bool? LookAside(UnixDescriptor file)
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

    // A request: the time in milliseconds, shifted by 16, and one more than the slot of who asks; without a slot it is
    // over.
    private static unsafe ref long Request(nint page) => ref *(long*)(page + RequestOffset);

    /// <summary>The last request: without a slot in its low half-word it is over.</summary>
    internal static long LastRequest(nint page) => Volatile.Read(ref Request(page));

    private static long AgeOf(long request) => Environment.TickCount64 - (request >> 16);

    private static bool IsBeingAsked(long request)
        => (ushort)request != 0 && AgeOf(request) is >= 0 and < SteppingAside.LongestMilliseconds;

    /// <summary>Asks the users of all other slots to step aside; false while another one asks, or when the last
    /// request has ended a short time ago.</summary>
    /// <param name="page">The semaphore's page.</param>
    /// <param name="slot">Who asks.</param>
    /// <param name="gap">How many milliseconds the last request must be over.</param>
    internal static bool TryAsk(nint page, int slot, int gap)
    {
        long seen = LastRequest(page);
        if (IsBeingAsked(seen) || HasEndedWithin(seen, gap)) return false;
        return Interlocked.CompareExchange(ref Request(page), (Environment.TickCount64 << 16) | ((uint)slot + 1),
            seen) == seen;
    }

    private static bool HasEndedWithin(long request, int milliseconds)
        => (ushort)request == 0 && request != 0 && AgeOf(request) >= 0 && AgeOf(request) < milliseconds;

    /// <summary>Whether the user of any slot asks, or did until a few milliseconds ago.</summary>
    internal static bool IsOrWasAsked(nint page, int milliseconds)
    {
        long seen = LastRequest(page);
        return IsBeingAsked(seen) || HasEndedWithin(seen, milliseconds);
    }

    /// <summary>When the last request ended, or ends at the latest; in <see cref="Environment.TickCount64"/>.</summary>
    /// <param name="page">The semaphore's page.</param>
    /// <param name="isOver">Whether it has ended.</param>
    internal static long EndOfRequest(nint page, out bool isOver)
    {
        long seen = LastRequest(page);
        isOver = (ushort)seen == 0;
        return (seen >> 16) + (isOver ? 0 : SteppingAside.LongestMilliseconds);
    }

    /// <summary>Adds the slots of other handles that have the file open, of those that note a process.</summary>
    /// <remarks>One that is just being claimed, and has not noted its process yet, is missed.</remarks>
    internal static void FindUsers(nint page, UnixDescriptor file, int own, List<int> users)
    {
        for (int slot = 0; slot < Count; slot++)
        {
            if (slot != own && IsUser(page, file, slot) && !users.Contains(slot)) users.Add(slot);
        }
    }

    /// <summary>Whether a slot has a living user, which has not stepped aside.</summary>
    internal static bool IsUser(nint page, UnixDescriptor file, int slot)
        => Volatile.Read(ref Note(page, slot)) > 0 && IsAlive(file, slot);

    /// <summary>Whether somebody else than the user of a slot asks.</summary>
    internal static bool IsAsked(nint page, int slot)
    {
        long seen = LastRequest(page);
        return IsBeingAsked(seen) && (ushort)seen != slot + 1;
    }

    /// <summary>Withdraws the request of a slot's user, unless another one asks by now.</summary>
    /// <param name="page">The semaphore's page.</param>
    /// <param name="slot">Who asked.</param>
    /// <param name="isAnswered">Whether there is nothing to ask any more: the next one to ask, about the next holder,
    /// has not to wait.</param>
    internal static void EndAsking(nint page, int slot, bool isAnswered)
    {
        long seen = LastRequest(page);
        long end = isAnswered ? 0 : Environment.TickCount64 << 16;
        if ((ushort)seen == slot + 1) Interlocked.CompareExchange(ref Request(page), end, seen);
    }

    [DoesNotReturn]
    private static bool Throw(in NativeIpcKey key, int number)
        => throw Failure.Of(number is Errno.ENOMEM ? NativeIpcError.OutOfResources : NativeIpcError.LockError,
            "open the lock", key, "fcntl", number,
            "The kernel gave no record lock on the semaphore's file: see fcntl(2), F_OFD_SETLK.");
}
