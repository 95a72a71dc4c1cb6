using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>System V segments: shmget(2), shmop(2), shmctl(2), with the key from ftok(3).</summary>
/// <remarks>
/// A segment is born with its size, so nothing half-made can be met but a key file without an object. Interleavings
/// considered, beyond those of <see cref="KeyFile"/>: (1) The segment found is removed before it is attached: shmat
/// fails, or attaches to one that is marked removed and has lost its key; both are seen by looking again after the
/// attach, and the turn starts again. (2) A peer that ends (Qt) removes the key file just after we made a segment under
/// it: seen by looking again; ours is removed and made anew under the new file. (3) It does so just after we found a
/// segment: that is what the path led to when the file was opened, so it is attached, as it would have been a moment
/// before.
/// </remarks>
internal sealed class SystemVSegments : ISharedMemoryBackend
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";
    private const string Removing = "remove the segment";
    private const int MostRounds = 1000;

    // Some system calls of the last one to detach; many times that, as he may be cut off in the middle.
    private static readonly TimeSpan s_removal = TimeSpan.FromMilliseconds(20);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works
        || (_works = SystemVSupport.MayCall && SystemVSupport.HasCalls(Libc.shmget(SystemVSupport.ProbeKey, 0, 0)));

    public (string Finding, string Remedy) WhyNotHere => SystemVSupport.WhyNotHere("shmget");

    public Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, options, mayOpen: false)
            ?? throw SystemVErrors.CreateSegment(Creating, key, Errno.EEXIST, size);

    public Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, options, mayOpen: true)!;

    public Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        in PeerBound bound, bool mustExist)
    {
        KeyFile.Rules rules = KeyFile.Rules.Opening(bound, options.AllowOtherOwners);
        var backoff = new Backoff(bound);
        int lostRaces = 0;
        while (lostRaces < MostRounds)
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
                int id = Libc.shmget(ipcKey, 0, 0);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                if (number is not (0 or Errno.ENOENT)) throw SystemVErrors.UseSegment(Opening, key, "shmget", number);
                if (number == 0)
                {
                    if (Attach(Opening, file, ipcKey, id, access, options, createdNew: false) is { } segment)
                    {
                        file.Dispose();
                        return Filled(Opening, segment, options, madeKeyFile: false);
                    }

                    lostRaces++;
                    continue;
                }

                if (!file.IsStillThere && lostRaces++ < MostRounds) continue;
                halfCreated = file.Status.IsRegularFile && file.Status.Size == 0;
                lone = KeyFileTrust.DescribeLone(file.Status, ipcKey);
            }

            // Only what looks like a key file made for the purpose is worth waiting for; the lock on it is free
            // meanwhile.
            if (halfCreated && backoff.Pause()) continue;
            if (!mustExist) return null;
            throw halfCreated
                ? Failure.Found(NativeIpcError.NotFound, Opening, key, "shmget",
                    $"it is half-created: the key file is there and the segment is not; its creator may have died, "
                        + $"or {lone}", "A creating call (CreateNew, CreateOrOpen) recovers it.", Errno.ENOENT)
                : Failure.Of(NativeIpcError.NotFound, Opening, key, "shmget", Errno.ENOENT,
                    $"No such segment: start the peer that makes it, or use CreateOrOpen; or {lone}.");
        }

        throw Contended(Opening, key);
    }

    public bool Remove(in NativeIpcKey key)
    {
        var defaults = SharedMemoryOptions.s_default;
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool found = false;
        using (KeyFile? file = KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(defaults.PeerTimeout)))
        {
            if (file is null) return false;
            int ipcKey = file.Ftok(Removing);
            int id = Libc.shmget(ipcKey, 0, 0);
            int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (number is not (0 or Errno.ENOENT)) throw SystemVErrors.UseSegment(Removing, key, "shmget", number);
            if (number == 0)
            {
                found = SystemVSupport.RemoveSegment(Removing, key, id);
                // With a legacy key that of users of the bare native key.
                SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
            }

            file.RemoveIfOurs(ipcKey);
        }

        if (found && lockKey.NativeKey != key.NativeKey) SystemVSemaphores.RemoveByKey(lockKey);
        return found;
    }

    private static SystemVSegment? Obtain(in NativeIpcKey key, long size, SharedMemoryOptions options, bool mayOpen)
        => MakeOrAttach(key, size, options, mayOpen, out bool madeKeyFile) is { } segment
            ? Filled(segment.CreatedNew ? Creating : Opening, segment, options, madeKeyFile) : null;

    private static SystemVSegment? MakeOrAttach(in NativeIpcKey key, long size, SharedMemoryOptions options,
        bool mayOpen, out bool madeKeyFile)
    {
        madeKeyFile = false;
        KeyFile.Rules rules = KeyFile.Rules.Of(options) with { ExpectsNone = !mayOpen };
        var backoff = new Backoff(options.PeerTimeout);
        int lostRaces = 0;
        NativeIpcException? tooLarge = SizeLimits.FindTooMuchMemory(Creating, key, size, options.Allocation);
        // nothing is there, and so nothing is made
        if (tooLarge is not null && Libc.Status(KeyFile.Path(key), followLink: true, out _) != 0) throw tooLarge;
        while (lostRaces++ < MostRounds)
        {
            using KeyFile file = OpenKeyFile(key, rules, mayOpen);
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

                if (tooLarge is not null && Libc.shmget(ipcKey, 0, 0) == -1) throw tooLarge;
                file.MarkIfBare();
                int id = Libc.shmget(ipcKey, (nuint)size, (int)options.Mode | Flags.IPC_CREAT | Flags.IPC_EXCL);
                int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                bool created = number == 0;
                if (!created)
                {
                    // macOS looks at the size (EINVAL) and the mode (EACCES) before it says that the segment exists.
                    id = Libc.shmget(ipcKey, 0, 0);
                    int second = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                    // It went away between two calls
                    if (second != 0 && number == Errno.EEXIST && second == Errno.ENOENT) continue;
                    if (second != 0 && number != Errno.EEXIST)
                        throw SystemVErrors.CreateSegment(Creating, key, number, size);
                    if (options.Reclaim && second == 0)
                    {
                        Reclaimed reclaimed = SystemVReclaim.TryRemove(Creating, key, id, options.AllowOtherOwners);
                        if (reclaimed == Reclaimed.NotNow && !backoff.IsOver)
                        {
                            lostRaces--;
                            file.Dispose(); // who holds the Qt lock may be waiting for it
                            backoff.Pause();
                            continue;
                        }

                        if (reclaimed == Reclaimed.NotNow)
                        {
                            throw Failure.Found(NativeIpcError.LockError, Creating, key, "semop",
                                "nobody is attached, and another process holds its lock: whether it is about to "
                                    + "attach cannot be told",
                                "End that process, or do without Reclaim.", Errno.EAGAIN);
                        }

                        if (reclaimed == Reclaimed.Yes)
                        {
                            if (tooLarge is not null) throw tooLarge;

                            // At once, while the file is held: without an object it looks as if somebody were in the
                            // middle of making one.
                            id = Libc.shmget(ipcKey, (nuint)size, (int)options.Mode | Flags.IPC_CREAT | Flags.IPC_EXCL);
                            number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
                            if (number == Errno.EEXIST) continue; // a Qt process was faster
                            if (number != 0) throw SystemVErrors.CreateSegment(Creating, key, number, size);
                            created = true;
                            second = 0;
                        }
                    }

                    if (!created && !mayOpen) return null;
                    if (second != 0) throw SystemVErrors.UseSegment(Opening, key, "shmget", second);
                }

                SystemVSegment? segment;
                try
                {
                    if (created && rules.Group is { } group
                        && SystemVSupport.GiveSegment(id, group) is var refused and not 0)
                    {
                        throw SystemVErrors.Give(Creating, key, "shmctl", refused);
                    }

                    segment = Attach(created ? Creating : Opening, file, ipcKey, id, SharedMemoryAccess.ReadWrite,
                        options, created);
                }
                catch when (created)
                {
                    SystemVSupport.TakeBack(Creating, key, id, isSegment: true);
                    throw;
                }

                if (segment is null)
                {
                    if (created) SystemVSupport.TakeBack(Creating, key, id, isSegment: true);
                    continue;
                }

                if (created) SystemVKeeping.Tell(key);
                if (options.Removal == RemovalPolicy.Keep) file.EraseRecord(IpcObjectKind.SharedMemory);
                else if (created) file.Record(IpcObjectKind.SharedMemory, id);
                if (segment.Size >= size || options.AllowSmaller)
                {
                    madeKeyFile = file.IsNew;
                    return segment;
                }

                long actual = segment.Size;
                segment.DetachOnly();
                throw Failure.TooSmall(key, actual, size);
            }
            catch when (file.IsNew)
            {
                file.TakeBack(ipcKey);
                throw;
            }
        }

        throw Contended(Creating, key);
    }

    private static KeyFile OpenKeyFile(in NativeIpcKey key, in KeyFile.Rules rules, bool mayOpen)
    {
        try
        {
            return KeyFile.Open(Creating, key, create: true, rules)!;
        }
        catch (NativeIpcException failure)
            when (!mayOpen && failure is { Error: NativeIpcError.KeyError, NativeErrorCode: Errno.EEXIST })
        {
            // To CreateNew, an object that is not the new file's is one that exists.
            throw new NativeIpcException(NativeIpcError.AlreadyExists, failure.Operation, key, failure.NativeErrorCode,
                failure.Message);
        }
    }

    private static NativeIpcException Contended(string attempt, in NativeIpcKey key)
        => Failure.Found(NativeIpcError.LockError, attempt, key, "shmget",
            "other processes keep making and removing it", "Try again.");

    /// <summary>Attaches, and looks whether the key still leads there; null when it does not (any more).</summary>
    private static SystemVSegment? Attach(string attempt, KeyFile file, int ipcKey, int id, SharedMemoryAccess access,
        SharedMemoryOptions options, bool createdNew)
    {
        nint address = Libc.shmat(id, 0, access == SharedMemoryAccess.Read ? Flags.SHM_RDONLY : 0);
        if (address == Libc.MAP_FAILED)
        {
            int number = Marshal.GetLastPInvokeError();
            return number == Errno.EINVAL || number == Errno.EIDRM
                ? null : throw SystemVErrors.UseSegment(attempt, file.Key, "shmat", number);
        }

        try
        {
            int error = SystemVSupport.Status(id, out SegmentStatus status);

            // After the attach, which keeps the id from being used again. Until here nobody has looked at the bytes.
            if (error == 0 && !options.AllowOtherOwners && !createdNew)
                SystemVSupport.CheckOwner(attempt, file.Key, "shmctl", status.Uid, status.CreatorUid);
            bool isGood = error == 0 && !status.IsRemoved && HasKey(ipcKey, id) && (!createdNew || file.HasPath);
            if (isGood && (createdNew || file.IsLocked || IsKept(file.Key, id)))
            {
                if (!createdNew && options.Allocation == SharedMemoryAllocation.Populate)
                    SizeLimits.TellOfTooMuchMemory(file.Key, status.Size);
                return new SystemVSegment(file.Key, address, id, ipcKey, status, file.Status.Identity, access,
                    createdNew, options);
            }

            if (error != 0 && error != Errno.EINVAL && error != Errno.EIDRM)
                throw SystemVErrors.UseSegment(attempt, file.Key, "shmctl", error);
        }
        catch
        {
            _ = Libc.shmdt(address);
            throw;
        }

        _ = Libc.shmdt(address);
        return null;
    }

    /// <summary>Whether a segment that was attached without the file lock stays: false when the last one to detach, who
    /// looked before, has removed it.</summary>
    /// <remarks>
    /// That one holds the segment's lock from before his look at the attachments until the segment is removed. So when
    /// the lock was seen free, or missing, after the attach, he
    /// has come to his end, which the status shows, or he looks later and sees this attachment. A lock that somebody
    /// else keeps taken is not waited for, but for a moment; nor does this help against who removes with UseLock false.
    /// </remarks>
    private static bool IsKept(in NativeIpcKey key, int id)
    {
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        var backoff = new Backoff(s_removal);
        do
        {
            int qtLock = SystemVReclaim.FindLock(lockKey);
            bool isTaken = qtLock != -1 && Libc.semctl(qtLock, 0, Flags.GETVAL) == 0;
            if (SystemVSupport.Status(id, out SegmentStatus status) != 0 || status.IsRemoved) return false;
            if (!isTaken) return true;
        }
        while (backoff.Pause());

        return true;
    }

    // A segment has its key until it is marked as removed, which Linux says.
    private static bool HasKey(int ipcKey, int id) => OperatingSystem.IsLinux() || Libc.shmget(ipcKey, 0, 0) == id;

    /// <summary>Fills the pages of a segment that is attached and complete, if that is wanted. Without the key file's
    /// lock, which others need meanwhile: filling takes seconds.</summary>
    /// <remarks>
    /// Interleavings. (1) A peer attaches meanwhile: the segment has its size, its bytes are zero, and pages that are
    /// touched before they were filled come then. (2) A peer removes it meanwhile: this attachment keeps the memory, as
    /// after any removal. (3) There is no memory: what was made is removed by its id, so another one that has the key
    /// by then stays; who attached meanwhile keeps what there is, as after any removal.
    /// </remarks>
    private static SystemVSegment Filled(string attempt, SystemVSegment segment, SharedMemoryOptions options,
        bool madeKeyFile)
    {
        if (options.Allocation != SharedMemoryAllocation.Populate || !OperatingSystem.IsLinux()) return segment;

        // Pages that are there are mapped three times faster by reading; they can be written then, too.
        bool isNew = segment is { CreatedNew: true, Access: SharedMemoryAccess.ReadWrite };
        if (segment.TryFill(isNew ? Flags.MADV_POPULATE_WRITE : Flags.MADV_POPULATE_READ, out int number))
            return segment;
        // Before Linux 5.14: pages come when touched, which is all that is lost
        if (number == Errno.EINVAL) return segment;
        NativeIpcKey key = segment.Key;
        segment.DetachOnly(removes: segment.CreatedNew, madeKeyFile);
        throw Failure.Of(NativeIpcError.OutOfResources, attempt, key, "madvise", number,
            "There is no memory for its pages: ask for less, or for Reserve instead of Populate.");
    }
}
