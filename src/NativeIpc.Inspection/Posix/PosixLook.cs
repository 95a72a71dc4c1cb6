using System.Runtime.InteropServices;
using NativeIpc.Inspection.Looks;
using NativeIpc.Inspection.Processes;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Inspection.Posix;

/// <summary>Looks at one file of <c>/dev/shm</c> after the other, for one enumeration. Used by one thread; see
/// <see cref="PosixCatalog"/> for what may happen meanwhile.</summary>
internal sealed class PosixLook(Census census) : IDisposable
{
    private const string SemaphorePrefix = "sem.";
    private const string UseUnseen = "Whether anybody uses it is not known: not every process could be looked at.";

    // A file without a name that is younger may be about to get one: a large segment takes its time to be reserved.
    private static readonly TimeSpan s_longestMaking = TimeSpan.FromSeconds(1);

    // How long one of ours is let finish, once in an enumeration.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private readonly HashSet<FileIdentity> _named = [];
    private readonly AskMark? _mark = AskMark.TryMake();
    private bool _isDisturbed;

    /// <summary>All names of the folder; null when only one was asked for.</summary>
    public HashSet<string>? Names { get; set; }

    /// <summary>The folders that were met.</summary>
    public List<string> Folders { get; } = [];

    /// <summary>The object behind a name; null when there is none (any more), or what stands there is no
    /// object.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="expected">The kind that was asked for; null when the name decides.</param>
    public IpcObjectInfo? Look(string name, IpcObjectKind? expected)
    {
        string path = $"{PosixNames.Folder}/{name}";
        int error = Libc.StatusAndTimes(path, followLink: false, out FileStatus status, out FileTimes times);
        if (error != 0)
        {
            if (census.Only is { } key && error is not (Errno.ENOENT or Errno.ENOTDIR))
                throw PosixErrors.Open(Census.Inspecting, key, "statx", error);
            return null;
        }

        if (status.IsDirectory) Folders.Add(name);
        if (!status.IsRegularFile) return null; // folders, links, FIFOs and devices were never objects
        bool isPrefixed = Libraries.IsGlibc && name.StartsWith(SemaphorePrefix, StringComparison.Ordinal)
            && name.Length > SemaphorePrefix.Length;
        IpcObjectKind kind = expected ?? (isPrefixed || (!Libraries.IsGlibc && status.Size == Layout.SizeOfSemT)
            ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory);
        // With musl the same name is that of a segment.
        if (!Libraries.IsGlibc && expected == IpcObjectKind.SystemSemaphore && status.Size != Layout.SizeOfSemT)
            return null;
        return census.Options.Wants(kind)
            ? Describe(name, isPrefixed && kind == IpcObjectKind.SystemSemaphore
                ? name[SemaphorePrefix.Length..] : name, kind, path, status, times) : null;
    }

