using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.SystemV;

/// <content>
/// A lock that tells of dead holders (Linux). A set that this library makes for a lock has two semaphores: number 0 is
/// Qt's, 1 when it is free. Number 1 counts the takings of this library that were not released. It is changed in the
/// same operation as number 0, but without undo: the kernel gives a dead holder's permit back and leaves the count. So
/// whoever takes the lock and finds more than its own taking comes after a holder that died.
/// </content>
/// <remarks>Each semop is all or nothing in the kernel, ids are not used again soon, and after IPC_RMID each call says
/// that the set is gone. Qt and C know number 0 only: one that takes the lock of a dead holder changes nothing in
/// number 1, so the next one of this library learns of it; a Qt process that dies gives number 0 back, and nobody
/// does.</remarks>
internal sealed partial class SystemVSemaphore
{
    private const short NoWait = Flags.IPC_NOWAIT;
    private const short NoWaitUndo = Flags.SEM_UNDO | Flags.IPC_NOWAIT;

    private bool _tookOver;
    private int _isHeld; // of a robust semaphore, by this instance

    public override bool TookOver => Volatile.Read(ref _tookOver);

    // Operations of several steps, each a struct sembuf: number, change, flags. Data of the assembly, which does not
    // move and costs no store.

    /// <summary>Takes the lock, if its count says that nobody of this library holds it or has died with it.</summary>
    private static ReadOnlySpan<short> CleanTaking => [1, 0, NoWait, 0, -1, NoWaitUndo, 1, 1, NoWait];

    /// <summary>Takes the lock whatever its count says.</summary>
    private static ReadOnlySpan<short> Taking => [0, -1, NoWaitUndo, 1, 1, NoWait];

    /// <summary>The same, and waits for it.</summary>
    private static ReadOnlySpan<short> PatientTaking => [0, -1, Flags.SEM_UNDO, 1, 1, NoWait];

    /// <summary>Releases the lock, if it is taken.</summary>
    private static ReadOnlySpan<short> Releasing => [0, 0, NoWait, 0, 1, NoWaitUndo, 1, -1, NoWait];

    /// <summary>Takes one off the count, if the lock is free: down and up again. Without undo, of which a reset left
    /// nothing.</summary>
    private static ReadOnlySpan<short> Uncounting => [0, -1, NoWait, 0, 1, NoWait, 1, -1, NoWait];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Sembuf* StepsOf(ReadOnlySpan<short> operation)
        => (Sembuf*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(operation));

    /// <summary>Takes the free lock of a set that tells, if nobody of this library holds it or has died with it. False
    /// changes nothing, and shows what it was when it is done again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private unsafe bool TryTakeFast(Opened set)
    {
        if (StopPoint.IsOn) return false;
        if (SemopFast.s_call(set.Id, StepsOf(CleanTaking), 3) != 0) return false;
        Volatile.Write(ref _tookOver, false);
        return true;
    }

    /// <summary>Releases the lock of a set that tells, as it usually is. False changes nothing, and shows what it was
    /// when it is done again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe bool TryReleaseFast(Opened set)
    {
        return !StopPoint.IsOn && SemopFast.s_call(set.Id, StepsOf(Releasing), 3) == 0;
    }

    /// <summary>Takes the lock of a set that tells; null when the set is gone and was made anew.</summary>
    /// <param name="set">The set.</param>
    /// <param name="slice">How long to wait; null tries.</param>
    /// <param name="triedFast">Whether the first step was tried already.</param>
    private unsafe bool? TryTake(Opened set, TimeSpan? slice, bool triedFast)
    {
        StopPoint.At("systemv.lock.before");
        if (slice is null && (!triedFast || StopPoint.IsOn)
            && Libc.semop(set.Id, StepsOf(CleanTaking), 3) == 0)
        {
            StopPoint.At("systemv.lock.taken");
            Volatile.Write(ref _tookOver, false);
            return true;
        }

        // Whatever kept it from that shows here.
        int number = TakeAnyway(set.Id, slice);

        // The caller knows how much of the deadline is left
        if (number == Errno.EAGAIN || number == Errno.EINTR) return false;
        if (SystemVSupport.IsGone(number)) return GoOnAfterLoss(Acquiring, -1, slice, set.Id, number);
        if (number != 0)
            throw SystemVErrors.UseSemaphore(Acquiring, Key, slice is null ? "semop" : "semtimedop", number);
        StopPoint.At("systemv.lock.taken");
        MendAfterDeath(set);
        return true;
    }

    /// <summary>Takes the lock whatever its count says. Returns 0, or the error number.</summary>
    private static unsafe int TakeAnyway(int id, TimeSpan? slice)
    {
        int number;
        if (slice is { } wait)
        {
            var timeout = new Timespec { tv_sec = wait.Ticks / TimeSpan.TicksPerSecond,
                tv_nsec = wait.Ticks % TimeSpan.TicksPerSecond * 100 };
            return Libc.semtimedop(id, StepsOf(PatientTaking), 2, &timeout) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }

        do number = Libc.semop(id, StepsOf(Taking), 2) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (number == Errno.EINTR);
        return number;
    }

