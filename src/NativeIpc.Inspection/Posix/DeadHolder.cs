using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;

namespace NativeIpc.Inspection.Posix;

/// <summary>A lock that a process of this library has taken and not given back before it died, as its mark in the word
/// proves (<see cref="LockWord"/>); for a look from outside.</summary>
internal static class DeadHolder
{
    /// <summary>Whether the holder of the semaphore behind a file is dead. Reads it without mapping it, since a peer
    /// that may write it may shorten it.</summary>
    internal static unsafe bool Has(UnixDescriptor file)
    {
        ulong word = 0;
        bool isRead = PosixNames.s_areFiles && GlibcSemaphore.s_isOffered
            && Libc.pread((int)file.DangerousGetHandle(), (byte*)&word, sizeof(ulong), 0) == sizeof(ulong);
        return isRead && LockWord.HolderOf(new GlibcSemaphore.Word(word)) is { } slot
            && !HolderSlots.IsAlive(file, slot);
    }

    /// <summary>Gives the permit of a dead holder back, so that a peer that waits by the C library gets it, too; the
    /// next handle of this library learns of it. The file is open for reading and writing.</summary>
    /// <returns>False when no dead holder has it by now.</returns>
    internal static bool GiveBack(in NativeIpcKey key, UnixDescriptor file)
    {
        if (!Has(file)) return false;
        nint page = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED,
            (int)file.DangerousGetHandle(), 0);
        if (page == Libc.MAP_FAILED)
            throw PosixErrors.Unknown("give back a lost lock", key, "mmap",
                System.Runtime.InteropServices.Marshal.GetLastPInvokeError());
        try
        {
            if (LockWord.HolderOf(GlibcSemaphore.Look(page)) is not { } slot
                || !HolderSlots.TryLock(key, file, slot, out _))
                return false;

            // R1 Race: another process takes over from the dead holder, or claims its slot. Safe because: both need the
            // slot's lock, and the word is compared under it.
            bool isStillSo = LockWord.HolderOf(GlibcSemaphore.Look(page)) == slot;
            if (isStillSo) LockWord.Repair(page, LockWord.MarkOf(slot));
            HolderSlots.Unlock(file, slot);
            return isStillSo;
        }
        finally
        {
            _ = Libc.munmap(page, Layout.SizeOfSemT);
        }
    }
}
