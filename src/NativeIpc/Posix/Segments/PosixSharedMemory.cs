using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Users;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Segments;

/// <summary>POSIX segments: shm_open(3), POSIX.1-2017.</summary>
/// <remarks>
/// A segment gets its name when it is complete: on Linux it is made without one (O_TMPFILE), sized, reserved and
/// mapped, and then linked, so that no process ever meets a segment without a size, and a process that dies on the way
/// leaves nothing. Where that cannot be done (Apple; no /proc; the switch) or is refused (<see
/// cref="WholePublishing"/>), it is made by shm_open and sized under its file lock.
/// </remarks>
internal sealed partial class PosixSharedMemory : ISharedMemoryBackend
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";

    private const int MostRounds = 1000; // each lost one means that another process made progress
    private const long LargestPublishedFast = 1 << 20;

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works || (_works = PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere => PosixFolder.WhyNotHere();

    public Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, Reclaimed(key, options), FoundSegment.Refused)
            ?? throw Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "shm_open", Errno.EEXIST,
                "Open it, use CreateOrOpen, or remove a leftover with Remove.");

    public Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, Reclaimed(key, options), FoundSegment.Opened)!;

    private static SharedMemoryOptions Reclaimed(in NativeIpcKey key, SharedMemoryOptions options)
    {
        PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
        if (!options.Reclaim) return options;
        NativeIpcKey lockKey = options.UseLock ? PosixNames.LockKey(key) : default;
        PosixUsers.Reclaim(Creating, key, IpcObjectKind.SharedMemory, lockKey, options.PeerTimeout);
        return options;
    }

    public Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        in PeerBound bound, bool mustExist)
    {
        PosixUsers.CheckOffered(key, options.Removal, reclaim: false);
        var backoff = new Backoff(bound);
        State state = Look(key, access, bound, ref backoff, out int descriptor, out FileStatus status);
        if (state == State.Unreadable) throw PosixErrors.Open(Opening, key, "shm_open", Errno.EACCES);
        if (state == State.Ready) return Attach(key, descriptor, status, access, options);
        Close(descriptor);
        if (!mustExist) return null;
        throw state == State.Missing
            ? PosixErrors.Open(Opening, key, "shm_open", Errno.ENOENT)
            : Failure.Found(NativeIpcError.NotFound, Opening, key, "shm_open",
                "it is half-created: its creator has not given it a size, and may have died",
                "A creating call (CreateNew, CreateOrOpen) recovers it.");
    }

    public bool Remove(in NativeIpcKey key)
        => PosixRemoval.RemoveNamed("remove the segment", key, IpcObjectKind.SharedMemory, PosixNames.LockKey(key));

    public UnusedAnswer RemoveIfUnused(in NativeIpcKey key, SharedMemoryOptions options)
    {
        NativeIpcKey lockKey = options.UseLock ? PosixNames.LockKey(key) : default;
        return PosixUsers.RemoveLeftover(key, IpcObjectKind.SharedMemory, lockKey, options.PeerTimeout);
    }

    private enum State { Missing, Ready, HalfCreated, Unreadable }

    /// <summary>What a creating call does with a segment that it finds.</summary>
    private enum FoundSegment { Refused, Opened }

    private static PosixSegment? Obtain(in NativeIpcKey key, long size, SharedMemoryOptions options,
        FoundSegment policy)
    {
        // As a rule a new name is free, and to try costs less than to look first; unless much memory would be taken
        // only to be given back.
        if (policy == FoundSegment.Refused && s_whole.IsOn && size <= LargestPublishedFast
            && TryPublishFast(key, size, options) is { } made)
            return made;

        var backoff = new Backoff(options.PeerTimeout);
        for (int round = 0; round < MostRounds; round++)
        {
            // R1 Race: two create. Safe because: linkat and O_EXCL let one win, and the other finds it. One creates
            // while another process removes: the finder sees a file without links, or no name, and starts again.
            State state = Look(key, SharedMemoryAccess.ReadWrite, options.PeerTimeout, ref backoff, out int descriptor,
                out FileStatus status);
            switch (state)
            {
                case State.Ready when policy == FoundSegment.Refused:
                    _ = Libc.close(descriptor);
                    return null;
                case State.Ready:
                    return AttachFound(key, size, descriptor, status, options);
                case State.HalfCreated:
                    if (Recover(key, size, options, descriptor, HalfMade.BeforeThisCall) is { } recovered)
                        return recovered;
                    break;
                case State.Unreadable when policy == FoundSegment.Opened:
                    throw PosixErrors.Open(Opening, key, "shm_open", Errno.EACCES);
                default:
                    if (Publish(key, size, options) is { } published) return published;
                    if (state == State.Unreadable) return null; // there, and of another user
                    break;
            }
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "shm_open",
            "other processes keep making and removing it", "Try again.");
    }

    private static PosixSegment AttachFound(in NativeIpcKey key, long size, int descriptor, in FileStatus status,
        SharedMemoryOptions options)
    {
        if (status.Size >= size || options.AllowSmaller)
        {
            PosixSegment attached = Attach(key, descriptor, status, SharedMemoryAccess.ReadWrite, options);
            if (options.Removal == RemovalPolicy.Keep) attached.EraseRemovalRecord();
            return attached;
        }

        _ = Libc.close(descriptor);
        if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, IpcObjectKind.SharedMemory, status);
        throw Failure.TooSmall(key, status.Size, size);
    }

    private static PosixSegment? TryPublishFast(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        try
        {
            return Publish(key, size, options);
        }
        catch (NativeIpcException) when (PosixNames.StatusOf(key, IpcObjectKind.SharedMemory, out _) == 0)
        {
            return null; // the caller is to hear that it exists, whatever else is in the way
        }
    }

    /// <summary>Opens what is there and waits, up to the bound, until it has a size.</summary>
    private static State Look(in NativeIpcKey key, SharedMemoryAccess access, in PeerBound bound, ref Backoff backoff,
        out int descriptor, out FileStatus status)
    {
        var leases = new Backoff(bound.AtMost(TimeSpan.FromSeconds(1)));
        while (true)
        {
            status = default;
            descriptor = OpenFile(key, access);
            if (descriptor == -1)
            {
                int number = Marshal.GetLastPInvokeError();
                if (number == Errno.EINTR) continue;

                // EAGAIN: another process has a lease, to ask the kernel whether it is alone.
                if (number == Errno.EAGAIN && PosixNames.s_areFiles && leases.PauseInCrowd()) continue;
                if (number == Errno.ENOENT) return State.Missing;
                if (number == Errno.EACCES) return State.Unreadable;
                throw PosixErrors.Open(Opening, key, "shm_open", number);
            }

            int error = Libc.Status(descriptor, out status);
            if (error != 0 || (PosixNames.s_areFiles && !status.IsRegularFile))
            {
                _ = Libc.close(descriptor);
                throw error != 0 ? PosixErrors.Unknown(Opening, key, "statx", error)
                    : NoSegment(Opening, key, "shm_open");
            }

            if (status.Size > 0 && (status.Links > 0 || !PosixNames.s_areFiles)) return State.Ready;
            bool hasName = status.Links > 0 || !PosixNames.s_areFiles;
            bool isOver = false;
            try
            {
                // R2 Race: a peer creates by O_EXCL and sizes later (Qt, C). Safe because: this waits for the size; if
                // the peer died, a creating call sizes the object in place under the file lock, after another look. Not
                // safe against a peer that was only slow, and sizes it after that under its users: hence the wait
                // before.
                isOver = hasName && !backoff.Pause();
                if (isOver) return State.HalfCreated;
            }
            finally
            {
                if (!isOver) Close(descriptor); // also when Pause throws, since the caller does not wait any more
            }
        }
    }

    /// <summary>What shm_open(3) does; -1 when it fails. Never O_CREAT on what may exist: with fs.protected_regular
    /// that fails on another user's object, even for root.</summary>
    private static unsafe int OpenFile(in NativeIpcKey key, SharedMemoryAccess access)
    {
        int flags = access == SharedMemoryAccess.Read ? Flags.O_RDONLY : Flags.O_RDWR;
        if (!PosixNames.s_areFiles) return Libc.shm_open(PosixNames.Native(key), flags, 0);

        // O_NONBLOCK: a FIFO that was planted there must not hold the call up. Apple has none there, and takes no other
        // flag.
        var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SharedMemory), PosixNames.Bare(key));
        return Libc.open_utf8(path.Pointer, flags | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0);
    }

    private static void Close(int descriptor)
    {
        if (descriptor != -1) _ = Libc.close(descriptor);
    }

    private static NativeIpcException NoSegment(string attempt, in NativeIpcKey key, string call)
        => Failure.Found(NativeIpcError.KeyError, attempt, key, call,
            "what stands under this name in /dev/shm is no regular file", "Remove it by hand, or use another name.");

    private static PosixSegment Attach(in NativeIpcKey key, int descriptor, in FileStatus status,
        SharedMemoryAccess access, SharedMemoryOptions options)
    {
        nint address;
        try
        {
            if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, IpcObjectKind.SharedMemory, status);
            if (options.Allocation == SharedMemoryAllocation.Populate) SizeLimits.TellOfTooMuchMemory(key, status.Size);
            address = Map(Opening, key, descriptor, status.Size, access, options.Allocation);
        }
        catch
        {
            _ = Libc.close(descriptor);
            throw;
        }

        return PosixSegment.Own(key, address, status, access, Origin.Found, descriptor, options);
    }

    private static nint Map(string attempt, in NativeIpcKey key, int descriptor, long size, SharedMemoryAccess access,
        SharedMemoryAllocation allocation)
    {
        int protection = access == SharedMemoryAccess.Read ? Flags.PROT_READ : Flags.PROT_READ | Flags.PROT_WRITE;
        int populate = allocation == SharedMemoryAllocation.Populate && OperatingSystem.IsLinux()
            ? Flags.MAP_POPULATE : 0;
        nint address = Libc.mmap(0, (nuint)size, protection, Flags.MAP_SHARED | populate, descriptor, 0);
        return address != Libc.MAP_FAILED
            ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), size);
    }
}
