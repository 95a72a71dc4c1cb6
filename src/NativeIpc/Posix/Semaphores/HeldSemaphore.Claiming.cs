using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Lifetime;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Semaphores;

/// <content>How a handle gets its slot, by which a dead holder is known (<see cref="HolderSlots"/>).</content>
internal sealed partial class HeldSemaphore
{
    private void ClaimSlot(LockRecovery recovery)
    {
        StopPoint.At("claim.before"); // death here, and up to claim.noted: a free slot
        int slot = HolderSlots.Claim(Key, Page, _file, out int refusal);
        StopPoint.At("claim.locked");
        if (slot >= 0)
        {
            // A mark that is in the word by now is that of the slot's last user, who died holding.
            LockWord.Repair(Page, LockWord.MarkOf(slot));
            HolderSlots.NoteProcess(Page, slot);
            StopPoint.At("claim.noted");
        }
        else if (refusal != 0)
        {
            DoWithoutLocks(recovery, refusal);
        }
        else
        {
            DoWithoutSlot(recovery);
        }

        _slot = slot;

        // A process may have died between giving the permit and waking the next waiter.
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(Page);
        if (seen.Count > 0 && seen.Waiters > 0) GlibcSemaphore.Wake(Page, 1);
    }

    /// <summary>Goes on as a program that knows nothing of slots: peers that have one see an unknown holder, and take
    /// nothing from it while it has the file open.</summary>
    private void DoWithoutLocks(LockRecovery recovery, int refusal)
    {
        if (recovery == LockRecovery.Required)
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

    private void DoWithoutSlot(LockRecovery recovery)
    {
        if (recovery == LockRecovery.Required)
        {
            throw Failure.Found(NativeIpcError.LockError, "open the lock", Key, "fcntl",
                $"it is open {HolderSlots.Count} times already, and no further holder can be told apart, as "
                    + $"Robust and RequireLockRecovery ask", "Open it fewer times, or do without.");
        }

        NativeIpcEventSource.s_log.NotRecoverable(
            $"the lock {Failure.Describe(Key)} is open more than {HolderSlots.Count} times: should this process "
                + $"die while it holds the lock, nobody can tell");
    }
}

/// <summary>Whether a semaphore is a lock whose dead holders are noticed: where the system can and there is a free
/// slot, or so that opening fails without.</summary>
internal enum LockRecovery { None, WherePossible, Required }
