using System.Globalization;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>How objects are shown in columns, by <c>list</c> and its live view.</summary>
internal static class ObjectColumns
{
    private const int MostUsersShown = 3;
    private const int ShortestKey = 24;

    // What is missed least comes first: creator, id, owner, mode, and the last one is never left out.
    private static readonly int[] s_dispensable = [6, 1, 5, 4, -1];

    public static readonly string[] Headings = ["KEY", "ID", "KIND", "SIZE/VALUE", "MODE", "OWNER", "CREATOR", "USERS", "AGE", "FLAGS"];

    public static string[] Row(IpcObjectInfo found, DateTimeOffset now) =>
    [
        Name(found),
        found.SystemVId?.ToString(CultureInfo.InvariantCulture) ?? "-",
        KeyOptions.WordOf(found.Kind),
        found.Kind == IpcObjectKind.SharedMemory ? Size(found.Size) : found.Value is { } value ? string.Create(CultureInfo.InvariantCulture, $"={value}") : "?",
        ObjectReport.Mode4(found.Mode) ?? "?",
        (found.OwnerName is { } owner ? PrintableText.Of(owner) : null) ?? found.OwnerId?.ToString(CultureInfo.InvariantCulture) ?? "?",
        found.CreatorProcessId is { } creator ? string.Create(CultureInfo.InvariantCulture, $"pid {creator}") : "-",
        Users(found),
        found.Created is { } created ? Age(now - created) : "?",
        string.Join(',', ObjectReport.Words(found.Traits)) is { Length: > 0 } words ? words : "-",
    ];

    /// <summary>The key; without one, what the system calls the object.</summary>
    public static string Name(IpcObjectInfo found) => PrintableText.Of(found.Key.IsValid ? found.Key.ToString() : $"({KeyOptions.WordOf(found.Type)}) {found.NativeName}");

    public static string Size(long? size) => size switch
    {
        null => "?",
        < 10_000 => size.Value.ToString(CultureInfo.InvariantCulture),
        < 10L << 20 => string.Create(CultureInfo.InvariantCulture, $"{size.Value / 1024.0:0.#}k"),
        < 10L << 30 => string.Create(CultureInfo.InvariantCulture, $"{size.Value / (double)(1 << 20):0.#}M"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{size.Value / (double)(1 << 30):0.#}G"),
    };

    public static string Age(TimeSpan age) => age.TotalSeconds switch
    {
        < 0 => "0s",
        < 100 => $"{(int)age.TotalSeconds}s",
        < 6000 => $"{(int)age.TotalMinutes}m",
        < 48 * 3600 => $"{(int)age.TotalHours}h",
        _ => $"{(int)age.TotalDays}d",
    };

    /// <summary>Pids and names of the first users; the kernel's count where it knows more than can be seen.</summary>
    private static string Users(IpcObjectInfo found)
    {
        if (found.Attachments.Count == 0) return found.AttachmentCount is { } count ? count.ToString(CultureInfo.InvariantCulture) : found.Type.IsSystemV ? "-" : "?";
        string shown = string.Join(' ', found.Attachments.Take(MostUsersShown).Select(user => string.Create(CultureInfo.InvariantCulture, $"{user.ProcessId}({PrintableText.Of(user.ProcessName)})")));
        int more = found.Attachments.Count - MostUsersShown;
        return more > 0 ? string.Create(CultureInfo.InvariantCulture, $"{shown} +{more}") : shown;
    }

    /// <summary>The headings and the rows as lines, with columns apart by two blanks. Where a terminal is too narrow, keys are cut first, then columns left out, then lines cut.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="width">The width of the terminal; a pipe has no end.</param>
    public static IEnumerable<string> Lines(IReadOnlyList<string[]> rows, int width = int.MaxValue)
    {
        int[] widths = [.. Headings.Select((heading, column) => rows.Aggregate(heading.Length, (widest, row) => Math.Max(widest, row[column].Length)))];
        List<int> columns = [.. Enumerable.Range(0, Headings.Length)];
        foreach (int dispensable in s_dispensable)
        {
            int excess = columns.Sum(column => widths[column] + 2) - 2 - width;
            if (excess <= 0) break;
            widths[0] = Math.Min(widths[0], Math.Max(ShortestKey, widths[0] - excess));
            if (columns.Sum(column => widths[column] + 2) - 2 > width) columns.Remove(dispensable);
        }

        return rows.Prepend(Headings).Select(row => Cut(string.Join("  ", columns.Select(column => Cut(row[column], widths[column]).PadRight(widths[column]))).TrimEnd(), width));
    }

    private static string Cut(string text, int width) => text.Length <= width ? text : text[..(width - 1)] + "…";
}