    private IpcObjectInfo Describe(string file, string bare, IpcObjectKind kind, string path, in FileStatus status,
        in FileTimes times)
    {
        _named.Add(status.Identity);
        List<string> unreadable = [];
        IpcObjectTraits traits = IpcObjectTraits.None;
        if (NameRules.IsLegacyName(bare, kind, out string original)) traits |= IpcObjectTraits.LegacyName;
        bool isSemaphore = kind == IpcObjectKind.SystemSemaphore;
        bool isText = PathText.IsText(file);
        if (!isText) traits |= IpcObjectTraits.NameNotText;
        if (status.Size == 0) traits |= IpcObjectTraits.Empty;
        else if (isSemaphore && status.Size != Layout.SizeOfSemT) traits |= IpcObjectTraits.WrongSize;
        // The name that locks have: with musl, what glibc's file name says.
        string named = Libraries.IsGlibc ? bare : PosixNames.BareOfGlibc(bare).ToString();
        bool isLegacyLock = isSemaphore && NameRules.IsLegacyName(named, kind, out _);
        bool isLock = isSemaphore && named.Length > 0 && IsLock(named, isLegacyLock);
        if (isLegacyLock) traits |= IpcObjectTraits.LegacyName;
        if (isLock) traits |= IpcObjectTraits.LockOfSegment;

        IReadOnlyList<IpcAttachment>? users = census.Processes?.UsersOf(status.Identity);
        bool isSeen = users is { Count: > 0 };
        bool wantsValue = isSemaphore && status.Size == Layout.SizeOfSemT;
        string segment = isLock ? SegmentOf(named, isLegacyLock) : file;
        bool? isUnused = isSeen ? false : SawAll ? true : null;
        bool asks = isUnused is null && (census.Options.FindUnused || (census.Options.FindOrphaned && IsLeft(file)));
        int? value = null, lost = null, waiting = null;
        if (wantsValue || asks)
        {
            (value, waiting, lost, bool? isFound) = Open(path, status.Identity, wantsValue, asks, isUnused == true,
                unreadable);
            isUnused = isSeen ? false : isFound ?? isUnused;
        }

        if (isUnused is null && !asks && users is not null) unreadable.Add(UseUnseen);
        bool isWaitingForUsers = isLock && value != 0 && isUnused == true && MayBeUsed(segment);
        if (isUnused == true && !isWaitingForUsers)
        {
            traits |= IpcObjectTraits.Unused;
            if (IsLeft(file) && (!isLock || (IsLeft(segment) && !MayBeUsed(segment))))
                traits |= IpcObjectTraits.Orphaned;
        }

        return new IpcObjectInfo
        {
            Kind = kind,
            Type = NativeIpcKeyType.PosixRealtime,
            Key = !isText ? default : new NativeIpcKey("/" + bare, NativeIpcKeyType.PosixRealtime,
                original.Length > 0 ? original : null),
            NativeName = PathText.Show(file),
            RawName = file,
            Size = status.Size,
            Value = value,
            Waiting = waiting,
            LostPermits = lost,
            HasDeadHolder = value == 0 && census.Options.FindLostPermits && HasDeadHolder(path, status.Identity),
            Mode = (UnixFileMode)status.Permissions,
            OwnerId = RealIds.Users.Known(status.Uid),
            OwnerName = census.Accounts.User(status.Uid),
            GroupId = RealIds.Groups.Known(status.Gid),
            GroupName = census.Accounts.Group(status.Gid),
            AttachmentCount = users is { Count: > 0 } ? users.Count : isUnused == true ? 0 : null,
            IsInUse = !isUnused,
            Attachments = isSemaphore && users is not null && census.Options.FindUses
                ? PosixUses.Of(path, status.Identity, users) : users ?? [],
            Created = times.Born ?? times.Changed,
            LastUsed = times.Written,
            Traits = traits,
            Unreadable = unreadable,
            IsLeft = isUnused is null ? (census.Options.FindSigns || census.Options.FindLostPermits) && IsLeft(file)
                : (traits & IpcObjectTraits.Orphaned) != 0,
            Signs = census.Options.FindSigns && isUnused != false ? SignsOf(file, path, status, times) : [],
            ObjectIdentity = Identify(file, status.Identity),
        };
    }

    /// <summary>A file in a folder of <c>/dev/shm</c>. It is not opened.</summary>
    /// <param name="name">Its path from there.</param>
    /// <param name="status">What it is.</param>
    /// <param name="times">When it was made and used.</param>
    public IpcObjectInfo DescribeBelow(string name, in FileStatus status, in FileTimes times)
    {
        _named.Add(status.Identity);
        IReadOnlyList<IpcAttachment>? users = census.Processes?.UsersOf(status.Identity);
        bool? isInUse = users is { Count: > 0 } ? true : SawAll ? false : null;
        IpcObjectTraits traits = IpcObjectTraits.InSubfolder;
        if (!PathText.IsText(name)) traits |= IpcObjectTraits.NameNotText;
        if (status.Size == 0) traits |= IpcObjectTraits.Empty;
        if (isInUse == false) traits |= IpcObjectTraits.Unused;
        return new IpcObjectInfo
        {
            Kind = IpcObjectKind.SharedMemory,
            Type = NativeIpcKeyType.PosixRealtime,
            NativeName = PathText.Show(name),
            RawName = name,
            Size = status.Size,
            Mode = (UnixFileMode)status.Permissions,
            OwnerId = RealIds.Users.Known(status.Uid),
            OwnerName = census.Accounts.User(status.Uid),
            GroupId = RealIds.Groups.Known(status.Gid),
            GroupName = census.Accounts.Group(status.Gid),
            AttachmentCount = users is { Count: > 0 } ? users.Count : isInUse == false ? 0 : null,
            IsInUse = isInUse,
            Attachments = users ?? [],
            Created = times.Born ?? times.Changed,
            LastUsed = times.Written,
            Traits = traits,
            Unreadable = isInUse is null && users is not null ? [UseUnseen] : [],
            Signs = census.Options.FindSigns && isInUse != true
                ? SignsOf(name, $"{PosixNames.Folder}/{name}", status, times) : [],
            ObjectIdentity = Identify(name, status.Identity),
        };
    }

