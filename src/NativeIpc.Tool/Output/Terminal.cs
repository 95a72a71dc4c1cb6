using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Output;

/// <summary>What may be written where: colours and moving cursors on a terminal only, and no colour when NO_COLOR is
/// set (no-color.org).</summary>
internal static class Terminal
{
    private const int UsualWidth = 80;
    private const int UsualHeight = 24;

    /// <summary>Whether standard output is a terminal that understands escape codes: live views need that.</summary>
    public static bool IsInteractive => !Console.IsOutputRedirected && !IsDumb;

    /// <summary>Whether the same is true of standard error, where progress goes so that standard output stays
    /// clean.</summary>
    public static bool IsErrorInteractive => !Console.IsErrorRedirected && !IsDumb;

    /// <summary>Whether colours are wanted, where there can be some.</summary>
    public static bool HasColours { get; } = Environment.GetEnvironmentVariable("NO_COLOR") is null or "" && !IsDumb;

    /// <summary>The columns of the terminal; as wide as most where it does not say. On Linux it is asked itself: .NET
    /// would set it up for reading as well.</summary>
    public static int Width => OperatingSystem.IsLinux()
        ? Usual(Libc.TerminalSize(1).Columns, UsualWidth) : Size(static () => Console.WindowWidth, UsualWidth);

    /// <summary>The lines of the terminal.</summary>
    public static int Height => OperatingSystem.IsLinux()
        ? Usual(Libc.TerminalSize(1).Lines, UsualHeight) : Size(static () => Console.WindowHeight, UsualHeight);

    private static bool IsDumb => Environment.GetEnvironmentVariable("TERM") == "dumb";

    /// <summary>Writes to standard output, in a style where that is a terminal.</summary>
    public static void Write(string text, Style style)
    {
        text = PrintableText.Of(text);
        if (IsInteractive && !OperatingSystem.IsWindows())
            StandardStreams.RawOut.Write(StyledText.Escaped(text, style));
        else Console.Out.Write(text);
    }

    private static int Usual(int size, int usual) => size > 0 ? size : usual;

    private static int Size(Func<int> ask, int usual)
    {
        try
        {
            return Usual(ask(), usual);
        }
        catch (IOException)
        {
            return usual; // no console at all
        }
    }
}