    /// <summary>Looks whether the lock that was just taken comes from a dead holder, and sets the count right
    /// then.</summary>
    /// <remarks>
    /// R3 Race: this process dies. Before it took the lock, nothing has happened; after it, number 0 comes back, number
    /// 1 stays, and the next one finds its own taking and at least one more. Between taking over and mending, number 1
    /// is n + 1 with n left by others, and the next one finds n + 2. After mending it is this holder's own 1.
    /// Safe because: the next holder learns of it in each case, and in none after a release.
    /// R4 Race: two processes mend.
    /// Safe because: both would hold number 0, so they do so one after the other.
    /// </remarks>
    private void MendAfterDeath(Opened set)
    {
        int takings = Libc.semctl(set.Id, 1, Flags.GETVAL);
        int number = takings == -1 ? Marshal.GetLastPInvokeError() : 0;
        bool tookOver = takings > 1;
        if (tookOver)
        {
            StopPoint.At("systemv.lock.mending");
            if (Libc.semctl(set.Id, 1, Flags.SETVAL, 1) == -1) number = Marshal.GetLastPInvokeError();
            StopPoint.At("systemv.lock.mended");
        }

        Volatile.Write(ref _tookOver, tookOver && TellTakeover());
        if (number == 0) return;
        if (SystemVSupport.IsGone(number)) return; // removed while held: the release says so
        TryRelease(set);
        throw SystemVErrors.UseSemaphore(Acquiring, Key, "semctl", number);
    }

    /// <summary>Releases the lock of a set that tells; false when a peer reset or removed it.</summary>
    /// <remarks>
    /// R5 Race: a peer's SETVAL (a failed create() of Qt) frees number 0 under holder A.
    /// Safe because: if B has taken it since, B was told that A was in the middle. A's release then frees what B holds
    /// (nothing can tell), and B's fails: B learns that it was not alone. If nobody has taken it, A's release fails,
    /// and A takes its own count back in one operation with a look that number 0 is free, so no taker's count is taken.
    /// </remarks>
    private unsafe bool TryRelease(Opened set)
    {
        StopPoint.At("systemv.unlock.before");
        while (Libc.semop(set.Id, StepsOf(Releasing), 3) != 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (SystemVSupport.IsGone(number)) return false;
            if (number == Errno.EAGAIN)
            {
                _ = Libc.semop(set.Id, StepsOf(Uncounting), 3); // fails when it was taken, and the count mended
                return false;
            }

            if (number != Errno.EINTR)
                throw SystemVErrors.UseSemaphore("release the lock of the segment", Key, "semop", number);
        }

        StopPoint.At("systemv.unlock.after");
        return true;
    }

    /// <summary>Release of a robust semaphore: one permit, by the instance that holds it.</summary>
    private void ReleaseAsHolder(int count)
    {
        if (count != 1)
            throw new InvalidOperationException(
                $"The semaphore {Failure.Describe(Key)} is robust, so it is a lock: it is released by 1, not "
                    + $"by {count}.");
        ThrowIfClosed(!TryBeginUse());
        try
        {
            if (Interlocked.Exchange(ref _isHeld, 0) == 0)
                throw new InvalidOperationException(
                    $"The semaphore {Failure.Describe(Key)} is robust, so it is a lock: this instance does not hold "
                        + $"it and cannot release it.");
            Volatile.Write(ref _tookOver, false);
            if (TryUnlock()) return;
            throw Failure.Found(NativeIpcError.LockError, "release the semaphore", Key, "semop",
                "a peer reset or removed it while this instance held it",
                "Another process may have held it at the same time: check what it protects.");
        }
        finally
        {
            EndUse();
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The kernel notes of each semaphore which process did the last operation that succeeded. A process of this
    /// library does it on both, a Qt or C program on number 0 only. A process of another PID namespace shows as 0. A
    /// dead holder is not seen: the kernel has given its permit back by then.
    /// </remarks>
    public override LockStatus GetStatus()
    {
        if (!OperatingSystem.IsLinux() || !_options.Robust) return base.GetStatus();
        ThrowIfClosed(IsClosed);
        Opened set = _set;
        int value = Libc.semctl(set.Id, 0, Flags.GETVAL);
        if (value == -1)
        {
            int number = Marshal.GetLastPInvokeError();
            throw SystemVErrors.UseSemaphore("see who holds the semaphore", Key, "semctl", number);
        }

        if (value > 0) return new LockStatus(LockHolder.Nobody, null, IsRecoverable: true);
        int process = Libc.semctl(set.Id, 0, Flags.GETPID);
        bool isOurs = set.Tells && Libc.semctl(set.Id, 1, Flags.GETVAL) > 0
            && Libc.semctl(set.Id, 1, Flags.GETPID) == process;
        bool isHere = process == Environment.ProcessId; // the kernel gives the number in this process's PID namespace
        return new LockStatus(isOurs ? LockHolder.Process : LockHolder.Unknown, process > 0 ? process : null,
            IsRecoverable: true)
        {
            IsHeldByThisProcess = isHere,
            IsHeldByThisInstance = isHere && Volatile.Read(ref _isHeld) != 0,
        };
    }
}
