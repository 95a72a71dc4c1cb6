using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Analyzers.Tests;

/// <summary>The code on docs/analyzers.md: what a comment says of a line is reported of it, and nothing else.</summary>
public sealed partial class PageTests
{
    /// <summary>The blocks under the heading of each rule.</summary>
    public static TheoryData<string, string> Blocks
    {
        get
        {
            string root = typeof(PageTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
                .Single(data => data.Key == "Repository").Value!;
            var blocks = new TheoryData<string, string>();
            foreach (string section in File.ReadAllText(Path.Combine(root, "docs", "analyzers.md")).Split("\n## "))
            {
                foreach (Match block in Fence().Matches(section))
                    blocks.Add(section.Split('\n')[0], block.Groups[1].Value.TrimEnd());
            }

            return blocks;
        }
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public async Task A_snippet_is_reported_where_it_says_so_and_nowhere_else(string rule, string body)
    {
        string[] expected = [.. body.Split('\n').Select(line => (Line: line.Trim(), Comment: Comment().Match(line)))
            .Where(one => one.Comment.Success).Select(one => $"{one.Comment.Groups[1].Value}: {one.Line}")];
        Assert.All(expected, report => Assert.StartsWith(rule + ": ", report, StringComparison.Ordinal));
        Assert.Equal(expected, await Code.Analyze(body));
    }

    [Fact]
    public void Each_rule_has_a_snippet_that_is_reported_and_one_that_is_not()
    {
        ILookup<string, string> blocks = Blocks.ToLookup(row => row.Data.Item1, row => row.Data.Item2);
        Assert.All(new[] { "NIPC001", "NIPC002", "NIPC003" }, rule =>
        {
            Assert.Contains(blocks[rule], body => Comment().IsMatch(body));
            Assert.Contains(blocks[rule], body => !Comment().IsMatch(body));
        });
    }

    [GeneratedRegex("^```csharp\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("// (NIPC[0-9]{3})")]
    private static partial Regex Comment();
}
