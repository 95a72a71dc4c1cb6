using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.SystemV;

/// <content>
/// A lock that tells of dead holders (Linux). A set that we make for a lock has two semaphores: number 0 is Qt's, 1
/// when it is free. Number 1 counts the takings of ours that were not given back. It is changed in the same operation
/// as number 0, but without undo: the kernel gives a dead holder's permit back and leaves the count. So whoever takes
/// the lock and finds more than its own taking comes after a holder that died. </content>
/// <remarks>
/// <para>Points at which a process can die; each semop is all or nothing in the kernel. (1) Before taking, or waiting:
/// nothing has happened. (2) After taking: number 0 comes back, number 1 stays 1, the next one finds 2. (3) After
/// taking over and before mending: number 1 is n + 1 with n left by others, the next one finds n + 2. (4) After
/// mending, which sets number 1 to the holder's own 1: as (2). (5) Before giving back: as (2). (6) After giving back:
/// number 1 is one less again, nobody is told.</para>
/// <para>Interleavings. (a) Two that mend: both would hold number 0, so they do so one after the other. (b) Qt and C
/// know number 0 only. One that takes the lock of a dead holder of ours changes nothing in number 1: our next one is
/// told. One of theirs that dies gives number 0 back, and nobody is told. (c) A peer's SETVAL (failed create() of Qt)
/// frees number 0 under a holder A. If B takes it, B is told: A was in the middle. A's giving back then frees what B
/// holds (nothing can tell), and B's fails: B is told that it was not alone. If nobody took it, A's giving back fails,
/// and A takes its own count back, in one operation with a look that number 0 is free, so that no taker's count is
/// taken. (d) IPC_RMID: each call says so; ids are not used again soon.</para>
/// </remarks>
internal sealed partial class SystemVSemaphore
{
    private bool _tookOver;
    private int _isHeld; // of a robust semaphore, by this instance

    public override bool TookOver => Volatile.Read(ref _tookOver);

    /// <summary>Three steps as one operation.</summary>
    private struct Steps
    {
        public Sembuf First;
        public Sembuf Second;
        public Sembuf Third;
    }

