using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Inspection.Looks;
using NativeIpc.Inspection.Objects;
using NativeIpc.Inspection.Processes;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Platform;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>Describes the rows of the kernel's tables, for one enumeration. Used by one thread.</summary>
internal sealed class SystemVLook
{
    private readonly Census _census;
    private readonly KeyFileSearch _search;
    private readonly Dictionary<int, SystemVTable.Row> _segments = [];

    internal SystemVLook(Census census, KeyFileSearch search, List<SystemVTable.Row> segments)
    {
        _census = census;
        _search = search;
        foreach (SystemVTable.Row row in segments)
        {
            if (row.Key != 0) _segments[row.Key] = row;
        }
    }

    /// <summary>What a row says; null when the object has gone.</summary>
    internal IpcObjectInfo? Describe(in SystemVTable.Row row)
    {
        List<string> unreadable = [];
        List<IpcSign> signs = [];
        bool isSegment = row.Kind == IpcObjectKind.SharedMemory;
        KeyFileSearch.Candidate? file = _search.Find(row, out bool isShared);
        string original = "";
        bool isLegacy = file is { } named
            && KeyFileSearch.IsLegacy(named.Path, out IpcObjectKind legacyKind, out original) && legacyKind == row.Kind;

        EventResetMode? mode = file is { } suffixed && !isSegment && row.Count == SystemVEventSet.Members
            && suffixed.Path.EndsWith(UsableKey.EventSuffix, StringComparison.Ordinal)
            ? SystemVEventSet.ModeOf(row.Id) : null;
        bool isGone = false;
        int? value = isSegment ? null : ReadValue(row.Id, unreadable, out isGone);
        if (isGone) return null;
        IpcObjectTraits traits = TraitsOfKey(row, file)
            | (isSegment ? TraitsOfSegment(row, file) : TraitsOfSet(row, value, file, isLegacy ? file : null));
        if (row.IsRemoved) traits |= IpcObjectTraits.Removed;
        if (isShared) traits |= IpcObjectTraits.KeyCollision;
        if (isLegacy) traits |= IpcObjectTraits.LegacyName;
        if (_census.Options.FindSigns && row.Attached == 0) AddSigns(row, file, signs);
        IReadOnlyList<IpcSetMember> members = !isSegment && _census.Options.FindUses
            ? SystemVUses.MembersOf(row) : [];
        IReadOnlyList<IpcAttachment> users = UsersOf(row, members, unreadable);
        NativeIpcKeyType type = file is null ? NativeIpcKeyType.SystemV : (NativeIpcKeyType)((row.Key >> 24) & 0xFF);
        return new IpcObjectInfo
        {
            Kind = mode is null ? row.Kind : IpcObjectKind.SystemEvent,
            Type = type,
            Key = file is { } leading ? new NativeIpcKey(
                mode is null ? leading.Path : leading.Path[..^UsableKey.EventSuffix.Length], type,
                isLegacy && original.Length > 0 ? original : null) : default,
            NativeName = string.Create(CultureInfo.InvariantCulture, $"0x{row.Key:x8}"),
            SystemV = FactsOf(row, file, members),
            Size = isSegment ? row.Size : null,
            Value = mode is null ? value : null,
            ResetMode = mode,
            IsSet = mode is null || value is null ? null : value > 0,
            Waiting = members.Count > 0 ? members[0].Waiting : null,
            Mode = row.Permissions,
            OwnerId = RealIds.Users.Known(row.Uid),
            OwnerName = _census.Accounts.User(row.Uid),
            GroupId = RealIds.Groups.Known(row.Gid),
            GroupName = _census.Accounts.Group(row.Gid),
            AttachmentCount = isSegment ? row.Attached : null,
            IsInUse = signs.Exists(sign => sign.Kind == IpcSignKind.Waiting) ? true
                : isSegment ? row.Attached > 0 : null,
            Attachments = users,
            Created = DateTimeOffset.FromUnixTimeSeconds(row.Change),
            LastUsed = row.LastUse == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(row.LastUse),
            Traits = traits,
            Unreadable = unreadable,
            Signs = signs,
            ObjectIdentity = $"systemv:{(isSegment ? "shm" : "sem")}:{row.Id}",
        };
    }

