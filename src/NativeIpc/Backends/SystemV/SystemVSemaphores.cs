using System.Runtime.InteropServices;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.SystemV;

/// <summary>System V semaphores: number 0 of the set under ftok(3)'s key. semget(2), semop(2), semctl(2).</summary>
/// <remarks>
/// A set is made in one call and gets its count in another, and a peer (Qt) may be between the two: then nothing has set its count, and
/// its "last process" is 0. Processes of ours are never seen there, since they do both under the file lock; after it they do one operation
/// that changes nothing, so that <c>sem_otime</c> is set, by which C programs recognise an initialised set.
/// </remarks>
internal sealed class SystemVSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const string Removing = "remove the semaphore";
    private const int MostRounds = 1000;

    // A peer is between two system calls then; longer is dead.
    private static readonly TimeSpan s_initialisation = TimeSpan.FromMilliseconds(100);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works || (_works = SystemVSupport.MayCall && SystemVSupport.HasCalls(Libc.semget(SystemVSupport.ProbeKey, 0, 0)));

    public int MaximumCount => Flags.SEMVMX;

    /// <summary>What to do with a semaphore that exists.</summary>
    internal enum Existing
    {
        Refuse,
        Use,
        Reset,
    }

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => Create(key, initialCount, options, Existing.Refuse, out SystemVSet set) ? new SystemVSemaphore(key, set, initialCount, options)
            : throw SystemVErrors.GetSemaphore(Creating, key, Errno.EEXIST);

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Create(key, initialCount, options, Existing.Use, out SystemVSet set);
        return new SystemVSemaphore(key, set, initialCount, options);
    }

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Create(key, initialCount, options, Existing.Reset, out SystemVSet set);
        return new SystemVSemaphore(key, set, initialCount, options);
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, bool mustExist)
    {
        var backoff = new Backoff(options.PeerTimeout);
        while (true)
        {
            bool halfCreated;
            using (KeyFile? file = KeyFile.Open(Opening, key, create: false, options.Mode, options.PeerTimeout))
            {
                if (file is null)
                {
                    return mustExist
                        ? throw Failure.Of(NativeIpcError.NotFound, Opening, key, "open", Errno.ENOENT, "There is no key file: start the peer that makes it, or use CreateOrOpen.")
                        : null;
                }

                int id = Libc.semget(file.Ftok(Opening), 0, 0);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                if (number is not (0 or Errno.ENOENT)) throw SystemVErrors.GetSemaphore(Opening, key, number);
                if (number == 0)
                {
                    // A count that nobody has set yet is 0, so whoever opens such a set waits, as for any permit.
                    IsInitialised(key, id, s_initialisation);
                    if (file.IsStillThere) return new SystemVSemaphore(key, new SystemVSet(id, file.Status.Identity, false, false, false), null, options);
                    continue;
                }

                halfCreated = file.Status.IsRegularFile && file.Status.Size == 0;
            }

            if (halfCreated && backoff.Pause()) continue;
            if (!mustExist) return null;
            throw halfCreated
                ? Failure.Found(NativeIpcError.NotFound, Opening, key, "semget", "it is half-created: the key file is there and the semaphore is not; its creator may have died", "A creating call (CreateNew, CreateOrOpen, CreateOrReset) recovers it.", Errno.ENOENT)
                : SystemVErrors.GetSemaphore(Opening, key, Errno.ENOENT);
        }
    }

    public bool Remove(in NativeIpcKey key) => RemoveByKey(key);

    internal static bool RemoveByKey(in NativeIpcKey key)
    {
        var defaults = SystemSemaphoreOptions.s_default;
        using KeyFile? file = KeyFile.Open(Removing, key, create: false, defaults.Mode, defaults.PeerTimeout);
        if (file is null) return false;
        int ipcKey = file.Ftok(Removing);
        bool found = SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
        file.RemoveIfOurs(ipcKey);
        return found;
    }

    /// <summary>The lock of a segment: removed only with it, and given back by the kernel when its holder dies.</summary>
    /// <param name="key">The lock's key.</param>
    /// <param name="segmentMode">The mode of the segment.</param>
    /// <param name="segment">The segment, whose owner becomes the lock's owner when root makes it, and so can remove both; null to leave that.</param>
    /// <param name="check">Called under the file lock before anything is made; throws when there is no use for a lock any more.</param>
    internal static SystemVSemaphore OpenLock(in NativeIpcKey key, UnixFileMode segmentMode, SegmentStatus? segment, Action check)
    {
        // Whoever may read the segment may lock it, which takes reading and altering.
        var readers = (uint)segmentMode & 0x124;
        var options = new SystemSemaphoreOptions { Mode = (UnixFileMode)(readers | (readers >> 1) | 0x180), Removal = RemovalPolicy.Keep, Robust = true };
        Create(key, 1, options, Existing.Use, out SystemVSet set, check);
        if (set.CreatedNew && segment is { Uid: not 0 } owned && Libc.geteuid() == 0) SetOwner(key, set.Id, owned);

        // Without an initial count: a lock that is gone is not made anew in the middle of an operation, since its holder would then release the
        // new one. Whoever uses it opens it again.
        return new SystemVSemaphore(key, set, null, options);
    }

    private static unsafe void SetOwner(in NativeIpcKey key, int id, in SegmentStatus owned)
    {
        byte* buffer = stackalloc byte[Layout.SizeOfIpcBuffer];
        int result = Libc.semctl(id, 0, Flags.IPC_STAT, (nint)buffer);
        *(uint*)(buffer + Layout.IpcPermUid) = owned.Uid;
        *(uint*)(buffer + Layout.IpcPermUid + sizeof(uint)) = owned.Gid;
        if (result == 0) result = Libc.semctl(id, 0, Flags.IPC_SET, (nint)buffer);
        int number = result == 0 ? 0 : Marshal.GetLastPInvokeError();
        if (number != 0 && !SystemVSupport.IsGone(number)) throw SystemVErrors.UseSemaphore(Creating, key, "semctl", number);
    }

    /// <summary>Makes the semaphore or finds it; false when it exists and that was refused.</summary>
    internal static bool Create(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options, Existing existing, out SystemVSet set, Action? check = null)
    {
        var backoff = new Backoff(options.PeerTimeout);
        FileIdentity? made = null;
        int lostRaces = 0;
        while (lostRaces++ < MostRounds)
        {
            using KeyFile file = KeyFile.Open(Creating, key, create: true, options.Mode, options.PeerTimeout)!;
            if (file.IsNew) made = file.Status.Identity;
            int ipcKey = 0;
            try
            {
                ipcKey = file.Ftok(Creating);
                if (file.MayBeInTheMaking(ipcKey, options.PeerTimeout) && backoff.Pause())
                {
                    lostRaces--;
                    continue;
                }

                check?.Invoke();
                int id = Libc.semget(ipcKey, options.Robust ? SystemVSemaphore.HeldSetSize : 1, (int)options.Mode | Flags.IPC_CREAT | Flags.IPC_EXCL);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                bool created = number == 0;
                if (!created)
                {
                    id = Libc.semget(ipcKey, 0, 0);
                    int second = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                    if (second == Errno.ENOENT && number == Errno.EEXIST) continue; // it went away between two calls
                    if (second != 0) throw SystemVErrors.GetSemaphore(Creating, key, number);
                    if (existing == Existing.Refuse)
                    {
                        set = default;
                        return false;
                    }
                }

                // A set whose creator died before it set the count is finished by us, and we are its creator then.
                bool finish = !created && existing == Existing.Use && !IsInitialised(key, id, s_initialisation);
                if (created || finish || existing == Existing.Reset)
                {
                    if (!created && options.Robust) _ = Libc.semctl(id, 1, Flags.SETVAL, 0); // a set that has no dirty count refuses, and one that is gone tells below
                    number = SetCount(id, initialCount);
                    if (SystemVSupport.IsGone(number)) continue;
                    if (number != 0)
                    {
                        if (created) SystemVSupport.RemoveSemaphore(Creating, key, id);
                        throw SystemVErrors.UseSemaphore(Creating, key, "semctl", number);
                    }
                }

                if (file.IsStillThere)
                {
                    set = new SystemVSet(id, file.Status.Identity, created || finish, created || finish || existing == Existing.Reset, made == file.Status.Identity);
                    return true;
                }

                if (created) SystemVSupport.RemoveSemaphore(Creating, key, id);
            }
            catch when (file.IsNew)
            {
                file.RemoveIfOurs(ipcKey);
                throw;
            }
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "semget", "other processes keep making and removing it", "Try again.");
    }

    /// <summary>Returns 0, or the error number.</summary>
    private static unsafe int SetCount(int id, int count)
    {
        if (Libc.semctl(id, 0, Flags.SETVAL, count) == -1) return Marshal.GetLastPInvokeError();

        // One step down and up again, or up and down, in one operation: no one sees it, and sem_otime is set.
        Sembuf* pair = stackalloc Sembuf[2];
        pair[0] = new Sembuf { sem_op = (short)(count > 0 ? -1 : 1), sem_flg = (short)Flags.IPC_NOWAIT };
        pair[1] = new Sembuf { sem_op = (short)(count > 0 ? 1 : -1), sem_flg = (short)Flags.IPC_NOWAIT };
        if (Libc.semop(id, pair, 2) == 0) return 0;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.EAGAIN ? 0 : number; // somebody has taken it already, and set sem_otime with that
    }

    private static unsafe bool IsInitialised(in NativeIpcKey key, int id, TimeSpan bound)
    {
        byte* buffer = stackalloc byte[Layout.SizeOfIpcBuffer];
        var backoff = new Backoff(bound);
        while (true)
        {
            int value = Libc.semctl(id, 0, Flags.GETVAL);
            if (value == -1)
            {
                int number = Marshal.GetLastPInvokeError();
                return SystemVSupport.IsGone(number) ? true : throw SystemVErrors.UseSemaphore(Opening, key, "semctl", number);
            }

            // Linux notes the process that did SETVAL. One that this process cannot see (a container's) shows as 0, too: from inside
            // a PID namespace the two cannot be told apart, and a set is taken as it is.
            if (value != 0 || Libc.semctl(id, 0, Flags.GETPID) != 0) return true;
            if (Libc.semctl(id, 0, Flags.IPC_STAT, (nint)buffer) == 0 && *(long*)(buffer + Layout.SemOtime) != 0) return true;
            if (!backoff.Pause()) return !SystemVSupport.SeesEveryProcess;
        }
    }
}
