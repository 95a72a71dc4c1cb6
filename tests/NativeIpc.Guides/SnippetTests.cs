using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>Every block of code on every page of the site, and so in each packed README, is run by a test, compiled by
/// one, or stands in a file that one runs.</summary>
public partial class SnippetTests
{
    private const string Up = GuidePage.Up;
    private const string UsedPacked = "eng/pack-test.sh uses the package as it is packed";

    /// <summary>What no test of this project runs: a page, how the block begins, and who tries it or why nobody
    /// does.</summary>
    private static readonly (string Page, string Begin, string Reason)[] s_elsewhere =
    [
        ("analyzers.md", "", "tests/NativeIpc.Analyzers.Tests/PageTests.cs compares the reports"),
        ("nipc-json.md", "{\n  \"$schema\"", "tests/NativeIpc.Tool.Tests/JsonSchemaTests.cs compares it"),
        ("guides/from-windows.md", "// All that changes", "FromWindowsTests.cs compiles each of its snippets with it"),

        // Scripts of the repository; tests/NativeIpc.Tests/Architecture/ReferenceTests.cs looks whether they are there.
        (Up + "README.md", "./demo.sh", "the step demo runs the one, and the other is what runs this test"),
        (Up + "CONTRIBUTING.md", "dotnet build NativeIpc.slnx", "building and testing: ./test.sh does it"),
        (Up + "CONTRIBUTING.md", "dotnet test --project", "building and testing: ./test.sh does it"),
        (Up + "CONTRIBUTING.md", "dotnet run --project tests/NativeIpc.Guides", "it is these tests"),
        (Up + "bench/README.md", "./bench.sh", "the step bench runs it, with --quick"),
        ("interop.md", "./test.sh", "steps of ./test.sh"),
        ("channels.md", "./test.sh --long rings", "hours"),

        // What needs NuGet, root, or a machine that a test has not.
        (Up + "src/NativeIpc.Channels/README.md", "dotnet add package", UsedPacked),
        (Up + "src/NativeIpc.DistributedLock/README.md", "dotnet add package", UsedPacked),
        (Up + "src/NativeIpc.Extensions/README.md", "dotnet add package", UsedPacked),
        (Up + "src/NativeIpc.NamedObjects/README.md", "dotnet add package", UsedPacked),
        ("guides/typed-layouts.md", "<PropertyGroup>", "eng/pack-test.sh builds a project that has it"),
        ("nipc.md", "dotnet tool install", "the steps walks, deb and tool-aot do it"),
        ("guides/one-machine.md", "$ LOCK_SERVER=", "the step services runs it, with a Redis"),
        ("guides/systemd.md", "$ loginctl", "asks a running systemd"),
        ("guides/systemd.md", "$ systemctl", "asks a running systemd"),
    ];

    /// <summary>Languages of blocks that show and do nothing: pictures, and what is printed.</summary>
    private static readonly HashSet<string> s_shown = ["mermaid", "text"];

