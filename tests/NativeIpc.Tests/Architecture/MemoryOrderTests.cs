using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>
/// docs/memory-order.md has a row for each access of the sources that is more than a plain one, and none for what is
/// not there.
/// </summary>
public partial class MemoryOrderTests
{
    private static readonly string s_root = Path.GetFullPath(Path.Combine(
        typeof(MemoryOrderTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "LibrarySources").Value!,
        "..", ".."));

    private static string Page => Path.Combine(s_root, "docs", "memory-order.md");

    /// <summary>An access: the file, below src or from include on, and its words.</summary>
    private readonly record struct Access(string File, string Words);

    private readonly record struct Row(string File, string Method, string Words);

    [Fact]
    public void Each_access_of_the_sources_has_a_row_and_each_row_an_access()
    {
        SkipWithoutSources();
        List<Access> there = [.. Sources().SelectMany(source => AccessesOf(source.Name, source.Text))];
        List<Access> rows = [.. Rows(File.ReadAllText(Page)).Where(IsSpecial)
            .Select(row => new Access(row.File, row.Words))];
        Assert.NotEmpty(there);
        string[] faults =
        [
            .. Rest(there, rows).Select(access => $"has no row: {access.File}: {access.Words}"),
            .. Rest(rows, there).Select(access => $"is not in the sources: {access.File}: {access.Words}"),
        ];
        Assert.True(faults.Length == 0, "docs/memory-order.md:\n" + string.Join('\n', faults));
    }

    [Fact]
    public void Each_row_names_a_file_and_a_method_that_are_there()
    {
        SkipWithoutSources();
        Dictionary<string, string> texts = Sources().ToDictionary(source => source.Name, source => source.Text);
        List<string> faults = [];
        foreach (Row row in Rows(File.ReadAllText(Page)))
        {
            if (!texts.TryGetValue(row.File, out string? text)) faults.Add($"no file {row.File}");
            else if (!Regex.IsMatch(text, $@"(?<!\w){Regex.Escape(row.Method)}\b"))
                faults.Add($"{row.File} has no {row.Method}");
        }

        Assert.True(faults.Count == 0, "docs/memory-order.md:\n" + string.Join('\n', faults));
    }

    [Theory]
    [InlineData("a.cs", "x = Volatile.Read(ref y);", "Volatile.Read(ref y)")]
    [InlineData("a.cs", "Interlocked.Add(ref F(1),\n    2);", "Interlocked.Add(ref F(1), 2)")]
    [InlineData("a.cs", "private static volatile bool s_isOn;", "volatile bool s_isOn")]
    [InlineData("a.cs", "Sse.StoreFence(); // fence", "Sse.StoreFence()")]
    [InlineData("a.cs", "a.StoreAlignedNonTemporal(p + 1);", "a.StoreAlignedNonTemporal(p + 1)")]
    [InlineData("a.cs", "if (!Membarrier.TryBarrier()) return;", "Membarrier.TryBarrier()")]
    [InlineData("a.cs", "// Volatile.Read(ref y)", null)]
    [InlineData("a.cs", "/// <see cref=\"Interlocked.Exchange(ref int, int)\"/>", null)]
    [InlineData("a.h", "__atomic_store_n(&a, 0,\n    __ATOMIC_RELEASE);", "__atomic_store_n(&a, 0, __ATOMIC_RELEASE)")]
    [InlineData("a.h", "STD atomic_load(&e->state) & 1", "atomic_load(&e->state)")]
    [InlineData("a.h", "/* atomic_load(&e->state) */", null)]
    public void An_access_is_seen(string file, string text, string? words)
        => Assert.Equal(words is null ? [] : [words], AccessesOf(file, text).Select(access => access.Words));

    [Fact]
    public void A_row_is_read()
        => Assert.Equal(
            [new Row("A/B.cs", "C", "Volatile.Read(ref d[a | b])"), new Row("A/B.cs", "", "volatile int e")],
            Rows("| `A/B.cs` `C` | `Volatile.Read(ref d[a \\| b])` | acquire | x | y |\n"
                + "| `A/B.cs`, every use | `volatile int e` | acquire, release | x | y |\n| a | b |\n"));

    private static void SkipWithoutSources() => Assert.SkipUnless(File.Exists(Page), $"no documents in {s_root}");

    private static IEnumerable<(string Name, string Text)> Sources()
    {
        foreach (string path in LineTests.Files())
        {
            string name = Path.GetRelativePath(s_root, path).Replace('\\', '/');
            if (name.StartsWith("src/", StringComparison.Ordinal) && name.EndsWith(".cs", StringComparison.Ordinal))
                yield return (name["src/".Length..], File.ReadAllText(path));
            else if (name.StartsWith("include/", StringComparison.Ordinal)
                && name.EndsWith(".h", StringComparison.Ordinal))
                yield return (name, File.ReadAllText(path));
        }
    }

    private static IEnumerable<Access> AccessesOf(string file, string text)
    {
        bool isC = file.EndsWith(".h", StringComparison.Ordinal);
        string code = isC ? CommentsOfC().Replace(text, "") : Comments().Replace(text, "");
        foreach (Match match in (isC ? InC() : InCSharp()).Matches(code))
            yield return new Access(file, Blanks().Replace(Whole(code, match), " "));
    }

    /// <summary>A call with all that is between its brackets.</summary>
    private static string Whole(string code, Match match)
    {
        if (!match.Value.EndsWith('(')) return match.Value;
        int depth = 1;
        int end = match.Index + match.Length;
        for (; depth > 0 && end < code.Length; end++) depth += code[end] switch { '(' => 1, ')' => -1, _ => 0 };
        return code[match.Index..end];
    }

    private static IEnumerable<Row> Rows(string page)
        => TableRow().Matches(page).Select(match => new Row(match.Groups["file"].Value, match.Groups["method"].Value,
            match.Groups["words"].Value.Replace(@"\|", "|", StringComparison.Ordinal)));

    private static bool IsSpecial(Row row) => AccessesOf(row.File, row.Words).Any();

    /// <summary>What of one list the other one has not so often.</summary>
    private static List<Access> Rest(List<Access> list, List<Access> others)
    {
        List<Access> rest = [.. list];
        foreach (Access other in others) rest.Remove(other);
        return rest;
    }

    [GeneratedRegex(@"//.*")]
    private static partial Regex Comments();

    [GeneratedRegex(@"/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex CommentsOfC();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();

    // The words of C, which the library writes, are no field.
    [GeneratedRegex(@"\b(?:Interlocked|Volatile|Membarrier)\.\w+\(|\bThread\.(?:MemoryBarrier|Volatile\w+)\("
        + @"|\bSse\d*\.\w*(?:Fence|NonTemporal)\w*\(|\w+\.Store\w*NonTemporal\w*\("
        + @"|\bvolatile\s+(?!while\b)[\w<>?]+\s+\w+")]
    private static partial Regex InCSharp();

    [GeneratedRegex(@"\b(?:__)?atomic_\w+\(|\b_mm_\w*(?:fence|stream)\w*\(")]
    private static partial Regex InC();

    [GeneratedRegex(@"^\| `(?<file>[\w./]+)`(?: `(?<method>[~\w.]+)`|, every use) \| `(?<words>[^`]+)`",
        RegexOptions.Multiline)]
    private static partial Regex TableRow();
}
