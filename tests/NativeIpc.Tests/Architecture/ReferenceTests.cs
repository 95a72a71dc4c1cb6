using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>What documents, comments and scripts name in this repository is there: files, scripts, steps of
/// <c>./test.sh</c>.</summary>
public partial class ReferenceTests
{
    private static readonly string s_root = Path.GetFullPath(Path.Combine(
        typeof(ReferenceTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "LibrarySources").Value!,
        "..", ".."));

    /// <summary>What names no file of the sources: made by a build, or a pattern.</summary>
    private static readonly string[] s_exempt = ["findings/NAME.sh", "../../src/NativeIpc.Tool/bin/"];

    [Fact]
    public void What_is_named_is_there()
    {
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        string[] steps = [.. StepLine().Matches(File.ReadAllText(Path.Combine(s_root, "test.sh")))
            .Select(line => line.Groups[1].Value)];
        Assert.Contains("unit", steps);
        List<string> missing = [];
        foreach (string path in LineTests.Files())
        {
            string name = Path.GetRelativePath(s_root, path).Replace('\\', '/');
            if (name.StartsWith("tests/NativeIpc.Tests/Architecture/", StringComparison.Ordinal)) continue; // samples
            foreach (string line in File.ReadLines(path))
                missing.AddRange(Missing(name, line, steps).Select(what => $"{name}: {what}"));
        }

        Assert.True(missing.Count == 0, string.Join('\n', missing));
    }

    [Theory]
    [InlineData("see docs/no-such-page.md, which", "docs/no-such-page.md")]
    [InlineData("`eng/no-such-script.sh`", "eng/no-such-script.sh")]
    [InlineData("run `./no-such-script.sh` for it", "./no-such-script.sh")]
    [InlineData("as `./test.sh unit nosuchstep` says", "./test.sh nosuchstep")]
    [InlineData("(`./test.sh nosuchstep`)", "./test.sh nosuchstep")]
    public void What_is_not_there_is_found(string line, string missing)
        => Assert.Equal([missing], Missing("docs/nipc.md", line, ["unit"]));

    [Theory]
    [InlineData("docs/nipc.md", "see docs/design.md, [this](guides/qt.md) and `eng/lib.sh`")]
    [InlineData("docs/nipc.md", "`./test.sh unit`, `./test.sh --repeat 10 unit` or `./test.sh`")]
    [InlineData("docs/nipc.md", "/home/me/docs/other.md, $work/src/x, docs/*.md and src/NAME")]
    public void What_is_there_or_elsewhere_is_not(string file, string line)
        => Assert.Empty(Missing(file, line, ["unit"]));

    private static IEnumerable<string> Missing(string file, string line, string[] steps)
    {
        foreach (Match named in Named().Matches(line))
        {
            string path = named.Value.TrimEnd('.');
            if (path.AsSpan().ContainsAny("*<>{}") || Placeholder().IsMatch(path) || s_exempt.Contains(path)) continue;
            if (!IsThere("", path) && !IsThere(Path.GetDirectoryName(file)!, path)) yield return path;
        }

        foreach (Match command in Command().Matches(line))
        {
            foreach (string word in command.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                if (!steps.Contains(word)) yield return $"./test.sh {word}";
            }
        }
    }

    private static bool IsThere(string folder, string path) => Path.Exists(Path.Combine(s_root, folder, path));

    /// <summary>A path that begins with a folder of the root, and a script beside one.</summary>
    [GeneratedRegex(@"(?<![\w./$}*~-])(?:(?:\.\./)*(?:docs|src|tests|eng|bench|samples|findings)/[\w./*<>{}-]*[\w/*}>]"
        + @"|\./[a-z][a-z-]*\.sh\b)")]
    private static partial Regex Named();

    /// <summary>A word of capital letters in a path stands for any.</summary>
    [GeneratedRegex(@"/[A-Z]+$")]
    private static partial Regex Placeholder();

    /// <summary>Steps after the script, in code of a document or comment.</summary>
    [GeneratedRegex(@"\./test\.sh(?: --repeat [0-9]+| --long| --no-build)?((?: [a-z][a-z-]*)+)(?=[`;)]|  )")]
    private static partial Regex Command();

    [GeneratedRegex(@"^([a-z][a-z-]*) +(?:script|dotnet|wine) +[0-9]+ ", RegexOptions.Multiline)]
    private static partial Regex StepLine();
}
