using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>A process that has an object open or attached.</summary>
internal sealed record UserReport(int Pid, string Name, string? Use, int? Permits) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("pid", Pid);
        json.Add("name", Name);
        json.Add("use", Use);
        json.Add("permits", Permits);
    }

    private static string? WordOf(IpcUse use) => use switch
    {
        IpcUse.Holds => "holds",
        IpcUse.Waits => "waits",
        _ => null,
    };

    /// <summary>Null where no user was seen, so that the field is left out.</summary>
    public static IReadOnlyList<UserReport>? Of(IReadOnlyList<IpcAttachment> users)
        => users.Count == 0 ? null : [
            .. users.Select(
                user => new UserReport(user.ProcessId, user.ProcessName, WordOf(user.Use),
                    user.Permits > 0 ? user.Permits : null))];
}

/// <summary>A semaphore of a System V set.</summary>
internal sealed record MemberReport(int? Value, int? Waiting, int? WaitingForZero, int? LastPid) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("value", Value);
        json.Add("waiting", Waiting);
        json.Add("waitingForZero", WaitingForZero);
        json.Add("lastPid", LastPid);
    }

    public static MemberReport Of(IpcSetMember member) => new(member.Value, member.Waiting, member.WaitingForZero,
        member.LastProcessId is 0 ? null : member.LastProcessId);
}

/// <summary>A field that <c>show --struct</c> decoded.</summary>
internal sealed record FieldReport(string Name, string Type, long Offset, object? Value) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("name", Name);
        json.Add("type", Type);
        json.Add("offset", Offset);
        json.AddAny("value", Value);
    }
}