    private static SystemVFacts FactsOf(in SystemVTable.Row row, KeyFileSearch.Candidate? file,
        IReadOnlyList<IpcSetMember> members)
    {
        bool isSegment = row.Kind == IpcObjectKind.SharedMemory;
        return new SystemVFacts
        {
            Id = row.Id,
            Key = row.Key,
            KeyFile = file?.Path,
            MemberCount = isSegment ? null : row.Count,
            Members = members,
            CreatorId = RealIds.Users.Known(row.CreatorUid),
            CreatorProcessId = isSegment && row.CreatorProcess != 0 ? row.CreatorProcess : null,
            LastProcessId = isSegment && row.LastProcess != 0 ? row.LastProcess : null,
        };
    }

    private IpcObjectTraits TraitsOfKey(in SystemVTable.Row row, KeyFileSearch.Candidate? file)
        => row.Key == 0 ? IpcObjectTraits.NoKey
            : file is not null ? IpcObjectTraits.None
            : IsReplaced(row) ? IpcObjectTraits.KeyFileMissing | IpcObjectTraits.KeyFileReplaced
            : IpcObjectTraits.KeyFileMissing;

    private static IpcObjectTraits TraitsOfSegment(in SystemVTable.Row row, KeyFileSearch.Candidate? file)
        => row.Attached != 0 ? IpcObjectTraits.None
            : IsLeft(row, file) ? IpcObjectTraits.Unused | IpcObjectTraits.Orphaned : IpcObjectTraits.Unused;

    private IpcObjectTraits TraitsOfSet(in SystemVTable.Row row, int? value, KeyFileSearch.Candidate? file,
        KeyFileSearch.Candidate? legacyFile)
    {
        IpcObjectTraits traits = value == 0 && row.LastUse == 0 && SystemVCounts.IsEmpty(row.Id, row.Count)
            ? IpcObjectTraits.Empty : IpcObjectTraits.None;
        if (FindSegment(row, legacyFile) is not { } segment) return traits;

        // The same number alone may be chance.
        if (file is not null) traits |= IpcObjectTraits.LockOfSegment;
        if (segment.Attached != 0 || value is null || !SystemVSigns.IsOurLock(row.Id, row.Key, file?.Path)
            || SystemVCounts.HasWaiters(row.Id, row.Count))
            return traits;
        traits |= IpcObjectTraits.Unused;
        return IsLeft(row, file) && IsLeft(segment, _search.Find(segment, out _))
            ? traits | IpcObjectTraits.Orphaned : traits;
    }

    private IReadOnlyList<IpcAttachment> UsersOf(in SystemVTable.Row row, IReadOnlyList<IpcSetMember> members,
        List<string> unreadable)
        => _census.Processes is not { } scan ? []
            : row.Kind == IpcObjectKind.SharedMemory ? scan.UsersOf(row.Id)
            : WaitersOf(row, members, scan, unreadable);

    /// <summary>The processes that wait for a set. Of those that are not seen it is said how many threads there
    /// are.</summary>
    /// <remarks>Race: threads come and go between the count and the look at the processes.
    /// Safe because: the answer has what was counted before and after, and that it may be such a thread.</remarks>
    private static IReadOnlyList<IpcAttachment> WaitersOf(in SystemVTable.Row row, IReadOnlyList<IpcSetMember> members,
        ProcessScan scan, List<string> unreadable)
    {
        int before = SystemVUses.CountWaiting(members);
        if (before == 0) return [];
        IReadOnlyList<IpcAttachment> waiters = scan.WaitersOf(row.Id, out int seen);
        int counted = seen >= before ? seen : Math.Min(before, SystemVUses.CountWaiting(SystemVUses.MembersOf(row)));
        if (seen < counted)
            unreadable.Add(string.Create(CultureInfo.InvariantCulture,
                $"{counted - seen} of {counted} waiting {(counted == 1 ? "thread is" : "threads are")} not seen: of a "
                    + $"process that this user may not look at, or that is not seen from here (another container), or "
                    + $"that came or went during the look."));
        return waiters;
    }

    /// <summary>Whether it was recorded that an object is to be removed with its users, by a process that is
    /// dead.</summary>
    private static bool IsLeft(in SystemVTable.Row row, KeyFileSearch.Candidate? file)
        => file is { } known && RemovalRecord.Read(known.Path, row.Kind, row.Key >>> 24, row.Id).Lives == false;

