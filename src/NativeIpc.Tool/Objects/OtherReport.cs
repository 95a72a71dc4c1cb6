using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>How many there are of something that <c>list --all</c> shows.</summary>
internal sealed record OtherCount(string Kind, int? Count, bool? AtLeast) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("kind", Kind);
        json.Add("count", Count);
        json.Add("atLeast", AtLeast);
    }

    public static IReadOnlyList<OtherCount> Of(IReadOnlyList<IpcOtherCount> counts)
        => [
            .. counts.Select(
                count => new OtherCount(OtherReport.WordOf(count.Kind), count.Count, count.IsAtLeast ? true : null))];

    /// <summary>The counts in a sentence; null where there is nothing that is known of.</summary>
    public static string? Sentence(IReadOnlyList<IpcOtherCount> counts)
    {
        string[] parts = [.. counts.Where(count => count.Count != 0).Select(Part)];
        return counts.Any(count => count.Count > 0)
            ? $"Besides: {string.Join(", ", parts)}. 'nipc list --all' shows them." : null;
    }

    /// <summary>Why there is no count.</summary>
    public static string WhyNot(IpcOtherKind kind) => kind switch
    {
        IpcOtherKind.Memfd => "Memfds are known only by a look at the processes, which was not asked for.",
        IpcOtherKind.SystemVMessageQueue =>
            "System V message queues cannot be listed: /proc/sysvipc/msg cannot be read.",
        _ => "POSIX message queues cannot be listed: they are not mounted at /dev/mqueue ('mount -t mqueue none "
            + "/dev/mqueue' does).",
    };

    private static string Part(IpcOtherCount count)
    {
        string what = count.Kind switch
        {
            IpcOtherKind.Memfd => "memfd",
            IpcOtherKind.SystemVMessageQueue => "System V message queue",
            _ => "POSIX message queue",
        };
        string number = count.Count?.ToString(CultureInfo.InvariantCulture) ?? "?";
        return $"{(count.IsAtLeast ? "at least " : "")}{number} {what}{(count.Count == 1 ? "" : "s")}";
    }
}

/// <summary>A memfd or a message queue, as <c>list --all</c> prints it.</summary>
internal sealed record OtherReport(string Kind, string Name, string NativeName) : IJsonRecord
{
    public int? Id { get; init; }

    public string? IpcKey { get; init; }

    public long? Inode { get; init; }

    public long? Size { get; init; }

    public long? Messages { get; init; }

    public string? Mode { get; init; }

    public long? OwnerId { get; init; }

    public string? Owner { get; init; }

    public long? GroupId { get; init; }

    public string? Group { get; init; }

    public IReadOnlyList<UserReport>? Users { get; init; }

    public DateTimeOffset? Created { get; init; }

    public DateTimeOffset? LastUsed { get; init; }

    public void WriteTo(JsonFields json)
    {
        json.Add("kind", Kind);
        json.Add("name", Name);
        json.Add("nativeName", NativeName);
        json.Add("id", Id);
        json.Add("ipcKey", IpcKey);
        json.Add("inode", Inode);
        json.Add("size", Size);
        json.Add("messages", Messages);
        json.Add("mode", Mode);
        json.Add("ownerId", OwnerId);
        json.Add("owner", Owner);
        json.Add("groupId", GroupId);
        json.Add("group", Group);
        json.Add("users", Users);
        json.Add("created", Created);
        json.Add("lastUsed", LastUsed);
    }

    public static OtherReport Of(IpcOtherObject found) => new(WordOf(found.Kind), NameOf(found), found.Name)
    {
        Id = found.SystemVId,
        IpcKey = found.SystemVKey is { } key ? string.Create(CultureInfo.InvariantCulture, $"0x{key:x8}") : null,
        Inode = found.Inode,
        Size = found.Size,
        Messages = found.MessageCount,
        Mode = ObjectReport.Mode4(found.Mode),
        OwnerId = found.OwnerId,
        Owner = found.OwnerName,
        GroupId = found.GroupId,
        Group = found.GroupName,
        Users = UserReport.Of(found.Attachments),
        Created = found.Created,
        LastUsed = found.LastUsed,
    };

    public static string WordOf(IpcOtherKind kind) => kind switch
    {
        IpcOtherKind.Memfd => "memfd",
        IpcOtherKind.SystemVMessageQueue => "msg",
        _ => "mqueue",
    };

    /// <summary>What tells it from others: no verb takes it.</summary>
    public static string NameOf(IpcOtherObject found) => found.Kind switch
    {
        IpcOtherKind.Memfd => $"memfd:{found.Name}",
        IpcOtherKind.SystemVMessageQueue => string.Create(CultureInfo.InvariantCulture, $"msqid:{found.SystemVId}"),
        _ => $"mqueue:{found.Name}",
    };
}
