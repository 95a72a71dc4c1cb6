using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc graph</c>: the machine's processes and objects as a picture.</summary>
internal static class GraphVerb
{
    private static readonly ObjectFilter s_filter = new();
    private static readonly Option<string> s_format = new Option<string>("--format", "-f")
    {
        HelpName = "dot|mermaid", Description = "For Graphviz (default), or for pages that draw Mermaid",
        DefaultValueFactory = _ => "dot",
    }.AcceptOnlyFromAmong("dot", "mermaid");

    private static readonly Option<bool> s_used = new("--used")
        { Description = "Only objects that somebody was seen to have open" };

    public static Command Command() => new Verb("graph",
        "Draw processes and objects, as DOT or Mermaid. A line joins a process and what it has open, a "
            + "dashed one a segment and its lock.",
        "graph | dot -Tsvg > ipc.svg", "graph --format mermaid > ipc.mmd", "graph --mine --used")
    {
        s_format, s_filter.Type, s_filter.Kind, s_filter.Mine, s_filter.Folders, s_used,
    }.Refuses(s_filter.Folders, parsed => ObjectFilter.HasNoKeyFiles(parsed.GetValue(s_filter.Type)),
        ObjectFilter.NoKeyFiles).Does(parsed =>
    {
        IpcSnapshot snapshot = IpcObjects.Enumerate(s_filter.Options(parsed));
        IReadOnlyList<IpcObjectInfo> objects = s_filter.Choose(parsed, snapshot.Objects);
        if (parsed.GetValue(s_used)) objects = [.. objects.Where(found => found.Attachments.Count > 0)];
        ObjectGraph graph = ObjectGraph.Of(objects);
        string text = parsed.GetValue(s_format) == "mermaid" ? GraphText.Mermaid(graph) : GraphText.Dot(graph);
        StandardStreams.Write(() => Console.Out.Write(text));
        foreach (string note in snapshot.Notes) Failures.Say(note);
        return ExitCodes.Ok;
    });
}
