using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Output;

/// <summary>The whole terminal, drawn anew only where it changed. What stood there before is there again after
/// <see cref="Dispose"/>, and while the program is stopped (Ctrl-Z). Used by one thread; a signal may come
/// meanwhile.</summary>
internal sealed class Screen : IDisposable
{
    // The alternate screen of xterm and its kin, and the cursor away: switched on, and off again.
    private const string Enter = "\u001b[?1049h\u001b[?25l";
    private const string Leave = "\u001b[?25h\u001b[?1049l";

    private readonly Lock _gate = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private List<Cell[]> _shown = [];
    private (int Width, int Height) _size;
    private bool _isStale; // what is drawn next is all of it
    private bool _isOpen;
    private bool _isDisposed;

    public Screen()
    {
        if (!OperatingSystem.IsWindows())
        {
            _registrations.Add(Signals.Watch(PosixSignal.SIGTSTP, context =>
            {
                context.Cancel = true; // .NET goes on otherwise, too: to stop is what this has to do itself
                Switch(on: false);
                _ = Libc.kill(Environment.ProcessId, Libc.SIGSTOP);
            }));
            _registrations.Add(Signals.Watch(PosixSignal.SIGCONT, _ => Switch(on: true)));
        }

        Switch(on: true);
    }

    /// <summary>Shows lines, each on one of the terminal.</summary>
    public void Draw(IReadOnlyList<StyledText> lines)
    {
        lock (_gate)
        {
            // R2 Race: the process goes on after a stop, and this comes before what switches the screen on again.
            // Safe because: nothing is drawn on what stood there before; the next look draws all of it.
            if (!_isOpen) return;
            (int width, int height) = (Terminal.Width, Terminal.Height);
            bool all = _isStale || (width, height) != _size;
            (_size, _isStale) = ((width, height), false);
            // Consoles scroll after the last column of the last line
            int room = OperatingSystem.IsWindows() ? width - 1 : width;
            List<Cell[]> now = [.. lines.Take(height).Select(line => CellsOf(line, room))];
            if (OperatingSystem.IsWindows()) DrawByConsole(now, all);
            else DrawByEscapes(now, all);
            _shown = now;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            // R1 Race: a signal's handler comes in between, and switches the screen on again for good.
            // Safe because: it waits for this lock, and then switches nothing on.
            Switch(on: false);
            _isDisposed = true;
        }

        _registrations.ForEach(registration => registration.Dispose());
    }

    private void Switch(bool on)
    {
        lock (_gate)
        {
            if (on == _isOpen || _isDisposed) return;
            _isOpen = on;
            _isStale = true;
            if (!OperatingSystem.IsWindows())
            {
                StandardStreams.RawOut.Write(on ? Enter : Leave);
                if (!on || _size != (Terminal.Width, Terminal.Height)) return;
                DrawByEscapes(_shown, all: true); // after a stop, and not only with the next look
                _isStale = false;
            }
            else if (on) Console.Clear();
            else Console.SetCursorPosition(0, Math.Min(_shown.Count, Terminal.Height - 1));
        }
    }

    private void DrawByEscapes(List<Cell[]> now, bool all)
    {
        var output = new StringBuilder();
        if (all) output.Append("\u001b[2J");
        for (int i = 0; i < Math.Max(now.Count, _shown.Count); i++)
        {
            Cell[] line = i < now.Count ? now[i] : [];
            Cell[] before = all || i >= _shown.Count ? [] : _shown[i];
            (int first, int end) = Difference(line, before);
            if (first < end)
                output.Append(CultureInfo.InvariantCulture, $"\u001b[{i + 1};{ColumnOf(line, first) + 1}H");
            while (first < end)
            {
                int next = first;
                while (next < end && line[next].Style == line[first].Style) next++;
                output.Append(StyledText.Escaped(string.Concat(line[first..next].Select(cell => cell.Text)),
                    line[first].Style));
                first = next;
            }

            int width = ColumnOf(line, line.Length);
            if (width < ColumnOf(before, before.Length))
                output.Append(CultureInfo.InvariantCulture, $"\u001b[{i + 1};{width + 1}H\u001b[K");
        }

        if (output.Length > 0) StandardStreams.RawOut.Write(output.ToString());
    }

    /// <summary>Consoles of Windows understand escape codes only where somebody has switched that on, and Wine's does
    /// not: this way goes everywhere.</summary>
    private void DrawByConsole(List<Cell[]> now, bool all)
    {
        for (int i = 0; i < Math.Max(now.Count, _shown.Count); i++)
        {
            Cell[] line = i < now.Count ? now[i] : [];
            Cell[] before = i >= _shown.Count ? [] : _shown[i];
            if (!all && line.AsSpan().SequenceEqual(before)) continue;
            Console.SetCursorPosition(0, i);
            foreach (Cell cell in line)
            {
                Paint(cell.Style);
                Console.Out.Write(cell.Text);
                if (cell.Style != Style.Plain) Console.ResetColor();
            }

            Console.Out.Write(new string(' ',
                Math.Max(0, ColumnOf(before, before.Length) - ColumnOf(line, line.Length))));
        }
    }

    /// <summary>From the first cell that is another one, and to behind the last one that has to be drawn.</summary>
    private static (int First, int End) Difference(Cell[] line, Cell[] before)
    {
        int first = line.AsSpan().CommonPrefixLength(before);
        int end = line.Length;
        if (ColumnOf(line, line.Length) != ColumnOf(before, before.Length) || line.Length != before.Length)
            return (first, end);
        while (end > first && line[end - 1] == before[end - 1]) end--;
        return (first, end);
    }

    private static int ColumnOf(Cell[] line, int index) => line.Take(index).Sum(cell => CellWidth.Of(cell.Text));

    /// <summary>The cells of a line: what combines is in the cell of the character before.</summary>
    private static Cell[] CellsOf(StyledText line, int width)
    {
        List<Cell> cells = [];
        foreach ((string text, Style style) in line.Within(width))
        {
            foreach (Rune rune in text.EnumerateRunes())
            {
                string one = rune.ToString();
                if (cells.Count > 0 && CellWidth.Of(one) == 0) cells[^1] = new Cell(cells[^1].Text + one, style);
                else cells.Add(new Cell(one, style));
            }
        }

        return [.. cells];
    }

    private readonly record struct Cell(string Text, Style Style);

    private static void Paint(Style style)
    {
        switch (style)
        {
            case Style.Inverse:
                (Console.ForegroundColor, Console.BackgroundColor) = (ConsoleColor.Black, ConsoleColor.Gray);
                break;
            case Style.Bold:
                Console.ForegroundColor = ConsoleColor.White;
                break;
            case Style.Red or Style.Green or Style.Yellow or Style.Blue when Terminal.HasColours:
                Console.ForegroundColor = style switch
                {
                    Style.Red => ConsoleColor.Red,
                    Style.Green => ConsoleColor.Green,
                    Style.Yellow => ConsoleColor.Yellow,
                    _ => ConsoleColor.Blue,
                };
                break;
        }
    }
}