    private List<IpcSign> SignsOf(string file, string path, in FileStatus status, in FileTimes times)
    {
        List<IpcSign> signs = [];
        Signs.AddRecorded(RemovalRecord.Read(path), signs);
        if (times.Born is { } born) Signs.AddAge(born, "made", signs);
        else Signs.AddAge(times.Changed, "made, or changed last,", signs);
        census.Signs.AddOf(status.Uid, census.Accounts.User(status.Uid), file, signs);
        return signs;
    }

    private bool HasDeadHolder(string path, FileIdentity identity)
    {
        bool isMarked = Mark(path);
        try
        {
            using UnixDescriptor file = Libc.OpenToLook(path, out int number);
            if (number == 0 && isMarked) NoUseMark.Set(file);
            return number == 0 && Libc.Status(file, out FileStatus opened) == 0 && opened.Identity == identity
                && DeadHolder.Has(file);
        }
        finally
        {
            if (isMarked) _mark!.End();
        }
    }

    internal static string Identify(string file, FileIdentity identity) => $"posix:{identity}:{file}";

    private static string SegmentOf(string bareLock, bool isLegacy)
        => isLegacy ? NameRules.LegacySibling(bareLock, IpcObjectKind.SystemSemaphore) : bareLock;

    private bool IsLock(string bare, bool isLegacy)
    {
        string segment = SegmentOf(bare, isLegacy);
        return Names is { } all ? all.Contains(segment)
            : Libc.Status($"{PosixNames.Folder}/{segment}", followLink: false, out FileStatus status) == 0
                && status.IsRegularFile;
    }

    /// <summary>Whether every process was looked at: nobody uses what has no user.</summary>
    private bool SawAll => census.Processes is { IsComplete: true };

    /// <summary>Whether it was recorded that an object is to be removed with its users, by a process that is
    /// dead.</summary>
    private static bool IsLeft(string file) => RemovalRecord.Read($"{PosixNames.Folder}/{file}").Lives == false;

    /// <summary>Whether somebody uses a segment, or it cannot be told that nobody does: a lock that is free is left to
    /// the users of its segment, who open it when they need it.</summary>
    private bool MayBeUsed(string segment)
    {
        string path = $"{PosixNames.Folder}/{segment}";
        int number = Libc.Status(path, followLink: false, out FileStatus status);
        if (number == Errno.ENOENT || (number == 0 && !status.IsRegularFile)) return false;
        if (number != 0 || census.Processes?.UsersOf(status.Identity) is { Count: > 0 }) return true;
        if (SawAll) return false;
        bool asks = census.Options.FindUnused || (census.Options.FindOrphaned && IsLeft(segment));
        return !asks || Open(path, status.Identity, wantsValue: false, asks: true, isUnseen: false,
            []).IsUnused != true;
    }

