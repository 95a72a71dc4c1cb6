using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>The whole terminal, drawn anew only where it changed. What stood there before is there again after
/// <see cref="Dispose"/>, and while the program is stopped (Ctrl-Z). Used by one thread; a signal may come meanwhile.</summary>
internal sealed class Screen : IDisposable
{
    // The alternate screen of xterm and its kin, and the cursor away: switched on, and off again.
    private const string Enter = "\u001b[?1049h\u001b[?25l";
    private const string Leave = "\u001b[?25h\u001b[?1049l";

    private readonly Lock _gate = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private List<string> _shown = [];
    private (int Width, int Height) _size;
    private bool _isOpen;

    public Screen()
    {
        if (!OperatingSystem.IsWindows())
        {
            _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, _ => Switch(on: false))); // and then it stops
            _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => Switch(on: true)));
        }

        Switch(on: true);
    }

    /// <summary>Shows lines, each on one of the terminal.</summary>
    public void Draw(IReadOnlyList<StyledText> lines)
    {
        lock (_gate)
        {
            (int width, int height) = (Terminal.Width, Terminal.Height);
            bool all = (width, height) != _size;
            _size = (width, height);
            if (OperatingSystem.IsWindows()) DrawByConsole(lines, width, height, all);
            else DrawByEscapes(lines, width, height, all);
        }
    }

    public void Dispose()
    {
        Switch(on: false);
        _registrations.ForEach(registration => registration.Dispose());
    }

    private void Switch(bool on)
    {
        lock (_gate)
        {
            if (on == _isOpen) return;
            _isOpen = on;
            _size = default; // what is drawn next is all of it
            if (!OperatingSystem.IsWindows()) StandardStreams.RawOut.Write(on ? Enter : Leave);
            else if (on) Console.Clear();
            else Console.SetCursorPosition(0, Math.Min(_shown.Count, Terminal.Height - 1));
        }
    }

    private void DrawByEscapes(IReadOnlyList<StyledText> lines, int width, int height, bool all)
    {
        var output = new StringBuilder();
        if (all) output.Append("\u001b[2J");
        List<string> now = [.. lines.Take(height).Select(line => line.ToEscapes(width))];
        for (int i = 0; i < Math.Max(now.Count, all ? 0 : _shown.Count); i++)
        {
            string line = i < now.Count ? now[i] : "";
            if (!all && line == (i < _shown.Count ? _shown[i] : "")) continue;
            output.Append(CultureInfo.InvariantCulture, $"\u001b[{i + 1};1H{line}\u001b[K");
        }

        _shown = now;
        if (output.Length > 0) StandardStreams.RawOut.Write(output.ToString());
    }

    /// <summary>Consoles of Windows understand escape codes only where somebody has switched that on, and Wine's does not: this
    /// way goes everywhere.</summary>
    private void DrawByConsole(IReadOnlyList<StyledText> lines, int width, int height, bool all)
    {
        List<string> now = [.. lines.Take(height).Select(line => line.ToEscapes(width - 1))];
        for (int i = 0; i < Math.Max(now.Count, _shown.Count); i++)
        {
            string line = i < now.Count ? now[i] : "";
            if (!all && line == (i < _shown.Count ? _shown[i] : "")) continue;
            Console.SetCursorPosition(0, i);
            int left = width - 1;
            foreach ((string text, Style style) in i < lines.Count ? lines[i].Within(left) : [])
            {
                Paint(style);
                Console.Out.Write(text);
                Console.ResetColor();
                left -= CellWidth.Of(text);
            }

            Console.Out.Write(new string(' ', Math.Max(0, left)));
        }

        _shown = now;
    }

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
