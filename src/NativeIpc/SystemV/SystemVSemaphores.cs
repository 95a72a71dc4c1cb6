using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>System V semaphores: number 0 of the set under ftok(3)'s key. semget(2), semop(2), semctl(2).</summary>
internal sealed class SystemVSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const string Removing = "remove the semaphore";

    // A peer is between two system calls then; longer is dead.
    private static readonly TimeSpan s_initialisation = TimeSpan.FromMilliseconds(100);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works
        || (_works = SystemVSupport.MayCall && SystemVSupport.HasCalls(Libc.semget(SystemVSupport.ProbeKey, 0, 0)));

    public (string Finding, string Remedy) WhyNotHere => SystemVSupport.WhyNotHere("semget");

    public int MaximumCount => Flags.SEMVMX;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => Create(key, initialCount, options, Existing.Refuse)
            ?? throw SystemVErrors.GetSemaphore(Creating, key, Errno.EEXIST);

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => Create(key, initialCount, options, Existing.Use)!;

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => Create(key, initialCount, options, Existing.Reset)!;

    private static SystemVSemaphore? Create(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options,
        Existing existing)
    {
        Check(options);
        return Create(key, initialCount, options, existing, options.PeerTimeout, out SystemVSet set)
            ? new SystemVSemaphore(key, set, initialCount, options) : null;
    }

    /// <summary>Refuses options that System V cannot serve. The rest of what Robust needs is the same everywhere, and
    /// was checked where the call came in.</summary>
    private static void Check(SystemSemaphoreOptions options)
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
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound,
        bool mustExist)
    {
        Check(options);
        if (TryOpenFast(key, options) is { } found) return found;
        using var reports = HeldReports.Begin();
        KeyFileRules rules = KeyFileRules.Finding(bound, options.AllowOtherOwners);
        using var session = new KeyFileSession(Opening, key, IpcObjectKind.SystemSemaphore, rules, bound.PeerTimeout);
        while (session.Find(out int id))
        {
            if (Look(key, id, options.AllowOtherOwners, null) is not { } status) continue;

            // A count that nobody has set yet is 0, so a process that opens such a set waits, as for any permit. Not by
            // the caller's time: it is a moment, and a caller that looks again and again would never open a set that
            // nobody ever sets.
            SystemVCounts.WaitUntilSet(key, id, bound.AtMost(s_initialisation).PeerTimeout);
            if (session.File.HasItsName)
                return new SystemVSemaphore(key, SystemVSet.Opened(id, session.File.Status.Identity, status), null,
                    options);
        }

        return mustExist ? throw session.NotFound() : null;
    }

    /// <summary>Opens a set without the key file's lock; null when the file has to be locked to see more.</summary>
    private static unsafe SystemVSemaphore? TryOpenFast(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        string text = KeyFile.Path(key);
        if (!FileKeys.s_areKnown || System.Text.Encoding.UTF8.GetMaxByteCount(text.Length) > Utf8Path.Longest)
            return null;
        var path = new Utf8Path(default, text);
        Timespec begin;
        _ = Libc.clock_gettime_fast(Flags.CLOCK_REALTIME, &begin); // fails only for a clock that is none
        if (!options.AllowOtherOwners && !KeyFileTrust.IsGoodFolder(path)) return null;
        if (Libc.Status(path.Pointer, followLink: false, out FileStatus file) != 0 || file.IsSymbolicLink) return null;
        if (!options.AllowOtherOwners && !RealIds.IsTrusted(file.Uid)) return null;

        // R1 Race: a process of this library is making the set.
        // Safe because: the set is not taken before the operation that ends its making.
        // R2 Race: a process removes the set.
        // Safe because: before it is found, the locked way says what there is; after that, the set is gone, as if it
        // had been removed after this call.
        int id = Libc.semget(FileKeys.Of(file.Identity, (int)key.Type), 0, 0);
        if (id == -1 || Look(key, id, options.AllowOtherOwners, null) is not { LastOperation: not 0 } set) return null;

        // R3 Race: the file is replaced meanwhile, and the number of its inode, which is part of the key, goes to
        // another file with another set.
        // Safe because: that set is younger than the first look at the file. One that may be is followed by a second
        // look, which finds another file, or none, under the path. (Not if the clock that both are told from is set
        // back by a second or more in these microseconds.)
        bool isOlder = set.LastChange < begin.tv_sec - 1; // the kernel's seconds are up to a tick late
        if (!isOlder && (Libc.Status(path.Pointer, followLink: false, out FileStatus again) != 0
            || again.Identity != file.Identity))
            return null;
        return new SystemVSemaphore(key, SystemVSet.Opened(id, file.Identity, set), null, options);
    }

    public bool Remove(in NativeIpcKey key) => RemoveByKey(key);

    internal static bool RemoveByKey(in NativeIpcKey key)
    {
        var defaults = SystemSemaphoreOptions.s_default;
        using KeyFile? file = KeyFile.Open(Removing, key, KeyFileRules.Removing(defaults.PeerTimeout));
        if (file is null) return false;
        int ipcKey = file.Ftok();
        bool found = SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
        file.RemoveIfUnused();
        return found;
    }

    /// <summary>Makes the semaphore or finds it; false when it exists and that was refused.</summary>
    /// <param name="key">The key.</param>
    /// <param name="initialCount">The count of a new one.</param>
    /// <param name="options">The options.</param>
    /// <param name="existing">What to do with one that exists.</param>
    /// <param name="bound">How long peers are waited for.</param>
    /// <param name="set">The set.</param>
    /// <param name="segment">For a lock, its segment.</param>
    internal static bool Create(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options,
        Existing existing, in PeerBound bound, out SystemVSet set, LockedSegment? segment = null)
    {
        KeyFileRules rules = KeyFileRules.Making(existing, options, bound) with
        {
            OwnSegment = segment?.Id,
            Known = segment is { SharesFile: true } locked ? locked.KeyFile : null,
        };
        int size = options.Robust ? SystemVLocks.Size : 1;
        using var reports = HeldReports.Begin();
        using var session = new KeyFileSession(Creating, key, IpcObjectKind.SystemSemaphore, rules,
            options.PeerTimeout);
        while (true)
        {
            session.Open();
            SegmentStatus? segmentStatus = segment?.Look();
            Obtained obtained = session.Obtain(size, options.Mode, out int id);
            if (obtained == Obtained.Gone) continue;
            int count = size;
            if (obtained == Obtained.Found)
            {
                if (existing == Existing.Refuse)
                {
                    set = default;
                    return false;
                }

                if (Look(key, id, options.AllowOtherOwners, segmentStatus?.Uid) is not { } status) continue;
                count = status.Count;
            }

            // R4 Race: the maker of a set dies before it sets the count.
            // Safe because: this call finishes the set, and is its maker then.
            bool isMaker = obtained == Obtained.Made || (existing == Existing.Use
                && !SystemVCounts.WaitUntilSet(key, id, bound.AtMost(s_initialisation)));
            if (obtained == Obtained.Made && segment is not { Purpose: LockPurpose.Remove })
                Give(key, id, rules.Group, segmentStatus);
            bool isOwner = isMaker || existing == Existing.Reset;
            if (isOwner && !SystemVCounts.TrySet(Creating, key, id, initialCount, count,
                isNew: obtained == Obtained.Made))
                continue;

            // R5 Race: the file could not be locked, and the segment was removed since the first look.
            // Safe because: this looks again, and what was made is undone.
            if (obtained == Obtained.Made && !session.File.IsLocked) segment?.Look();
            if (!session.File.HasPath) continue;
            if (obtained == Obtained.Made && segment is not null)
                session.File.Record(IpcObjectKind.SystemSemaphore, id);
            set = new SystemVSet(id, session.File.Status.Identity)
            {
                CreatedNew = isMaker,
                Owns = isOwner,
                MadeKeyFile = session.MadeFile,
                Tells = count == SystemVLocks.Size,
            };
            session.Keep();
            return true;
        }
    }

    /// <summary>Who may use a new set: for a lock, who may use the segment.</summary>
    private static void Give(in NativeIpcKey key, int id, uint? group, SegmentStatus? segment)
    {
        uint? uid = segment is { Uid: not 0 } owned && RealIds.Users.IsReal(owned.Uid) && Libc.geteuid() == 0
            ? owned.Uid : null;
        uint? gid = group ?? (segment is { } locked && RealIds.Groups.IsReal(locked.Gid) ? locked.Gid : null);
        if (gid is not null && gid == Libc.getegid()) gid = null; // a new set has it
        int number = uid is null && gid is null ? 0 : SystemVSupport.GiveSet(id, uid, gid);
        if (number != 0 && !SystemVSupport.IsGone(SystemVSupport.SetStatusOf(id, out _)))
            throw SystemVErrors.Give(Creating, key, "semctl", number);
    }

    /// <summary>What a set is, after its owner was found good; null when it is gone.</summary>
    internal static SetStatus? Look(in NativeIpcKey key, int id, bool trustsOthers, uint? alsoTrusted)
    {
        int number = SystemVSupport.SetStatusOf(id, out SetStatus status);
        if (SystemVSupport.IsGone(number)) return null;
        if (number != 0) throw SystemVErrors.UseSemaphore(Opening, key, "semctl", number);
        if (!trustsOthers)
            SystemVSupport.CheckOwner(Opening, key, "semctl", status.Uid, status.CreatorUid, alsoTrusted);
        return status;
    }
}
