using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>System V semaphores: number 0 of the set under ftok(3)'s key. semget(2), semop(2), semctl(2).</summary>
/// <remarks>
/// A set is made in one call and gets its count in another, and a peer (Qt) may be between the two: then nothing has
/// set its count, and its "last process" is 0. Processes of ours are never seen there, since they do both under the
/// file lock; after it they do one operation that changes nothing, so that <c>sem_otime</c> is set, by which C programs
/// recognise an initialised set.
/// </remarks>
internal sealed class SystemVSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const string Removing = "remove the semaphore";
    private const int MostRounds = 1000;

    /// <summary>How many semaphores the set of a lock has: see <see cref="SystemVSemaphore"/>. Sets of three are
    /// PHP's.</summary>
    internal const int LockSize = 2;

    // A peer is between two system calls then; longer is dead.
    private static readonly TimeSpan s_initialisation = TimeSpan.FromMilliseconds(100);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works
        || (_works = SystemVSupport.MayCall && SystemVSupport.HasCalls(Libc.semget(SystemVSupport.ProbeKey, 0, 0)));

    public (string Finding, string Remedy) WhyNotHere => SystemVSupport.WhyNotHere("semget");

    public int MaximumCount => Flags.SEMVMX;

    /// <summary>What to do with a semaphore that exists.</summary>
    internal enum Existing
    {
        Refuse,
        Use,
        Reset,
    }

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => Create(key, Checked(initialCount, options), options, Existing.Refuse, options.PeerTimeout,
            out SystemVSet set) ? new SystemVSemaphore(key, set, initialCount, options)
            : throw SystemVErrors.GetSemaphore(Creating, key, Errno.EEXIST);

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Create(key, Checked(initialCount, options), options, Existing.Use, options.PeerTimeout, out SystemVSet set);
        return new SystemVSemaphore(key, set, initialCount, options);
    }

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Create(key, Checked(initialCount, options), options, Existing.Reset, options.PeerTimeout, out SystemVSet set);
        return new SystemVSemaphore(key, set, initialCount, options);
    }

    /// <summary>Refuses options that System V cannot serve; gives the count back.</summary>
    private static int Checked(int initialCount, SystemSemaphoreOptions options)
    {
        if (options.Removal == RemovalPolicy.LastOneOut)
            throw new PlatformNotSupportedException(
                "The removal policy LastOneOut is not for System V semaphores: the kernel does not count who uses a "
                    + "set. Use Creator or Keep.");
        if (options.Reclaim)
            throw new PlatformNotSupportedException(
                "A System V semaphore cannot be reclaimed: the kernel does not count who uses a set, so nobody can "
                    + "tell whether its users are dead. Use CreateOrReset.");
        if (options.Robust && !OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException(
                "Robust System V semaphores work on Linux only: elsewhere the death of a holder cannot be told.");
        // The rest of what Robust needs is the same everywhere, and was checked where the call came in
        return initialCount;
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound,
        bool mustExist)
    {
        Checked(0, options);
        if (TryOpenAtAGlance(key, options) is { } found) return found;
        KeyFile.Rules rules = KeyFile.Rules.Opening(bound, options.AllowOtherOwners);
        var backoff = new Backoff(bound);
        int lostRaces = 0;
        while (true)
        {
            bool halfCreated;
            string lone;
            using (KeyFile? file = KeyFile.Open(Opening, key, create: false, rules))
            {
                if (file is null)
                {
                    return mustExist
                        ? throw Failure.Of(NativeIpcError.NotFound, Opening, key, "open", Errno.ENOENT,
                            "There is no key file: start the peer that makes it, or use CreateOrOpen.")
                        : null;
                }

                int ipcKey = file.Ftok(Opening);
                int id = Libc.semget(ipcKey, 0, 0);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                if (number is not (0 or Errno.ENOENT)) throw SystemVErrors.GetSemaphore(Opening, key, number);
                if (number == 0)
                {
                    // A count that nobody has set yet is 0, so whoever opens such a set waits, as for any permit.
                    if (Look(Opening, key, id, options.AllowOtherOwners, null) is not { } status) continue;
                    // Not by the caller's time: it is a moment, and who looks again and again would never open a set
                    // that nobody ever sets.
                    IsInitialised(key, id, bound.AtMost(s_initialisation).PeerTimeout);
                    if (file.HasItsName)
                        return new SystemVSemaphore(key,
                            new SystemVSet(id, file.Status.Identity, false, false, false, status.Count == LockSize),
                            null, options);
                    continue;
                }

                if (!file.IsStillThere && lostRaces++ < MostRounds) continue;
                halfCreated = file.Status.IsRegularFile && file.Status.Size == 0;
                lone = KeyFileTrust.DescribeLone(file.Status, ipcKey);
            }

            if (halfCreated && backoff.Pause()) continue;
            if (!mustExist) return null;
            throw halfCreated
                ? Failure.Found(NativeIpcError.NotFound, Opening, key, "semget",
                    $"it is half-created: the key file is there and the semaphore is not; its creator may have died, "
                        + $"or {lone}", "A creating call (CreateNew, CreateOrOpen, CreateOrReset) recovers it.",
                    Errno.ENOENT)
                : Failure.Of(NativeIpcError.NotFound, Opening, key, "semget", Errno.ENOENT,
                    $"No such semaphore: start the peer that makes it, or use CreateOrOpen; or {lone}.");
        }
    }

    /// <summary>Opens a set without the key file's lock, if all is as it usually is; null when the file has to be
    /// locked to see more.</summary>
    /// <remarks>
    /// Interleavings considered. (1) A process of ours is making the set: it is not taken before the operation that
    /// ends its making. (2) A process removes the set: before it is found, the locked way says what there is; after
    /// that, the set is gone, as if it had been removed after this call. (3) The file is replaced meanwhile, and the
    /// number of its inode, which is part of the key, goes to another file with another set: that one is younger than
    /// the first look at the file. A set whose second is not over for certain may be, so there is a second look, which
    /// finds another file, or none, under the path. (The clock that both are told from may be set back, by a second or
    /// more, in these microseconds: that is not provided for.)
    /// </remarks>
    private static unsafe SystemVSemaphore? TryOpenAtAGlance(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        string text = KeyFile.Path(key);
        if (!FileKeys.s_areKnown || System.Text.Encoding.UTF8.GetMaxByteCount(text.Length) > Utf8Path.Longest)
            return null;
        var path = new Utf8Path(default, text);
        Timespec begin;
        _ = Libc.clock_gettime_at_once(Flags.CLOCK_REALTIME, &begin); // fails only for a clock that is none
        if (!options.AllowOtherOwners && !KeyFileTrust.IsGoodFolder(path)) return null;
        if (Libc.Status(path.Pointer, followLink: false, out FileStatus file) != 0 || file.IsSymbolicLink) return null;
        if (!options.AllowOtherOwners && !RealIds.IsTrusted(file.Uid)) return null;
        int id = Libc.semget(FileKeys.Of(file.Identity, (int)key.Type), 0, 0);
        if (id == -1 || Look(Opening, key, id, options.AllowOtherOwners, null) is not { LastOperation: not 0 } set)
            return null;
        bool isOlder = set.LastChange < begin.tv_sec - 1; // the kernel's seconds are up to a tick late
        if (!isOlder && (Libc.Status(path.Pointer, followLink: false, out FileStatus again) != 0
            || again.Identity != file.Identity))
            return null;
        return new SystemVSemaphore(key, new SystemVSet(id, file.Identity, false, false, false, set.Count == LockSize),
            null, options);
    }

    public bool Remove(in NativeIpcKey key) => RemoveByKey(key);

    internal static bool RemoveByKey(in NativeIpcKey key)
    {
        var defaults = SystemSemaphoreOptions.s_default;
        using KeyFile? file = KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(defaults.PeerTimeout));
        if (file is null) return false;
        int ipcKey = file.Ftok(Removing);
        bool found = SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
        file.RemoveIfOurs(ipcKey);
        return found;
    }

    /// <summary>The lock of a segment: removed only with it, and given back by the kernel when its holder
    /// dies.</summary>
    /// <param name="key">The lock's key.</param>
    /// <param name="segmentMode">The mode of the segment.</param>
    /// <param name="segment">The segment, whose owner becomes the lock's owner when root makes it, and so can remove
    /// both; null to leave that.</param>
    /// <param name="trustsOthers">Whether a lock of another user than this one, root and the segment's owner is
    /// accepted.</param>
    /// <param name="ownSegment">The id of the segment.</param>
    /// <param name="check">Called under the file lock before anything is made; throws when there is no use for a lock
    /// any more.</param>
    /// <param name="known">The segment's key file and System V key, if the lock has them, too.</param>
    /// <param name="bound">How long peers are waited for.</param>
    internal static SystemVSemaphore OpenLock(in NativeIpcKey key, UnixFileMode segmentMode, SegmentStatus? segment,
        bool trustsOthers, int ownSegment, Action check, (FileIdentity File, int Key)? known, in PeerBound bound)
    {
#pragma warning disable CA1416 // there is no System V on Windows, and on macOS this sets Robust to what it is anyway
        var options = new SystemSemaphoreOptions
        {
            Mode = LockMode(segmentMode),
            Removal = RemovalPolicy.Keep,
            Robust = OperatingSystem.IsLinux(),
            AllowOtherOwners = trustsOthers,
            PeerTimeout = bound.PeerTimeout,
        };
#pragma warning restore CA1416
        if (known is not { } own || !IsLockThere(key, own.File, own.Key, options, segment?.Uid, check,
            out SystemVSet set))
            Create(key, 1, options, Existing.Use, bound, out set, check, segment, ownSegment, known?.File);

        // Without an initial count: a lock that is gone is not made anew in the middle of an operation, since its
        // holder would then release the new one. Whoever uses it opens it again.
        return new SystemVSemaphore(key, set, null, options);
    }

    /// <summary>Finds the lock of a segment that this process is attached to without the key file's lock, if all is as
    /// it usually is.</summary>
    /// <remarks>
    /// As in <see cref="TryOpenAtAGlance"/>, and the first look at the file was when the segment was attached. What is
    /// removed with the segment is removed while nobody is attached, or by one who does not mind: then the lock is gone
    /// at its first use, as if it had been removed after this call.
    /// </remarks>
    private static bool IsLockThere(in NativeIpcKey key, FileIdentity keyFile, int ipcKey,
        SystemSemaphoreOptions options, uint? alsoTrusted, Action check, out SystemVSet set)
    {
        set = default;
        if (!FileKeys.s_areKnown) return false;
        int id = Libc.semget(ipcKey, 0, 0);
        if (id == -1 || Look(Opening, key, id, options.AllowOtherOwners,
            alsoTrusted) is not { LastOperation: not 0 } status)
            return false;
        if (Libc.Status(KeyFile.Path(key), followLink: false, out FileStatus now) != 0 || now.Identity != keyFile)
            return false;
        check();
        set = new SystemVSet(id, keyFile, CreatedNew: false, Owns: false, MadeKeyFile: false, status.Count == LockSize);
        return true;
    }

    /// <summary>Whoever may read the segment may lock it, which takes reading and altering.</summary>
    private static UnixFileMode LockMode(UnixFileMode segmentMode)
    {
        uint readers = (uint)segmentMode & 0x124;
        return (UnixFileMode)(readers | (readers >> 1) | 0x180);
    }

    /// <summary>
    /// Takes the lock under a key, made now if there is none, without waiting and with undo: for who is about to remove
    /// it. The caller holds the key file's lock.
    /// </summary>
    /// <param name="ipcKey">The key of the segment, and so of its lock.</param>
    /// <param name="segmentMode">The mode of the segment.</param>
    /// <param name="opened">The lock that was opened, if any: if there is another one by now, or none, that is not
    /// taken.</param>
    /// <returns>The id of the set; -1 when somebody has the lock, or it cannot be made.</returns>
    internal static unsafe int TakeLockNow(int ipcKey, UnixFileMode segmentMode, int? opened)
    {
        int id;
        if (opened is null && (id = Libc.semget(ipcKey, LockSize,
            (int)LockMode(segmentMode) | Flags.IPC_CREAT | Flags.IPC_EXCL)) != -1)
        {
            // Free and taken in one step, as long as nobody has given it a count; so nobody sees it free, and the
            // kernel gives it back if this process dies.
            Sembuf* steps = stackalloc Sembuf[3];
            steps[0] = new Sembuf { sem_flg = (short)Flags.IPC_NOWAIT };
            steps[1] = new Sembuf { sem_op = 1, sem_flg = (short)Flags.IPC_NOWAIT };
            steps[2] = new Sembuf { sem_op = -1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
            if (Libc.semop(id, steps, 3) == 0) return id;
            if (Marshal.GetLastPInvokeError() != Errno.EAGAIN)
            {
                // Fails when it is gone, which is one reason for the step to fail
                _ = Libc.semctl(id, 0, Flags.IPC_RMID);
                return -1;
            }
        }
        else
        {
            id = Libc.semget(ipcKey, 0, 0);
        }

        return id != -1 && (opened ?? id) == id && TryStep(id, -1) ? id : -1;
    }

    /// <summary>Gives back what <see cref="TakeLockNow"/> took.</summary>
    internal static void GiveLockBack(in NativeIpcKey key, int id)
    {
        if (TryStep(id, 1)) return;
        int number = Marshal.GetLastPInvokeError();
        NativeIpcEventSource.s_log.NotRemoved(
            $"The lock of {Failure.Describe(key)} could not be given back, and stays taken until this process ends: "
            + $"semop says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number})");
    }

    /// <summary>One step on the lock, with undo and without waiting; true also when it is gone.</summary>
    /// <remarks>Whatever else keeps it from the step, it has not been made: nothing may be given back for it.</remarks>
    internal static unsafe bool TryStep(int id, short change)
    {
        var operation = new Sembuf { sem_op = change, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        return Libc.semop(id, &operation, 1) == 0 || SystemVSupport.IsGone(Marshal.GetLastPInvokeError());
    }

    /// <summary>Who may use a new set: for a lock, who may use the segment.</summary>
    private static void Give(in NativeIpcKey key, int id, uint? group, SegmentStatus? segment)
    {
        uint? uid = segment is { Uid: not 0 } owned && RealIds.Users.IsReal(owned.Uid) && Libc.geteuid() == 0
            ? owned.Uid : null;
        uint? gid = group ?? (segment is { } locked && RealIds.Groups.IsReal(locked.Gid) ? locked.Gid : null);
        if (gid == Libc.getegid()) gid = null; // a new set has it
        int number = uid is null && gid is null ? 0 : SystemVSupport.GiveSet(id, uid, gid);
        if (number != 0 && !SystemVSupport.IsGone(SystemVSupport.SetStatusOf(id, out _)))
            throw SystemVErrors.Give(Creating, key, "semctl", number);
    }

    /// <summary>What a set is, after its owner was found good; null when it is gone.</summary>
    private static SetStatus? Look(string attempt, in NativeIpcKey key, int id, bool trustsOthers, uint? alsoTrusted)
    {
        int number = SystemVSupport.SetStatusOf(id, out SetStatus status);
        if (SystemVSupport.IsGone(number)) return null;
        if (number != 0) throw SystemVErrors.UseSemaphore(attempt, key, "semctl", number);
        if (!trustsOthers)
            SystemVSupport.CheckOwner(attempt, key, "semctl", status.Uid, status.CreatorUid, alsoTrusted);
        return status;
    }

    /// <summary>Makes the semaphore or finds it; false when it exists and that was refused.</summary>
    internal static bool Create(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options,
        Existing existing, in PeerBound bound, out SystemVSet set, Action? check = null, SegmentStatus? segment = null,
        int ownSegment = -1, FileIdentity? known = null)
    {
        KeyFile.Rules rules = KeyFile.Rules.Of(options) with { Bound = bound, OwnSegment = ownSegment, Known = known,
            ExpectsNone = existing == Existing.Refuse };
        var backoff = new Backoff(bound);
        FileIdentity? made = null;
        int lostRaces = 0;
        while (lostRaces++ < MostRounds)
        {
            using KeyFile file = OpenKeyFile(key, rules, existing);
            if (file.IsNew) made = file.Status.Identity;
            int ipcKey = 0;
            try
            {
                ipcKey = file.Ftok(Creating);
                if (file.MayBeInTheMaking(ipcKey, options.PeerTimeout) && !backoff.IsOver)
                {
                    lostRaces--;
                    file.Dispose(); // nobody is kept waiting meanwhile
                    backoff.Pause();
                    continue;
                }

                check?.Invoke();
                file.MarkIfBare();
                int id = Libc.semget(ipcKey, options.Robust ? LockSize : 1,
                    (int)options.Mode | Flags.IPC_CREAT | Flags.IPC_EXCL);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                bool created = number == 0;
                if (!created)
                {
                    id = Libc.semget(ipcKey, 0, 0);
                    int second = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                    if (second == Errno.ENOENT && number == Errno.EEXIST) continue; // it went away between two calls
                    if (second != 0)
                        throw SystemVErrors.GetSemaphore(Creating, key, number, options.Robust ? LockSize : 1);
                    if (existing == Existing.Refuse)
                    {
                        set = default;
                        return false;
                    }
                }

                int size = options.Robust ? LockSize : 1;
                if (!created)
                {
                    // Gone again
                    if (Look(Opening, key, id, options.AllowOtherOwners, segment?.Uid) is not { } status) continue;
                    size = status.Count;
                }

                // A set whose creator died before it set the count is finished by us, and we are its creator then.
                bool finish = !created && existing == Existing.Use
                    && !IsInitialised(key, id, bound.AtMost(s_initialisation));
                if (created || finish || existing == Existing.Reset)
                {
                    if (created) Give(key, id, rules.Group, segment);
                    number = SetCount(id, initialCount, size, isNew: created);
                    if (SystemVSupport.IsGone(number)) continue;
                    if (number != 0)
                    {
                        if (created) SystemVSupport.TakeBack(Creating, key, id, isSegment: false);
                        throw SystemVErrors.UseSemaphore(Creating, key, "semctl", number);
                    }
                }

                // Where the file could not be locked, the segment may have been removed since the first look.
                if (created && !file.IsLocked) CheckAgain(key, id, check);
                if (file.HasPath)
                {
                    if (created && ownSegment != -1) file.Record(IpcObjectKind.SystemSemaphore, id);
                    set = new SystemVSet(id, file.Status.Identity, created || finish,
                        created || finish || existing == Existing.Reset, made == file.Status.Identity,
                        size == LockSize);
                    return true;
                }

                if (created) SystemVSupport.TakeBack(Creating, key, id, isSegment: false);
            }
            catch when (file.IsNew)
            {
                file.TakeBack(ipcKey);
                throw;
            }
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "semget",
            "other processes keep making and removing it", "Try again.");
    }

    private static void CheckAgain(in NativeIpcKey key, int id, Action? check)
    {
        try
        {
            check?.Invoke();
        }
        catch
        {
            SystemVSupport.RemoveSemaphore(Creating, key, id);
            throw;
        }
    }

    private static KeyFile OpenKeyFile(in NativeIpcKey key, in KeyFile.Rules rules, Existing existing)
    {
        try
        {
            return KeyFile.Open(Creating, key, create: true, rules)!;
        }
        catch (NativeIpcException failure) when (existing == Existing.Refuse
            && failure is { Error: NativeIpcError.KeyError, NativeErrorCode: Errno.EEXIST })
        {
            // To CreateNew, an object that is not the new file's is one that exists.
            throw new NativeIpcException(NativeIpcError.AlreadyExists, failure.Operation, key, failure.NativeErrorCode,
                failure.Message);
        }
    }

    /// <summary>Returns 0, or the error number.</summary>
    private static unsafe int SetCount(int id, int count, int size, bool isNew)
    {
        Sembuf* pair = stackalloc Sembuf[2];
        if (isNew && count > 0 && OperatingSystem.IsLinux())
        {
            // A new set counts 0 there, so one operation gives it its count, if nobody else has done so.
            pair[0] = new Sembuf { sem_flg = (short)Flags.IPC_NOWAIT };
            pair[1] = new Sembuf { sem_op = (short)count, sem_flg = (short)Flags.IPC_NOWAIT };
            if (Libc.semop(id, pair, 2) == 0) return 0;
            if (Marshal.GetLastPInvokeError() == Errno.EAGAIN) return 0; // given by one who took this process for dead
        }

        // First the one that tells of dead holders: who takes a permit as soon as there is one finds it clean.
        if (size == LockSize && Libc.semctl(id, 1, Flags.SETVAL, 0) == -1) return Marshal.GetLastPInvokeError();
        if (Libc.semctl(id, 0, Flags.SETVAL, count) == -1) return Marshal.GetLastPInvokeError();

        // One step down and up again, or up and down, in one operation: no one sees it, and sem_otime is set.
        pair[0] = new Sembuf { sem_op = (short)(count > 0 ? -1 : 1), sem_flg = (short)Flags.IPC_NOWAIT };
        pair[1] = new Sembuf { sem_op = (short)(count > 0 ? 1 : -1), sem_flg = (short)Flags.IPC_NOWAIT };
        if (Libc.semop(id, pair, 2) == 0) return 0;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.EAGAIN ? 0 : number; // somebody has taken it already, and set sem_otime with that
    }

    /// <summary>Whether nothing in a set shows that anybody has made it what it is to be, or used it: all members are
    /// 0, no process has set or changed one, and none waits. The caller has seen that no operation was done.</summary>
    /// <remarks>Race: a process changes a member between the looks at it. Safe because nothing is removed on this
    /// answer.</remarks>
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
    /// waits for it. Waiting for member 0 is what users of ours do in a set that is not made yet.</summary>
    private static bool AreUntouched(int id, int first, int count)
    {
        for (int member = first; member < count; member++)
        {
            if (Libc.semctl(id, member, Flags.GETVAL) > 0 || Libc.semctl(id, member, Flags.GETPID) > 0) return false;
            if (member > 0 && Libc.semctl(id, member, Flags.GETNCNT) > 0) return false;
        }

        return true;
    }


    private static bool IsInitialised(in NativeIpcKey key, int id, in PeerBound bound)
    {
        var backoff = new Backoff(bound);
        while (true)
        {
            int value = Libc.semctl(id, 0, Flags.GETVAL);
            if (value == -1)
            {
                int number = Marshal.GetLastPInvokeError();
                return SystemVSupport.IsGone(number)
                    ? true : throw SystemVErrors.UseSemaphore(Opening, key, "semctl", number);
            }

            // Linux notes the process that did SETVAL. One that this process cannot see (a container's) shows as 0,
            // too: from inside a PID namespace the two cannot be told apart, and a set is taken as it is.
            if (value != 0 || Libc.semctl(id, 0, Flags.GETPID) != 0) return true;
            if (SystemVSupport.SetStatusOf(id, out SetStatus set) == 0
                && (set.LastOperation != 0 || !AreUntouched(id, 1, set.Count))) return true;
            if (!backoff.Pause()) return !ProcessMaps.SeesEveryProcess;
        }
    }
}
