using System.Globalization;
using System.Text;
using NativeIpc.Tool.Objects;

namespace NativeIpc.Tool.Output;

/// <summary>A picture of processes and objects in the languages of Graphviz and Mermaid. Names are other people's text:
/// what either language, or a page that shows it, would take for more than text becomes the code of its
/// character.</summary>
internal static class GraphText
{
    private const string Legend =
        "processes and what they have open; dashed: nobody has it open; dotted: the system does not tell";

    public static string Dot(ObjectGraph graph)
    {
        var text = new StringBuilder();
        text.Append("graph nipc {\n    // ").Append(Legend)
            .Append("\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n");
        foreach (ProcessNode process in graph.Processes)
            Line(text,
                $"p{process.Pid} [shape=box, style=rounded, label=\"{DotLabel([process.Name, $"{process.Pid}"])}\"];");
        for (int at = 0; at < graph.Objects.Count; at++)
        {
            ObjectNode node = graph.Objects[at];
            string shape = node.IsSegment ? "box3d" : "octagon";
            string style = node.Use switch
            {
                ObjectUse.Somebody => "solid",
                ObjectUse.Nobody => "dashed",
                _ => "dotted",
            };
            Line(text, $"o{at} [shape={shape}, style={style}, label=\"{DotLabel(node.Lines)}\"];");
        }

        foreach ((int pid, int at) in graph.Uses) Line(text, $"p{pid} -- o{at};");
        foreach ((int segment, int at) in graph.Locks)
            Line(text, $"o{segment} -- o{at} [style=dashed, label=\"lock\"];");
        return text.Append("}\n").ToString();
    }

    public static string Mermaid(ObjectGraph graph)
    {
        var text = new StringBuilder();
        text.Append("flowchart LR\n    %% ").Append(Legend).Append('\n');
        foreach (ProcessNode process in graph.Processes)
            Line(text, $"p{process.Pid}(\"{MermaidLabel([process.Name, $"{process.Pid}"])}\")");
        for (int at = 0; at < graph.Objects.Count; at++)
        {
            ObjectNode node = graph.Objects[at];
            string label = $"\"{MermaidLabel(node.Lines)}\"";
            string use = node.Use switch { ObjectUse.Somebody => "", ObjectUse.Nobody => ":::unused",
                _ => ":::unknown" };
            if (node.IsSegment) Line(text, $"o{at}[{label}]{use}");
            else Line(text, $"o{at}{{{{{label}}}}}{use}");
        }

        foreach ((int pid, int at) in graph.Uses) Line(text, $"p{pid} --- o{at}");
        foreach ((int segment, int at) in graph.Locks) Line(text, $"o{segment} -. lock .- o{at}");
        return text.Append("    classDef unused stroke-dasharray: 6 4\n    classDef unknown stroke-dasharray: 1 3\n")
            .ToString();
    }

    private static void Line(StringBuilder text, FormattableString line)
        => text.Append("    ").Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    /// <summary>Graphviz decodes characters before it takes backslashes for line ends, so that a coded one would still
    /// be one.</summary>
    private static string DotLabel(IEnumerable<string> lines)
        => string.Join("\\n", lines.Select(line => Coded(line, "&#", ";", @"\\")));

    private static string MermaidLabel(IEnumerable<string> lines)
        => string.Join("<br/>", lines.Select(line => Coded(line, "#", ";")));

    /// <summary>A text in which only letters, digits and what names consist of stand as they are.</summary>
    private static string Coded(string text, string before, string after, string? backslash = null)
    {
        var coded = new StringBuilder();
        foreach (Rune rune in PrintableText.Of(text).EnumerateRunes())
        {
            if (Rune.IsLetterOrDigit(rune) || rune.Value is ' ' or '/' or ':' or '.' or '_' or '-' or '=' or ',' or '?')
                coded.Append(rune);
            else if (rune.Value == '\\' && backslash is not null) coded.Append(backslash);
            else coded.Append(before).Append(rune.Value).Append(after);
        }

        return coded.ToString();
    }
}