    /// <summary>Opens the file for a moment, to read the count, and to ask the kernel whether anybody uses
    /// it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="identity">Which one it is.</param>
    /// <param name="wantsValue">Whether to read the count.</param>
    /// <param name="asks">Whether to ask for a lease.</param>
    /// <param name="isUnseen">Whether every process was looked at, and none has it.</param>
    /// <param name="unreadable">Where to say what could not be read.</param>
    private (int? Value, int? Waiting, int? Lost, bool? IsUnused) Open(
        string path, FileIdentity identity, bool wantsValue, bool asks, bool isUnseen, List<string> unreadable)
    {
        bool isMarked = Mark(path);
        try
        {
            return Open(path, identity, wantsValue, asks, isUnseen, isMarked, unreadable);
        }
        finally
        {
            if (isMarked) _mark!.End();
        }
    }

    private (int? Value, int? Waiting, int? Lost, bool? IsUnused) Open(
        string path, FileIdentity identity, bool wantsValue, bool asks, bool isUnseen, bool isMarked,
        List<string> unreadable)
    {
        using UnixDescriptor file = Libc.OpenToLook(path, out int number);
        if (number == 0)
        {
            if (isMarked) NoUseMark.Set(file);
            number = Libc.Status(file, out FileStatus opened);
            if (number == 0 && opened.Identity != identity) number = Errno.ENOENT; // another one took the name
        }

        int? value = null, waiting = null, lost = null;
        if (number == 0 && wantsValue)
        {
            bool hasWaiters = GlibcSemaphore.s_isKnown
                || (GlibcSemaphore.s_isOffered && PosixNames.BareOfGlibc(Path.GetFileName(path)).Length > 0);
            (value, waiting) = ReadValue(file, hasWaiters, unreadable);
        }

        // Before the lease: a mapping is a use
        if (number == 0 && wantsValue && census.Options.FindLostPermits && PermitRecords.IsOffered)
            lost = CountLost(file);
        if (number != 0)
        {
            if (number is not (Errno.ENOENT or Errno.EACCES or Errno.EPERM))
                unreadable.Add($"open says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
            else if (wantsValue && number != Errno.ENOENT) unreadable.Add("The count may not be read by this user.");
        }

        // Users of a lock that is taken may have let go of it for a moment: see SteppingAside.
        if (isUnseen && number == 0 && wantsValue && value == 0 && HolderSlots.IsAnyAside(file))
            return (value, waiting, lost, false);
        if (!asks || number == Errno.ENOENT) return (value, waiting, lost, null);
        bool isAnother = !isMarked; // who asks, or looks, too
        if (number == 0)
        {
            number = TakeLease(file, ref isAnother); // it goes with the descriptor
            if (number == 0) return (value, waiting, lost, !(wantsValue && HolderSlots.IsAnyAside(file)));
            if (number == Errno.EAGAIN && (!isMarked || !isAnother)) return (value, waiting, lost, false);
        }

        unreadable.Add(number == Errno.EAGAIN
            ? $"Whether anybody uses it cannot be told: others say, by locks on {PosixNames.Folder}, that they have "
                + $"it open only to ask that."
            : "Whether anybody uses it, the kernel tells only its owner and root.");
        return (value, waiting, lost, null);
    }

    /// <summary>Says that this is only a look, and lets those who ask finish (<see cref="AskMark"/>); false where it
    /// cannot be said.</summary>
    private bool Mark(string path)
    {
        if (_mark is null) return false;
        var backoff = new Backoff(_isDisturbed ? TimeSpan.Zero : s_patience);
        while (_mark.Begin(path))
        {
            if (_isDisturbed || !_mark.IsAnotherAsking) return true;
            _mark.End();
            if (!backoff.Pause()) _isDisturbed = true;
        }

        return false;
    }

    /// <summary>Takes a lease, which goes with the descriptor; again and again while others look.</summary>
    private int TakeLease(UnixDescriptor file, ref bool isAnother)
    {
        var backoff = new Backoff(_isDisturbed ? TimeSpan.Zero : s_patience);
        while (true)
        {
            bool wasAnother = _mark?.IsAnotherThere == true;
            int number = Libc.TakeLease(file);
            if (number != Errno.EAGAIN || _mark is null || isAnother) return number;
            if (!wasAnother && !_mark.IsAnotherThere) return number;
            if (backoff.Pause()) continue;
            _isDisturbed = isAnother = true;
            return number;
        }
    }

    private static int? CountLost(UnixDescriptor file)
    {
        nint page = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ, Flags.MAP_SHARED,
            (int)file.DangerousGetHandle(), 0);
        if (page == Libc.MAP_FAILED) return null;
        int lost = PermitRecords.CountLost(page, file);
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        return lost;
    }

