using System.Runtime.InteropServices;
using NativeIpc.Keys;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>Looks at one file of <c>/dev/shm</c> after the other, for one enumeration. Used by one thread; see <see cref="PosixCatalog"/> for what may happen meanwhile.</summary>
internal sealed class PosixLook(Census census) : IDisposable
{
    private const string SemaphorePrefix = "sem.";

    // A file without a name that is younger may be about to get one: a large segment takes its time to be reserved.
    private static readonly TimeSpan s_longestMaking = TimeSpan.FromSeconds(1);

    // How long one of ours is let finish, once in an enumeration.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private readonly HashSet<FileIdentity> _named = [];
    private readonly AskMark? _mark = AskMark.TryMake();
    private bool _isDisturbed;

    /// <summary>All names of the folder; null when only one was asked for.</summary>
    public HashSet<string>? Names { get; set; }

    /// <summary>The object behind a name; null when there is none (any more), or what stands there is no object.</summary>
    /// <param name="name">The file's name.</param>
    /// <param name="expected">The kind that was asked for; null when the name decides.</param>
    public IpcObjectInfo? Look(string name, IpcObjectKind? expected)
    {
        string path = $"{PosixNames.Folder}/{name}";
        int error = Libc.StatusAndTimes(path, followLink: false, out FileStatus status, out FileTimes times);
        if (error != 0)
        {
            // .NET reads names as UTF-8; another one cannot be asked about again.
            if (name.Contains('\uFFFD') && Names is not null) census.Note($"A file of {PosixNames.Folder} has a name that is not UTF-8 (\"{name}\") and was not looked at.");
            return null;
        }

        if (!status.IsRegularFile) return null; // folders, links, FIFOs and devices were never objects
        bool isPrefixed = Libraries.IsGlibc && name.StartsWith(SemaphorePrefix, StringComparison.Ordinal) && name.Length > SemaphorePrefix.Length;
        IpcObjectKind kind = expected ?? (isPrefixed || (!Libraries.IsGlibc && status.Size == Layout.SizeOfSemT) ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory);
        return census.Options.Wants(kind) ? Describe(name, isPrefixed && kind == IpcObjectKind.SystemSemaphore ? name[SemaphorePrefix.Length..] : name, kind, path, status, times) : null;
    }

    private IpcObjectInfo Describe(string file, string bare, IpcObjectKind kind, string path, in FileStatus status, in FileTimes times)
    {
        _named.Add(status.Identity);
        List<string> unreadable = [];
        IpcObjectTraits traits = IpcObjectTraits.None;
        if (NameRules.IsLegacyName(bare, kind, out string original)) traits |= IpcObjectTraits.LegacyName;
        bool isSemaphore = kind == IpcObjectKind.SystemSemaphore;
        if (status.Size == 0) traits |= IpcObjectTraits.Empty;
        else if (isSemaphore && status.Size != Layout.SizeOfSemT) traits |= IpcObjectTraits.WrongSize;
        if (isSemaphore && IsLock(bare, (traits & IpcObjectTraits.LegacyName) != 0)) traits |= IpcObjectTraits.LockOfSegment;

        IReadOnlyList<IpcAttachment>? users = census.Processes?.UsersOf(status.Identity);
        bool wantsValue = isSemaphore && status.Size == Layout.SizeOfSemT;
        bool wantsUse = census.Options.FindStale && users is not { Count: > 0 };
        int? value = null, lost = null;
        bool? isUnused = users is { Count: > 0 } ? false : null;
        if (wantsValue || wantsUse)
        {
            (value, lost, bool? isFound) = Open(path, status.Identity, wantsValue, wantsUse, unreadable);
            isUnused ??= isFound;
            if (isUnused == true && !((traits & IpcObjectTraits.LockOfSegment) != 0 && value != 0 && IsUsed(SegmentOf(bare, (traits & IpcObjectTraits.LegacyName) != 0)))) traits |= IpcObjectTraits.Stale;
        }

        return new IpcObjectInfo
        {
            Kind = kind,
            Type = NativeIpcKeyType.PosixRealtime,
            Key = new NativeIpcKey("/" + bare, NativeIpcKeyType.PosixRealtime, original.Length > 0 ? original : null),
            NativeName = file,
            Size = status.Size,
            Value = value,
            LostPermits = lost,
            HasDeadHolder = value == 0 && census.Options.FindLostPermits && HasDeadHolder(path, status.Identity),
            Mode = (UnixFileMode)status.Permissions,
            OwnerId = RealIds.Users.Known(status.Uid),
            OwnerName = census.Accounts.User(status.Uid),
            GroupId = RealIds.Groups.Known(status.Gid),
            GroupName = census.Accounts.Group(status.Gid),
            AttachmentCount = users?.Count,
            IsInUse = !isUnused,
            Attachments = users ?? [],
            Created = times.Born ?? times.Changed,
            LastUsed = times.Written,
            Traits = traits,
            Unreadable = unreadable,
            ObjectIdentity = Identify(file, status.Identity),
        };
    }

