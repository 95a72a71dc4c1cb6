using NativeIpc.Inspection.Objects;

namespace NativeIpc.Inspection;

/// <summary>
/// One segment, semaphore or event of the machine, as it was when it was looked at. What the system does not say, or
/// not to this user, is null; <see cref="Unreadable"/> then tells why. An immutable value; safe to share between
/// threads.
/// </summary>
/// <remarks>Linux: <c>shm_overview(7)</c>, <c>sem_overview(7)</c>, <c>sysvipc(7)</c>, <c>proc(5)</c>. Nothing is opened
/// for writing, created or changed to learn this.</remarks>
public sealed record IpcObjectInfo
{
    // A list may have 50,000 of these, so each is kept small: times are ticks (0 for none), and what only System V
    // tells stands apart.
    private readonly long _created;
    private readonly long _lastUsed;

    internal IpcObjectInfo()
    {
    }

    /// <summary>Segment, semaphore or event. A POSIX file of 32 bytes called <c>sem.…</c> is a semaphore with glibc;
    /// with musl any file of 32 bytes is taken for one. One called <c>nativeipc-event.…</c> is an event, and so is a
    /// System V set of three members with a mode whose key file ends in <c>.nativeipc-event</c>.</summary>
    public IpcObjectKind Kind { get; internal init; }

    /// <summary>The back end. For System V with the project id of the key file; <see cref="NativeIpcKeyType.SystemV"/>
    /// where no key file is known.</summary>
    public NativeIpcKeyType Type { get; internal init; }

    /// <summary>The key that opens it; the invalid key where none is known, as for System V objects without a known key
    /// file. Its legacy key is set where it can be told: for legacy names that were made of ASCII letters only, whose
    /// hash proves it.</summary>
    public NativeIpcKey Key { get; internal init; }

    /// <summary>What the system calls it: the file name in <c>/dev/shm</c>, the number of the System V key
    /// (<c>0x5100abcd</c>), or the name of the Windows object. For a file in a folder there
    /// (<see cref="IpcObjectTraits.InSubfolder"/>) its path from <c>/dev/shm</c>. Of a name that is no text
    /// (<see cref="IpcObjectTraits.NameNotText"/>) the bytes that are no UTF-8 stand as <c>\xff</c>, and each backslash
    /// twice, so that no two such names look alike.</summary>
    public string NativeName { get; internal init; } = "";

    /// <summary>The path of the file of a POSIX object on Linux, with <see cref="NativeName"/> at its end; null for
    /// others, and for what has no name any more. Not what a call takes where the name is no text.</summary>
    public string? FilePath => OperatingSystem.IsLinux() && Type == NativeIpcKeyType.PosixRealtime
        && (Traits & IpcObjectTraits.Removed) == 0
        ? $"/dev/shm/{NativeName}" : null;

    /// <summary>The name in the form that leads back to its bytes.</summary>
    internal string? RawName { get; init; }

    /// <summary>What calls take for <see cref="NativeName"/>.</summary>
    internal string FileName => RawName ?? NativeName;

    /// <summary>The System V id, as <c>ipcs</c> shows it; null for other types, and for a key file without an
    /// object.</summary>
    public int? SystemVId => SystemV?.Id;

    /// <summary>The numeric System V key; 0 for none (IPC_PRIVATE); null for other types.</summary>
    public int? SystemVKey => SystemV?.Key;

    /// <summary>The System V key file, where one was found in the folders that were searched; null otherwise.</summary>
    public string? KeyFile => SystemV?.KeyFile;

    /// <summary>The size in bytes of a segment, on Windows whole pages; the size of the file of a POSIX semaphore; null
    /// for a System V semaphore.</summary>
    public long? Size { get; internal init; }

    /// <summary>The count of a semaphore; null for segments, and where it may not be read.</summary>
    public int? Value { get; internal init; }

