using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Words;

namespace NativeIpc.Inspection.Posix;

/// <summary>A POSIX semaphore that a process of this library has taken and not given back before it died, as its mark
/// in the semaphore proves (<see cref="HeldSemaphore"/>).</summary>
internal static class DeadHolder
{
    /// <summary>Whether the holder is dead. The file is a semaphore's; it is not mapped, since whoever may write it may
    /// shorten it.</summary>
    internal static unsafe bool Has(UnixDescriptor file)
    {
        ulong word = 0;
        bool isRead = HeldSemaphore.IsOffered
            && Libc.pread((int)file.DangerousGetHandle(), (byte*)&word, sizeof(ulong), 0) == sizeof(ulong);
        return isRead && SlotOf(new GlibcSemaphore.Word(word)) is { } slot && !HolderSlots.IsAlive(file, slot);
    }

    /// <summary>Gives the permit back, so that a peer who waits by the C library gets it, too; the next one of ours is
    /// told that the holder died. The file is open for reading and writing.</summary>
    /// <returns>False when nobody dead has it, by now.</returns>
    /// <remarks>Race: another one takes over from the dead holder, or a new process gets its slot. Safe because all do
    /// so under the slot's lock, and the word is compared in that.</remarks>
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
            if (SlotOf(GlibcSemaphore.Look(page)) is not { } slot || !HolderSlots.TryLock(key, file, slot, out _))
                return false;
            bool isStillSo = SlotOf(GlibcSemaphore.Look(page)) == slot;
            if (isStillSo) HeldSemaphore.Repair(page, (uint)slot + 1);
            HolderSlots.Unlock(file, slot);
            return isStillSo;
        }
        finally
        {
            _ = Libc.munmap(page, Layout.SizeOfSemT);
        }
    }

    private static int? SlotOf(GlibcSemaphore.Word seen)
        => seen is { Count: 0, Mark: > 0 and <= HolderSlots.Count } ? (int)seen.Mark - 1 : null;
}