    [Fact]
    public void Every_block_is_run_or_has_a_reason()
    {
        var used = new HashSet<(string, string, string)>();
        var faults = new List<string>();
        foreach (string page in GuidePage.All)
        {
            foreach (GuideSection section in GuidePage.Read(page))
            {
                foreach (GuideBlock block in section.Blocks)
                {
                    (string, string, string)[] reasons = [.. s_elsewhere.Where(other => other.Page == page
                        && block.Text.StartsWith(other.Begin, StringComparison.Ordinal))];
                    used.UnionWith(reasons);
                    if (reasons.Length == 0 && !IsTried(page, section, block))
                        faults.Add($"{page}:{block.Line}: no test runs this block of '{block.Language}'");
                }
            }
        }

        faults.AddRange(s_elsewhere.Where(other => !used.Contains(other))
            .Select(other => $"{other.Page} has no block that begins with '{other.Begin}'"));
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    /// <summary>The words behind a block's language are for tests: neither the site nor GitHub shows them.</summary>
    [Fact]
    public void Each_file_is_named_in_the_words_before_it()
    {
        var faults = new List<string>();
        foreach (string page in GuidePage.All.Where(page => page != GuidePage.Walked))
        {
            string words = "";
            bool isHidden = false, isCode = false;
            foreach (string line in File.ReadLines(Path.Combine(Place.Documents, page)))
            {
                if (!isCode && TopHeading().IsMatch(line)) words = "";
                isHidden = (isHidden || line.Contains("<!--", StringComparison.Ordinal))
                    && !line.Contains("-->", StringComparison.Ordinal);
                string name = FileOfBlock().Match(line).Groups[1].Value;
                if (name.Length > 0 && !isHidden && !words.Contains($"`{name}`", StringComparison.Ordinal))
                    faults.Add($"{page}: no word says that a block is {name}");
                if (line.StartsWith("```", StringComparison.Ordinal)) isCode = !isCode;
                else if (!isCode && !isHidden) words += line + "\n";
            }
        }

        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    public static TheoryData<string, int> Shown
    {
        get
        {
            var blocks = new TheoryData<string, int>();
            foreach (string page in GuidePage.All)
            {
                foreach (GuideBlock block in Blocks(page).Where(block => block.Has("from")))
                    blocks.Add(page, block.Line);
            }

            return blocks;
        }
    }

    /// <summary>An empty line of the block stands for any that are left out.</summary>
    [Theory]
    [MemberData(nameof(Shown))]
    public void What_is_shown_of_a_program_stands_there(string page, int line)
    {
        GuideBlock block = Blocks(page).Single(block => block.Line == line);
        string file = block["from"]!;
        Assert.True(file.StartsWith("samples/", StringComparison.Ordinal)
            || file.StartsWith("tests/", StringComparison.Ordinal), $"Nothing builds and runs {file}.");
        string program = "\n" + Plain(File.ReadAllText(Path.Combine(Place.Repository, file)));
        int at = 0;
        foreach (string part in Plain(block.Text).Split("\n\n"))
        {
            int found = program.IndexOf("\n" + part.Trim('\n') + "\n", at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"{file} has not, in this order:\n{part}");
            at = found;
        }
    }

    public static TheoryData<string, string> Compiled
    {
        get
        {
            var sections = new TheoryData<string, string>();
            foreach (string page in GuidePage.All)
            {
                foreach (GuideSection section in GuidePage.Read(page).Where(section => section.Compiled.Length > 0))
                    sections.Add(page, section.Title);
            }

            return sections;
        }
    }

    /// <summary>Declarations, of which there is nothing to run.</summary>
    [Theory]
    [MemberData(nameof(Compiled))]
    public void Declarations_compile(string page, string title)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nativeipc-guide.");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "shown.cs"),
                GuidePage.Read(page).Single(section => section.Title == title).Compiled);
            CSharpProgram.Compile(folder.FullName, "shown.cs", isProgram: false);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<GuideBlock> Blocks(string page)
        => GuidePage.Read(page).SelectMany(section => section.Blocks);

    private static bool IsTried(string page, GuideSection section, GuideBlock block)
    {
        if (page == GuidePage.Walked) return block.Has("walk");
        if (s_shown.Contains(block.Language))
        {
            // A command is one to run, whatever its block is called.
            return block.Has("file") ? section.IsRun
                : !block.Text.Split('\n').Any(line => line.StartsWith("$ ", StringComparison.Ordinal));
        }

        return block.Has("from") || block.Has("compile") || block.Has("feed")
            || (section.IsRun
                && (block.Has("file") || block.Has("build") || block.Has("run") || block.Has("terminal")));
    }

    private static string Plain(string text)
        => string.Concat(text.Split('\n').Select(line => line.Trim() + "\n"));

    [GeneratedRegex("^##? ")]
    private static partial Regex TopHeading();

    /// <summary>What is shown of a file that stands elsewhere (from=) is no file to write.</summary>
    [GeneratedRegex("^```(?!.* from=).* file=([^ ]+)")]
    private static partial Regex FileOfBlock();
}
