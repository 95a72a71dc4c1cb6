using System.CommandLine;
using System.Globalization;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc list</c>: every segment and semaphore of the machine.</summary>
internal static class ListVerb
{
    private static readonly ObjectFilter s_filter = new();
    private static readonly Option<bool> s_json = new("--json") { Description = "Print everything as JSON; with --watch a line per change" };
    private static readonly Option<TimeSpan?> s_watch = LiveView.WatchOption("Look again every TIME (default 1s) until Ctrl-C");

    public static Command Command() => new Verb("list", "List the machine's segments and semaphores, whoever made them, in whatever language.",
        "list", "list --stale --mine", "list -k shm -s size", "list --watch 500ms", "list --json | jq '.objects[].key'")
    {
        s_filter.Type, s_filter.Kind, s_filter.Mine, s_filter.Stale, s_filter.Sort, s_filter.Reverse, s_filter.NoUsers, s_filter.Folders, s_watch, s_json,
    }
        .Refuses(s_filter.Folders, parsed => s_filter.Options(parsed).Type is { IsSystemV: false }, "looks for System V key files, and --type asks for others.")
        .Refuses(s_filter.Sort, PrintsChanges, "orders a list, and --watch prints changes one after the other.")
        .Refuses(s_filter.Reverse, PrintsChanges, "orders a list, and --watch prints changes one after the other.")
        .Does(List);

    private static bool PrintsChanges(ParseResult parsed)
        => LiveView.Interval(parsed, s_watch) is not null && (!Terminal.IsInteractive || parsed.GetValue(s_json));

    private static int List(ParseResult parsed)
    {
        IpcEnumerationOptions options = s_filter.Options(parsed);
        if (options.Type is { } type && !IpcObjects.CanEnumerate(type))
            throw new PlatformNotSupportedException(IpcObjects.Enumerate(options).Notes is [var reason, ..] ? reason : "Objects of this type cannot be listed here.");
        if (LiveView.Interval(parsed, s_watch) is { } interval)
            return PrintsChanges(parsed) ? PrintChanges(parsed, options, interval).GetAwaiter().GetResult() : Watch(parsed, options, interval);

        IpcSnapshot snapshot = IpcObjects.Enumerate(options);
        IReadOnlyList<IpcObjectInfo> objects = s_filter.Choose(parsed, snapshot.Objects);
        IReadOnlyList<string> notes = [.. snapshot.Notes, .. s_filter.CannotTell(parsed, snapshot.Objects)];
        if (parsed.GetValue(s_json)) return ToolJson.Print(ObjectList.Of(objects, notes), ToolJson.Default.ObjectList);

        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        string[][] rows = [.. objects.Select(found => ObjectColumns.Row(found, now))];
        StandardStreams.WriteLines(ObjectColumns.Lines(rows));
        foreach (string note in notes) Failures.Say(note);
        return ExitCodes.Ok;
    }

    /// <summary>The live view: what has come or changed since the last look stands out.</summary>
    private static int Watch(ParseResult parsed, IpcEnumerationOptions options, TimeSpan interval)
    {
        Dictionary<string, string>? last = null;
        return LiveView.Run(interval, (width, height) =>
        {
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            IReadOnlyList<IpcObjectInfo> objects = s_filter.Choose(parsed, IpcObjects.Enumerate(options).Objects);
            Dictionary<string, string> seen = [];
            List<(string[] Row, Style Style)> rows = [];
            foreach (IpcObjectInfo found in objects)
            {
                string[] row = ObjectColumns.Row(found, now);
                string identity = $"{row[0]} {row[1]} {row[2]}";
                string state = string.Join(' ', row.Where((_, column) => ObjectColumns.Headings[column] != "AGE"));
                seen[identity] = state;
                Style style = last is null || (last.TryGetValue(identity, out string? before) && before == state) ? Style.Plain
                    : before is null ? Style.Green : Style.Yellow;
                rows.Add((row, style));
            }

            last = seen;
            int room = Math.Max(1, height - 4); // a line each for what is watched, the headings, what is left out, and the cursor
            List<StyledText> lines = [new(string.Create(CultureInfo.InvariantCulture, $"{rows.Count} objects, every {interval.TotalSeconds}s, Ctrl-C ends"))];
            foreach (string line in ObjectColumns.Lines([.. rows.Take(room).Select(row => row.Row)], width)) lines.Add(new StyledText(line, lines.Count == 1 ? Style.Bold : rows[lines.Count - 2].Style));
            if (rows.Count > room) lines.Add(new StyledText(string.Create(CultureInfo.InvariantCulture, $"… and {rows.Count - room} more")));
            return lines;
        });
    }

    /// <summary>Into a pipe: a line for each object that is there, comes, changes or goes.</summary>
    private static async Task<int> PrintChanges(ParseResult parsed, IpcEnumerationOptions options, TimeSpan interval)
    {
        Func<IpcObjectInfo, bool> fits = s_filter.Fits(parsed);
        bool json = parsed.GetValue(s_json);
        try
        {
            await foreach (IpcObjectChange change in IpcObjects.WatchAsync(interval, options, Interruption.Token).ConfigureAwait(false))
            {
                if (fits(change.Subject)) PrintChange(change, json);
            }
        }
        catch (OperationCanceledException)
        {
            // The way to end it.
        }

        return ExitCodes.Ok;
    }

    private static void PrintChange(IpcObjectChange change, bool json)
    {
        string word = change.Kind switch
        {
            IpcObjectChangeKind.Found => "found",
            IpcObjectChangeKind.Appeared => "appeared",
            IpcObjectChangeKind.Changed => "changed",
            _ => "gone",
        };
        if (json) ToolJson.PrintLine(new ChangeReport(word, ObjectReport.Of(change.Subject)), ToolJson.Default.ChangeReport);
        else Console.Out.WriteLine($"{word,-8}  {string.Join("  ", ObjectColumns.Row(change.Subject, TimeProvider.System.GetUtcNow()))}");
    }
}
