using System.CommandLine;
using System.CommandLine.Parsing;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Output;

/// <summary>A view that is drawn again and again until Ctrl-C, on a terminal.</summary>
internal static class LiveView
{
    private static readonly TimeSpan s_default = TimeSpan.FromSeconds(1);

    public static Option<TimeSpan?> WatchOption(string description) => new("--watch", "-W")
    {
        HelpName = "[TIME]",
        Arity = ArgumentArity.ZeroOrOne,
        Description = description,
        CustomParser = Parse,
    };

    /// <summary>How often to look; null when it was not asked for.</summary>
    public static TimeSpan? Interval(ParseResult parsed, Option<TimeSpan?> option) => parsed.GetResult(option) is null ? null : parsed.GetValue(option) ?? s_default;

    /// <summary>Draws until Ctrl-C, which ends the view as it was meant to end: exit code 0.</summary>
    /// <param name="interval">How long to wait between two looks.</param>
    /// <param name="draw">Gives what is to be seen, for a terminal of so many columns and lines.</param>
    public static int Run(TimeSpan interval, Func<int, int, IReadOnlyList<StyledText>> draw)
    {
        CancellationToken token = Interruption.Token;
        using var screen = new Screen();
        do
        {
            screen.Draw(draw(Terminal.Width, Terminal.Height));
        }
        while (!token.WaitHandle.WaitOne(interval));
        return ExitCodes.Ok;
    }

    private static TimeSpan? Parse(ArgumentResult result)
    {
        if (result.Tokens.Count == 0) return s_default;
        string text = result.Tokens[^1].Value;
        if (Values.TryParseTime(text, out TimeSpan time) && time >= TimeSpan.FromMilliseconds(10)) return time;
        result.AddError($"'{text}' is no time to wait between two looks. Use seconds (1, 0.5) or a unit: 500ms, 2s; 10ms at least.");
        return null;
    }
}
