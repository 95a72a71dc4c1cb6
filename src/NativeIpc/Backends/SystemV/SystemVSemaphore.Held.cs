using System.Runtime.InteropServices;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.SystemV;

/// <summary>
/// A System V semaphore as a lock: the kernel gives back what a dead holder had (SEM_UNDO), and the next one of ours is told of it by a second semaphore in the set.
/// </summary>
/// <remarks>
/// <para>Number 0 is the lock as Qt and C know it; they open the set with one semaphore or none, which a set of two allows. Number 1 is the <i>dirty count</i>:
/// our holders raise it in the same operation that takes number 0, and lower it in the one that gives it back, both without undo. So
/// it is 0 while nobody of ours holds, 1 while one does, and stays when a holder dies. A set that a peer has made has no number 1: its lock is given
/// back as well, but nobody is told. Linux only: elsewhere the set has one semaphore, too.</para>
/// <para>Where a process can die (the names are those of StopPoint): <c>take.before</c>: as it was. <c>take.done</c>, <c>unlock.before</c>: number 0 is given
/// back, number 1 stays 1: the next one is told. <c>mend.before</c>: number 1 stays over 1: told again. <c>mend.done</c>: as <c>take.done</c>. <c>unlock.done</c>: nothing.</para>
/// <para>Interleavings: each operation is one step for the kernel, so two cannot be between taking and counting. Only the holder of
/// number 0 sets number 1. A peer that resets number 0 (a failed create() of Qt) leaves number 1: the next holder is told, and rightly, since two were
/// inside. Whether giving back lowers number 1 is not a condition for giving back: nobody is locked out by a wrong dirty count.</para>
/// </remarks>
internal sealed partial class SystemVSemaphore
{
    private const string Acquiring = "acquire the semaphore";

    private readonly bool _isHeld;
    private volatile bool _hasDirtyCount = OperatingSystem.IsLinux();
    private bool _tookOver;
    private int _holds;

    /// <summary>How many semaphores a set has that is made for a lock.</summary>
    internal static int HeldSetSize => OperatingSystem.IsLinux() ? 2 : 1;

    public override bool TookOver => _tookOver;

    /// <summary>Takes the lock if it is free, or waits for it for a slice, and sees whether the last holder died.</summary>
    private unsafe bool TryTake(TimeSpan? slice = null)
    {
        Sembuf* steps = stackalloc Sembuf[3];
        short noWait = (short)Flags.IPC_NOWAIT;
        StopPoint.At("take.before");
        if (slice is null)
        {
            // One call when all is well: number 1 is 0, number 0 is free.
            steps[0] = new Sembuf { sem_num = 1, sem_flg = noWait };
            steps[1] = new Sembuf { sem_op = -1, sem_flg = (short)(_acquireFlags | noWait) };
            steps[2] = new Sembuf { sem_num = 1, sem_op = 1 };
            if (Operate(Acquiring, steps, 3, takes: true, null))
            {
                StopPoint.At("take.done");
                return Held(true);
            }

            if (!_hasDirtyCount) return TryAcquire();
        }

        steps[0] = new Sembuf { sem_op = -1, sem_flg = slice is null ? (short)(_acquireFlags | noWait) : _acquireFlags };
        steps[1] = new Sembuf { sem_num = 1, sem_op = 1 };
        if (!Operate(Acquiring, steps, 2, takes: true, slice)) return !_hasDirtyCount && slice is { } wait && Block(wait);
        StopPoint.At("take.done");
        Held(true);
        int dirty = Libc.semctl(_id, 1, Flags.GETVAL);
        if (dirty <= 1) return true; // -1: removed meanwhile, which unlocking finds
        StopPoint.At("mend.before");
        _tookOver = true;
        if (Libc.semctl(_id, 1, Flags.SETVAL, 1) == -1 && Marshal.GetLastPInvokeError() is var number && !SystemVSupport.IsGone(number))
            throw SystemVErrors.UseSemaphore(Acquiring, Key, "semctl", number);
        StopPoint.At("mend.done");
        return true;
    }

    private bool Held(bool taken)
    {
        if (!taken || !_isHeld) return taken;
        _tookOver = false;
        Volatile.Write(ref _holds, 1);
        return true;
    }

    private void ReleaseHeld(int count)
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
        if (count == 1 && Interlocked.Exchange(ref _holds, 0) == 1 && TryUnlock()) return;
        throw new InvalidOperationException($"Cannot release {count} permit(s) of the semaphore {Failure.Describe(Key)}: with Robust it is a lock of one permit, and this instance does not hold it (or a peer has reset it). Release once for each acquire, by the instance that acquired.");
    }

    public override LockStatus GetStatus()
    {
        if (!_isHeld) return base.GetStatus();
        int count = Libc.semctl(_id, 0, Flags.GETVAL);
        int number = count == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number != 0 && !SystemVSupport.IsGone(number)) throw SystemVErrors.UseSemaphore("look at the lock", Key, "semctl", number);
        if (count != 0) return new(LockHolder.Nobody, null, IsRecoverable: true);

        // Ours touch both in one operation. A process that this one cannot see (another PID namespace) shows as 0.
        int process = Libc.semctl(_id, 0, Flags.GETPID);
        bool isOurs = _hasDirtyCount && Libc.semctl(_id, 1, Flags.GETVAL) > 0 && Libc.semctl(_id, 1, Flags.GETPID) == process;
        return new(isOurs ? LockHolder.Process : LockHolder.Unknown, process > 0 ? process : null, IsRecoverable: true);
    }
}
