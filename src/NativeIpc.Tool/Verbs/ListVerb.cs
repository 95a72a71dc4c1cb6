using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Live;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Removal;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc list</c>: every segment and semaphore of the machine.</summary>
internal static class ListVerb
{
    private static readonly ObjectFilter s_filter = new();
    private static readonly Option<bool> s_all = new("--all", "-a")
        { Description = "Memfds and message queues as well, which no key leads to" };
    private static readonly Option<bool> s_json = new("--json")
        { Description = "Print everything as JSON; with --watch a line per change" };
    private static readonly Option<bool> s_wide = new("--wide")
        { Description = "Nothing is shortened to the width of the terminal" };
    private static readonly Option<string?> s_columns = new("--columns", "-o") { HelpName = "NAMES",
        Description = "These columns: key,bytes,users; any other word lists all" };
    private static readonly Option<bool> s_noHeader = new("--no-header")
        { Description = "Without the line of headings" };
    private static readonly Option<TimeSpan?> s_watch =
        LiveView.WatchOption("Look again every TIME (default 1s) until Ctrl-C");

    public static Command Command()
        => new Verb("list",
        "List the machine's segments, semaphores and events. Whoever made them, in whatever language.",
        "list --unused --mine", "list -k shm -s size", "list --watch 500ms", "list --no-header -o key,bytes",
        "list --json | jq '.objects[].key'")
    {
        s_filter.Type, s_filter.Kind, s_filter.Mine, s_filter.Unused, s_filter.Orphaned, s_filter.Stale, s_all,
        s_filter.Sort, s_filter.Reverse, s_filter.NoUsers, s_filter.Folders, s_columns, s_noHeader, s_wide,
        s_watch, s_json,
    }
        .Excludes(s_columns, s_json, Whole).Excludes(s_noHeader, s_json, Whole).Excludes(s_wide, s_json, Whole)
        .Refuses(s_filter.Folders, parsed => ObjectFilter.HasNoKeyFiles(parsed.GetValue(s_filter.Type)),
            ObjectFilter.NoKeyFiles)
        .Refuses(s_filter.Sort, PrintsChanges, Order).Refuses(s_filter.Reverse, PrintsChanges, Order)
        .Refuses(s_noHeader, PrintsChanges, "is for a list, and --watch prints changes, which have no headings.")
        .Refuses(s_wide, PrintsChanges, "is for a terminal: what --watch prints elsewhere is whole.")
        .Refuses(s_all, parsed => parsed.GetValue(s_filter.Kind) == "sem",
            "shows memfds and message queues, and --kind asks for semaphores.")
        .Refuses(s_all, parsed => LiveView.Interval(parsed, s_watch) is not null,
            "shows what there is besides, and --watch watches segments and semaphores.")
        .Excludes(s_all, s_filter.Unused, Besides).Excludes(s_all, s_filter.Orphaned, Besides).Excludes(s_all,
            s_filter.Stale, Besides)
        .Does(List);

    private const string Besides = "a memfd is always in use, and of queues it is never known.";

    private const string Whole = "JSON always has everything, whole.";
    private const string Order = "orders a list, and --watch prints changes one after the other.";

    private static bool PrintsChanges(ParseResult parsed)
        => LiveView.Interval(parsed, s_watch) is not null && (!Terminal.IsInteractive || parsed.GetValue(s_json));

