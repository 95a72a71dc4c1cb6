using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>What the columns of <c>list</c> say of memfds and message queues.</summary>
internal static class OtherColumns
{
    public static string[] Row(IpcOtherObject found, DateTimeOffset now, IReadOnlyList<ObjectColumn> columns)
        => [.. columns.Select(column => Text(column.Name, found, now))];

    private static string Text(string column, IpcOtherObject found, DateTimeOffset now) => column switch
    {
        "key" => PrintableText.Of(OtherReport.NameOf(found)),
        "id" => found.SystemVId?.ToString(CultureInfo.InvariantCulture) ?? "-",
        "kind" => OtherReport.WordOf(found.Kind),
        "size" => ObjectColumns.Size(found.Size),
        "bytes" => found.Size?.ToString(CultureInfo.InvariantCulture) ?? "?",
        "mode" => ObjectReport.Mode4(found.Mode) ?? "?",
        "owner" => ObjectColumns.Account(found.OwnerName, found.OwnerId),
        "group" => ObjectColumns.Account(found.GroupName, found.GroupId),
        "users" => found.Attachments.Count == 0 ? "-" : ObjectColumns.Users(found.Attachments),
        "attached" => found.Kind == IpcOtherKind.Memfd
            ? found.Attachments.Count.ToString(CultureInfo.InvariantCulture) : "?",
        "age" => found.Created is { } created ? ObjectColumns.Age(now - created) : "?",
        "type" => found.Kind switch
        {
            IpcOtherKind.SystemVMessageQueue => "systemv",
            IpcOtherKind.PosixMessageQueue => "posix",
            _ => "-",
        },
        "native" => PrintableText.Of(found.Name),
        "created" => found.Created is { } made ? ObjectColumns.Time(made) : "?",
        "used" => found.LastUsed is { } used ? ObjectColumns.Time(used) : "-",
        _ => "-",
    };
}