    private void AddSigns(in SystemVTable.Row row, KeyFileSearch.Candidate? file, List<IpcSign> signs)
    {
        if (row.Kind == IpcObjectKind.SystemSemaphore)
        {
            _ = SystemVSigns.AddOfSet(row.Id, signs); // what may not be read says nothing
        }
        else
        {
            Signs.AddProcess(IpcSignKind.Creator, row.CreatorProcess, "made it", signs);
            if (row.LastUse != 0 && row.LastProcess != row.CreatorProcess)
                Signs.AddProcess(IpcSignKind.LastProcess, row.LastProcess, "used it last", signs);
        }

        if (file is { } known)
            Signs.AddRecorded(RemovalRecord.Read(known.Path, row.Kind, row.Key >>> 24, row.Id), signs);
        Signs.AddAge(DateTimeOffset.FromUnixTimeSeconds(row.Change), "made, or changed last,", signs);
        _census.Signs.AddOf(row.Uid, _census.Accounts.User(row.Uid),
            file is { } named ? Path.GetFileName(named.Path) : "", signs);
    }

    /// <summary>Key files of Qt's legacy names without an object: their name says what their maker was about to
    /// make.</summary>
    internal IEnumerable<IpcObjectInfo> HalfCreated()
    {
        foreach (KeyFileSearch.Candidate file in _search.Lone)
        {
            if (!KeyFileSearch.IsLegacy(file.Path, out IpcObjectKind kind, out string original)) continue;
            // A lock is made when it is first needed
            if (kind == IpcObjectKind.SystemSemaphore && FindLegacySegment(file, NativeIpcKeyType.SystemV) is not null)
                continue;
            yield return new IpcObjectInfo
            {
                Kind = kind,
                Type = NativeIpcKeyType.SystemV,
                Key = new NativeIpcKey(file.Path, NativeIpcKeyType.SystemV, original.Length > 0 ? original : null),
                NativeName = string.Create(CultureInfo.InvariantCulture,
                    $"0x{Libc.ftok(file.Path, (int)NativeIpcKeyType.SystemV):x8}"),
                SystemV = new SystemVFacts { KeyFile = file.Path },
                Mode = (UnixFileMode)file.Status.Permissions,
                OwnerId = RealIds.Users.Known(file.Status.Uid),
                OwnerName = _census.Accounts.User(file.Status.Uid),
                GroupId = RealIds.Groups.Known(file.Status.Gid),
                GroupName = _census.Accounts.Group(file.Status.Gid),
                Created = file.Born,
                Traits = IpcObjectTraits.HalfCreated | IpcObjectTraits.LegacyName,
                ObjectIdentity = $"systemv:file:{file.Status.Identity}:{file.Path}",
            };
        }
    }

    internal static string LegacySibling(string path, IpcObjectKind kind)
        => Path.Combine(Path.GetDirectoryName(path) ?? "/", NameRules.LegacySibling(Path.GetFileName(path), kind));

    private static int? ReadValue(int id, List<string> unreadable, out bool isGone)
    {
        isGone = false;
        int value = Libc.semctl(id, 0, Flags.GETVAL);
        int number = value == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number == 0) return value;
        isGone = SystemVSupport.IsGone(number);
        unreadable.Add(number == Errno.EACCES ? "The count may not be read by this user."
            : $"The count could not be read: semctl says \"{Marshal.GetPInvokeErrorMessage(number)}\" "
                + $"(error {number}).");
        return null;
    }

    /// <summary>The segment that a set is the lock of.</summary>
    private SystemVTable.Row? FindSegment(in SystemVTable.Row set, KeyFileSearch.Candidate? legacyFile)
    {
        if (set.Key != 0 && _segments.TryGetValue(set.Key, out SystemVTable.Row same)) return same;
        return legacyFile is { } file ? FindLegacySegment(file, (NativeIpcKeyType)((set.Key >> 24) & 0xFF)) : null;
    }

    private SystemVTable.Row? FindLegacySegment(in KeyFileSearch.Candidate file, NativeIpcKeyType type)
    {
        int key = Libc.ftok(LegacySibling(file.Path, IpcObjectKind.SystemSemaphore), (int)type);
        return key != -1 && _segments.TryGetValue(key, out SystemVTable.Row segment) ? segment : null;
    }

    /// <summary>Whether a younger key file of the same owner, on the file system that the key tells, leads to no
    /// object.</summary>
    private bool IsReplaced(in SystemVTable.Row row)
        => row.Key >> 24 == (int)NativeIpcKeyType.SystemV && RealIds.Users.IsReal(row.Uid)
            && _search.HasYoungerLone((row.Key >> 16) & 0xFF, row.Uid, DateTimeOffset.FromUnixTimeSeconds(row.Change));
}
