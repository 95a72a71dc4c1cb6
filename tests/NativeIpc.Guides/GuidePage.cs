using System.Text.RegularExpressions;

namespace NativeIpc.Guides;

/// <summary>A fenced block: the language, the attributes after it, and the text.</summary>
/// <remarks>CONTRIBUTING.md tells writers what the attributes mean.</remarks>
internal sealed record GuideBlock(string Language, IReadOnlyDictionary<string, string> Attributes,
    string Text, int Line)
{
    internal string? this[string attribute] => Attributes.GetValueOrDefault(attribute);

    internal bool Has(string attribute) => Attributes.ContainsKey(attribute);
}

/// <summary>What stands under one heading of the second level: programs, how they are built, and what they
/// print.</summary>
internal sealed record GuideSection(string Title, IReadOnlyList<GuideBlock> Blocks)
{
    /// <summary>The ways to build the peer, each of which is run; one without a name where the section has no
    /// choice.</summary>
    internal IEnumerable<string> Variants
    {
        get
        {
            string[] names = [.. Blocks.Select(block => block["as"]).OfType<string>().Distinct()];
            return names.Length == 0 ? [""] : names;
        }
    }

    internal bool IsRun => Blocks.Any(block => block.Has("run") || block.Has("terminal"));

    /// <summary>What is compiled and has nothing to run, as one file; empty where there is no such block.</summary>
    internal string Compiled => string.Concat(Blocks.Where(block => block.Has("compile")).Select(block => block.Text));
}

/// <summary>A page of the site. Its name is its path from docs: "guides/qt.md".</summary>
internal static partial class GuidePage
{
    internal const string Up = "../";

    /// <summary>A walk of its own types what it says (eng/walks.py).</summary>
    internal const string Walked = "start.md";

    internal static IEnumerable<string> Folders { get; } = ["errors", "guides"];

    /// <summary>The pages that eng/site/stage.py puts on the site; those of packages are packed, too.</summary>
    internal static IReadOnlyList<string> All { get; } =
    [
        .. QuotedWord().Matches(AloneLine().Match(File.ReadAllText(Path.Combine(Place.Repository, "eng/site/stage.py")))
            .Value).Select(name => Up + name.Groups[1].Value),
        .. Directory.EnumerateFiles(Place.Documents, "*.md", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Place.Documents, path)).Order(StringComparer.Ordinal),
        .. Directory.EnumerateDirectories(Path.Combine(Place.Repository, "src"))
            .Where(path => File.Exists(Path.Combine(path, "README.md")))
            .Select(path => $"{Up}src/{Path.GetFileName(path)}/README.md").Order(StringComparer.Ordinal),
    ];

    internal static IEnumerable<string> Of(string folder)
        => All.Where(page => page.StartsWith(folder + "/", StringComparison.Ordinal));

    internal static IReadOnlyList<GuideSection> Read(string page)
    {
        var sections = new List<GuideSection>();
        var blocks = new List<GuideBlock>();
        string title = "";
        string[] lines = File.ReadAllLines(Path.Combine(Place.Documents, page));
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("## ", StringComparison.Ordinal))
            {
                sections.Add(new GuideSection(title, blocks));
                (title, blocks) = (lines[i][3..].Trim(), []);
            }
            else if (lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                int start = i;
                while (++i < lines.Length && lines[i].Trim() != "```")
                {
                }

                if (i == lines.Length) throw new FormatException($"{page}:{start + 1}: the block has no end.");
                blocks.Add(Block(lines[start].TrimStart()[3..], lines[(start + 1)..i], start + 1));
            }
        }

        sections.Add(new GuideSection(title, blocks));
        return sections;
    }

    private static GuideBlock Block(string info, string[] text, int line)
    {
        string[] words = info.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var attributes = words.Skip(1).Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0],
            pair => pair.ElementAtOrDefault(1) ?? "");
        return new GuideBlock(words.FirstOrDefault() ?? "", attributes, string.Concat(text.Select(one => one + "\n")),
            line);
    }

    [GeneratedRegex(@"^ALONE = \[.*\]$", RegexOptions.Multiline)]
    private static partial Regex AloneLine();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex QuotedWord();
}
