using System.Collections;
using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>A column of <c>list</c>.</summary>
/// <param name="Name">What <c>-o</c> calls it.</param>
/// <param name="Heading">Its heading.</param>
/// <param name="Text">What it says of an object, whole.</param>
internal sealed record ObjectColumn(string Name, string Heading, Func<IpcObjectInfo, DateTimeOffset, string> Text);

/// <summary>How objects are shown in columns, by <c>list</c> and its live view.</summary>
internal static class ObjectColumns
{
    private const int MostUsersShown = 3;
    private const int ShortestKey = 24;
    private const int ShortestText = 12;
    private const int Least = 8;

    private static readonly ObjectColumn s_key = new("key", "KEY", (found, _) => Name(found));
    private static readonly ObjectColumn s_users = new("users", "USERS", (found, _) => Users(found));
    private static readonly ObjectColumn s_flags = new("flags", "FLAGS",
        (found, _) => string.Join(',', ObjectReport.Words(found.Traits)) is { Length: > 0 } words ? words : "-");

    private static readonly ObjectColumn s_id = new("id", "ID", (found, _) => Number(found.SystemVId) ?? "-");
    private static readonly ObjectColumn s_mode = new("mode", "MODE",
        (found, _) => ObjectReport.Mode4(found.Mode) ?? "?");
    private static readonly ObjectColumn s_owner = new("owner", "OWNER",
        (found, _) => Account(found.OwnerName, found.OwnerId));
    private static readonly ObjectColumn s_creator = new("creator", "CREATOR",
        (found, _) => found.CreatorProcessId is { } creator
            ? string.Create(CultureInfo.InvariantCulture, $"pid {creator}")
            : found is { Kind: IpcObjectKind.SharedMemory, SystemVId: not null } ? "?" : "-");

    private static readonly ObjectColumn s_age = new("age", "AGE",
        (found, now) => found.Created is { } created ? Age(now - created) : "?");

    /// <summary>What <c>list</c> shows.</summary>
    public static IReadOnlyList<ObjectColumn> Usual { get; } =
    [
        s_key, s_id, new("kind", "KIND", (found, _) => KeyOptions.WordOf(found.Kind)), new("size", "SIZE/VALUE",
            (found, _) => SizeOrValue(found)),
        s_mode, s_owner, s_creator, s_users, s_age, s_flags,
    ];

    /// <summary>What <c>-o</c> can choose.</summary>
    public static IReadOnlyList<ObjectColumn> All { get; } =
    [
        .. Usual,
        new("bytes", "BYTES", (found, _) => found.Size?.ToString(CultureInfo.InvariantCulture) ?? "-"),
        new("value", "VALUE", (found, _) =>
            found.Kind == IpcObjectKind.SystemSemaphore ? Number(found.Value) ?? "?" : "-"),
        new("type", "TYPE", (found, _) => KeyOptions.WordOf(found.Type)),
        new("native", "NATIVE", (found, _) => PrintableText.Of(found.NativeName)),
        new("group", "GROUP", (found, _) => Account(found.GroupName, found.GroupId)),
        new("lastpid", "LASTPID", (found, _) => Number(found.LastProcessId) ?? "-"),
        new("attached", "ATTACHED", (found, _) => Number(found.AttachmentCount) ?? "?"),
        new("created", "CREATED", (found, _) => found.Created is { } created ? Time(created) : "?"),
        new("used", "USED", (found, _) => found.LastUsed is { } used ? Time(used) : "-"),
    ];

