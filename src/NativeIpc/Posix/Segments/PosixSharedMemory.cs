using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Recovery;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Segments;

/// <summary>POSIX segments: shm_open(3), POSIX.1-2017.</summary>
/// <remarks>
/// <para>A segment gets its name when it is complete: on Linux it is made without one (O_TMPFILE), sized, reserved and
/// mapped, and then linked, so that no process ever meets a segment without a size, and a process that dies on the way
/// leaves nothing. Where that cannot be done (Apple; no /proc; the switch) or is refused
/// (<see cref="WholePublishing"/>), it is made by shm_open and sized under its file lock.</para>
/// <para>Interleavings considered. (1) Two create: linkat and O_EXCL let one win, the other finds it. (2) One creates
/// while another removes: the finder sees the object with no links left, or no name, and starts again. (3) A peer
/// creates by O_EXCL and sizes later (Qt, C): the finder waits; if the peer died in between, a creating call sizes the
/// object in place under the file lock, after looking again, so that two recoverers give one creator. (4) A peer that
/// was only slow sizes it after that: it then shrinks or grows the segment under its users; nothing can keep it from
/// that, hence the wait before.</para>
/// </remarks>
internal sealed class PosixSharedMemory : ISharedMemoryBackend
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";

    // A fair number of lost races before giving up: each one means that another process made progress.
    private const int MostRounds = 1000;
    private const long LargestPublishedUnseen = 1 << 20;
    private const long HugePage = 2 << 20; // x64 and arm64; where it is another size, only speed depends on it

    private static readonly WholePublishing s_whole = new();

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works || (_works = PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere => PosixFolder.WhyNotHere();

    public Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, Reclaimed(key, options), mayOpen: false)
            ?? throw Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "shm_open", Errno.EEXIST,
                "Open it, use CreateOrOpen, or remove a leftover with Remove.");

    public Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options)
        => Obtain(key, size, Reclaimed(key, options), mayOpen: true)!;

    private static SharedMemoryOptions Reclaimed(in NativeIpcKey key, SharedMemoryOptions options)
    {
        PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
        if (options.Reclaim)
            PosixUsers.Reclaim(Creating, key, isSegment: true, options.UseLock ? PosixNames.LockKey(key) : default,
                options.PeerTimeout);
        return options;
    }

    public Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        in PeerBound bound, bool mustExist)
    {
        PosixUsers.CheckOffered(key, options.Removal, reclaim: false);
        var backoff = new Backoff(bound);
        State state = Look(key, access, bound, ref backoff, mustBeOpenable: true, out int descriptor,
            out FileStatus status);
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
        => PosixRemoval.RemoveNamed("remove the segment", key, isSegment: true, PosixNames.LockKey(key));

    private enum State
    {
        Missing,
        Ready,
        HalfCreated,
        Unreadable,
    }

    private static PosixSegment? Obtain(in NativeIpcKey key, long size, SharedMemoryOptions options, bool mayOpen)
    {
        // As a rule a new name is free, and trying costs less than looking first; unless much memory would be taken
        // only to be given back.
        if (!mayOpen && s_whole.IsOn && size <= LargestPublishedUnseen
            && TryPublishUnseen(key, size, options) is { } made)
            return made;

        var backoff = new Backoff(options.PeerTimeout);
        for (int round = 0; round < MostRounds; round++)
        {
            State state = Look(key, SharedMemoryAccess.ReadWrite, options.PeerTimeout, ref backoff,
                mustBeOpenable: mayOpen, out int descriptor, out FileStatus status);
            switch (state)
            {
                case State.Ready when !mayOpen:
                    _ = Libc.close(descriptor);
                    return null;
                case State.Ready:
                    if (status.Size >= size || options.AllowSmaller) 
                        return Attach(key, descriptor, status, SharedMemoryAccess.ReadWrite, options, mayCreate: true);
                    _ = Libc.close(descriptor);
                    if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, isSegment: true, status);
                    throw Failure.TooSmall(key, status.Size, size);
                case State.HalfCreated:
                    if (Recover(key, size, options, descriptor, isOwn: false) is { } recovered) return recovered;
                    break;
                default:
                    if (Publish(key, size, options) is { } published) return published;
                    if (state == State.Unreadable) return null; // there, and not ours to look at
                    break;
            }
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "shm_open",
            "other processes keep making and removing it", "Try again.");
    }

    private static PosixSegment? TryPublishUnseen(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        try
        {
            return Publish(key, size, options);
        }
        catch (NativeIpcException) when (PosixNames.StatusOf(key, isSegment: true, out _) == 0)
        {
            return null; // that it exists is what the caller is to hear, whatever else is in the way
        }
    }

    /// <summary>Opens what is there and waits, up to the bound, until it has a size.</summary>
    private static State Look(in NativeIpcKey key, SharedMemoryAccess access, in PeerBound bound, ref Backoff backoff,
        bool mustBeOpenable, out int descriptor, out FileStatus status)
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
                // Somebody asks the kernel whether he is alone
                if (number == Errno.EAGAIN && PosixNames.s_areFiles && leases.Pause()) continue;
                if (number == Errno.ENOENT) return State.Missing;
                if (number == Errno.EACCES && !mustBeOpenable) return State.Unreadable;
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
                isOver = hasName && !backoff.Pause();
                if (isOver) return State.HalfCreated;
            }
            finally
            {
                if (!isOver) Close(descriptor); // also when the caller does not wait any more
            }
        }
    }

    /// <summary>What shm_open(3) does; -1 when it fails. Never O_CREAT on what may exist: with fs.protected_regular
    /// that fails on another user's object, even for root.</summary>
    private static unsafe int OpenFile(in NativeIpcKey key, SharedMemoryAccess access)
    {
        int flags = access == SharedMemoryAccess.Read ? Flags.O_RDONLY : Flags.O_RDWR;
        if (!PosixNames.s_areFiles) return Libc.shm_open(PosixNames.Native(key), flags, 0);

        // A FIFO that somebody put there must not hold the call up; Apple has none there, and takes no other flag.
        var path = new Utf8Path(PosixNames.Start(true), PosixNames.Bare(key));
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
        SharedMemoryAccess access, SharedMemoryOptions options, bool mayCreate = false)
    {
        nint address;
        try
        {
            if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, isSegment: true, status);
            if (options.Allocation == SharedMemoryAllocation.Populate) SizeLimits.TellOfTooMuchMemory(key, status.Size);
            address = Map(Opening, key, descriptor, status.Size, access, options);
            if (mayCreate && options.Removal == RemovalPolicy.Keep) RemovalRecord.Erase(descriptor);
        }
        catch
        {
            _ = Libc.close(descriptor);
            throw;
        }

        return PosixSegment.Own(key, address, status, access, createdNew: false, descriptor, options);
    }

    private static nint Map(string attempt, in NativeIpcKey key, int descriptor, long size, SharedMemoryAccess access,
        SharedMemoryOptions options, bool populates = true)
    {
        int protection = access == SharedMemoryAccess.Read ? Flags.PROT_READ : Flags.PROT_READ | Flags.PROT_WRITE;
        int populate = populates && options.Allocation == SharedMemoryAllocation.Populate && OperatingSystem.IsLinux()
            ? Flags.MAP_POPULATE : 0;
        nint address = Libc.mmap(0, (nuint)size, protection, Flags.MAP_SHARED | populate, descriptor, 0);
        return address != Libc.MAP_FAILED
            ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), size);
    }

    /// <summary>Makes a segment and gives it the name; null when the name is taken.</summary>
    private static PosixSegment? Publish(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        CheckSize(key, size, options);
        if (!s_whole.IsOn) return PublishThenSize(key, size, options);
        int unnamed = Libc.open(PosixNames.Folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC,
            (uint)options.Mode);
        int number = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number == 0)
        {
            PosixSegment? made = PublishWhole(key, size, options, unnamed, out number);
            if (number == 0 || number == Errno.EEXIST) return made;
        }
        else if (WholePublishing.Of(number, isLink: false) == WholePublishing.Verdict.Failed)
        {
            throw PosixErrors.Create(Creating, key, "open", number);
        }

        bool isRefused = number is Errno.EACCES or Errno.EPERM;
        if (!isRefused) s_whole.TurnOff();
        PosixSegment? plain = PublishThenSize(key, size, options);
        if (isRefused && plain is not null) s_whole.WasRefused();
        return plain;
    }

    /// <summary>Completes the file and gives it the name.</summary>
    /// <param name="key">The key.</param>
    /// <param name="size">The size.</param>
    /// <param name="options">The options.</param>
    /// <param name="descriptor">The file without a name; taken over.</param>
    /// <param name="number">0; EEXIST when the name is taken; or why it can get no name in this way, with nothing left
    /// behind.</param>
    private static unsafe PosixSegment? PublishWhole(in NativeIpcKey key, long size, SharedMemoryOptions options,
        int descriptor, out int number)
    {
        nint address = Libc.MAP_FAILED;
        FileStatus status;
        try
        {
            bool byPages = options.Allocation == SharedMemoryAllocation.Populate && size >= HugePage;
            status = Prepare(key, descriptor, size, options, reserves: !byPages, isKnown: false);
            address = Map(Creating, key, descriptor, size, SharedMemoryAccess.ReadWrite, options, populates: !byPages);
            if (byPages) Fill(key, descriptor, address, size);

            // The last step: whatever fails before it leaves nothing behind.
            var path = new Utf8Path(PosixNames.Start(true), PosixNames.Bare(key));
            number = UnnamedFile.Link(descriptor, path.Pointer);
            if (number is not (0 or Errno.EEXIST)
                && WholePublishing.Of(number, isLink: true) == WholePublishing.Verdict.Failed)
                throw PosixErrors.Create(Creating, key, "linkat", number);
        }
        catch
        {
            Undo(descriptor, address, size);
            throw;
        }

        if (number != 0)
        {
            Undo(descriptor, address, size);
            return null;
        }

        s_whole.Worked();
        return PosixSegment.Own(key, address, status, SharedMemoryAccess.ReadWrite, createdNew: true,
            descriptor, options);
    }

    private static PosixSegment? PublishThenSize(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        string name = PosixNames.Native(key);
        int number;
        int descriptor;
        do
        {
            descriptor = Libc.shm_open(name, Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL, (uint)options.Mode);
            number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number == Errno.EEXIST) return null;
        if (number != 0) throw PosixErrors.Create(Creating, key, "shm_open", number);
        FileIdentity identity;
        try
        {
            identity = StatusOf(key, descriptor).Identity;
        }
        catch (NativeIpcException failure)
        {
            // What it is must be known before its name is removed, which may lead to another's by now.
            if (Libc.Status(descriptor, out FileStatus made) == 0)
            {
                var removal =
                    new PosixRemoval(key, isSegment: true, lockKey: default, made.Identity, options.PeerTimeout);
                removal.Perform(descriptor);
            }
            else
            {
                string what = $"{Failure.Describe(key)} was half made and stays: {failure.Message}";
                NativeIpcEventSource.s_log.NotRemoved(what);
            }

            _ = Libc.close(descriptor);
            throw;
        }

        try
        {
            // A recoverer that takes us for dead may come first: then it is the creator, and Recover gives null.
            return Recover(key, size, options, descriptor, isOwn: true);
        }
        catch
        {
            new PosixRemoval(key, isSegment: true, lockKey: default, identity, options.PeerTimeout).Perform();
            throw;
        }
    }

    /// <summary>
    /// Gives a size to a segment that has none, and is its creator then; null when somebody else has done that, or when
    /// it has lost its name meanwhile. Takes over the descriptor.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="size">The size.</param>
    /// <param name="options">What the caller asked for.</param>
    /// <param name="descriptor">The segment.</param>
    /// <param name="isOwn">Whether this very call has made it, so that nobody has to ask whose it is.</param>
    private static PosixSegment? Recover(in NativeIpcKey key, long size, SharedMemoryOptions options, int descriptor,
        bool isOwn)
    {
        nint address = Libc.MAP_FAILED;
        FileLock held = default;
        FileStatus status;
        bool isCreator = false;
        try
        {
            int error = FileLock.Take(descriptor, options.PeerTimeout, out held);
            if (error != 0 && error != Errno.EAGAIN) throw PosixErrors.Unknown(Creating, key, "flock", error);
            if (error != 0)
                throw Failure.Of(NativeIpcError.LockError, Creating, key, "flock", error,
                    "Another process is making or removing it; try again.");
            status = StatusOf(key, descriptor);
            if (status.Size > 0 || !LeadsTo(key, status)) return null;
            if (!isOwn) CheckSize(key, size, options);
            if (PosixNames.s_areFiles && !isOwn && !RealIds.IsThisUser(status.Uid))
            {
                throw Failure.Found(NativeIpcError.AlreadyExists, Creating, key, "shm_open",
                    $"a half-created segment of user {RealIds.Users.Describe(status.Uid)} has this name, and only "
                        + $"its owner's processes recover it", "Let that user remove it, or use another name.");
            }

            try
            {
                status = Prepare(key, descriptor, size, options, reserves: true, isKnown: true);
            }
            catch (NativeIpcException failure)
                when (Target.IsApple && failure is { Operation: "ftruncate", NativeErrorCode: Errno.EINVAL }
                    && StatusOf(key, descriptor).Size > 0)
            {
                return null; // Apple sizes a segment once: another recoverer did
            }

            address = Map(Creating, key, descriptor, size, SharedMemoryAccess.ReadWrite, options);
            isCreator = true;
        }
        finally
        {
            held.Dispose();
            if (!isCreator) Undo(descriptor, address, size);
        }

        return PosixSegment.Own(key, address, status, SharedMemoryAccess.ReadWrite, createdNew: true,
            descriptor, options);
    }

    /// <summary>Refuses a size at which the kernel would end this process.</summary>
    private static void CheckSize(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        SizeLimits.CheckFile(Creating, key, size);
        if (SizeLimits.FindTooMuchMemory(Creating, key, size, options.Allocation) is { } failure) throw failure;
    }

    private static bool LeadsTo(in NativeIpcKey key, in FileStatus status)
        => !PosixNames.s_areFiles
            || (PosixNames.StatusOf(key, isSegment: true, out FileStatus named) == 0
                && named.Identity == status.Identity);

    /// <summary>Sets the exact mode, and the size: reserved, unless Sparse was asked for. Tells what the file is
    /// then.</summary>
    private static FileStatus Prepare(in NativeIpcKey key, int descriptor, long size, SharedMemoryOptions options,
        bool reserves, bool isKnown)
    {
        if (options.Group is { } group && Libc.fchown(descriptor, uint.MaxValue, UserGroups.Resolve(group)) != 0)
            throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());

        // The mode first: it must be right before anybody can open a segment that has a size. Apple does not cut it by
        // the umask.
        FileStatus status = StatusOf(key, descriptor);
        if (!Target.IsApple && status.Permissions != (uint)options.Mode
            && Libc.fchmod(descriptor, (uint)options.Mode) != 0)
            throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());

        if (options.Removal != RemovalPolicy.Keep) RemovalRecord.Write(descriptor);
        else if (isKnown) RemovalRecord.Erase(descriptor);
        Resize(key, descriptor, size, reserves && options.Allocation != SharedMemoryAllocation.Sparse
            && OperatingSystem.IsLinux(), isKnown);
        return PosixNames.s_areFiles ? status with { Mode = (status.Mode & Flags.S_IFMT) | (uint)options.Mode,
            Size = size } : StatusOf(key, descriptor);
    }

    private static void Resize(in NativeIpcKey key, int descriptor, long size, bool reserves, bool isKnown)
    {
        if (reserves) Reserve(key, descriptor, size, isKnown);
        else Truncate(key, descriptor, size);
    }

    private static void Truncate(in NativeIpcKey key, int descriptor, long size)
    {
        while (Libc.ftruncate(descriptor, size) != 0)
        {
            if (Marshal.GetLastPInvokeError() is var number && number != Errno.EINTR)
                throw PosixErrors.Resize(Creating, key, "ftruncate", number, size);
        }
    }

    private static void Reserve(in NativeIpcKey key, int descriptor, long size, bool isKnown)
    {
        int number;
        do
        {
            number = Libc.posix_fallocate(descriptor, 0, size);
        }
        while (number == Errno.EINTR);

        if (number is Errno.EPERM || number == Errno.ENOSYS || number == Errno.EOPNOTSUPP)
            ReserveByTouching(key, descriptor, size, isKnown, number);
        else if (number != 0) throw PosixErrors.Resize(Creating, key, "posix_fallocate", number, size);
    }

    /// <summary>
    /// Where posix_fallocate is refused: has the kernel take the pages as if they were written to, which changes none
    /// of them and is an error, and no signal, when there is no room.
    /// </summary>
    /// <remarks>
    /// Before Linux 5.14 the kernel cannot do that. Then zeros are written into a segment that nobody can know yet.
    /// One that has its name may have users as soon as it has a size, so it
    /// stays unreserved, which is said by an event: when /dev/shm is full, the first touch of a page ends the process.
    /// </remarks>
    private static unsafe void ReserveByTouching(in NativeIpcKey key, int descriptor, long size, bool isKnown,
        int refusal)
    {
        const int MostAtOnce = 1 << 16;
        Truncate(key, descriptor, size);
        nint address = Libc.mmap(0, (nuint)size, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED, descriptor, 0);
        if (address == Libc.MAP_FAILED) throw PosixErrors.Map(Creating, key, Marshal.GetLastPInvokeError(), size);
        int number = Libc.madvise(address, (nuint)size, Flags.MADV_POPULATE_WRITE) == 0
            ? 0 : Marshal.GetLastPInvokeError();
        _ = Libc.munmap(address, (nuint)size);
        if (number == 0) return;
        if (number is not (Errno.EINVAL or Errno.EPERM) && number != Errno.ENOSYS)
            // EFAULT: what would be a SIGBUS, madvise(2)
            throw PosixErrors.Resize(Creating, key, "madvise", number == Errno.EFAULT ? Errno.ENOSPC : number, size);
        if (isKnown)
        {
            NativeIpcEventSource.s_log.NotReserved(
                $"the segment {Failure.Describe(key)} is as with Sparse, since posix_fallocate says "
                    + $"\"{Marshal.GetPInvokeErrorMessage(refusal)}\" (error {refusal}): should /dev/shm become full, "
                    + $"the first touch of a page ends the process");
            return;
        }

        var zeros = new byte[(int)Math.Min(size, MostAtOnce)];
        fixed (byte* from = zeros)
        {
            for (long at = 0; at < size;)
            {
                nint written = Libc.pwrite(descriptor, from, (nuint)Math.Min(size - at, zeros.Length), at);
                if (written > 0) at += written;
                else if (written == 0 || Marshal.GetLastPInvokeError() != Errno.EINTR)
                    throw PosixErrors.Resize(Creating, key, "pwrite",
                        written == 0 ? Errno.ENOSPC : Marshal.GetLastPInvokeError(), size);
            }
        }
    }

    /// <summary>
    /// Takes the pages of a large segment that nobody knows yet by writing to them through its mapping: only so do they
    /// become huge ones on a /dev/shm that is mounted with huge=advise, which makes this 40 times faster. What fails
    /// about it (/dev/shm is full; Linux before 5.14), posix_fallocate says, or makes good.
    /// </summary>
    private static void Fill(in NativeIpcKey key, int descriptor, nint address, long size)
    {
        _ = Libc.madvise(address, (nuint)size, Flags.MADV_HUGEPAGE); // fails where the kernel has none
        if (Libc.madvise(address, (nuint)size, Flags.MADV_POPULATE_WRITE) == 0) return;
        Reserve(key, descriptor, size, isKnown: false);
    }

    private static FileStatus StatusOf(in NativeIpcKey key, int descriptor)
    {
        int error = Libc.Status(descriptor, out FileStatus status);
        return error == 0 ? status : throw PosixErrors.Unknown(Creating, key, "statx", error);
    }

    private static void Undo(int descriptor, nint address, long size)
    {
        if (address != Libc.MAP_FAILED) _ = Libc.munmap(address, (nuint)size);
        _ = Libc.close(descriptor);
    }
}