    private bool HasDeadHolder(string path, FileIdentity identity)
    {
        bool isMarked = Mark(path);
        try
        {
            using UnixDescriptor file = Libc.OpenToLook(path, out int number);
            return number == 0 && Libc.Status(file, out FileStatus opened) == 0 && opened.Identity == identity && DeadHolder.Has(file);
        }
        finally
        {
            if (isMarked) _mark!.End();
        }
    }

    internal static string Identify(string file, FileIdentity identity) => $"posix:{identity}:{file}";

    private static string SegmentOf(string bareLock, bool isLegacy) => isLegacy ? NameRules.LegacySibling(bareLock, IpcObjectKind.SystemSemaphore) : bareLock;

    private bool IsLock(string bare, bool isLegacy)
    {
        string segment = SegmentOf(bare, isLegacy);
        return Names is { } all ? all.Contains(segment)
            : Libc.Status($"{PosixNames.Folder}/{segment}", followLink: false, out FileStatus status) == 0 && status.IsRegularFile;
    }

    /// <summary>Whether somebody uses a segment, or it cannot be told that nobody does: a lock that is free is left to the users of its segment, who open it when they need it.</summary>
    private bool IsUsed(string segment)
    {
        string path = $"{PosixNames.Folder}/{segment}";
        if (Libc.Status(path, followLink: false, out FileStatus status) != 0 || !status.IsRegularFile) return false;
        return census.Processes?.UsersOf(status.Identity) is { Count: > 0 } || Open(path, status.Identity, wantsValue: false, wantsUse: true, []).IsUnused != true;
    }

    /// <summary>Opens the file for a moment, to read the count and to ask the kernel whether anybody uses it.</summary>
    private (int? Value, int? Lost, bool? IsUnused) Open(string path, FileIdentity identity, bool wantsValue, bool wantsUse, List<string> unreadable)
    {
        bool isMarked = Mark(path);
        try
        {
            return Open(path, identity, wantsValue, wantsUse, isMarked, unreadable);
        }
        finally
        {
            if (isMarked) _mark!.End();
        }
    }

