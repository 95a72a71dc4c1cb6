using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Live;

/// <summary>What a look at the machine gives: the objects that were asked for, and how full their memory is.</summary>
internal sealed record LiveLook(IReadOnlyList<IpcObjectInfo> Objects, IpcLimit? Memory);

/// <summary>
/// The list as something to work in: one object is chosen, can be shown, and removed after a question; a text filters.
/// Used by one thread: looks are taken by another, which gives them to <see cref="Take"/> through the loop.
/// </summary>
/// <param name="columns">The columns.</param>
/// <param name="hasHeadings">Whether there is a line of headings.</param>
/// <param name="isWide">Whether nothing is shortened: lines end at the edge.</param>
/// <param name="hasKeys">Whether there is a keyboard to work with.</param>
/// <param name="remove">Removes an object, and says what became of it.</param>
internal sealed class LiveList(IReadOnlyList<ObjectColumn> columns, bool hasHeadings, bool isWide, bool hasKeys,
    Func<IpcObjectInfo, string> remove)
{
    private const int MostBytes = 4096;
    private const int ShortHistory = 24; // beside the keys, on 80 columns

    private readonly Dictionary<string, ValueHistory> _histories = [];
    private readonly MarkedBytes _bytes = new();
    private IReadOnlyList<IpcObjectInfo> _objects = [];
    private Dictionary<string, string>? _states;
    private Dictionary<string, Style> _styles = [];
    private List<IpcObjectInfo> _shown = [];
    private IpcLimit? _memory;
    private string _chosen = "";
    private string _filter = "";
    private string _message = "";
    private int _top;
    private int _scrolled;
    private int _page = 10;
    private bool _hasActed;
    private Mode _mode;

    private enum Mode
    {
        List,
        Filter,
        Question,
        Sheet,
    }

    /// <summary>Whether the user has ended the view.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether something was removed, so that another look is wanted at once. Asking forgets it.</summary>
    public bool TakeActed()
    {
        bool acted = _hasActed;
        _hasActed = false;
        return acted;
    }

    /// <summary>What is there now; what has come or changed since the last look stands out until the next
    /// one.</summary>
    public void Take(LiveLook look)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        Dictionary<string, string> states = [];
        _styles = [];
        foreach (IpcObjectInfo found in look.Objects)
        {
            string identity = IdentityOf(found);
            string state = string.Join(' ',
                ObjectColumns.Row(found, now, [.. ObjectColumns.Usual.Where(column => column.Name != "age")]));
            states[identity] = state;
            if (_states is not null)
                _styles[identity] = !_states.TryGetValue(identity, out string? before)
                    ? Style.Green : before != state ? Style.Yellow : Style.Plain;
            if (found.Value is not { } value) continue;
            if (!_histories.TryGetValue(identity, out ValueHistory? history))
                _histories[identity] = history = new ValueHistory();
            history.Add(value);
        }

        foreach (string gone in _histories.Keys.Where(identity => !states.ContainsKey(identity)).ToList())
            _histories.Remove(gone);
        _states = states;
        _objects = look.Objects;
        _memory = look.Memory;
        Filter();
    }

    public void Press(ConsoleKeyInfo key)
    {
        switch (_mode)
        {
            case Mode.Filter:
                PressInFilter(key);
                break;
            case Mode.Question:
                Answer(key);
                break;
            default:
                PressAnywhere(key);
                break;
        }
    }

    /// <summary>What is to be seen, for a terminal of so many columns and lines.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Lines.</param>
    /// <param name="interval">How often there is a look.</param>
    public IReadOnlyList<StyledText> Draw(int width, int height, TimeSpan interval)
    {
        List<StyledText> lines = [];
        string count = _filter.Length == 0 ? string.Create(CultureInfo.InvariantCulture,
            $"{_objects.Count} {(_objects.Count == 1 ? "object" : "objects")}")
            : string.Create(CultureInfo.InvariantCulture,
                $"{_shown.Count} of {_objects.Count} {(_objects.Count == 1 ? "object" : "objects")}");
        lines.Add(
            Gauge.AppendTo(new StyledText(
                string.Create(CultureInfo.InvariantCulture, $"{count}, every {interval.TotalSeconds}s")), _memory));
        int room = Math.Max(1, height - (hasHeadings ? 3 : 2));
        if (_mode == Mode.Sheet) DrawSheet(lines, height - 2);
        else DrawList(lines, width, room);
        while (lines.Count < height - 1) lines.Add(new StyledText());
        lines.Add(LastLine());
        return lines;
    }

    private static string IdentityOf(IpcObjectInfo found) => string.Create(CultureInfo.InvariantCulture,
        $"{found.Kind} {found.Type} {found.NativeName} {found.SystemVId}");

    private IpcObjectInfo? Chosen => _shown.FirstOrDefault(found => IdentityOf(found) == _chosen);

    private void Filter()
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        _shown = [.. _objects.Where(found => _filter.Length == 0
            || ObjectColumns.Row(found, now,
                ObjectColumns.Usual).Any(cell => cell.Contains(_filter, StringComparison.OrdinalIgnoreCase)))];
        if (_mode == Mode.List && Chosen is null)
            _chosen = _shown.Count > 0 ? IdentityOf(_shown[Math.Min(_top, _shown.Count - 1)]) : "";
    }

    private void DrawList(List<StyledText> lines, int width, int room)
    {
        _page = room;
        int chosen = _shown.FindIndex(found => IdentityOf(found) == _chosen);
        bool isCut = _shown.Count > room; // the last line says how many are left out
        if (isCut) room = Math.Max(1, room - 1);
        if (chosen >= 0) _top = Math.Clamp(_top, Math.Max(0, chosen - room + 1), chosen);
        _top = Math.Clamp(_top, 0, Math.Max(0, _shown.Count - room));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        IpcObjectInfo[] part = [.. _shown.Skip(_top).Take(room)];
        string[][] rows = [.. part.Select(found => ObjectColumns.Row(found, now, columns))];
        int first = hasHeadings ? -1 : 0;
        foreach (string line in ObjectColumns.Lines(columns, rows, hasHeadings, isWide ? int.MaxValue : width))
        {
            if (first < 0) lines.Add(new StyledText(line, Style.Bold));
            else
            {
                string identity = IdentityOf(part[first]);
                bool isChosen = hasKeys && identity == _chosen;
                lines.Add(new StyledText(isChosen ? CellWidth.Pad(line, width) : line,
                    isChosen ? Style.Inverse : _styles.GetValueOrDefault(identity)));
            }

            first++;
        }

        if (isCut)
            lines.Add(
                new StyledText(string.Create(CultureInfo.InvariantCulture, $"… and {_shown.Count - part.Length} more"),
                    Style.Dim));
    }

    private void DrawSheet(List<StyledText> lines, int room)
    {
        if (Chosen is not { } found)
        {
            _bytes.Forget();
            lines.Add(new StyledText("It is gone.", Style.Yellow));
            return;
        }

        List<StyledText> sheet = [.. ObjectSheet.Of(found)
            .Select(line => new StyledText($"{line.Label,-12}{line.Value}"))];
        if (found.Value is not null && _histories.TryGetValue(_chosen, out ValueHistory? history))
            sheet.Add(new StyledText($"{"history",-12}{history.Bars(ValueHistory.Most)}"));
        if (found is { Kind: IpcObjectKind.SharedMemory, Size: > 0 } && (found.Traits & IpcObjectTraits.Removed) == 0)
        {
            sheet.Add(new StyledText());
            sheet.AddRange(Bytes(found));
        }

        _page = room;
        _scrolled = Math.Clamp(_scrolled, 0, Math.Max(0, sheet.Count - room));
        lines.AddRange(sheet.Skip(_scrolled).Take(room));
    }

    private IEnumerable<StyledText> Bytes(IpcObjectInfo found)
    {
        try
        {
            byte[] bytes = new byte[(int)Math.Min(MostBytes, found.Size ?? 0)];
            return [.. _bytes.Lines(0, bytes[..IpcObjects.Read(found, 0, bytes)])];
        }
        catch (NativeIpcException failure)
        {
            return [new StyledText(Failures.Describe(failure), Style.Yellow)];
        }
    }

    private StyledText LastLine()
    {
        if (!hasKeys) return new StyledText("Ctrl-C ends", Style.Dim);
        if (_mode == Mode.Filter) return new StyledText($"/{_filter}").Append(" ", Style.Inverse);
        if (_mode == Mode.Question)
            return new StyledText(Chosen is { } victim
                ? $"Remove {KeyOptions.NounOf(victim.Kind)} "
                    + $"{NamedObject.NameOf(victim)}? y removes it, any other key keeps it"
                : "It is gone. Any key goes on", Style.Bold);
        if (_message.Length > 0) return new StyledText(_message, Style.Bold);
        if (_mode == Mode.Sheet)
            return new StyledText("Up and Down scroll, Esc goes back, r removes, q ends", Style.Dim);
        var line =
            new StyledText(
                $"Enter shows, / filters{(_filter.Length > 0 ? $" ({_filter}; Esc: all)" : "")}, r removes, q ends",
                Style.Dim);
        return Chosen is { Value: not null } && _histories.TryGetValue(_chosen, out ValueHistory? history)
            ? line.Append($"  {history.Bars(ShortHistory)}") : line;
    }

    private void PressAnywhere(ConsoleKeyInfo key)
    {
        _message = "";
        switch (key.Key)
        {
            case ConsoleKey.UpArrow:
                Move(-1);
                return;
            case ConsoleKey.DownArrow:
                Move(1);
                return;
            case ConsoleKey.PageUp:
                Move(-_page);
                return;
            case ConsoleKey.PageDown:
                Move(_page);
                return;
            case ConsoleKey.Home:
                Move(int.MinValue / 2);
                return;
            case ConsoleKey.End:
                Move(int.MaxValue / 2);
                return;
            case ConsoleKey.Enter when _mode == Mode.List && Chosen is not null:
                (_mode, _scrolled) = (Mode.Sheet, 0);
                _bytes.Forget();
                return;
            case ConsoleKey.Enter or ConsoleKey.Escape or ConsoleKey.Backspace or ConsoleKey.LeftArrow
                when _mode == Mode.Sheet:
                _mode = Mode.List;
                Filter();
                return;
            case ConsoleKey.Escape:
                _filter = "";
                Filter();
                return;
        }

        switch (key.KeyChar)
        {
            case 'q':
                IsOver = true;
                break;
            case 'k':
                Move(-1);
                break;
            case 'j':
                Move(1);
                break;
            case '/' when _mode == Mode.List:
                (_mode, _filter) = (Mode.Filter, "");
                Filter();
                break;
            case 'r' when Chosen is not null:
                _mode = Mode.Question;
                break;
        }
    }

    private void Move(int by)
    {
        if (_mode == Mode.Sheet)
        {
            _scrolled = Math.Max(0, _scrolled + by);
            return;
        }

        if (_shown.Count == 0) return;
        int at = Math.Max(0, _shown.FindIndex(found => IdentityOf(found) == _chosen));
        _chosen = IdentityOf(_shown[Math.Clamp(at + by, 0, _shown.Count - 1)]);
    }

    private void PressInFilter(ConsoleKeyInfo key)
    {
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                _mode = Mode.List;
                break;
            case ConsoleKey.Escape:
                (_mode, _filter) = (Mode.List, "");
                break;
            case ConsoleKey.Backspace:
                if (_filter.Length > 0) _filter = _filter[..^1];
                break;
            default:
                if (!char.IsControl(key.KeyChar)) _filter += key.KeyChar;
                break;
        }

        Filter();
    }

    private void Answer(ConsoleKeyInfo key)
    {
        IpcObjectInfo? chosen = Chosen;
        _mode = Mode.List;
        if (chosen is null || key.KeyChar is not ('y' or 'Y')) return;
        _message = remove(chosen);
        _hasActed = true;
    }
}