    /// <summary>Whether a wait resets the event; null for what is no event, and where it may not be read.</summary>
    public EventResetMode? ResetMode { get; internal init; }

    /// <summary>Whether the event is set; null for what is no event, and where it may not be read.</summary>
    public bool? IsSet { get; internal init; }

    /// <summary>How many threads wait for the semaphore or event, or did until they were killed (POSIX with glibc, as
    /// the count in the semaphore says, which nobody corrects for the killed; System V: for member 0,
    /// exactly, where members were asked for). Null for segments, and where that is not told.</summary>
    public int? Waiting { get; internal init; }

    /// <summary>How many semaphores a System V set has; null for everything else. This library uses member 0; the sets
    /// of its locks have two members.</summary>
    public int? MemberCount => SystemV?.MemberCount;

    /// <summary>The members of a System V set, from 0 on, where they were asked for
    /// (<see cref="IpcEnumerationOptions.FindUses"/>); empty otherwise.</summary>
    public IReadOnlyList<IpcSetMember> Members => SystemV?.Members ?? [];

    /// <summary>How many permits of a semaphore were recorded by holders that were killed
    /// (<see cref="SystemSemaphoreOptions.Recording"/>), and can be given back
    /// (<see cref="SystemSemaphore.ReturnLostPermits"/>); null where none are recorded, where that may not be read, and
    /// in lists that do not look so closely (<see cref="IpcEnumerationOptions.FindLostPermits"/>).</summary>
    public int? LostPermits { get; internal init; }

    /// <summary>The mode bits; null where there are none (Windows).</summary>
    public UnixFileMode? Mode { get; internal init; }

    /// <summary>The user id of the owner; null on Windows, and where this user namespace does not map the owner
    /// (<c>user_namespaces(7)</c>).</summary>
    public long? OwnerId { get; internal init; }

    /// <summary>The name of the owner; null where the user has none. Windows: <c>DOMAIN\name</c>, or the security
    /// identifier of an account that has no name; null where the object does not let that be asked.</summary>
    public string? OwnerName { get; internal init; }

    /// <summary>The group id; null on Windows, and where this user namespace does not map the group.</summary>
    public long? GroupId { get; internal init; }

    /// <summary>The name of the group; null where it has none.</summary>
    public string? GroupName { get; internal init; }

    /// <summary>The user id of the creator, System V only; an object can be given away by its owner. Null where this
    /// user namespace does not map the creator.</summary>
    public long? CreatorId => SystemV?.CreatorId;

    /// <summary>The process that created it, System V segments only; null for one of another PID namespace, which has
    /// no number here. It may be long gone, and its number another's.</summary>
    public int? CreatorProcessId => SystemV?.CreatorProcessId;

    /// <summary>The process that attached or detached last, System V segments only; null for none, and for one of
    /// another PID namespace.</summary>
    public int? LastProcessId => SystemV?.LastProcessId;

    /// <summary>
    /// How often it is attached, System V segments, as the kernel counts; how many processes were seen to have it open
    /// or mapped, POSIX, when attachments were asked for; how many handles there are in all processes, Windows, when
    /// attachments were asked for. Null where it is not known: 0 only where nobody uses it, for certain.
    /// </summary>
    public int? AttachmentCount { get; internal init; }

    /// <summary>
    /// Whether a process has it open or attached, in whatever container: POSIX, as was seen of all processes, or as the
    /// kernel's lease says where that was asked for (<see cref="IpcEnumerationOptions.FindUnused"/>); System V
    /// segments, by the kernel's count. Null where that is not known: System V semaphores, Windows, and POSIX objects
    /// that no process was seen to use while not all could be looked at (<see cref="Unreadable"/> says so).
    /// </summary>
    public bool? IsInUse { get; internal init; }

    /// <summary>Who has it open or attached, as far as this user may see; empty when attachments were not asked for,
    /// and on Windows. See <see cref="IpcSnapshot.Notes"/> for processes that could not be looked at.</summary>
    public IReadOnlyList<IpcAttachment> Attachments { get; internal init; } = [];