    /// <summary>Takes the free lock of a set that tells, if nobody of ours holds it or has died with it. False changes
    /// nothing, and shows what it was when it is done again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private unsafe bool TryTakeClean(Opened set)
    {
        if (StopPoint.IsOn) return false;
        short noWait = (short)Flags.IPC_NOWAIT;
        Steps steps;
        steps.First = new Sembuf { sem_num = 1, sem_flg = noWait };
        steps.Second = new Sembuf { sem_op = -1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        steps.Third = new Sembuf { sem_num = 1, sem_op = 1, sem_flg = noWait };
        if (SemopAtOnce.s_call(set.Id, &steps.First, 3) != 0) return false;
        Volatile.Write(ref _tookOver, false);
        return true;
    }

    /// <summary>Gives the lock of a set that tells back, as it usually is. False changes nothing, and shows what it was
    /// when it is done again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe bool TryGiveBackClean(Opened set)
    {
        if (StopPoint.IsOn) return false;
        short noWait = (short)Flags.IPC_NOWAIT;
        Steps steps;
        steps.First = new Sembuf { sem_flg = noWait };
        steps.Second = new Sembuf { sem_op = 1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        steps.Third = new Sembuf { sem_num = 1, sem_op = -1, sem_flg = noWait };
        return SemopAtOnce.s_call(set.Id, &steps.First, 3) == 0;
    }

    /// <summary>Takes the lock of a set that tells; null when the set is gone and was made anew.</summary>
    /// <param name="set">The set.</param>
    /// <param name="slice">How long to wait; null tries.</param>
    /// <param name="triedClean">Whether the first step was tried already.</param>
    private unsafe bool? TryTake(Opened set, TimeSpan? slice, bool triedClean)
    {
        const string attempt = Acquiring;
        StopPoint.At("systemv.lock.before");
        Sembuf* steps = stackalloc Sembuf[3];
        short noWait = (short)Flags.IPC_NOWAIT;
        steps[0] = new Sembuf { sem_num = 1, sem_flg = noWait }; // clean: nobody of ours holds it, or has died with it
        steps[1] = new Sembuf { sem_op = -1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        steps[2] = new Sembuf { sem_num = 1, sem_op = 1, sem_flg = noWait };
        int number = 0;
        if (slice is null && (!triedClean || StopPoint.IsOn))
        {
            if (Libc.semop(set.Id, steps, 3) == 0)
            {
                StopPoint.At("systemv.lock.taken");
                Volatile.Write(ref _tookOver, false);
                return true;
            }

            number = Marshal.GetLastPInvokeError();
        }

        if (number is 0 || number == Errno.EAGAIN || number == Errno.EINTR)
        {
            if (slice is { } wait)
            {
                steps[1].sem_flg = (short)Flags.SEM_UNDO;
                var timeout = new Timespec { tv_sec = wait.Ticks / TimeSpan.TicksPerSecond,
                    tv_nsec = wait.Ticks % TimeSpan.TicksPerSecond * 100 };
                number = Libc.semtimedop(set.Id, steps + 1, 2, &timeout) == 0 ? 0 : Marshal.GetLastPInvokeError();
            }
            else
            {
                do number = Libc.semop(set.Id, steps + 1, 2) == 0 ? 0 : Marshal.GetLastPInvokeError();
                while (number == Errno.EINTR);
            }
        }

        // The caller knows how much of the deadline is left
        if (number == Errno.EAGAIN || number == Errno.EINTR) return false;
        if (SystemVSupport.IsGone(number)) return GoOnAfterLoss(attempt, -1, slice, set.Id, number);
        if (number != 0) throw SystemVErrors.UseSemaphore(attempt, Key, slice is null ? "semop" : "semtimedop", number);

        StopPoint.At("systemv.lock.taken");
        int takings = Libc.semctl(set.Id, 1, Flags.GETVAL);
        bool tookOver = takings > 1;
        if (tookOver)
        {
            StopPoint.At("systemv.lock.mending");
            if (Libc.semctl(set.Id, 1, Flags.SETVAL, 1) == -1) takings = -1;
            StopPoint.At("systemv.lock.mended");
        }

        Volatile.Write(ref _tookOver, tookOver);
        if (takings != -1) return true;
        number = Marshal.GetLastPInvokeError();
        if (SystemVSupport.IsGone(number)) return true; // removed while held: giving it back says so
        TryGiveBack(set);
        throw SystemVErrors.UseSemaphore(attempt, Key, "semctl", number);
    }

    /// <summary>Gives the lock of a set that tells back; false when a peer reset or removed it.</summary>
    private unsafe bool TryGiveBack(Opened set)
    {
        StopPoint.At("systemv.unlock.before");
        Sembuf* steps = stackalloc Sembuf[3];
        short noWait = (short)Flags.IPC_NOWAIT;
        steps[0] = new Sembuf { sem_flg = noWait };
        steps[1] = new Sembuf { sem_op = 1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        steps[2] = new Sembuf { sem_num = 1, sem_op = -1, sem_flg = noWait };
        while (Libc.semop(set.Id, steps, 3) != 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (SystemVSupport.IsGone(number)) return false;
            if (number == Errno.EAGAIN)
            {
                // Down and up again: only while it is free. Without undo, of which the reset left nothing.
                steps[0] = new Sembuf { sem_op = -1, sem_flg = noWait };
                steps[1] = new Sembuf { sem_op = 1, sem_flg = noWait };
                _ = Libc.semop(set.Id, steps, 3); // fails when somebody has taken it, and mended the count
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
        ObjectDisposedException.ThrowIf(!TryEnter(), typeof(SystemSemaphore));
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
            Leave();
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The kernel notes of each semaphore who did the last operation that succeeded. One of ours does it on both, a Qt
    /// or C program on number 0 only. A process of another PID namespace shows as 0. A dead holder is not seen: the
    /// kernel has given its permit back by then.
    /// </remarks>
    public override LockStatus GetStatus()
    {
        if (!OperatingSystem.IsLinux() || !_options.Robust) return base.GetStatus();
        ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
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
