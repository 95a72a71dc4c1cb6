using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>System V segments: shmget(2), shmop(2), shmctl(2), with the key from ftok(3).</summary>
/// <remarks>A segment is born with its size, so nothing half-made can be met but a key file without an
/// object.</remarks>
internal sealed class SystemVSegments : ISharedMemoryBackend
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";
    private const string Removing = "remove the segment";

    // Some system calls of the last one to detach; many times that, as it may be cut off in the middle.
    private static readonly TimeSpan s_removal = TimeSpan.FromMilliseconds(20);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works
        || (_works = SystemVSupport.MayCall && SystemVSupport.HasCalls(Libc.shmget(SystemVSupport.ProbeKey, 0, 0)));

    public (string Finding, string Remedy) WhyNotHere => SystemVSupport.WhyNotHere("shmget");

    public Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, options, Existing.Refuse)
            ?? throw SystemVErrors.CreateSegment(Creating, key, Errno.EEXIST, size);

    public Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, options, Existing.Use)!;

    public Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        in PeerBound bound, bool mustExist)
    {
        KeyFileRules rules = KeyFileRules.Finding(bound, options.AllowOtherOwners);
        using var reports = HeldReports.Begin();
        using var session = new KeyFileSession(Opening, key, IpcObjectKind.SharedMemory, rules, bound.PeerTimeout);
        while (session.Find(out int id))
        {
            if (AttachFound(Opening, session, id, access, options) is not { } segment) continue;
            session.Dispose(); // others need the file while pages are filled
            return Filled(Opening, segment, options, madeKeyFile: false);
        }

        return mustExist ? throw session.NotFound() : null;
    }

    public bool Remove(in NativeIpcKey key)
    {
        var defaults = SharedMemoryOptions.s_default;
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool found = false;
        using (KeyFile? file = KeyFile.Open(Removing, key, KeyFileRules.Removing(defaults.PeerTimeout)))
        {
            if (file is null) return false;
            int ipcKey = file.Ftok();
            int id = Libc.shmget(ipcKey, 0, 0);
            int number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (number is not (0 or Errno.ENOENT)) throw SystemVErrors.UseSegment(Removing, key, "shmget", number);
            if (number == 0)
            {
                found = SystemVSupport.RemoveSegment(Removing, key, id);
                // With a legacy key that of users of the bare native key.
                SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
            }

            file.RemoveIfUnused();
        }

        if (found && lockKey.NativeKey != key.NativeKey) SystemVSemaphores.RemoveByKey(lockKey);
        return found;
    }

    private static SystemVSegment? Obtain(in NativeIpcKey key, long size, SharedMemoryOptions options,
        Existing existing)
        => MakeOrAttach(key, size, options, existing, out bool madeKeyFile) is { } segment
            ? Filled(segment.CreatedNew ? Creating : Opening, segment, options, madeKeyFile) : null;

    /// <returns>Null when the segment exists, and that was refused.</returns>
    private static SystemVSegment? MakeOrAttach(in NativeIpcKey key, long size, SharedMemoryOptions options,
        Existing existing, out bool madeKeyFile)
    {
        madeKeyFile = false;
        NativeIpcException? tooLarge = SizeLimits.FindTooMuchMemory(Creating, key, size, options.Allocation);
        // nothing is there, and so nothing is made
        if (tooLarge is not null && Libc.Status(KeyFile.Path(key), followLink: true, out _) != 0) throw tooLarge;
        KeyFileRules rules = KeyFileRules.Making(existing, options);
        using var reports = HeldReports.Begin();
        using var session = new KeyFileSession(Creating, key, IpcObjectKind.SharedMemory, rules, options.PeerTimeout);
        while (true)
        {
            session.Open();
            if (tooLarge is not null && Libc.shmget(session.IpcKey, 0, 0) == -1) throw tooLarge;
            Obtained obtained = session.Obtain(size, options.Mode, out int id);
            if (obtained == Obtained.Found && options.Reclaim)
                obtained = Reclaim(session, key, size, options, tooLarge, ref id);
            if (obtained == Obtained.Found && existing == Existing.Refuse) return null;
            SystemVSegment? segment = obtained switch
            {
                Obtained.Made => AttachMade(session, key, id, size, rules.Group, options),
                Obtained.Found => AttachFound(Opening, session, id, SharedMemoryAccess.ReadWrite, options),
                _ => null,
            };
            if (segment is null) continue;
            if (segment.Size < size && !options.AllowSmaller)
            {
                long actual = segment.Size;
                segment.DetachOnly();
                throw Failure.TooSmall(key, actual, size);
            }

            if (segment.CreatedNew) SystemVKeeping.Tell(key);
            if (options.Removal == RemovalPolicy.Keep) session.File.EraseRecord(IpcObjectKind.SharedMemory);
            else if (segment.CreatedNew) session.File.Record(IpcObjectKind.SharedMemory, id);
            madeKeyFile = session.MadeFile;
            session.Keep();
            return segment;
        }
    }

    /// <summary>Removes a segment without users and makes it anew. Found when it has users; gone when another round is
    /// needed.</summary>
    private static Obtained Reclaim(KeyFileSession session, in NativeIpcKey key, long size, SharedMemoryOptions options,
        NativeIpcException? tooLarge, ref int id)
    {
        switch (SystemVReclaim.TryRemove(Creating, key, id, options.AllowOtherOwners))
        {
            case Reclaimed.InUse:
                return Obtained.Found;
            case Reclaimed.Yes:
                return tooLarge is null ? session.MakeAnew(size, options.Mode, out id) : throw tooLarge;
            default:
                if (session.TryWaitForPeer()) return Obtained.Gone; // the holder of the Qt lock may need the file
                throw Failure.Found(NativeIpcError.LockError, Creating, key, "semop",
                    "nobody is attached, and another process holds its lock: whether it is about to attach cannot be "
                        + "told", "End that process, or do without Reclaim.", Errno.EAGAIN);
        }
    }

    /// <summary>Attaches to a segment that this round has made; null when a peer has removed it, or its file.</summary>
    private static SystemVSegment? AttachMade(KeyFileSession session, in NativeIpcKey key, int id, long size,
        uint? group, SharedMemoryOptions options)
    {
        if (group is { } gid && SystemVSupport.GiveSegment(id, gid) is var refused and not 0)
            throw SystemVErrors.Give(Creating, key, "shmctl", refused);
        StopPoint.At("systemv.segment.made");
        if (!TryAttach(Creating, key, id, SharedMemoryAccess.ReadWrite, out nint address)) return null;

        // R1 Race: a peer that ends (Qt) has removed the key file just before the segment was made under it.
        // Safe because: the file is looked at after the attach, the segment is removed again, and the next round makes
        // it under the file that has the path then.
        // R6 Race: a peer has attached as soon as it was made, and another one has removed it: it lost its key then,
        // and its memory lives as long as somebody is attached.
        // Safe because: its status is taken after the attach, and the next round makes another one.
        SystemVSegment? segment = null;
        try
        {
            int error = SystemVSupport.Status(id, out SegmentStatus status);
            if (error != 0 && !SystemVSupport.IsGone(error))
                throw SystemVErrors.UseSegment(Creating, key, "shmctl", error);
            if (error != 0 || status.IsRemoved || !session.File.HasPath || !HasKey(session.IpcKey, id)) return null;
            return segment = new SystemVSegment(key, address, id, session.IpcKey, size, session.File.Status.Identity,
                SharedMemoryAccess.ReadWrite, createdNew: true, options);
        }
        finally
        {
            if (segment is null) _ = Libc.shmdt(address);
        }
    }

    /// <summary>Attaches to a segment that was there, and looks whether the key still leads to it; null when it does
    /// not.</summary>
    private static SystemVSegment? AttachFound(string attempt, KeyFileSession session, int id,
        SharedMemoryAccess access, SharedMemoryOptions options)
    {
        KeyFile file = session.File;
        if (!TryAttach(attempt, file.Key, id, access, out nint address)) return null;
        SystemVSegment? segment = null;
        try
        {
            // After the attach, which keeps the id from being used again. Until here nobody has looked at the bytes.
            int error = SystemVSupport.Status(id, out SegmentStatus status);
            if (error != 0 && !SystemVSupport.IsGone(error))
                throw SystemVErrors.UseSegment(attempt, file.Key, "shmctl", error);
            if (error == 0 && !options.AllowOtherOwners)
                SystemVSupport.CheckOwner(attempt, file.Key, "shmctl", status.Uid, status.CreatorUid);

            // R2 Race: another process removes the segment between finding and attaching. The attach fails, or gives
            // memory that is marked as removed and has lost its key.
            // Safe because: the status is taken after the attach, and without it the next round finds what is there.
            // R3 Race: a peer (Qt) removes the key file after the segment was found.
            // Safe because: the segment is what the path led to when the file was opened, a moment before.
            if (error != 0 || status.IsRemoved || !HasKey(session.IpcKey, id)
                || (!file.IsLocked && !IsKept(file.Key, id)))
                return null;
            if (options.Allocation == SharedMemoryAllocation.Populate)
                SizeLimits.TellOfTooMuchMemory(file.Key, status.Size);
            return segment = new SystemVSegment(file.Key, address, id, session.IpcKey, status.Size,
                file.Status.Identity, access, createdNew: false, options);
        }
        finally
        {
            if (segment is null) _ = Libc.shmdt(address);
        }
    }

    /// <summary>Attaches; false when the segment is gone.</summary>
    private static bool TryAttach(string attempt, in NativeIpcKey key, int id, SharedMemoryAccess access,
        out nint address)
    {
        address = Libc.shmat(id, 0, access == SharedMemoryAccess.Read ? Flags.SHM_RDONLY : 0);
        if (address != Libc.MAP_FAILED) return true;
        int number = Marshal.GetLastPInvokeError();
        return SystemVSupport.IsGone(number)
            ? false : throw SystemVErrors.UseSegment(attempt, key, "shmat", number);
    }

    /// <summary>Whether a segment that was attached without the file lock stays.</summary>
    /// <remarks>
    /// R4 Race: the last one to detach has seen nobody attached, before this attach, and is about to remove the
    /// segment.
    /// Safe because: it holds the segment's lock from before its look at the attachments until the removal. Once that
    /// lock was seen free, or missing, after the attach, the removal is over, which the status shows, or its look comes
    /// later and sees this attachment. A lock that is kept taken is waited for only a moment; and a removal with
    /// UseLock false takes none.
    /// </remarks>
    private static bool IsKept(in NativeIpcKey key, int id)
    {
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        var backoff = new Backoff(s_removal);
        do
        {
            // Unknown is not free.
            bool isFree = SystemVReclaim.FindLock(lockKey, out int qtLock) == 0 && (qtLock == -1
                || Libc.semctl(qtLock, 0, Flags.GETVAL) is var value && (value > 0
                || (value == -1 && SystemVSupport.IsGone(Marshal.GetLastPInvokeError()))));
            if (SystemVSupport.Status(id, out SegmentStatus status) != 0 || status.IsRemoved) return false;
            if (isFree) return true;
        }
        while (backoff.Pause());

        return true;
    }

    // A segment has its key until it is marked as removed, which Linux says.
    private static bool HasKey(int ipcKey, int id) => OperatingSystem.IsLinux() || Libc.shmget(ipcKey, 0, 0) == id;

    /// <summary>Fills the pages of a segment that is attached and complete, if that is wanted. Without the key file's
    /// lock, which others need meanwhile: filling takes seconds.</summary>
    /// <remarks>
    /// R5 Race: a peer attaches or removes the segment while it is filled.
    /// Safe because: the segment has its size, its bytes are zero, and pages that are touched before come then. This
    /// attachment keeps the memory after a removal. Where there is no memory, what was made is removed by its id:
    /// another one that has the key by then stays, and processes that attached meanwhile keep what there is.
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
        segment.TakeBack(madeKeyFile);
        throw Failure.Of(NativeIpcError.OutOfResources, attempt, key, "madvise", number,
            "There is no memory for its pages: ask for less, or for Reserve instead of Populate.");
    }
}
