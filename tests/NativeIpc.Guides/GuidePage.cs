namespace NativeIpc.Guides;

/// <summary>A fenced block: the language, the attributes after it, and the text.</summary>
/// <remarks>docs/guides/README.md tells writers what the attributes mean.</remarks>
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
}

/// <summary>A page whose programs are run: the README, one of a folder in docs, and some others. Its name is its path
/// from docs: "guides/qt.md".</summary>
internal static class GuidePage
{
    /// <summary>Languages whose blocks must be programs that are run, so that none can rot.</summary>
    private static readonly HashSet<string> s_programs = ["csharp", "c", "cpp", "python", "perl", "php", "console"];

    internal static IEnumerable<string> Folders { get; } = ["errors", "guides"];

    private const string Up = "../";

    /// <summary>Pages beside those folders.</summary>
    private static readonly string[] s_others = [Up + "README.md", "channels.md", "events.md",
        Up + "src/NativeIpc.Channels/README.md", Up + "src/NativeIpc.NamedObjects/README.md"];

    internal static IEnumerable<string> All => Folders.SelectMany(Of).Concat(s_others);

    internal static IEnumerable<string> Of(string folder)
        => Directory.EnumerateFiles(Path.Combine(Place.Documents, folder), "*.md")
            .Select(path => $"{folder}/{Path.GetFileName(path)}")
            .Where(name => name != "guides/README.md") // it shows how pages are written
            .Order(StringComparer.Ordinal);

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
            else if (lines[i].StartsWith("```", StringComparison.Ordinal))
            {
                int start = i;
                while (++i < lines.Length && lines[i] != "```")
                {
                }

                if (i == lines.Length) throw new FormatException($"{page}:{start + 1}: the block has no end.");
                blocks.Add(Block(lines[start][3..], lines[(start + 1)..i], start + 1, page));
            }
        }

        sections.Add(new GuideSection(title, blocks));
        return sections;
    }

    private static GuideBlock Block(string info, string[] text, int line, string page)
    {
        string[] words = info.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var attributes = words.Skip(1).Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0],
            pair => pair.ElementAtOrDefault(1) ?? "");
        var block = new GuideBlock(words.FirstOrDefault() ?? "", attributes,
            string.Concat(text.Select(one => one + "\n")), line);
        bool isRun = block.Has("file") || block.Has("build") || block.Has("run") || block.Has("terminal")
            || block.Has("shown") || block.Has("feed");
        return s_programs.Contains(block.Language) && !isRun
            ? throw new FormatException(
                $"{page}:{line}: nothing says what a test does with this block (file=, build, run, terminal=, "
                    + "feed or shown).")
            : block;
    }
}
