using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Segments;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>POSIX named semaphores: sem_open(3), POSIX.1-2017.</summary>
/// <remarks>
/// On Linux a semaphore is a file of 32 bytes that holds a <c>sem_t</c>. It is made without a name, initialised by
/// <c>sem_init</c> and then linked, as the C library does it with a temporary name; and it is opened by descriptor, so
/// that what is mapped is what was looked at: a planted empty file would kill the process at the first operation.
/// Interleavings: two create: the link lets one win; one opens while another removes: it has the object that was there,
/// or starts again. Where only the final name may be made, see <see cref="MakeUnderItsName"/>.
/// </remarks>
internal sealed partial class PosixSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const int MostRounds = 1000;

    // Who asks the kernel whether he is alone does so for some microseconds.
    private static readonly TimeSpan s_longestLease = TimeSpan.FromSeconds(1);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works || (_works = PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere => PosixFolder.WhyNotHere();

    public int MaximumCount => Flags.SEM_VALUE_MAX;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => TryMake(key, initialCount, Use.By(options, Creating, key))
            ?? throw (FindPlanted(Creating, key)
                ?? Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "sem_open", Errno.EEXIST,
                "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count."));

    /// <summary>Makes a semaphore, or completes one whose maker died; null when there is one.</summary>
    private static MappedSemaphore? TryMake(in NativeIpcKey key, int initialCount, in Use use)
    {
        Backoff wait = WaitFor(use);
        while (true)
        {
            if (TryCreate(key, initialCount, use) is { } made) return made;
            if (StatusOfName(key) is not { } status || !IsHalfMade(status, use)) return null;
            if (!wait.Pause()) return Recover(key, initialCount, use);
        }
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound,
        bool mustExist)
    {
        Use use = Use.By(options, Opening, key) with { Bound = bound };
        Backoff wait = WaitFor(use);
        MappedSemaphore? opened;
        bool isHalfMade;
        do opened = TryOpen(key, use, out isHalfMade);
        while (isHalfMade && wait.Pause());
        if (opened is not null || !mustExist) return opened;
        if (!isHalfMade) throw PosixErrors.Open(Opening, key, "sem_open", Errno.ENOENT);

        // A stranger's stays as it is: nobody of this user can complete it.
        bool isOwn = StatusOfName(key) is not { } status || RealIds.IsThisUser(status.Uid);
        throw Failure.Found(isOwn ? NativeIpcError.NotFound : NativeIpcError.KeyError, Opening, key, "sem_open",
            "it is half-created: its creator has not completed it yet, or has died before",
            isOwn ? "Try again, or use CreateOrOpen, which completes it." : "Let its owner remove or complete it.");
    }

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => CreateOrOpen(key, initialCount,
            Use.By(options, Creating, key) with { IsKept = options.Removal == RemovalPolicy.Keep });

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Use use = Use.By(options, Creating, key);
        MappedSemaphore semaphore = CreateOrOpen(key, initialCount, use with { IsTakenOver = true });
        if (semaphore.CreatedNew) return semaphore;
        try
        {
            if (semaphore is HeldSemaphore held) held.SetCount(initialCount);
            else ((PosixSemaphore)semaphore).SetCount(initialCount);

            // Only now it is this instance's to remove: one that could not be taken over stays as it is.
            semaphore.TakeDuty(use.RemovalOf(owns: use.Removal != RemovalPolicy.Keep), use.RemoveAtExit);
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
        => PosixRemoval.RemoveNamed("remove the semaphore", key, isSegment: false, lockKey: default);

    public bool RecordsPermits => PermitRecords.IsOffered;

    public int ReturnLostPermits(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        if (!PermitRecords.IsOffered) return 0;
        using var file = new UnixDescriptor(
            OpenFile(key, Flags.O_RDWR | Flags.O_CLOEXEC, options.PeerTimeout, out int number));
        if (number == Errno.ENOENT) return 0;
        if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
        number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);
        if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, isSegment: false, status);
        return IsSemaphore(status) ? ReturnLostPermits(key, file) : throw NoSemaphore(Opening, key, status);
    }

    /// <summary>Gives back what dead holders had recorded. The file is a semaphore's and open for reading and writing;
    /// it is closed.</summary>
    internal static int ReturnLostPermits(in NativeIpcKey key, UnixDescriptor file)
    {
        nint page = MapPage(Opening, key, (int)file.DangerousGetHandle(), isTouched: true);
        using var records = new PermitRecords(key, page, file);
        try
        {
            return records.Mend(mayPause: true, out _);
        }
        finally
        {
            _ = Libc.munmap(page, Layout.SizeOfSemT);
        }
    }

    /// <summary>Opens the lock of a segment that still has its name; null when there is none. Where objects are
    /// files.</summary>
    internal static SemaphoreObject? FindLock(in NativeIpcKey key, PosixSegment segment, in PeerBound bound)
        => TryOpen(key, Use.AsLockOf(segment, bound), out _);

    /// <summary>Makes the lock of a segment, or opens it when somebody was first. The caller has the segment's file
    /// lock.</summary>
    internal static SemaphoreObject MakeLock(in NativeIpcKey key, PosixSegment segment, in PeerBound bound)
    {
        Use use = Use.AsLockOf(segment, bound);
        try
        {
            if (TryCreate(key, 1, use) is { } made) return made;
        }
        catch (NativeIpcException) when (StatusOfName(key) is not null)
        {
            // It is there, and what was in the way of making another one is not in that of opening it.
        }

        return CreateOrOpen(key, 1, use);
    }

    /// <summary>How a semaphore is made and used.</summary>
    private readonly record struct Use(uint Mode, PosixSegment? Segment, RemovalPolicy Removal, bool RemoveAtExit,
        bool IsHeld, bool RequiresRecovery, bool TrustsOthers, string? Group, PeerBound Bound,
        PermitRecording Recording = PermitRecording.None,
        int? Maximum = null)
    {
        /// <summary>Whether what is found is taken over, once its count is set; it has no duty until then.</summary>
        public bool IsTakenOver { get; init; }

        /// <summary>Whether what a creating call finds is kept from now on.</summary>
        public bool IsKept { get; init; }

        /// <summary>What an object does when it is closed: nothing, unless it owns the name, or everyone looks whether
        /// he is the last.</summary>
        public RemovalPolicy RemovalOf(bool owns)
            => Removal == RemovalPolicy.LastOneOut ? Removal : owns ? RemovalPolicy.Creator : RemovalPolicy.Keep;

        /// <summary>The lock of a segment: open to whoever may read the segment, owned by its owner, removed only with
        /// it.</summary>
        public static Use AsLockOf(PosixSegment segment, in PeerBound bound)
        {
            if (!PosixNames.s_areFiles)
                return new(0x180, null, RemovalPolicy.Keep, RemoveAtExit: false, IsHeld: false, RequiresRecovery: false,
                    TrustsOthers: true, null, bound);
            uint readers = segment.Status.Permissions & 0x124; // r--r--r--
            return new((readers | (readers >> 1)) | 0x180, segment, RemovalPolicy.Keep, RemoveAtExit: false,
                HeldSemaphore.IsOffered, segment.RequiresRecovery, segment.TrustsOthers, null, bound);
        }

        /// <summary>Whether the object keeps the descriptor.</summary>
        public bool KeepsFile => IsHeld || Recording != PermitRecording.None;

        public static Use By(SystemSemaphoreOptions options, string attempt, in NativeIpcKey key)
        {
            if (PosixNames.WhyRefused(key) is { } reason)
                throw Failure.Found(NativeIpcError.KeyError, attempt, key, "sem_open", reason, "Use another name.");
            if (options.Robust && !(HeldSemaphore.IsOffered && PosixNames.HasGlibcWord(key)))
            {
                throw new PlatformNotSupportedException(
                    $"Cannot {attempt} {Failure.Describe(key)} with Robust: the death of a holder of a POSIX "
                        + $"semaphore is noticed only on Linux with glibc, and not with the plain POSIX calls. Use a "
                        + $"System V or Windows key, or do without.");
            }

            if (options.MaximumCount is not null && Target.IsApple)
            {
                throw new PlatformNotSupportedException(
                    $"Cannot {attempt} {Failure.Describe(key)} with MaximumCount: "
                    + "macOS tells no count of a POSIX semaphore, so a release cannot be checked. "
                    + "Use a System V key, or do without.");
            }

            PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
            if (options.Group is not null && !PosixNames.s_areFiles)
                throw new PlatformNotSupportedException(
                    $"Cannot {attempt} {Failure.Describe(key)} with Group: a POSIX semaphore has no file here that "
                        + $"could be given to a group.");
            if (options.Reclaim && attempt == Creating)
                PosixUsers.Reclaim(attempt, key, isSegment: false, default, options.PeerTimeout);
            return new((uint)options.Mode, null, options.Removal, options.RemoveAtProcessExit, options.Robust,
                options.Robust, options.AllowOtherOwners, options.Group, options.PeerTimeout,
                options.Recording,
                options.MaximumCount);
        }
    }

    private static MappedSemaphore CreateOrOpen(in NativeIpcKey key, int initialCount, in Use use)
    {
        Backoff wait = WaitFor(use);
        for (int round = 0; round < MostRounds; round++)
        {
            if (TryOpen(key, use, out bool isHalfMade) is { } opened) return opened;
            while (isHalfMade && wait.Pause())
            {
                // Completed, or gone?
                isHalfMade = StatusOfName(key) is { } status && IsHalfMade(status, use);
            }

            MappedSemaphore? created =
                isHalfMade ? Recover(key, initialCount, use) : TryCreate(key, initialCount, use);
            if (created is not null) return created;
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "sem_open",
            "other processes keep making and removing it", "Try again.");
    }

    /// <summary>Opens what is there; null when there is nothing, only something half-made, or another file than the
    /// one that this call has made.</summary>
    private static MappedSemaphore? TryOpen(in NativeIpcKey key, in Use use, out bool isHalfMade,
        FileIdentity? made = null)
    {
        isHalfMade = false;
        bool createdNew = made is not null;
        if (!PosixNames.s_areFiles)
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
            var handle = new PosixSemaphoreHandle(opened, isMapping: false);
            return WithDuty(Plain(key, handle, default, createdNew: false, use), use);
        }

        int file = OpenFile(key, Flags.O_RDWR | Flags.O_CLOEXEC, use.Bound, out int number);
        if (number == Errno.ENOENT) return null;
        bool isKept = false;
        try
        {
            use.Segment?.CheckName(); // after the open: then that was this segment's lock
            if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
            number = Libc.Status(file, out FileStatus status);
            if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);
            // Removed or replaced since it was opened: what has the name now?
            if (status.Links == 0) return TryOpen(key, use, out isHalfMade, made);
            if (createdNew && status.Identity != made) return null;
            if (IsHalfMade(status, use))
            {
                isHalfMade = true;
                return null;
            }

            if (!IsSemaphore(status)) throw NoSemaphore(Opening, key, status);
            if (!use.TrustsOthers && !createdNew)
                PosixUsers.CheckOwner(Opening, key, isSegment: false, status, use.Segment?.Status.Uid);
            nint page = MapPage(Opening, key, file, isTouched: use.IsHeld);
            CheckWord(key, page);
            if (createdNew || use.IsKept) Record(use, file);
            return WithDuty(Own(key, page, file, status.Identity, createdNew, use, out isKept), use);
        }
        finally
        {
            if (!isKept && file != -1) _ = Libc.close(file);
        }
    }

    /// <summary>Makes the object that owns the mapping, and the descriptor if <paramref name="isKept"/>, whatever
    /// happens.</summary>
    private static MappedSemaphore Own(in NativeIpcKey key, nint page, int file, FileIdentity identity, bool createdNew,
        in Use use, out bool isKept)
    {
        isKept = use.KeepsFile;
        if (!isKept) return Plain(key, new PosixSemaphoreHandle(page, isMapping: true), identity, createdNew, use);
        DescriptorTable.MakeRoom(file);
        var descriptor = new UnixDescriptor(file);
        return use.IsHeld ? new HeldSemaphore(key, page, descriptor, identity, createdNew, use.RequiresRecovery)
            : new RecordedSemaphore(key, page, descriptor, identity, createdNew,
                use.Recording == PermitRecording.ProcessAndChildren, use.Maximum ?? Flags.SEM_VALUE_MAX);
    }

    /// <summary>Has an object do what the policy says when it is closed; it is disposed if that fails.</summary>
    private static MappedSemaphore WithDuty(MappedSemaphore semaphore, in Use use)
    {
        bool isMade = false;
        try
        {
            if (!use.IsTakenOver || semaphore.CreatedNew)
            {
                bool owns = semaphore.CreatedNew && use.Removal != RemovalPolicy.Keep;
                semaphore.TakeDuty(use.RemovalOf(owns), use.RemoveAtExit);
            }

            isMade = true;
            return semaphore;
        }
        finally
        {
            if (!isMade) semaphore.Dispose();
        }
    }

    /// <summary>The object of a semaphore of which nothing is noted.</summary>
    private static PosixSemaphore Plain(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity,
        bool createdNew, in Use use)
        => use.Maximum is { } maximum
            ? new BoundedSemaphore(key, handle, identity, createdNew, maximum)
            : new PosixSemaphore(key, handle, identity, createdNew);

    /// <summary>Refuses, with musl, what musl's sem_open has made under the name of a semaphore of glibc: it is another
    /// kind of word.</summary>
    private static void CheckWord(in NativeIpcKey key, nint page)
    {
        if (Libraries.IsGlibc || !PosixNames.HasGlibcWord(key) || GlibcSemaphore.IsMadeForGlibc(page)) return;
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        throw Failure.Found(NativeIpcError.KeyError, Opening, key, "mmap",
            "a program with musl has made it, and under a name that begins with 'sem.' this library uses what programs "
                + "with glibc make",
            "Remove it, or use another name.");
    }

    /// <summary>Opens the file of a semaphore that exists; -1 and the error number when that fails.</summary>
    internal static unsafe int OpenFile(in NativeIpcKey key, int flags, in PeerBound bound, out int number)
    {
        var path = new Utf8Path(PosixNames.Start(false), PosixNames.Bare(key));
        var backoff = new Backoff(bound.AtMost(s_longestLease));
        while (true)
        {
            int descriptor = Libc.open_utf8(path.Pointer, flags | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0);
            number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;

            // EAGAIN: another process has a lease for a moment, to find out whether it is alone.
            if (number != Errno.EINTR && !(number == Errno.EAGAIN && backoff.Pause())) return descriptor;
        }
    }

    private static bool IsSemaphore(in FileStatus status) => status.IsRegularFile && status.Size == Layout.SizeOfSemT;

    /// <summary>What the name leads to; null when that is nothing, or cannot be told.</summary>
    private static FileStatus? StatusOfName(in NativeIpcKey key)
        => PosixNames.s_areFiles && PosixNames.StatusOf(key, isSegment: false, out FileStatus status) == 0
            ? status : null;

    private static NativeIpcException? FindPlanted(string attempt, in NativeIpcKey key)
        => StatusOfName(key) is { } status && !IsSemaphore(status) ? NoSemaphore(attempt, key, status) : null;

    private static NativeIpcException NoSemaphore(string attempt, in NativeIpcKey key, in FileStatus status)
        => Failure.Found(NativeIpcError.KeyError, attempt, key, "sem_open",
            $"the file {PosixNames.SemaphoreFile(PosixNames.Native(key))} is no "
                + $"semaphore: {(status.IsRegularFile ? $"it has {status.Size} bytes instead of {Layout.SizeOfSemT}" : "it is no regular file")}",
            "Remove that file, or use another name.");

    /// <summary>Maps the page of a semaphore.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="file">The descriptor.</param>
    /// <param name="isTouched">Whether the page is used at once: then mapping it costs less than the page
    /// fault.</param>
    internal static nint MapPage(string attempt, in NativeIpcKey key, int file, bool isTouched)
    {
        int populate = isTouched ? Flags.MAP_POPULATE : 0;
        nint address = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED | populate, file, 0);
        return address != Libc.MAP_FAILED
            ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), Layout.SizeOfSemT);
    }
}