/// <summary>One object, as every verb prints it. What only <c>show</c> looks at comes last.</summary>
internal sealed record ObjectReport(
    string Kind, string Type, string? Key, string NativeName, int? Id, string? IpcKey, string? KeyFile, long? Size,
    int? Value, string? Mode, long? OwnerId, string? Owner, long? GroupId, string? Group,
    long? CreatorId, int? CreatorPid, int? LastPid, int? Attached, int? LostPermits, IReadOnlyList<UserReport>? Users,
    DateTimeOffset? Created, DateTimeOffset? LastUsed, IReadOnlyList<string>? Flags, IReadOnlyList<string>? Unreadable)
    : IJsonRecord
{
    public string? Name { get; init; }

    public string? Path { get; init; }

    public int? Waiting { get; init; }

    public bool? IsSet { get; init; }

    public string? ResetMode { get; init; }

    public int? MemberCount { get; init; }

    public IReadOnlyList<MemberReport>? Members { get; init; }

    public IReadOnlyList<string>? Evidence { get; init; }

    public IReadOnlyList<string>? Ftok { get; init; }

    public IReadOnlyList<string>? LimitsNear { get; init; }

    public long? Offset { get; init; }

    public string? Bytes { get; init; }

    public IReadOnlyList<FieldReport>? Fields { get; init; }

    private static readonly (IpcObjectTraits Trait, string Word)[] s_words =
    [
        (IpcObjectTraits.LockOfSegment, "lock"), (IpcObjectTraits.LegacyName, "legacy"), (IpcObjectTraits.Unused,
            "unused"), (IpcObjectTraits.Orphaned, "orphaned"),
        (IpcObjectTraits.Empty, "empty"), (IpcObjectTraits.HalfCreated, "half-created"),
        (IpcObjectTraits.Removed, "removed"),
        (IpcObjectTraits.WrongSize, "wrong-size"), (IpcObjectTraits.KeyFileReplaced, "key-file-replaced"),
        (IpcObjectTraits.KeyFileMissing, "no-key-file"), (IpcObjectTraits.KeyCollision, "key-collision"),
        (IpcObjectTraits.NoKey, "no-key"), (IpcObjectTraits.InSubfolder, "in-folder"), (IpcObjectTraits.NameNotText,
            "not-utf-8"),
    ];

    public static ObjectReport Of(IpcObjectInfo found) => new(
        KeyOptions.WordOf(found.Kind), KeyOptions.WordOf(found.Type), found.Key.IsValid
            ? found.Key.ToString() : null, found.NativeName, found.SystemVId,
        found.SystemVKey is { } key ? string.Create(CultureInfo.InvariantCulture, $"0x{key:x8}") : null, found.KeyFile,
        found.Size, found.Value, Mode4(found.Mode), found.OwnerId, found.OwnerName, found.GroupId, found.GroupName,
        found.CreatorId, found.CreatorProcessId, found.LastProcessId, found.AttachmentCount, found.LostPermits is > 0
            ? found.LostPermits : null,
        UserReport.Of(found.Attachments),
        found.Created, found.LastUsed, found.Traits == 0 ? null : [.. Words(found.Traits)], found.Unreadable.Count == 0
            ? null : found.Unreadable)
    {
        Name = NamedObject.HasNoName(found) ? null : NamedObject.NameOf(found),
        Path = found.Key.IsValid ? null : found.FilePath,
        Waiting = found.Waiting,
        IsSet = found.IsSet,
        ResetMode = found.ResetMode is { } mode ? ObjectSheet.WordOf(mode) : null,
        MemberCount = found.MemberCount,
        Members = found.Members.Count == 0 ? null : [.. found.Members.Select(MemberReport.Of)],
        Evidence = found.Signs.Count == 0 ? null : [.. found.Signs.Select(sign => sign.Text)],
    };

    public void WriteTo(JsonFields json)
    {
        json.Add("kind", Kind);
        json.Add("type", Type);
        json.Add("key", Key);
        json.Add("nativeName", NativeName);
        json.Add("id", Id);
        json.Add("ipcKey", IpcKey);
        json.Add("keyFile", KeyFile);
        json.Add("size", Size);
        json.Add("value", Value);
        json.Add("mode", Mode);
        json.Add("ownerId", OwnerId);
        json.Add("owner", Owner);
        json.Add("groupId", GroupId);
        json.Add("group", Group);
        json.Add("creatorId", CreatorId);
        json.Add("creatorPid", CreatorPid);
        json.Add("lastPid", LastPid);
        json.Add("attached", Attached);
        json.Add("lostPermits", LostPermits);
        json.Add("users", Users);
        json.Add("created", Created);
        json.Add("lastUsed", LastUsed);
        json.Add("flags", Flags);
        json.Add("unreadable", Unreadable);
        json.Add("name", Name);
        json.Add("path", Path);
        json.Add("waiting", Waiting);
        json.Add("isSet", IsSet);
        json.Add("resetMode", ResetMode);
        json.Add("memberCount", MemberCount);
        json.Add("members", Members);
        json.Add("evidence", Evidence);
        json.Add("ftok", Ftok);
        json.Add("limitsNear", LimitsNear);
        json.Add("offset", Offset);
        json.Add("bytes", Bytes);
        json.Add("fields", Fields);
    }

    /// <summary>The words that lists print for what is remarkable about an object.</summary>
    public static IEnumerable<string> Words(IpcObjectTraits traits)
        => s_words.Where(pair => (traits & pair.Trait) != 0).Select(pair => pair.Word);

    /// <summary>A mode as <c>chmod</c> takes it.</summary>
    public static string? Mode4(UnixFileMode? mode)
        => mode is { } bits ? Convert.ToString((int)bits, 8).PadLeft(4, '0') : null;
}

/// <summary>What <c>list --json</c> and <c>show --json</c> print.</summary>
internal sealed record ObjectList(IReadOnlyList<ObjectReport> Objects, IReadOnlyList<string>? Notes) : IJsonRecord
{
    public IReadOnlyList<OtherReport>? Others { get; init; }

    public IReadOnlyList<OtherCount>? OtherCounts { get; init; }

    public void WriteTo(JsonFields json)
    {
        json.Add("objects", Objects);
        json.Add("notes", Notes);
        json.Add("others", Others);
        json.Add("otherCounts", OtherCounts);
    }

    public static ObjectList Of(IEnumerable<IpcObjectInfo> objects, IReadOnlyList<string> notes)
        => new([.. objects.Select(ObjectReport.Of)], notes.Count == 0 ? null : notes);
}

/// <summary>One line of <c>list --watch --json</c>.</summary>
internal sealed record ChangeReport(string Change, ObjectReport Object) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("change", Change);
        json.Add("object", Object);
    }
}
