using System.CommandLine;
using System.CommandLine.Parsing;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Live;

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
    public static TimeSpan? Interval(ParseResult parsed, Option<TimeSpan?> option)
        => parsed.GetResult(option) is null ? null : parsed.GetValue(option) ?? s_default;

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

    /// <summary>Draws the list, takes keys, and looks again and again, until the user or Ctrl-C ends it: exit code
    /// 0.</summary>
    /// <param name="interval">How long to wait between two looks.</param>
    /// <param name="keyboard">The keys; null where there are none.</param>
    /// <param name="list">The list.</param>
    /// <param name="look">Looks at the machine. It may take long, and keys go on meanwhile.</param>
    public static int Run(TimeSpan interval, Keyboard? keyboard, LiveList list, Func<LiveLook> look)
    {
        CancellationToken token = Interruption.Token;
        using var looked = new AutoResetEvent(false);
        using var pause = new Timer(_ => looked.Set());
        Task<LiveLook>? looking = null;
        list.Take(look());
        using var screen = new Screen();
        WaitHandle[] events = keyboard is null
            ? [token.WaitHandle, looked] : [token.WaitHandle, looked, keyboard.Pressed];
        pause.Change(interval, Timeout.InfiniteTimeSpan);
        while (!list.IsOver && !token.IsCancellationRequested)
        {
            screen.Draw(list.Draw(Terminal.Width, Terminal.Height, interval));
            bool isTime = WaitHandle.WaitAny(events) == 1;
            while (keyboard is not null && !list.IsOver && keyboard.TryTake(out ConsoleKeyInfo key)) list.Press(key);
            if (looking is { IsCompleted: true })
            {
                list.Take(looking.GetAwaiter().GetResult());
                looking = null;
                pause.Change(interval, Timeout.InfiniteTimeSpan);
            }
            else if (looking is null && (isTime || list.TakeActed()))
            {
                looking = Look();
            }
        }

        return ExitCodes.Ok;

        Task<LiveLook> Look()
        {
            Task<LiveLook> task = Task.Run(look);
            _ = task.ContinueWith(_ => looked.Set(), CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            return task;
        }
    }

    private static TimeSpan? Parse(ArgumentResult result)
    {
        if (result.Tokens.Count == 0) return s_default;
        string text = result.Tokens[^1].Value;
        if (Values.TryParseTime(text, out TimeSpan time) && time >= TimeSpan.FromMilliseconds(10)) return time;
        result.AddError($"'{text}' is no time to wait between two looks. Use seconds (1, 0.5) or a unit: 500ms, 2s; "
            + $"10ms at least.");
        return null;
    }
}
