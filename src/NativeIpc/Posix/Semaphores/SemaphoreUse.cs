using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Users;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>How a semaphore is made and used.</summary>
internal readonly record struct SemaphoreUse
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const UnixFileMode EveryReader =
        UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    public required UnixFileMode Mode { get; init; }

    /// <summary>The group of what is made; null for that of the process.</summary>
    public string? Group { get; init; }

    /// <summary>The segment whose lock it is; null for a semaphore of its own.</summary>
    public LockedSegment? Segment { get; init; }

    public RemovalDuty Removal { get; init; }

    public LockRecovery Recovery { get; init; }

    /// <summary>Which permits are recorded; not for a lock.</summary>
    public PermitRecording Recording { get; init; }

    /// <summary>The maximum of this instance; null for that of the system.</summary>
    public int? Maximum { get; init; }

    /// <summary>Whether the object keeps the maximum, for all that ask for it.</summary>
    public bool SharesMaximum { get; init; }

    public OwnerTrust Owners { get; init; }

    public FoundObject Found { get; init; }

    public PeerBound Bound { get; init; }

    /// <summary>Whether the object keeps the descriptor.</summary>
    public bool KeepsFile => Recovery != LockRecovery.None || Recording != PermitRecording.None;

    /// <summary>Whether what is made records that it goes with its last user. A segment's lock does: it is removed with
    /// the segment, if that is.</summary>
    public bool IsRecorded => Removal.Policy != RemovalPolicy.Keep || Segment is not null;

    /// <summary>What an instance does when it is closed: nothing, unless it owns the name, or every instance looks
    /// whether it is the last.</summary>
    public RemovalDuty DutyOf(Origin origin)
        => Removal.Policy == RemovalPolicy.LastOneOut ? Removal
            : Removal with
            {
                Policy = origin == Origin.Made && Removal.Policy != RemovalPolicy.Keep
                    ? RemovalPolicy.Creator : RemovalPolicy.Keep,
            };

    /// <summary>The lock of a segment: open to all that may read the segment, owned by its owner, removed only with
    /// it.</summary>
    public static SemaphoreUse AsLockOf(LockedSegment segment, in PeerBound bound)
    {
        var removal = new RemovalDuty(RemovalPolicy.Keep, AtProcessExit: false);
        if (!PosixNames.s_areFiles)
            return new() { Mode = OwnerOnly, Removal = removal, Owners = OwnerTrust.Anyone, Bound = bound };

        UnixFileMode readers = (UnixFileMode)segment.Status.Permissions & EveryReader;
        var writers = (UnixFileMode)((int)readers >> 1); // to lock is to write
        return new()
        {
            Mode = readers | writers | OwnerOnly,
            Segment = segment,
            Removal = removal,
            Recovery = HeldSemaphore.IsOffered ? segment.Recovery : LockRecovery.None,
            Owners = segment.Owners,
            Bound = bound,
        };
    }

    /// <summary>As the options say.</summary>
    /// <exception cref="PlatformNotSupportedException">The system cannot do what they ask for.</exception>
    public static SemaphoreUse By(SystemSemaphoreOptions options, string attempt, in NativeIpcKey key)
    {
        CheckOffered(options, attempt, key);
        return new()
        {
            Mode = options.Mode,
            Group = options.Group,
            Removal = new(options.Removal, options.RemoveAtProcessExit),
            Recovery = options.Robust ? LockRecovery.Required : LockRecovery.None,
            Recording = options.Recording,
            Maximum = options.MaximumCount,
            SharesMaximum = options.ShareMaximumCount,
            Owners = options.AllowOtherOwners ? OwnerTrust.Anyone : OwnerTrust.ThisUserAndRoot,
            Bound = options.PeerTimeout,
        };
    }

    private static void CheckOffered(SystemSemaphoreOptions options, string attempt, in NativeIpcKey key)
    {
        if (PosixNames.WhyRefused(key) is { } reason)
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, "sem_open", reason, "Use another name.");
        if (options.Robust && !(HeldSemaphore.IsOffered && SemaphoreFile.HasGlibcWord(key)))
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

        if (options.ShareMaximumCount && !(PosixNames.s_areFiles && SemaphoreFile.HasGlibcWord(key)))
        {
            throw new PlatformNotSupportedException(
                $"Cannot {attempt} {Failure.Describe(key)} with ShareMaximumCount: a POSIX semaphore has room for it "
                    + "only on Linux with glibc, and not with the plain POSIX calls. Set MaximumCount in every "
                    + "process.");
        }

        PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
        if (options.Group is not null && !PosixNames.s_areFiles)
        {
            throw new PlatformNotSupportedException(
                $"Cannot {attempt} {Failure.Describe(key)} with Group: a POSIX semaphore has no file here that "
                    + $"could be given to a group.");
        }
    }
}

/// <summary>A segment, as its lock sees it. <paramref name="CheckName"/> throws when it has lost its name.</summary>
internal sealed record LockedSegment(FileStatus Status, OwnerTrust Owners, LockRecovery Recovery, Action CheckName);

/// <summary>Whose objects are used: those of other users may be planted.</summary>
internal enum OwnerTrust { ThisUserAndRoot, Anyone }

/// <summary>What a creating call does with an object that it finds: uses it; keeps it, and takes away the record that
/// it goes with its users; or takes it over once its count is set, with no duty for it until then.</summary>
internal enum FoundObject { Used, Kept, TakenOver }
