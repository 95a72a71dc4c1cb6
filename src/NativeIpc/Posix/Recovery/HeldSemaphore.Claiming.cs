using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Lifetime;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Recovery;

/// <content>How a handle gets its slot, by which a dead holder is told (<see cref="HolderSlots"/>).</content>
internal sealed partial class HeldSemaphore
{
    private void ClaimSlot(bool requiresRecovery)
    {
        StopPoint.At("claim.before");
        int slot = HolderSlots.Claim(Key, Page, _file, out int refusal);
        StopPoint.At("claim.locked");
        if (refusal != 0)
        {
            // As a process does that knows nothing of slots: peers that have one see an unknown holder, and take
            // nothing from it while it has the file open.
            if (requiresRecovery)
            {
                throw Failure.Of(NativeIpcError.LockError, "open the lock", Key, "fcntl", refusal,
                    "Robust and RequireLockRecovery need locks of open file descriptions (F_OFD_SETLK, fcntl(2)), "
                        + "which this kernel or a filter refuses: allow them, or do without.");
            }

            _hearsOfDeaths = false;
            NativeIpcEventSource.s_log.NotRecoverable(
                $"the lock {Failure.Describe(Key)} works without recovery here, since fcntl(F_OFD_SETLK) says "
                    + $"\"{Marshal.GetPInvokeErrorMessage(refusal)}\" (error {refusal}): nobody can tell whether a "
                    + $"holder lives");
        }
        else if (slot < 0)
        {
            if (requiresRecovery)
            {
                throw Failure.Found(NativeIpcError.LockError, "open the lock", Key, "fcntl",
                    $"it is open {HolderSlots.Count} times already, and no further holder can be told apart, as "
                        + $"Robust and RequireLockRecovery ask", "Open it fewer times, or do without.");
            }

            NativeIpcEventSource.s_log.NotRecoverable(
                $"the lock {Failure.Describe(Key)} is open more than {HolderSlots.Count} times: should this process "
                    + $"die while it holds the lock, nobody can tell");
        }
        else
        {
            Repair(Page, (uint)slot + 1);
            HolderSlots.NoteProcess(Page, slot);
            StopPoint.At("claim.noted");
        }

        _slot = slot;

        // Somebody may have died between giving the permit and waking the next one.
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(Page);
        if (seen.Count > 0 && seen.Waiters > 0) GlibcSemaphore.Wake(Page, 1);
    }

    /// <summary>A mark that is in the word when its slot is claimed is that of the slot's last user, who died
    /// holding.</summary>
    internal static void Repair(nint page, uint mark)
    {
        while (true)
        {
            GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
            if (seen.Mark != mark) return;
            StopPoint.At("repair.before");
            if (!GlibcSemaphore.Exchange(page, seen, seen.With(Math.Max(seen.Count, 1), Abandoned))) continue;
            StopPoint.At("repair.done");
            if (seen.Waiters > 0) GlibcSemaphore.Wake(page, 1);
            return;
        }
    }
}
