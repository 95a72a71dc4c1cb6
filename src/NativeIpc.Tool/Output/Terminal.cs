using Spectre.Console;

namespace NativeIpc.Tool.Output;

/// <summary>What may be written where: colours and moving cursors on a terminal only, and no colour when NO_COLOR is set (no-color.org).</summary>
internal static class Terminal
{
    /// <summary>What a table gets for its columns when nobody looks: as much as it wants.</summary>
    private const int Unlimited = 10_000;

    private static readonly Lazy<IAnsiConsole> s_out = new(() => For(StandardStreams.RawOut, Console.IsOutputRedirected));
    private static readonly Lazy<IAnsiConsole> s_error = new(() => For(StandardStreams.RawError, Console.IsErrorRedirected));

    /// <summary>Whether standard output is a terminal that understands escape codes: live views and progress need that.</summary>
    public static bool IsInteractive => !Console.IsOutputRedirected && !IsDumb;

    /// <summary>Whether the same is true of standard error, where progress goes so that standard output stays clean.</summary>
    public static bool IsErrorInteractive => !Console.IsErrorRedirected && !IsDumb;

    /// <summary>Standard output for tables and live views. Plain lines go to <see cref="Console.Out"/>.</summary>
    public static IAnsiConsole Out => s_out.Value;

    /// <summary>Standard error for progress.</summary>
    public static IAnsiConsole Error => s_error.Value;

    private static bool IsDumb => Environment.GetEnvironmentVariable("TERM") == "dumb";

    private static bool NoColour => Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };

    /// <summary>A table as <c>ipcs</c> and <c>docker ps</c> print it: no lines, a heading, columns apart by two blanks.</summary>
    public static Table Table(params ReadOnlySpan<string> headings)
    {
        Table table = new Table().Border(TableBorder.None);
        foreach (string heading in headings) table.AddColumn(new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold))).NoWrap().PadLeft(0).PadRight(2));
        return table;
    }

    private static IAnsiConsole For(TextWriter writer, bool isRedirected)
    {
        bool escapes = !isRedirected && !IsDumb;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = escapes ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = escapes && !NoColour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = escapes ? InteractionSupport.Yes : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (isRedirected) console.Profile.Width = Unlimited;
        return new PrintableConsole(console);
    }
}
