using System.Diagnostics.CodeAnalysis;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>
/// The places from which handles of this library hold a semaphore, in the semaphore's own file: who has the lock on byte n of a range far past
/// the file's end is slot n, in whatever process and PID namespace, stopped or not, until its description is closed, by Dispose or by its death.
/// </summary>
/// <remarks>
/// The kernel's lock is the only proof of life. Beside it each slot notes its process in the page behind the file's 32 bytes, which all users
/// map and nobody else looks at: for diagnosis only. A child made by fork(2) without exec inherits the description and counts as its parent's life.
/// </remarks>
internal static class HolderSlots
{
    /// <summary>How many handles can be told apart; more of them use the semaphore as a process does that knows nothing of slots.</summary>
    internal const int Count = 500;

    private const long FirstByte = 1 << 20;
    private const int NotesOffset = 64;

    /// <summary>Takes a free slot.</summary>
    /// <returns>The slot; -1 when all are taken.</returns>
    internal static int Claim(in NativeIpcKey key, UnixDescriptor file)
    {
        // Handles that begin at the same place would try one another's slots first.
        int start = Random.Shared.Next(Count);
        for (int i = 0; i < Count; i++)
        {
            int slot = (start + i) % Count;
            if (TryLock(key, file, slot)) return slot;
        }

        return -1;
    }

    /// <summary>Takes the lock of a slot; false while another description has it.</summary>
    internal static bool TryLock(in NativeIpcKey key, UnixDescriptor file, int slot)
    {
        int number;
        do
        {
            number = Libc.LockByte(file, FirstByte + slot, Flags.F_WRLCK);
        }
        while (number == Errno.EINTR);

        if (number == 0) return true;
        return number == Errno.EAGAIN || number == Errno.EACCES ? false : Throw(key, number);
    }

    internal static void Unlock(UnixDescriptor file, int slot)
        => _ = Libc.LockByte(file, FirstByte + slot, Flags.F_UNLCK); // fails for no lock that is held

    internal static bool IsAlive(UnixDescriptor file, int slot) => Libc.IsByteLockedByAnother(file, FirstByte + slot);

    internal static unsafe void NoteProcess(nint page, int slot)
        => Volatile.Write(ref ((int*)(page + NotesOffset))[slot], Environment.ProcessId);

    internal static unsafe int ReadProcess(nint page, int slot) => Volatile.Read(ref ((int*)(page + NotesOffset))[slot]);

    [DoesNotReturn]
    private static bool Throw(in NativeIpcKey key, int number)
        => throw Failure.Of(number is Errno.ENOMEM ? NativeIpcError.OutOfResources : NativeIpcError.LockError, "open the lock", key, "fcntl", number,
            "The kernel gave no record lock on the semaphore's file: see fcntl(2), F_OFD_SETLK.");
}