    /// <summary>The columns that <c>-o</c> names, separated by commas.</summary>
    /// <exception cref="ToolException">There is no such column.</exception>
    public static IReadOnlyList<ObjectColumn> Parse(string names) =>
    [
        .. names.Split(',', StringSplitOptions.TrimEntries)
            .Select(name => All.FirstOrDefault(column => column.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            ?? throw ToolException.Usage(
                $"There is no column '{name}'. Use {string.Join(", ", All.Select(column => column.Name))}.")),
    ];

    /// <summary>The rows of objects, each made when it is asked for: thousands of them take more memory than their
    /// objects.</summary>
    public static IReadOnlyList<string[]> Rows(
        IReadOnlyList<IpcObjectInfo> objects, DateTimeOffset now, IReadOnlyList<ObjectColumn> columns,
        IReadOnlyList<IpcOtherObject>? others = null)
        => new RowList(objects, now, columns, others ?? []);

    /// <summary>The cells of an object.</summary>
    public static string[] Row(IpcObjectInfo found, DateTimeOffset now, IReadOnlyList<ObjectColumn> columns)
    {
        string[] row = new string[columns.Count];
        for (int i = 0; i < row.Length; i++) row[i] = columns[i].Text(found, now);
        return row;
    }

    /// <summary>The key; without one, what every verb takes for it: the System V key, or the id.</summary>
    public static string Name(IpcObjectInfo found)
        => PrintableText.Of(!found.Key.IsValid && found.SystemVKey is { } key && key != 0
            ? found.NativeName : NamedObject.NameOf(found));

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

    /// <summary>The rows as lines, with columns apart by two blanks.</summary>
    /// <param name="columns">The columns.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="hasHeadings">Whether a line of headings comes first.</param>
    /// <param name="width">The width of the terminal; a pipe has no end.</param>
    /// <remarks>Where there is no room, keys lose their middle, then users and flags, then columns are left out that
    /// are missed least (those of <c>-o</c> never), then whatever is widest is shortened, and then lines are
    /// cut.</remarks>
    public static IEnumerable<string> Lines(IReadOnlyList<ObjectColumn> columns, IReadOnlyList<string[]> rows,
        bool hasHeadings = true, int width = int.MaxValue)
        => new Table(columns, rows, hasHeadings, width).Lines();

    /// <summary>Rows, and how wide each column is.</summary>
    private sealed class Table
    {
        private readonly IReadOnlyList<ObjectColumn> _columns;
        private readonly IReadOnlyList<string[]> _rows;
        private readonly bool _hasHeadings;
        private readonly int _width;
        private readonly int[] _widths;
        private readonly bool[] _isLeftOut;

        internal Table(IReadOnlyList<ObjectColumn> columns, IReadOnlyList<string[]> rows, bool hasHeadings, int width)
        {
            _columns = columns;
            _rows = rows;
            _hasHeadings = hasHeadings;
            _width = width;
            _widths = [.. columns.Select(column => hasHeadings ? column.Heading.Length : 1)];
            foreach (string[] row in rows)
            {
                for (int i = 0; i < _widths.Length; i++) _widths[i] = Math.Max(_widths[i], CellWidth.Of(row[i]));
            }

            _isLeftOut = new bool[columns.Count];
            if (Excess() > 0) Fit();
        }

        internal IEnumerable<string> Lines()
        {
            if (_hasHeadings) yield return Line([.. _columns.Select(column => column.Heading)]);
            foreach (string[] row in _rows) yield return Line(row);
        }

        private long Excess() => _widths.Where((_, i) => !_isLeftOut[i]).Sum(each => each + 2L) - 2 - _width;

        private void Fit()
        {
            Shrink(s_key, ShortestKey);
            Shrink(s_users, ShortestText);
            Shrink(s_flags, ShortestText);
            if (ReferenceEquals(_columns, Usual))
            {
                foreach (ObjectColumn column in new[] { s_creator, s_mode, s_id, s_owner, s_users, s_age })
                {
                    if (Excess() > 0) _isLeftOut[IndexOf(column)] = true;
                }
            }

            while (Excess() > 0 && Widest() is var widest && _widths[widest] > Least) _widths[widest]--;

            // What became free again goes to the keys.
            int key = IndexOf(s_key);
            if (key >= 0 && Excess() < 0)
                _widths[key] = (int)Math.Min(_widths[key] - Excess(), _rows.Max(row => CellWidth.Of(row[key])));
        }

        private void Shrink(ObjectColumn column, int least)
        {
            int i = IndexOf(column);
            if (i >= 0 && Excess() > 0) _widths[i] = (int)Math.Min(_widths[i], Math.Max(least, _widths[i] - Excess()));
        }

        private int Widest() => Sequence.Range(0, _widths.Length).Where(i => !_isLeftOut[i]).MaxBy(i => _widths[i]);

        private int IndexOf(ObjectColumn column)
        {
            for (int i = 0; i < _columns.Count; i++)
            {
                if (_columns[i] == column) return i;
            }

            return -1;
        }

        private string Line(string[] row)
        {
            var line = new System.Text.StringBuilder();
            int blanks = 0;
            for (int i = 0; i < row.Length; i++)
            {
                if (_isLeftOut[i]) continue;
                string cell = CellWidth.CutMiddle(row[i], _widths[i]);
                if (cell.Length > 0) line.Append(' ', blanks).Append(cell);
                blanks = (cell.Length > 0 ? 0 : blanks) + _widths[i] - CellWidth.Of(cell) + 2;
            }

            return CellWidth.Cut(line.ToString().TrimEnd(), _width);
        }
    }

    private static string SizeOrValue(IpcObjectInfo found)
        => found.Kind == IpcObjectKind.SharedMemory ? Size(found.Size)
            : found.Kind == IpcObjectKind.SystemEvent ? State(found)
            : found.Value is { } value ? string.Create(CultureInfo.InvariantCulture, $"={value}") : "?";

    /// <summary>What a list says of an event: whether it is set.</summary>
    public static string State(IpcObjectInfo found)
        => found.IsSet switch { true => "set", false => "unset", null => "?" };

    public static string Time(DateTimeOffset time)
        => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    public static string Account(string? name, long? id)
        => name is not null ? PrintableText.Of(name) : id?.ToString(CultureInfo.InvariantCulture) ?? "?";

    private static string? Number(int? number) => number?.ToString(CultureInfo.InvariantCulture);

    /// <summary>Pids and names of the first users; the kernel's count where it knows more than can be seen.</summary>
    private static string Users(IpcObjectInfo found)
    {
        if (found.Attachments.Count == 0) return Number(found.AttachmentCount) ?? (found.Type.IsSystemV ? "-" : "?");
        return Users(found.Attachments);
    }

    /// <summary>Pids and names of the first users.</summary>
    public static string Users(IReadOnlyList<IpcAttachment> users)
    {
        string shown = string.Join(' ',
            users.Take(MostUsersShown).Select(
                user => string.Create(CultureInfo.InvariantCulture,
                    $"{user.ProcessId}({PrintableText.Of(user.ProcessName)})")));
        int more = users.Count - MostUsersShown;
        return more > 0 ? string.Create(CultureInfo.InvariantCulture, $"{shown} +{more}") : shown;
    }

    private sealed class RowList(
        IReadOnlyList<IpcObjectInfo> objects, DateTimeOffset now, IReadOnlyList<ObjectColumn> columns,
        IReadOnlyList<IpcOtherObject> others)
        : IReadOnlyList<string[]>
    {
        public int Count => objects.Count + others.Count;

        public string[] this[int index]
            => index < objects.Count ? Row(objects[index], now, columns)
                : OtherColumns.Row(others[index - objects.Count], now, columns);

        public IEnumerator<string[]> GetEnumerator()
        {
            for (int i = 0; i < Count; i++) yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
