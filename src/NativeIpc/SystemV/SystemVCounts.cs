using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>The counts of a set: a set is made in one call and gets its count in another.</summary>
/// <remarks>
/// A peer (Qt) may be between the two: then nothing has set its count, and its "last process" is 0. Processes of this
/// library are never seen there, since they do both under the file lock; after it they do one operation that changes
/// nothing, so that <c>sem_otime</c> is set, by which C programs recognise an initialised set.
/// </remarks>
internal static class SystemVCounts
{
    private const short NoWait = Flags.IPC_NOWAIT;

    /// <summary>Sets the count of a set; false when the set is gone.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="id">The set.</param>
    /// <param name="count">The count.</param>
    /// <param name="size">How many semaphores the set has.</param>
    /// <param name="isNew">Whether this call made it.</param>
    internal static bool TrySet(string attempt, in NativeIpcKey key, int id, int count, int size, bool isNew)
    {
        int number = Set(id, count, size, isNew);
        if (number == 0) return true;
        return SystemVSupport.IsGone(number)
            ? false : throw SystemVErrors.UseSemaphore(attempt, key, "semctl", number);
    }

    /// <summary>Returns 0, or the error number.</summary>
    private static unsafe int Set(int id, int count, int size, bool isNew)
    {
        Sembuf* pair = stackalloc Sembuf[2];
        if (isNew && count > 0 && OperatingSystem.IsLinux())
        {
            // R1 Race: a process that took this one for dead gives the new set its count.
            // Safe because: a new set counts 0 on Linux, and one operation gives it its count only if it still does.
            pair[0] = new Sembuf { sem_flg = NoWait };
            pair[1] = new Sembuf { sem_op = (short)count, sem_flg = NoWait };
            if (Libc.semop(id, pair, 2) == 0 || Marshal.GetLastPInvokeError() == Errno.EAGAIN) return 0;
        }

        // First the one that tells of dead holders: a process that takes a permit as soon as there is one finds it
        // clean.
        if (size == SystemVLocks.Size && Libc.semctl(id, 1, Flags.SETVAL, 0) == -1)
            return Marshal.GetLastPInvokeError();
        if (Libc.semctl(id, 0, Flags.SETVAL, count) == -1) return Marshal.GetLastPInvokeError();

        // One step down and up again, or up and down, in one operation: nobody sees it, and sem_otime is set.
        pair[0] = new Sembuf { sem_op = (short)(count > 0 ? -1 : 1), sem_flg = NoWait };
        pair[1] = new Sembuf { sem_op = (short)(count > 0 ? 1 : -1), sem_flg = NoWait };
        if (Libc.semop(id, pair, 2) == 0) return 0;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.EAGAIN ? 0 : number; // a process has taken it already, and set sem_otime with that
    }

    /// <summary>Waits until a set has its count; false when its maker has died before that, as far as can be
    /// told.</summary>
    internal static bool WaitUntilSet(in NativeIpcKey key, int id, in PeerBound bound)
    {
        var backoff = new Backoff(bound);
        while (true)
        {
            int value = Libc.semctl(id, 0, Flags.GETVAL);
            if (value == -1)
            {
                int number = Marshal.GetLastPInvokeError();
                return SystemVSupport.IsGone(number)
                    ? true : throw SystemVErrors.UseSemaphore("open the semaphore", key, "semctl", number);
            }

            // Linux notes the process that did SETVAL. One that this process cannot see (of another container) shows as
            // 0, too: from inside a PID namespace the two look the same, and a set is taken as it is.
            if (value != 0 || Libc.semctl(id, 0, Flags.GETPID) != 0) return true;
            if (SystemVSupport.SetStatusOf(id, out SetStatus set) == 0
                && (set.LastOperation != 0 || !AreUntouched(id, 1, set.Count)))
                return true;
            if (!backoff.Pause()) return !ProcessMaps.SeesEveryProcess;
        }
    }

    /// <summary>Whether nothing in a set shows that anybody has made it what it is to be, or used it: all members are
    /// 0, no process has set or changed one, and none waits. The caller has seen that no operation was done.</summary>
    /// <remarks>R2 Race: a process changes a member between the looks at it.
    /// Safe because: nothing is removed on this answer.</remarks>
    internal static bool IsEmpty(int id, int count) => AreUntouched(id, 0, count) && !HasWaiters(id, count);

    /// <summary>Whether a process waits for any member to become more than 0, or 0.</summary>
    internal static bool HasWaiters(int id, int count)
    {
        for (int member = 0; member < count; member++)
        {
            if (Libc.semctl(id, member, Flags.GETNCNT) > 0 || Libc.semctl(id, member, Flags.GETZCNT) > 0) return true;
        }

        return false;
    }

    /// <summary>Whether the members from one on are 0, and no process that is seen here has set or changed one, or
    /// waits for it. Users of this library wait for member 0 of a set that is not made yet.</summary>
    private static bool AreUntouched(int id, int first, int count)
    {
        for (int member = first; member < count; member++)
        {
            if (Libc.semctl(id, member, Flags.GETVAL) > 0 || Libc.semctl(id, member, Flags.GETPID) > 0) return false;
            if (member > 0 && Libc.semctl(id, member, Flags.GETNCNT) > 0) return false;
        }

        return true;
    }
}