    /// <summary>Whether every process of the machine was looked at, so that a POSIX object has no users but
    /// <see cref="Attachments"/>. False where one could not be looked at or may be in another PID namespace, when
    /// attachments were not asked for, and for objects of other types, of whose users the system does not tell
    /// all.</summary>
    public bool IsEveryUserSeen { get; internal init; }

    /// <summary>When it was made, UTC; null on Windows. POSIX: the birth of the file, or its last change of status
    /// where the file system does not keep that. System V: the last change by <c>shmctl</c> or <c>semctl</c>, which is
    /// the creation unless somebody changed owner, mode or a count.</summary>
    public DateTimeOffset? Created
    {
        get => Time(_created);
        internal init => _created = value?.UtcTicks ?? 0;
    }

    /// <summary>When it was last used, UTC: the last attach or detach, the last operation on a System V set, the last
    /// write to a POSIX file by a call (stores to mapped memory leave no time). Null for never.</summary>
    public DateTimeOffset? LastUsed
    {
        get => Time(_lastUsed);
        internal init => _lastUsed = value?.UtcTicks ?? 0;
    }

    /// <summary>What is remarkable about it.</summary>
    public IpcObjectTraits Traits { get; internal init; }

    /// <summary>What could not be read, and why: one sentence each. Empty in most cases.</summary>
    public IReadOnlyList<string> Unreadable { get; internal init; } = [];

    /// <summary>What speaks for, or against, somebody still needing it: evidence, never proof. Empty for what is in
    /// use, on Windows, and where it was not asked for (<see cref="IpcEnumerationOptions.FindSigns"/>).</summary>
    public IReadOnlyList<IpcSign> Signs { get; internal init; } = [];

    /// <summary>Whether a lock is taken by a process that used this library and is dead, as its own record in the lock
    /// proves. False in lists, which do not look so closely.</summary>
    internal bool HasDeadHolder { get; init; }

    /// <summary>Which object of the system this is, so that another one under the same name is told from it.</summary>
    internal string ObjectIdentity
    {
        get => field ?? $"posix:{File.Device:x}:{File.Inode}:{FileName}"
            + ((Traits & IpcObjectTraits.Removed) != 0 ? ":removed" : "");
        init;
    }

    /// <summary>Which file a POSIX object is, by the numbers of its device and inode.</summary>
    internal (ulong Device, ulong Inode) File { get; init; }

    /// <summary>What only System V tells; null for others.</summary>
    internal SystemVFacts? SystemV { get; init; }

    /// <summary>Whether a dead process had to remove it, whoever has it open; where that was looked for.</summary>
    internal bool IsLeft { get; init; }

    /// <summary>Whether it has an unknown number of users.</summary>
    internal bool IsUseUnseen => Type == NativeIpcKeyType.PosixRealtime && IsInUse is null;

    /// <summary>What failures call it: its key, or what the system calls it where no key leads to it.</summary>
    internal NativeIpcKey NamingKey => Key.IsValid ? Key : new NativeIpcKey(FilePath ?? NativeName, Type);

    /// <summary>Whether two looks at one object saw the same, but for the times that each look or use
    /// changes.</summary>
    internal bool LooksAs(IpcObjectInfo other)
        => this with { Attachments = other.Attachments, SystemV = SystemV?.WithMembersOf(other.SystemV),
            Signs = other.Signs, IsInUse = other.IsInUse, IsEveryUserSeen = other.IsEveryUserSeen,
            Unreadable = other.Unreadable, LastUsed = other.LastUsed } == other
            && Attachments.SequenceEqual(other.Attachments);

    private static DateTimeOffset? Time(long ticks) => ticks == 0 ? null : new DateTimeOffset(ticks, TimeSpan.Zero);
}
