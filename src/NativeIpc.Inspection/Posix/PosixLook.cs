using System.Runtime.InteropServices;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Users;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Inspection.Posix;

/// <summary>Looks at one file of <c>/dev/shm</c> after the other, for one enumeration. Used by one thread; see
/// <see cref="PosixCatalog"/> for what may happen meanwhile.</summary>
internal sealed partial class PosixLook(Census census) : IDisposable
{
    private const string SemaphorePrefix = "sem.";
    private const string UseUnseen = "Whether anybody uses it is not known: not every process could be looked at.";

    // A file without a name that is younger may be about to get one: a large segment takes its time to be reserved.
    private static readonly TimeSpan s_longestMaking = TimeSpan.FromSeconds(1);

    // How long to let a process of this library finish its question, once in an enumeration.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private static readonly string[] s_useUnseen = [UseUnseen];

    private readonly HashSet<FileIdentity> _named = [];
    private readonly List<string> _unreadable = [];
    private readonly AskMark? _mark = AskMark.TryMake();
    private bool _isDisturbed;

    /// <summary>All names of the folder; null when only one was asked for.</summary>
    public HashSet<string>? Names { get; set; }

    /// <summary>The folders that were met.</summary>
    public List<string> Folders { get; } = [];

    /// <summary>The object behind a name; null when there is none (any more), or what stands there is no object.
    /// <paramref name="expected"/>: the kind that was asked for; null when the name decides.</summary>
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
        bool isEvent = name.StartsWith(UsableKey.EventPrefix, StringComparison.Ordinal)
            && name.Length > UsableKey.EventPrefix.Length;
        IpcObjectKind kind = isEvent ? IpcObjectKind.SystemEvent
            : expected ?? (isPrefixed || (!Libraries.IsGlibc && status.Size == Layout.SizeOfSemT)
            ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory);
        // With musl the same name is that of a segment.
        if (!Libraries.IsGlibc && expected == IpcObjectKind.SystemSemaphore && status.Size != Layout.SizeOfSemT
            && !PosixNames.IsOfGlibc(name))
            return null;
        return census.Options.Wants(kind)
            ? Describe(name, isEvent ? name[UsableKey.EventPrefix.Length..]
                : isPrefixed && kind == IpcObjectKind.SystemSemaphore ? name[SemaphorePrefix.Length..] : name,
                kind, path, status, times) : null;
    }

    private IpcObjectInfo Describe(string file, string bare, IpcObjectKind kind, string path, in FileStatus status,
        in FileTimes times)
    {
        NoteNamed(status.Identity);
        _unreadable.Clear();
        IpcObjectTraits traits = TraitsOf(file, bare, kind, status, out string original);
        bool isSemaphore = kind == IpcObjectKind.SystemSemaphore;
        IReadOnlyList<IpcAttachment>? users = census.Processes?.UsersOf(status.Identity);
        Found found = FindUse(file, bare, kind, path, status, traits, users, _unreadable);
        traits |= found.Traits;
        bool? isUnused = found.IsUnused;
        return Tell(kind, file, status, times, new Told
        {
            Found = found,
            Key = (traits & IpcObjectTraits.NameNotText) != 0 ? default
                : new NativeIpcKey("/" + bare, NativeIpcKeyType.PosixRealtime, original.Length > 0 ? original : null),
            HasDeadHolder = found.Value == 0 && census.Options.FindLostPermits && HasDeadHolder(path, status.Identity),
            Users = users,
            Uses = isSemaphore && users is not null && census.Options.FindUses
                ? PosixUses.Of(path, status.Identity, users) : users,
            Traits = traits,
            Unreadable = _unreadable switch
            {
                [] => [],
                [UseUnseen] => s_useUnseen,
                _ => [.. _unreadable],
            },
            IsLeft = isUnused is null ? (census.Options.FindSigns || census.Options.FindLostPermits) && IsLeft(file)
                : (traits & IpcObjectTraits.Orphaned) != 0,
            Signs = census.Options.FindSigns && isUnused != false ? SignsOf(file, path, status, times) : [],
        });
    }

    /// <summary>What is told of a file beside its status.</summary>
    private readonly record struct Told
    {
        public Found Found { get; init; }

        public NativeIpcKey Key { get; init; }

        public bool HasDeadHolder { get; init; }

        /// <summary>Null when they were not asked for.</summary>
        public IReadOnlyList<IpcAttachment>? Users { get; init; }

        /// <summary>The same, with what they do.</summary>
        public IReadOnlyList<IpcAttachment>? Uses { get; init; }

        public IpcObjectTraits Traits { get; init; }

        public required IReadOnlyList<string> Unreadable { get; init; }

        public bool IsLeft { get; init; }

        public required IReadOnlyList<IpcSign> Signs { get; init; }
    }

    private IpcObjectInfo Tell(IpcObjectKind kind, string file, in FileStatus status, in FileTimes times, in Told told)
        => new()
        {
            Kind = kind,
            Type = NativeIpcKeyType.PosixRealtime,
            Key = told.Key,
            NativeName = PathText.Show(file),
            RawName = file,
            Size = status.Size,
            Value = told.Found.Value,
            Waiting = told.Found.Waiting,
            ResetMode = told.Found.Mode,
            IsSet = told.Found.IsSet,
            LostPermits = told.Found.Lost,
            HasDeadHolder = told.HasDeadHolder,
            Mode = (UnixFileMode)status.Permissions,
            OwnerId = RealIds.Users.Known(status.Uid),
            OwnerName = census.Accounts.User(status.Uid),
            GroupId = RealIds.Groups.Known(status.Gid),
            GroupName = census.Accounts.Group(status.Gid),
            AttachmentCount = told.Users is { Count: > 0 } users ? users.Count
                : told.Found.IsUnused == true ? 0 : null,
            IsInUse = !told.Found.IsUnused,
            Attachments = told.Uses ?? [],
            IsEveryUserSeen = told.Users is not null && SawAll,
            Created = times.Born ?? times.Changed,
            LastUsed = times.Written,
            Traits = told.Traits,
            Unreadable = told.Unreadable,
            IsLeft = told.IsLeft,
            Signs = told.Signs,
            File = (status.Identity.Device, status.Identity.Inode),
        };

    /// <summary>Remembers that a file has a name, where a process shows it as gone.</summary>
    private void NoteNamed(FileIdentity file)
    {
        if (census.Processes is { } scan && scan.Gone.ContainsKey(file)) _named.Add(file);
    }

    /// <summary>Whether a listed object is a certain file.</summary>
    internal static bool Is(IpcObjectInfo found, FileIdentity file)
        => found.File == (file.Device, file.Inode) && (found.Traits & IpcObjectTraits.Removed) == 0;

    /// <summary>What the name and the size say.</summary>
    private IpcObjectTraits TraitsOf(string file, string bare, IpcObjectKind kind, in FileStatus status,
        out string original)
    {
        IpcObjectTraits traits = IpcObjectTraits.None;
        bool isSemaphore = kind == IpcObjectKind.SystemSemaphore;
        string named = isSemaphore ? NameOfLock(bare) : bare;
        bool isLegacy = NameRules.IsLegacyName(named, kind, out original);
        if (!Libraries.IsGlibc && isSemaphore) original = ""; // the key is not the legacy one
        if (isLegacy) traits |= IpcObjectTraits.LegacyName;
        if (!PathText.IsText(file)) traits |= IpcObjectTraits.NameNotText;
        if (status.Size == 0) traits |= IpcObjectTraits.Empty;
        else if (isSemaphore && status.Size != Layout.SizeOfSemT) traits |= IpcObjectTraits.WrongSize;
        else if (kind == IpcObjectKind.SystemEvent && status.Size != EventWord.Size)
            traits |= IpcObjectTraits.WrongSize;
        if (isSemaphore && named.Length > 0 && IsLock(named, isLegacy)) traits |= IpcObjectTraits.LockOfSegment;
        return traits;
    }

    /// <summary>What a look into the file and at its users has found.</summary>
    private readonly record struct Found
    {
        public int? Value { get; init; }

        public int? Waiting { get; init; }

        public int? Lost { get; init; }

        /// <summary>Of an event.</summary>
        public EventResetMode? Mode { get; init; }

        /// <summary>Of an event.</summary>
        public bool? IsSet { get; init; }

        /// <summary>Null when it cannot be told, or was not asked.</summary>
        public bool? IsUnused { get; init; }

        /// <summary>Those that follow.</summary>
        public IpcObjectTraits Traits { get; init; }
    }

    private Found FindUse(string file, string bare, IpcObjectKind kind, string path, in FileStatus status,
        IpcObjectTraits traits, IReadOnlyList<IpcAttachment>? users, List<string> unreadable)
    {
        bool isSeen = users is { Count: > 0 };
        bool isLock = (traits & IpcObjectTraits.LockOfSegment) != 0;
        string segment = isLock ? SegmentOf(NameOfLock(bare), (traits & IpcObjectTraits.LegacyName) != 0) : file;
        bool? isUnused = isSeen ? false : SawAll ? true : null;
        var wanted = new Wanted
        {
            Value = kind == IpcObjectKind.SystemSemaphore && status.Size == Layout.SizeOfSemT,
            Event = kind == IpcObjectKind.SystemEvent && status.Size == EventWord.Size,
            Use = isUnused is null && (census.Options.FindUnused || (census.Options.FindOrphaned && IsLeft(file))),
            IsUnseen = isUnused == true,
        };
        Found found = default;
        if (wanted.Value || wanted.Event || wanted.Use)
        {
            found = Open(path, status.Identity, wanted, unreadable);
            isUnused = isSeen ? false : found.IsUnused ?? isUnused;
        }

        if (isUnused is null && !wanted.Use && users is not null) unreadable.Add(UseUnseen);
        IpcObjectTraits more = IpcObjectTraits.None;
        bool isWaitingForUsers = isLock && found.Value != 0 && isUnused == true && MayBeUsed(segment);
        if (isUnused == true && !isWaitingForUsers)
        {
            more |= IpcObjectTraits.Unused;
            if (IsLeft(file) && (!isLock || (IsLeft(segment) && !MayBeUsed(segment)))) more |= IpcObjectTraits.Orphaned;
        }

        return found with { IsUnused = isUnused, Traits = more };
    }

    /// <summary>A file in a folder of <c>/dev/shm</c>. It is not opened. <paramref name="name"/>: its path from
    /// there.</summary>
    public IpcObjectInfo DescribeBelow(string name, in FileStatus status, in FileTimes times)
    {
        NoteNamed(status.Identity);
        IReadOnlyList<IpcAttachment>? users = census.Processes?.UsersOf(status.Identity);
        bool? isInUse = users is { Count: > 0 } ? true : SawAll ? false : null;
        IpcObjectTraits traits = IpcObjectTraits.InSubfolder;
        if (!PathText.IsText(name)) traits |= IpcObjectTraits.NameNotText;
        if (status.Size == 0) traits |= IpcObjectTraits.Empty;
        if (isInUse == false) traits |= IpcObjectTraits.Unused;
        return Tell(IpcObjectKind.SharedMemory, name, status, times, new Told
        {
            Found = new Found { IsUnused = !isInUse },
            Users = users,
            Uses = users,
            Traits = traits,
            Unreadable = isInUse is null && users is not null ? s_useUnseen : [],
            Signs = census.Options.FindSigns && isInUse != true
                ? SignsOf(name, $"{PosixNames.Folder}/{name}", status, times) : [],
        });
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

    /// <summary>The name of a semaphore among those of locks, which are glibc's with musl, too; empty when no lock can
    /// have it.</summary>
    private static string NameOfLock(string bare)
        => Libraries.IsGlibc ? bare : PosixNames.NameWithGlibc(bare).ToString();

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

    /// <summary>Whether a process that is dead has recorded that it removes the object.</summary>
    private static bool IsLeft(string file) => RemovalRecord.Read($"{PosixNames.Folder}/{file}").Lives == false;

    /// <summary>Whether a process uses a segment, or it cannot be told that none does: a lock that is free belongs to
    /// the users of its segment, which open it when they need it.</summary>
    private bool MayBeUsed(string segment)
    {
        string path = $"{PosixNames.Folder}/{segment}";
        int number = Libc.Status(path, followLink: false, out FileStatus status);
        if (number == Errno.ENOENT || (number == 0 && !status.IsRegularFile)) return false;
        if (number != 0 || census.Processes?.UsersOf(status.Identity) is { Count: > 0 }) return true;
        if (SawAll) return false;
        bool asks = census.Options.FindUnused || (census.Options.FindOrphaned && IsLeft(segment));
        return !asks || Open(path, status.Identity, new Wanted { Use = true }, []).IsUnused != true;
    }

    /// <summary>What to look for in a file.</summary>
    private readonly record struct Wanted
    {
        /// <summary>The count.</summary>
        public bool Value { get; init; }

        /// <summary>Mode and state of an event.</summary>
        public bool Event { get; init; }

        /// <summary>Whether any process uses it, by asking the kernel for a lease.</summary>
        public bool Use { get; init; }

        /// <summary>Every process was looked at, and none has it.</summary>
        public bool IsUnseen { get; init; }
    }

    /// <summary>Opens the file for a moment, to read the count, and to ask the kernel whether any process uses it.
    /// <paramref name="identity"/>: which one it is. <paramref name="unreadable"/>: where to say what could not be
    /// read.</summary>
    private Found Open(string path, FileIdentity identity, in Wanted wanted, List<string> unreadable)
    {
        // R1 Race: a last one out asks while this has the file open, and would take it for a user. Safe because: this
        // says that it only looks, and another process that asks is waited for, once in an enumeration.
        bool isMarked = Mark(path);
        try
        {
            return Open(path, identity, wanted, isMarked, unreadable);
        }
        finally
        {
            if (isMarked) _mark!.End();
        }
    }

    private Found Open(string path, FileIdentity identity, in Wanted wanted, bool isMarked, List<string> unreadable)
    {
        using UnixDescriptor file = Libc.OpenToLook(path, out int number);
        if (number == 0)
        {
            if (isMarked) NoUseMark.Set(file);
            number = Libc.Status(file, out FileStatus opened);
            if (number == 0 && opened.Identity != identity) number = Errno.ENOENT; // another file took the name
        }

        Found found = default;
        if (number == 0 && wanted.Value) found = ReadValue(file, path, unreadable);
        else if (number == 0 && wanted.Event) found = ReadEvent(file, unreadable);
        else if (number is not (0 or Errno.ENOENT or Errno.EACCES or Errno.EPERM))
            unreadable.Add($"open says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
        else if (wanted.Value && number != Errno.ENOENT) unreadable.Add("The count may not be read by this user.");
        else if (wanted.Event && number != Errno.ENOENT) unreadable.Add("Its state may not be read by this user.");

        // A user of a lock that is taken may have stepped aside: see SteppingAside.
        if (wanted.IsUnseen && number == 0 && wanted.Value && found.Value == 0 && HolderSlots.MayAnyBeAside(file))
            return found with { IsUnused = false };
        return wanted.Use && number != Errno.ENOENT
            ? found with { IsUnused = AskUse(file, number, wanted, isMarked, unreadable) } : found;
    }

    /// <summary>Asks the kernel whether any process uses a file; null when it does not tell.</summary>
    private bool? AskUse(UnixDescriptor file, int number, in Wanted wanted, bool isMarked, List<string> unreadable)
    {
        bool isAnother = !isMarked;
        if (number == 0)
        {
            number = TakeLease(file, ref isAnother); // it goes with the descriptor
            if (number == 0) return !(wanted.Value && HolderSlots.MayAnyBeAside(file));
            if (number == Errno.EAGAIN && (!isMarked || !isAnother)) return false;
        }

        unreadable.Add(number == Errno.EAGAIN
            ? $"Whether anybody uses it cannot be told: others say, by locks on {PosixNames.Folder}, that they have "
                + $"it open only to ask that."
            : "Whether anybody uses it, the kernel tells only its owner and root.");
        return null;
    }

    /// <summary>Says that this is only a look, and lets processes that ask finish (<see cref="AskMark"/>); false where
    /// it cannot be said.</summary>
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

    private unsafe Found ReadValue(UnixDescriptor file, string path, List<string> unreadable)
    {
        ulong word = 0;
        nint read = Libc.pread((int)file.DangerousGetHandle(), (byte*)&word, sizeof(ulong), 0);
        int number = read < 0 ? Marshal.GetLastPInvokeError() : 0;

        // Before a lease is asked for: a mapping is a use.
        int? lost = census.Options.FindLostPermits && PermitRecords.IsOffered ? CountLost(file) : null;
        if (read != sizeof(ulong))
        {
            unreadable.Add($"The count could not be read: pread says "
                + $"\"{(number == 0 ? "too short" : Marshal.GetPInvokeErrorMessage(number))}\" (error {number}).");
            return new Found { Lost = lost };
        }

        // The count is the first 32 bits: glibc on 64-bit systems, and musl, which marks waiters in the sign bit.
        var seen = new GlibcSemaphore.Word(word);
        return new Found
        {
            Value = (int)(seen.Count & int.MaxValue),
            Waiting = GlibcSemaphore.s_isKnown || PosixNames.IsOfGlibc(Path.GetFileName(path))
                ? (int)seen.Waiters : null,
            Lost = lost,
        };
    }

    private static unsafe Found ReadEvent(UnixDescriptor file, List<string> unreadable)
    {
        byte* image = stackalloc byte[EventWord.Size];
        nint read = Libc.pread((int)file.DangerousGetHandle(), image, EventWord.Size, 0);
        int number = read < 0 ? Marshal.GetLastPInvokeError() : 0;
        if (read != EventWord.Size)
        {
            unreadable.Add($"Its state could not be read: pread says "
                + $"\"{(number == 0 ? "too short" : Marshal.GetPInvokeErrorMessage(number))}\" (error {number}).");
            return default;
        }

        if (EventWord.ModeOf(new(image, EventWord.Size), out string fault) is not { } mode)
        {
            unreadable.Add($"It is no event: {fault}.");
            return default;
        }

        return new Found
        {
            Mode = mode,
            IsSet = EventWord.IsSet(*(uint*)image),
            Waiting = (int)Math.Min(EventWord.WaitersOf((nint)image), int.MaxValue),
        };
    }

    public void Dispose() => _mark?.Dispose();
}
