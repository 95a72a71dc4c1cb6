using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>POSIX named semaphores: sem_open(3), POSIX.1-2017.</summary>
/// <remarks>
/// On Linux a semaphore is a file of 32 bytes that holds a <c>sem_t</c>. It is made without a name, initialised by <c>sem_init</c> and then
/// linked, as the C library does it with a temporary name; and it is opened by descriptor, so that what is mapped is what was looked at: a
/// planted empty file would kill the process at the first operation. Interleavings: two create: the link lets one win; one opens while
/// another removes: it has the object that was there, or starts again.
/// </remarks>
internal sealed class PosixSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const int MostRounds = 1000;

    // Who asks the kernel whether he is alone does so for some microseconds.
    private static readonly TimeSpan s_longestLease = TimeSpan.FromSeconds(1);

    private static volatile bool s_canPublishWhole = PosixNames.s_areFiles;

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works || (_works = PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere => PosixFolder.WhyNotHere();

    public int MaximumCount => Flags.SEM_VALUE_MAX;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => TryCreate(key, initialCount, Use.By(options, Creating, key))
            ?? throw (FindPlanted(Creating, key) ?? Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "sem_open", Errno.EEXIST,
                "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count."));

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound, bool mustExist)
        => TryOpen(key, Use.By(options, Opening, key) with { Bound = bound })
            ?? (mustExist ? throw PosixErrors.Open(Opening, key, "sem_open", Errno.ENOENT) : null);

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => CreateOrOpen(key, initialCount, Use.By(options, Creating, key));

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
        using var file = new UnixDescriptor(OpenFile(key, Flags.O_RDWR | Flags.O_CLOEXEC, options.PeerTimeout, out int number));
        if (number == Errno.ENOENT) return 0;
        if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
        number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);
        if (!options.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, isSegment: false, status);
        return IsSemaphore(status) ? ReturnLostPermits(key, file) : throw NoSemaphore(Opening, key, status);
    }

    /// <summary>Gives back what dead holders had recorded. The file is a semaphore's and open for reading and writing; it is closed.</summary>
    internal static int ReturnLostPermits(in NativeIpcKey key, UnixDescriptor file)
    {
        nint page = MapPage(Opening, key, (int)file.DangerousGetHandle(), isTouched: true);
        using var records = new PermitRecords(key, page, file);
        try
        {
            return records.Mend();
        }
        finally
        {
            _ = Libc.munmap(page, Layout.SizeOfSemT);
        }
    }

    /// <summary>Opens the lock of a segment that still has its name; null when there is none. Where objects are files.</summary>
    internal static SemaphoreObject? FindLock(in NativeIpcKey key, PosixSegment segment, in PeerBound bound)
        => TryOpen(key, Use.AsLockOf(segment, bound));

    /// <summary>Makes the lock of a segment, or opens it when somebody was first. The caller has the segment's file lock.</summary>
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

        /// <summary>What an object does when it is closed: nothing, unless it owns the name, or everyone looks whether he is the last.</summary>
        public RemovalPolicy RemovalOf(bool owns) => Removal == RemovalPolicy.LastOneOut ? Removal : owns ? RemovalPolicy.Creator : RemovalPolicy.Keep;

        /// <summary>The lock of a segment: open to whoever may read the segment, owned by its owner, removed only with it.</summary>
        public static Use AsLockOf(PosixSegment segment, in PeerBound bound)
        {
            if (!PosixNames.s_areFiles) return new(0x180, null, RemovalPolicy.Keep, RemoveAtExit: false, IsHeld: false, RequiresRecovery: false, TrustsOthers: true, null, bound);
            uint readers = segment.Status.Permissions & 0x124; // r--r--r--
            return new((readers | (readers >> 1)) | 0x180, segment, RemovalPolicy.Keep, RemoveAtExit: false, HeldSemaphore.IsOffered, segment.RequiresRecovery, segment.TrustsOthers, null, bound);
        }

        /// <summary>Whether the object keeps the descriptor.</summary>
        public bool KeepsFile => IsHeld || Recording != PermitRecording.None;

        public static Use By(SystemSemaphoreOptions options, string attempt, in NativeIpcKey key)
        {
            if (options.Robust && !HeldSemaphore.IsOffered)
            {
                throw new PlatformNotSupportedException(
                    $"Cannot {attempt} {Failure.Describe(key)} with Robust: the death of a holder of a POSIX semaphore is noticed only on Linux with glibc, and not with the plain POSIX calls. Use a System V or Windows key, or do without.");
            }

            if (options.MaximumCount is not null && IsApple)
            {
                throw new PlatformNotSupportedException(
                    $"Cannot {attempt} {Failure.Describe(key)} with MaximumCount: "
                    + "macOS tells no count of a POSIX semaphore, so a release cannot be checked. "
                    + "Use a System V key, or do without.");
            }

            PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
            if (options.Group is not null && !PosixNames.s_areFiles)
                throw new PlatformNotSupportedException($"Cannot {attempt} {Failure.Describe(key)} with Group: a POSIX semaphore has no file here that could be given to a group.");
            if (options.Reclaim && attempt == Creating) PosixUsers.Reclaim(attempt, key, isSegment: false, default, options.PeerTimeout);
            return new((uint)options.Mode, null, options.Removal, options.RemoveAtProcessExit, options.Robust,
                options.Robust, options.AllowOtherOwners, options.Group, options.PeerTimeout,
                options.Recording,
                options.MaximumCount);
        }
    }

    private static MappedSemaphore CreateOrOpen(in NativeIpcKey key, int initialCount, in Use use)
    {
        for (int round = 0; round < MostRounds; round++)
        {
            if (TryOpen(key, use) is { } opened) return opened;
            if (TryCreate(key, initialCount, use) is { } created) return created;
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "sem_open", "other processes keep making and removing it", "Try again.");
    }

    private static MappedSemaphore? TryOpen(in NativeIpcKey key, in Use use, bool createdNew = false)
    {
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
            if (status.Links == 0) return TryOpen(key, use, createdNew);
            if (!IsSemaphore(status)) throw NoSemaphore(Opening, key, status);
            if (!use.TrustsOthers && !createdNew) PosixUsers.CheckOwner(Opening, key, isSegment: false, status, use.Segment?.Status.Uid);
            nint page = MapPage(Opening, key, file, isTouched: use.IsHeld);
            return WithDuty(Own(key, page, file, status.Identity, createdNew, use, out isKept), use);
        }
        finally
        {
            if (!isKept && file != -1) _ = Libc.close(file);
        }
    }

    /// <summary>Makes the object that owns the mapping, and the descriptor if <paramref name="isKept"/>, whatever happens.</summary>
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
        => PosixNames.s_areFiles && PosixNames.StatusOf(key, isSegment: false, out FileStatus status) == 0 ? status : null;

    private static NativeIpcException? FindPlanted(string attempt, in NativeIpcKey key)
        => StatusOfName(key) is { } status && !IsSemaphore(status) ? NoSemaphore(attempt, key, status) : null;

    private static NativeIpcException NoSemaphore(string attempt, in NativeIpcKey key, in FileStatus status)
        => Failure.Found(NativeIpcError.KeyError, attempt, key, "sem_open",
            $"the file {PosixNames.SemaphoreFile(PosixNames.Native(key))} is no semaphore: {(status.IsRegularFile ? $"it has {status.Size} bytes instead of {Layout.SizeOfSemT}" : "it is no regular file")}",
            "Remove that file, or use another name.");

    /// <summary>Makes a semaphore; null when the name is taken.</summary>
    private static MappedSemaphore? TryCreate(in NativeIpcKey key, int initialCount, in Use use)
    {
        SizeLimits.CheckFile(Creating, key, Layout.SizeOfSemT);
        if (s_canPublishWhole)
        {
            int unnamed = Libc.open(PosixNames.Folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC, use.Mode);
            int failure = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (failure == 0)
            {
                bool isKept = false;
                try
                {
                    MappedSemaphore? made = PublishWhole(key, initialCount, use, unnamed, ref isKept, out bool taken);
                    if (made is not null) return made;
                    if (taken) return null;
                }
                finally
                {
                    if (!isKept) _ = Libc.close(unnamed);
                }
            }
            else if (failure != Errno.EOPNOTSUPP && failure is not (Errno.EISDIR or Errno.EINVAL or Errno.ENOENT))
            {
                throw PosixErrors.Create(Creating, key, "open", failure);
            }

            s_canPublishWhole = false;
        }

        nint opened;
        int number;
        do
        {
            opened = Libc.sem_open(PosixNames.Native(key), Flags.O_CREAT | Flags.O_EXCL, use.Mode, (uint)initialCount);
            number = opened == Libc.SEM_FAILED ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number == Errno.EEXIST) return null;
        if (number != 0) throw PosixErrors.Create(Creating, key, "sem_open", number);

        // The mode was cut by the umask, and there is no descriptor to set it on: it is set by name, which leads to ours or to none of ours.
        FileStatus? named = StatusOfName(key);
        if (named is { IsRegularFile: true } status && RealIds.MayBeThisUser(status.Uid)
            && status.Permissions != use.Mode)
            _ = Libc.chmod(PosixNames.SemaphoreFile(PosixNames.Native(key)), use.Mode);
        FileIdentity identity = named?.Identity ?? default;
        var plainHandle = new PosixSemaphoreHandle(opened, isMapping: false);
        PosixSemaphore plain = Plain(key, plainHandle, identity, createdNew: true, use);
        if (!use.KeepsFile) return WithDuty(plain, use);

        // Files, but no O_TMPFILE or /proc to make them whole with: opened anew for its descriptor.
        using (plain)
        {
            try
            {
                return TryOpen(key, use, createdNew: true);
            }
            catch
            {
                TakeBack(key, identity);
                throw;
            }
        }
    }

    /// <summary>
    /// Removes the name of what was just made and could not be opened; not that of another one which has it by now.
    /// </summary>
    private static void TakeBack(in NativeIpcKey key, FileIdentity identity)
        => new PosixRemoval(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1)).Perform();

    /// <summary>
    /// Makes the unnamed file a semaphore and gives it the name; null when the name is taken, or when there is no /proc
    /// to do it with.
    /// </summary>
    private static unsafe MappedSemaphore? PublishWhole(in NativeIpcKey key, int initialCount, in Use use, int file,
        ref bool isKept, out bool taken)
    {
        taken = false;
        FileIdentity identity = Initialise(key, initialCount, use, file);
        nint page = MapPage(Creating, key, file, isTouched: use.IsHeld);

        // A lock has its slot before anybody can know it: what fails about that leaves nothing behind.
        MappedSemaphore? made = use.IsHeld ? Own(key, page, file, identity, createdNew: true, use, out isKept) : null;
        var path = new Utf8Path(PosixNames.Start(false), PosixNames.Bare(key));
        int number = UnnamedFile.Link(file, path.Pointer);
        if (number != 0)
        {
            if (made is not null) made.Dispose();
            else _ = Libc.munmap(page, Layout.SizeOfSemT);
            taken = number == Errno.EEXIST;
            return taken || number == Errno.ENOENT ? null : throw PosixErrors.Create(Creating, key, "linkat", number);
        }

        try
        {
            return WithDuty(made ?? Own(key, page, file, identity, createdNew: true, use, out isKept), use);
        }
        catch
        {
            TakeBack(key, identity);
            throw;
        }
    }

    /// <summary>Gives the file its contents, mode and owner.</summary>
    private static unsafe FileIdentity Initialise(in NativeIpcKey key, int initialCount, in Use use, int file)
    {
        // Initialised in private memory and written, as the C library does it: that costs less than a page fault, and a full /dev/shm is an error and no SIGBUS.
        ulong* image = stackalloc ulong[Layout.SizeOfSemT / sizeof(ulong)];
        if (Libc.sem_init((nint)image, 1, (uint)initialCount) != 0) throw PosixErrors.Unknown(Creating, key, "sem_init", Marshal.GetLastPInvokeError());
        nint written;
        do written = Libc.pwrite(file, (byte*)image, Layout.SizeOfSemT, 0);
        while (written == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (written != Layout.SizeOfSemT) throw PosixErrors.Reserve(Creating, key, "pwrite", written == -1 ? Marshal.GetLastPInvokeError() : Errno.ENOSPC);

        int number;
        if (use.Group is { } group && Libc.fchown(file, uint.MaxValue, UserGroups.Resolve(group)) != 0) throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());

        number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Creating, key, "statx", number);

        // Root gives the lock to the segment's owner. A visitor who may not give it to the segment's group leaves it in its own: who is let in then is a matter of the mode.
        if (use.Segment?.Status is { } segment && (segment.Uid != status.Uid || segment.Gid != status.Gid))
        {
            bool isRoot = Libc.geteuid() == 0;
            uint uid = isRoot && RealIds.Users.IsReal(segment.Uid) ? segment.Uid : uint.MaxValue;
            uint gid = RealIds.Groups.IsReal(segment.Gid) ? segment.Gid : uint.MaxValue;
            if (Libc.fchown(file, uid, gid) != 0 && isRoot)
                throw PosixErrors.Unknown(Creating, key, "fchown", Marshal.GetLastPInvokeError());
        }

        // The umask has cut the mode, or has not.
        if (status.Permissions != use.Mode && Libc.fchmod(file, use.Mode) != 0) throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());

        return status.Identity;
    }

    /// <summary>Maps the page of a semaphore.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="file">The descriptor.</param>
    /// <param name="isTouched">Whether the page is used at once: then mapping it costs less than the page fault.</param>
    internal static nint MapPage(string attempt, in NativeIpcKey key, int file, bool isTouched)
    {
        int populate = isTouched ? Flags.MAP_POPULATE : 0;
        nint address = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED | populate, file, 0);
        return address != Libc.MAP_FAILED ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), Layout.SizeOfSemT);
    }
}