    private static unsafe (int? Value, int? Waiting) ReadValue(UnixDescriptor file, bool hasWaiters,
        List<string> unreadable)
    {
        ulong word = 0;
        nint read;
        int number = 0;
        read = Libc.pread((int)file.DangerousGetHandle(), (byte*)&word, sizeof(ulong), 0);
        if (read < 0) number = Marshal.GetLastPInvokeError();
        if (read != sizeof(ulong))
        {
            unreadable.Add($"The count could not be read: pread says "
                + $"\"{(number == 0 ? "too short" : Marshal.GetPInvokeErrorMessage(number))}\" (error {number}).");
            return default;
        }

        // The count is the first 32 bits: glibc on 64-bit systems, and musl, which marks waiters in the sign bit.
        var seen = new GlibcSemaphore.Word(word);
        return ((int)(seen.Count & int.MaxValue), hasWaiters ? (int)seen.Waiters : null);
    }

    /// <summary>Objects without a name that processes still have.</summary>
    public IEnumerable<IpcObjectInfo> Gone()
    {
        if (census.Processes is not { } scan
            || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0)
            yield break;
        foreach ((FileIdentity identity, ProcessScan.GoneFile gone) in scan.Gone)
        {
            // Of another mount namespace; or linked after it was opened
            if (identity.Device != folder.Identity.Device || _named.Contains(identity)) continue;
            bool isSemaphore = Libraries.IsGlibc && gone.Name.StartsWith(SemaphorePrefix, StringComparison.Ordinal);
            int error = Libc.StatusAndTimes(gone.ProcFile, followLink: true, out FileStatus status,
                out FileTimes times);
            bool isKnown = error == 0 && status.Identity == identity;
            if (isKnown && status.Links > 0) continue; // a name that came back, or another link
            IReadOnlyList<IpcAttachment> users = scan.UsersOf(identity);
            bool isNameless = gone.Name.StartsWith('#');
            // Perhaps still being made
            if (isNameless && users.Count < 2
                && (!isKnown || TimeProvider.System.GetUtcNow() - times.Written < s_longestMaking))
                continue;
            string bare = isSemaphore ? gone.Name[SemaphorePrefix.Length..] : gone.Name;
            isSemaphore |= isNameless && isKnown && status.Size == Layout.SizeOfSemT;
            IpcObjectKind kind = isSemaphore ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory;
            if (!census.Options.Wants(kind)) continue;
            yield return new IpcObjectInfo
            {
                Kind = kind,
                Type = NativeIpcKeyType.PosixRealtime,
                NativeName = PathText.Show(gone.Name),
                RawName = gone.Name,
                Size = isKnown ? status.Size : gone.MappedSize > 0 ? gone.MappedSize : null,
                Mode = isKnown ? (UnixFileMode)status.Permissions : null,
                OwnerId = isKnown ? RealIds.Users.Known(status.Uid) : null,
                OwnerName = isKnown ? census.Accounts.User(status.Uid) : null,
                GroupId = isKnown ? RealIds.Groups.Known(status.Gid) : null,
                GroupName = isKnown ? census.Accounts.Group(status.Gid) : null,
                AttachmentCount = users.Count,
                Attachments = users,
                Created = isKnown ? times.Born ?? times.Changed : null,
                LastUsed = isKnown ? times.Written : null,
                Traits = IpcObjectTraits.Removed
                    | (NameRules.IsLegacyName(bare, kind, out _) ? IpcObjectTraits.LegacyName : IpcObjectTraits.None),
                Unreadable = isKnown
                    ? [] : ["Its owner and mode are told only to root; its size is what a process has mapped of it."],
                ObjectIdentity = Identify(gone.Name, identity) + ":removed",
            };
        }
    }

    public void Dispose() => _mark?.Dispose();
}