    private (int? Value, int? Lost, bool? IsUnused) Open(string path, FileIdentity identity, bool wantsValue, bool wantsUse, bool isMarked, List<string> unreadable)
    {
        using UnixDescriptor file = Libc.OpenToLook(path, out int number);
        if (number == 0)
        {
            number = Libc.Status(file, out FileStatus opened);
            if (number == 0 && opened.Identity != identity) number = Errno.ENOENT; // another one took the name
        }

        int? value = null, lost = null;
        if (number == 0 && wantsValue) value = ReadValue(file, unreadable);
        if (number == 0 && wantsValue && census.Options.FindLostPermits && PermitRecords.IsOffered) lost = CountLost(file); // before the lease: a mapping is a use
        if (number != 0)
        {
            if (number is not (Errno.ENOENT or Errno.EACCES or Errno.EPERM)) unreadable.Add($"open says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
            else if (wantsValue && number != Errno.ENOENT) unreadable.Add("The count may not be read by this user.");
        }

        if (!wantsUse || number == Errno.ENOENT) return (value, lost, null);
        bool isAnother = !isMarked; // who asks, or looks, too
        if (number == 0)
        {
            number = TakeLease(file, ref isAnother);
            if (number == 0) return (value, lost, !(wantsValue && HolderSlots.IsAnyAside(file)));
        }

        // Where it may be another one who looks, what was seen of all processes decides.
        if (number == Errno.EAGAIN && (!isAnother || census.Processes is not { IsComplete: true })) return (value, lost, false);
        if (census.Processes is { IsComplete: true }) return (value, lost, true); // nobody was seen to use it, and everybody was seen
        unreadable.Add("Whether anybody uses it, the kernel tells only its owner and root.");
        return (value, lost, null);
    }

    /// <summary>Says that this is only a look, and lets those who ask finish (<see cref="AskMark"/>); false where it cannot be said.</summary>
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
        nint page = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ, Flags.MAP_SHARED, (int)file.DangerousGetHandle(), 0);
        if (page == Libc.MAP_FAILED) return null;
        int lost = PermitRecords.CountLost(page, file);
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        return lost;
    }

    private static unsafe int? ReadValue(UnixDescriptor file, List<string> unreadable)
    {
        ulong word = 0;
        nint read;
        int number = 0;
        read = Libc.pread((int)file.DangerousGetHandle(), (byte*)&word, sizeof(ulong), 0);
        if (read < 0) number = Marshal.GetLastPInvokeError();
        if (read != sizeof(ulong))
        {
            unreadable.Add($"The count could not be read: pread says \"{(number == 0 ? "too short" : Marshal.GetPInvokeErrorMessage(number))}\" (error {number}).");
            return null;
        }

        // The count is the first 32 bits: glibc on 64-bit systems, and musl, which marks waiters in the sign bit.
        return (int)(new GlibcSemaphore.Word(word).Count & int.MaxValue);
    }

    /// <summary>Objects without a name that processes still have.</summary>
    public IEnumerable<IpcObjectInfo> Gone()
    {
        if (census.Processes is not { } scan || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0) yield break;
        foreach ((FileIdentity identity, ProcessScan.GoneFile gone) in scan.Gone)
        {
            if (identity.Device != folder.Identity.Device || _named.Contains(identity)) continue; // of another mount namespace; or linked after it was opened
            bool isSemaphore = Libraries.IsGlibc && gone.Name.StartsWith(SemaphorePrefix, StringComparison.Ordinal);
            int error = Libc.StatusAndTimes(gone.ProcFile, followLink: true, out FileStatus status, out FileTimes times);
            bool isKnown = error == 0 && status.Identity == identity;
            if (isKnown && status.Links > 0) continue; // a name that came back, or another link
            IReadOnlyList<IpcAttachment> users = scan.UsersOf(identity);
            bool isNameless = gone.Name.StartsWith('#');
            if (isNameless && users.Count < 2 && (!isKnown || TimeProvider.System.GetUtcNow() - times.Written < s_longestMaking)) continue; // perhaps still being made
            string bare = isSemaphore ? gone.Name[SemaphorePrefix.Length..] : gone.Name;
            isSemaphore |= isNameless && isKnown && status.Size == Layout.SizeOfSemT;
            IpcObjectKind kind = isSemaphore ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory;
            if (!census.Options.Wants(kind)) continue;
            yield return new IpcObjectInfo
            {
                Kind = kind,
                Type = NativeIpcKeyType.PosixRealtime,
                NativeName = gone.Name,
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
                Traits = IpcObjectTraits.Removed | (NameRules.IsLegacyName(bare, kind, out _) ? IpcObjectTraits.LegacyName : IpcObjectTraits.None),
                Unreadable = isKnown ? [] : ["Its owner and mode are told only to root; its size is what a process has mapped of it."],
                ObjectIdentity = Identify(gone.Name, identity) + ":removed",
            };
        }
    }

    public void Dispose() => _mark?.Dispose();
}
