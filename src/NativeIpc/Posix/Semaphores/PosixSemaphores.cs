using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Users;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>POSIX named semaphores: sem_open(3), POSIX.1-2017.</summary>
/// <remarks>
/// On Linux a semaphore is a file (<see cref="SemaphoreFile"/>). It is made without a name, initialised by
/// <c>sem_init</c> and then linked, as the C library does it with a temporary name; and it is opened by descriptor, so
/// that what is mapped is what was looked at: a planted empty file would end the process at the first operation.
/// </remarks>
internal sealed partial class PosixSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const int MostRounds = 1000;

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works || (_works = PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere => PosixFolder.WhyNotHere();

    public int MaximumCount => Flags.SEM_VALUE_MAX;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => TryMake(key, initialCount, ToCreate(key, options))
            ?? throw (FindPlanted(Creating, key)
                ?? Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "sem_open", Errno.EEXIST,
                "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count."));

    /// <summary>What the options say, once a leftover is removed that they reclaim.</summary>
    private static SemaphoreUse ToCreate(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        SemaphoreUse use = SemaphoreUse.By(options, Creating, key);
        if (options.Reclaim)
            PosixUsers.Reclaim(Creating, key, IpcObjectKind.SystemSemaphore, default, options.PeerTimeout);
        return use;
    }

    /// <summary>Makes a semaphore, or completes one whose maker died; null when there is one.</summary>
    private static MappedSemaphore? TryMake(in NativeIpcKey key, int initialCount, in SemaphoreUse use)
    {
        Backoff wait = WaitFor(use);
        while (true)
        {
            if (TryCreate(key, initialCount, use) is { } made) return made;
            if (SemaphoreFile.StatusOfName(key) is not { } status || !IsHalfMade(status, use)) return null;
            if (!wait.Pause())
                return HeldIfAsked(Recover(key, CountAtFirst(initialCount, use), use), initialCount, use);
        }
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound,
        bool mustExist)
    {
        SemaphoreUse use = SemaphoreUse.By(options, Opening, key) with { Bound = bound };
        Backoff wait = WaitFor(use);
        MappedSemaphore? opened;
        bool isHalfMade;
        do opened = TryOpen(key, use, out isHalfMade);
        while (isHalfMade && wait.Pause());
        if (opened is not null || !mustExist) return opened;
        if (!isHalfMade) throw PosixErrors.Open(Opening, key, "sem_open", Errno.ENOENT);

        // A stranger's stays as it is: no process of this user can complete it.
        bool isOwn = SemaphoreFile.StatusOfName(key) is not { } status || RealIds.IsThisUser(status.Uid);
        throw Failure.Found(isOwn ? NativeIpcError.NotFound : NativeIpcError.KeyError, Opening, key, "sem_open",
            "it is half-created: its creator has not completed it yet, or has died before",
            isOwn ? "Try again, or use CreateOrOpen, which completes it." : "Let its owner remove or complete it.");
    }

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        FoundObject found = options.Removal == RemovalPolicy.Keep ? FoundObject.Kept : FoundObject.Used;
        return CreateOrOpen(key, initialCount, ToCreate(key, options) with { Found = found });
    }

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        SemaphoreUse use = ToCreate(key, options) with { Found = FoundObject.TakenOver };
        MappedSemaphore semaphore = CreateOrOpen(key, initialCount, use);
        if (semaphore.CreatedNew) return semaphore;
        try
        {
            semaphore.SetCount(initialCount);

            // Only now it is this instance's to remove: one that could not be taken over stays as it is.
            semaphore.TakeDuty(use.DutyOf(Origin.Made));
            RecordTakenOver(key, use, semaphore.Identity);
            return semaphore;
        }
        catch
        {
            semaphore.Dispose();
            throw;
        }
    }

    public bool Remove(in NativeIpcKey key)
        => PosixRemoval.RemoveNamed("remove the semaphore", key, IpcObjectKind.SystemSemaphore, lockKey: default);

    public UnusedAnswer RemoveIfUnused(in NativeIpcKey key, TimeSpan bound)
        => PosixUsers.RemoveLeftover(key, IpcObjectKind.SystemSemaphore, default, bound);

    public bool RecordsPermits => PermitRecords.IsOffered;

    public int ReturnLostPermits(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        if (!PermitRecords.IsOffered) return 0;
        using var file = new UnixDescriptor(
            SemaphoreFile.Open(key, Flags.O_RDWR | Flags.O_CLOEXEC, options.PeerTimeout, out int number));
        if (number == Errno.ENOENT) return 0;
        if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
        number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);
        if (!options.AllowOtherOwners)
            PosixUsers.CheckOwner(Opening, key, IpcObjectKind.SystemSemaphore, status);
        return SemaphoreFile.IsSemaphore(status)
            ? ReturnLostPermits(key, file) : throw SemaphoreFile.NoSemaphore(Opening, key, status);
    }

    /// <summary>Gives back what dead holders had recorded. The file is a semaphore's and open for reading and writing;
    /// it is closed.</summary>
    internal static int ReturnLostPermits(in NativeIpcKey key, UnixDescriptor file)
    {
        nint page = SemaphoreFile.MapPage(Opening, key, (int)file.DangerousGetHandle(), FirstTouch.Now);
        using var records = new PermitRecords(key, page, file);
        try
        {
            return records.Mend(Moment.Allowed, out _);
        }
        finally
        {
            _ = Libc.munmap(page, Layout.SizeOfSemT);
        }
    }

    /// <summary>Opens the lock of a segment that still has its name; null when there is none. Where objects are
    /// files.</summary>
    internal static SemaphoreObject? FindLock(in NativeIpcKey key, LockedSegment segment, in PeerBound bound)
        => TryOpen(key, SemaphoreUse.AsLockOf(segment, bound), out _);

    /// <summary>Makes the lock of a segment, or opens it when another process was first. The caller has the segment's
    /// file lock.</summary>
    internal static SemaphoreObject MakeLock(in NativeIpcKey key, LockedSegment segment, in PeerBound bound)
    {
        SemaphoreUse use = SemaphoreUse.AsLockOf(segment, bound);
        try
        {
            if (TryCreate(key, 1, use) is { } made) return made;
        }
        catch (NativeIpcException) when (SemaphoreFile.StatusOfName(key) is not null)
        {
            // It is there: what was in the way of making another one is not in that of opening it.
        }

        return CreateOrOpen(key, 1, use);
    }

    private static MappedSemaphore CreateOrOpen(in NativeIpcKey key, int initialCount, in SemaphoreUse use)
    {
        Backoff wait = WaitFor(use);
        for (int round = 0; round < MostRounds; round++)
        {
            if (TryOpen(key, use, out bool isHalfMade) is { } opened) return opened;
            while (isHalfMade && wait.Pause())
                isHalfMade = SemaphoreFile.StatusOfName(key) is { } status && IsHalfMade(status, use);

            MappedSemaphore? created = isHalfMade
                ? HeldIfAsked(Recover(key, CountAtFirst(initialCount, use), use), initialCount, use)
                : TryCreate(key, initialCount, use);
            if (created is not null) return created;
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "sem_open",
            "other processes keep making and removing it", "Try again.");
    }

    /// <summary>Opens what is there; null when there is nothing, only something half-made, or another file than the
    /// one that this call has made.</summary>
    private static MappedSemaphore? TryOpen(in NativeIpcKey key, in SemaphoreUse use, out bool isHalfMade,
        FileIdentity? made = null)
    {
        isHalfMade = false;
        if (!PosixNames.s_areFiles) return TryOpenBySemOpen(key, use);
        int file = SemaphoreFile.Open(key, Flags.O_RDWR | Flags.O_CLOEXEC, use.Bound, out int number);
        if (number == Errno.ENOENT) return null;
        bool isKept = false;
        try
        {
            use.Segment?.CheckName(); // after the open: then that was this segment's lock
            if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
            number = Libc.Status(file, out FileStatus status);
            if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);

            // R1 Race: the name is removed or replaced after the open. Safe because: a file without links is left, and
            // what has the name now is opened.
            if (status.Links == 0) return TryOpen(key, use, out isHalfMade, made);
            if (made is { } own && own != status.Identity) return null;
            isHalfMade = IsHalfMade(status, use);
            if (isHalfMade) return null;
            if (!SemaphoreFile.IsSemaphore(status)) throw SemaphoreFile.NoSemaphore(Opening, key, status);
            if (use.Owners == OwnerTrust.ThisUserAndRoot && made is null)
            {
                PosixUsers.CheckOwner(Opening, key, IpcObjectKind.SystemSemaphore, status,
                    use.Segment?.Status.Uid);
            }

            FirstTouch touch = use.Recovery != LockRecovery.None ? FirstTouch.Now : FirstTouch.Later;
            nint page = SemaphoreFile.MapPage(Opening, key, file, touch);
            SemaphoreFile.CheckWord(Opening, key, page);
            if (use.SharesMaximum && (made is not null || use.Found == FoundObject.TakenOver))
                SharedMaximum.Write(page, use.Maximum);
            if (made is not null || use.Found == FoundObject.Kept) Record(use, file);
            Origin origin = made is null ? Origin.Found : Origin.Made;
            return WithDuty(Own(key, page, file, status.Identity, origin, use, out isKept), use);
        }
        finally
        {
            if (!isKept && file != -1) _ = Libc.close(file);
        }
    }

    private static MappedSemaphore? TryOpenBySemOpen(in NativeIpcKey key, in SemaphoreUse use)
    {
        string name = PosixNames.Native(key);
        nint opened;
        int failure;
        do
        {
            opened = Libc.sem_open_existing(name, 0);
            failure = opened == Libc.SEM_FAILED ? Marshal.GetLastPInvokeError() : 0;
        }
        while (failure == Errno.EINTR);

        if (failure == Errno.ENOENT) return null;
        if (failure != 0) throw PosixErrors.Open(Opening, key, "sem_open", failure);
        return WithDuty(Plain(key, PosixSemaphoreHandle.Opened(opened), default, Origin.Found, use.Maximum), use);
    }

    /// <summary>Makes the object that owns the mapping, and the descriptor if <paramref name="isKept"/>, whatever
    /// happens.</summary>
    private static MappedSemaphore Own(in NativeIpcKey key, nint page, int file, FileIdentity identity, Origin origin,
        in SemaphoreUse use, out bool isKept)
    {
        isKept = use.KeepsFile;
        int? maximum = use.SharesMaximum ? SharedMaximum.Read(page) ?? use.Maximum : use.Maximum;
        if (!isKept) return Plain(key, PosixSemaphoreHandle.Mapped(page), identity, origin, maximum);
        DescriptorTable.MakeRoom(file);
        var descriptor = new UnixDescriptor(file);
        return use.Recovery != LockRecovery.None
            ? new HeldSemaphore(key, page, descriptor, identity, origin, use.Recovery)
            : new RecordedSemaphore(key, page, descriptor, identity, origin, use.Recording,
                maximum ?? Flags.SEM_VALUE_MAX);
    }

    /// <summary>Has an object do what the policy says when it is closed; it is disposed if that fails.</summary>
    private static MappedSemaphore WithDuty(MappedSemaphore semaphore, in SemaphoreUse use)
    {
        if (use.Found == FoundObject.TakenOver && !semaphore.CreatedNew) return semaphore;
        try
        {
            semaphore.TakeDuty(use.DutyOf(semaphore.CreatedNew ? Origin.Made : Origin.Found));
            return semaphore;
        }
        catch
        {
            semaphore.Dispose();
            throw;
        }
    }

    /// <summary>The object of a semaphore that keeps no descriptor.</summary>
    private static PosixSemaphore Plain(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity,
        Origin origin, int? maximum)
        => maximum is { } most
            ? new BoundedSemaphore(key, handle, identity, origin, most)
            : new PosixSemaphore(key, handle, identity, origin);

    private static NativeIpcException? FindPlanted(string attempt, in NativeIpcKey key)
        => SemaphoreFile.StatusOfName(key) is { } status && !SemaphoreFile.IsSemaphore(status)
            ? SemaphoreFile.NoSemaphore(attempt, key, status) : null;
}
