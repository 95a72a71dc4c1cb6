using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using Xunit;
using Xunit.v3;

[assembly: AssemblyFixture(typeof(NativeIpc.Channels.Rings.Matrix))]

namespace NativeIpc.Channels.Rings;

/// <summary>A test from the language that is its first argument to the second one: its result goes into the
/// matrix.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PairAttribute : BeforeAfterTestAttribute
{
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
        => Matrix.Add($"{test.TestMethodArguments[0]}", $"{test.TestMethodArguments[1]}", methodUnderTest.Name,
            TestContext.Current.TestState?.Result);
}

/// <summary>What came out from each language to each: written at the end of the run to artifacts/channels-matrix.md,
/// with which <c>eng/docs-test.sh</c> compares docs/interop.md.</summary>
public sealed class Matrix : IDisposable
{
    private static readonly (string Name, string Title)[] s_languages =
    [
        ("dotnet", ".NET"), ("c", "C11"), ("cpp", "C++11"), ("python", "Python"), ("qt5.15", "Qt 5.15"),
        ("qt6.4", "Qt 6.4"),
    ];

    private static readonly string[] s_tests = [.. typeof(InteropTests).GetMethods()
        .Where(method => method.IsDefined(typeof(PairAttribute))).Select(method => method.Name)];

    private static readonly ConcurrentDictionary<(string From, string To, string Test), TestResult?> s_results = [];

    internal static void Add(string from, string to, string test, TestResult? result)
        => s_results[(from, to, test)] = result;

    public void Dispose()
    {
        if (s_results.IsEmpty) return;
        string folder = Path.Combine(ChannelTests.Metadata("Repository"), "artifacts");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "channels-matrix.md"), Table());
    }

    private static string Table()
    {
        List<string[]> rows = [["From", .. s_languages.Select(to => $"to {to.Title}")]];
        foreach ((string from, string title) in s_languages)
            rows.Add([title, .. s_languages.Select(to => Cell(from, to.Name))]);
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            text.Append('|').AppendJoin('|', row.Select((cell, i) => $" {cell.PadRight(widths[i])} ")).Append("|\n");
            if (row == rows[0])
                text.Append('|').AppendJoin('|', widths.Select(width => new string('-', width + 2))).Append("|\n");
        }

        return text.ToString();
    }

    /// <summary>What no test asks for is -; what this run left out counts as skipped.</summary>
    private static string Cell(string from, string to)
    {
        if (!InteropTests.Pairs.Any(pair => pair.Data == (from, to))) return "-";
        TestResult?[] results = [.. s_tests.Select(test => s_results.GetValueOrDefault((from, to, test)))];
        return results.Contains(TestResult.Failed) ? "FAILED"
            : Array.TrueForAll(results, result => result == TestResult.Passed) ? "ok" : "skipped";
    }
}
