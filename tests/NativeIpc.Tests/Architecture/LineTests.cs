using System.IO.Enumeration;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>
/// No line is longer than 120 characters. What cannot be broken may be: a row of a table and a long link. So may data,
/// and what a program writes.
/// </summary>
public partial class LineTests
{
    private const int Longest = 120;

    private const string Anything = ".*";

    private static readonly string s_root = Path.GetFullPath(Path.Combine(
        typeof(LineTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "LibrarySources").Value!,
        "..", ".."));

    /// <summary>The ends of the names of files that are looked at.</summary>
    private static readonly string[] s_kinds =
    [
        ".cs", ".md", ".sh", ".c", ".h", ".cpp", ".py", ".pl", ".php", ".pml", ".yml",
        ".csproj", ".props", ".targets", ".slnx", ".txt", ".editorconfig",
    ];

    /// <summary>Files, and which of their lines may be longer.</summary>
    private static readonly (string File, string Line)[] s_exempt =
    [
        (@"^src/\w+(\.\w+)?/PublicAPI\.\w+\.txt$", Anything),
        (@"^bench/RESULTS\.md$", Anything),
        (@"^docs/nipc-json\.md$", @"^\s*"""),
        (@"\.md$", @"^\$ "),
        (@"\.md$", @"^\s*\|"),
        (@"\.md$", @"^\s*\[[^\]]+\]: \S+$"),
    ];

    [Fact]
    public void No_line_is_longer_than_120_characters()
    {
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        List<string> found = [];
        foreach (string path in Files())
        {
            string name = Path.GetRelativePath(s_root, path).Replace('\\', '/');
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                if (IsTooLong(name, line)) found.Add($"{name}:{number}: {line.Length} characters: {line.Trim()[..60]}");
            }
        }
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public void Files_of_every_kind_are_found_and_nothing_that_was_built()
    {
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        string[] names = [.. Files().Select(path => Path.GetRelativePath(s_root, path).Replace('\\', '/'))];
        Assert.Contains("test.sh", names);
        Assert.Contains(".github/workflows/ci.yml", names);
        Assert.Contains("tests/peers/c/peer.c", names);
        Assert.DoesNotContain(names, name => name.StartsWith("artifacts/", StringComparison.Ordinal));
        Assert.DoesNotContain(names, name => name.Contains("/obj/", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("test.sh", "# ")]
    [InlineData("test.sh", "| ")]
    [InlineData("docs/nipc.md", "A sentence, and then ")]
    [InlineData("eng/debian-packages.txt", "# ")]
    public void A_long_line_is_seen(string file, string start)
        => Assert.True(IsTooLong(file, Filled(start, Longest + 1)));

    [Theory]
    [InlineData("test.sh", "# ", Longest)]
    [InlineData("test.sh", "# https://example.org/", 200)]
    [InlineData("docs/nipc.md", "| ", 200)]
    [InlineData("docs/nipc.md", "   | ", 200)]
    [InlineData("docs/nipc.md", "[reference]: guides/", 200)]
    [InlineData("docs/nipc.md", "See [the page](https://example.org/#", 200)]
    [InlineData("src/NativeIpc/PublicAPI.Unshipped.txt", "NativeIpc.", 200)]
    [InlineData("src/NativeIpc.Inspection/PublicAPI.Unshipped.txt", "NativeIpc.", 200)]
    public void What_may_be_long_is_not_taken_for_one(string file, string start, int length)
        => Assert.False(IsTooLong(file, Filled(start, length)));

    [Fact]
    public void A_target_of_a_link_may_be_long_and_the_words_around_it_may_not()
    {
        string target = $"]({new string('x', 100)})";
        Assert.False(IsTooLong("README.md", Filled("[", Longest) + target));
        Assert.True(IsTooLong("README.md", Filled("[", Longest + 1) + target));
        Assert.True(IsTooLong("README.md", Filled("[", 40) + target + Filled("[", 40) + target));
    }

    private static string Filled(string start, int length) => start.PadRight(length, 'x');

    /// <summary>Whether it stays too long without the longest of its links.</summary>
    private static bool IsTooLong(string file, string line)
    {
        if (line.Length <= Longest) return false;
        int link = Link().Matches(line).Select(match => match.Length).DefaultIfEmpty().Max();
        return line.Length - link > Longest
            && !s_exempt.Any(exempt => Regex.IsMatch(file, exempt.File) && Regex.IsMatch(line, exempt.Line));
    }

    internal static FileSystemEnumerable<string> Files() => new(
        s_root,
        (ref FileSystemEntry entry) => entry.ToFullPath(),
        new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
    {
        ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && IsLookedAt(entry.FileName),
        ShouldRecursePredicate = (ref FileSystemEntry entry) => entry.FileName is not (".git" or ".vs" or ".idea"
            or "bin" or "obj" or "artifacts" or "TestResults" or "BenchmarkDotNet.Artifacts"),
    };

    private static bool IsLookedAt(ReadOnlySpan<char> name)
    {
        foreach (string kind in s_kinds)
        {
            if (name.EndsWith(kind, StringComparison.Ordinal)) return true;
        }
        return false;
    }

    [GeneratedRegex(@"https?://[^\s)>""]+|\]\([^)\s]*\)")]
    private static partial Regex Link();
}