    private static int List(ParseResult parsed)
    {
        IpcEnumerationOptions options = s_filter.Options(parsed) with { IncludeOthers = parsed.GetValue(s_all) };
        IReadOnlyList<ObjectColumn> columns = parsed.GetValue(s_columns) is { } names
            ? ObjectColumns.Parse(names) : ObjectColumns.Usual;
        bool hasHeadings = !parsed.GetValue(s_noHeader);
        if (options.Type is { } type && !IpcObjects.CanEnumerate(type))
            throw new PlatformNotSupportedException(
                IpcObjects.Enumerate(options).Notes is [var reason, ..]
                    ? reason : "Objects of this type cannot be listed here.");
        if (LiveView.Interval(parsed, s_watch) is { } interval)
            return PrintsChanges(parsed) ? PrintChanges(parsed, options, interval, columns).GetAwaiter().GetResult()
                : Watch(parsed, options, interval, columns);

        IpcSnapshot snapshot = IpcObjects.Enumerate(options);
        IReadOnlyList<IpcObjectInfo> objects = s_filter.Choose(parsed, snapshot.Objects);
        bool all = parsed.GetValue(s_all);
        IReadOnlyList<IpcOtherObject> others = all ? s_filter.Choose(parsed, snapshot.Others) : [];
        List<string> notes = [.. snapshot.Notes, .. s_filter.CannotTell(parsed, snapshot.Objects)];
        if (all)
            notes.AddRange(snapshot.OtherCounts.Where(count => count.Count is null)
                .Select(count => OtherCount.WhyNot(count.Kind)));
        if (parsed.GetValue(s_json))
        {
            ObjectList list = ObjectList.Of(objects, notes) with
            {
                Others = all ? [.. others.Select(OtherReport.Of)] : null,
                OtherCounts = snapshot.OtherCounts.Count == 0 ? null : OtherCount.Of(snapshot.OtherCounts),
            };
            return ToolJson.Print(list);
        }

        if (!all && !s_filter.IsSelective(parsed) && OtherCount.Sentence(snapshot.OtherCounts) is { } besides)
            notes.Add(besides);

        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        IReadOnlyList<string[]> rows = ObjectColumns.Rows(objects, now, columns, others);
        int width = Console.IsOutputRedirected || parsed.GetValue(s_wide) ? int.MaxValue : Terminal.Width;
        StandardStreams.WriteLines(ObjectColumns.Lines(columns, rows, hasHeadings, width));
        foreach (string note in notes) Failures.Say(note);
        return ExitCodes.Ok;
    }

    private static int Watch(ParseResult parsed, IpcEnumerationOptions options, TimeSpan interval,
        IReadOnlyList<ObjectColumn> columns)
    {
        using Keyboard? keyboard = Keyboard.TryOpen();
        var list = new LiveList(columns, !parsed.GetValue(s_noHeader), parsed.GetValue(s_wide), keyboard is not null,
            NamedRemoval.Chosen);
        return LiveView.Run(interval, keyboard, list,
            () => new LiveLook(s_filter.Choose(parsed, IpcObjects.Enumerate(options).Objects), Gauge.Find()));
    }

    /// <summary>Into a pipe: a line for each object that is there, comes, changes or goes.</summary>
    private static async Task<int> PrintChanges(ParseResult parsed, IpcEnumerationOptions options, TimeSpan interval,
        IReadOnlyList<ObjectColumn> columns)
    {
        Func<IpcObjectInfo, bool> fits = s_filter.Fits(parsed);
        bool json = parsed.GetValue(s_json);
        try
        {
            await foreach (IpcObjectChange change in IpcObjects.WatchAsync(interval, options,
                Interruption.Token).ConfigureAwait(false))
            {
                if (fits(change.Subject)) PrintChange(change, json, columns);
            }
        }
        catch (OperationCanceledException)
        {
            // The way to end it.
        }

        return ExitCodes.Ok;
    }

    private static void PrintChange(IpcObjectChange change, bool json, IReadOnlyList<ObjectColumn> columns)
    {
        string word = change.Kind switch
        {
            IpcObjectChangeKind.Found => "found",
            IpcObjectChangeKind.Appeared => "appeared",
            IpcObjectChangeKind.Changed => "changed",
            _ => "gone",
        };
        if (json)
            ToolJson.PrintLine(new ChangeReport(word, ObjectReport.Of(change.Subject)));
        else
            Console.Out.WriteLine(
                $"{word,-8}  "
                    + string.Join("  ", ObjectColumns.Row(change.Subject, TimeProvider.System.GetUtcNow(), columns)));
    }
}
