using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using Xunit;
using Xunit.v3;

[assembly: AssemblyFixture(typeof(NativeIpc.WindowsTests.Matrix))]

namespace NativeIpc.WindowsTests;

/// <summary>
/// A test of one of the scenarios of NativeIpc.Interop, in one direction: → NativeIpc creates and the peer opens; ←
/// the other way round. Its result goes into the matrix, in the row of the functions of the C peer that it is
/// given: A or W.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ScenarioAttribute(string column) : BeforeAfterTestAttribute
{
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
        => Matrix.Add(test.TestMethodArguments.Contains("A") ? "A" : "W", column,
            TestContext.Current.TestState?.Result);
}

/// <summary>What came out, by the functions of the peer, scenario and direction: written at the end of the run to the
/// file that <c>NATIVEIPC_MATRIX</c> names.</summary>
public sealed class Matrix : IDisposable
{
    private static readonly ConcurrentBag<(string Row, string Column, TestResult? Result)> s_entries = [];

    internal static void Add(string row, string column, TestResult? result) => s_entries.Add((row, column, result));

    public void Dispose()
    {
        if (Environment.GetEnvironmentVariable("NATIVEIPC_MATRIX") is { Length: > 0 } file && !s_entries.IsEmpty)
            File.WriteAllText(file, Table());
    }

    private static string Table()
    {
        string[] columns = [.. Enumerable.Range(1, 7).SelectMany(number => new[] { $"{number} →", $"{number} ←" })];
        List<string[]> rows = [["Peer", "Back end", .. columns]];
        foreach (string row in (string[])["W", "A"])
            rows.Add([$"C, Windows {row}", "windows", .. columns.Select(column => Cell(row, column))]);
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];

        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            text.Append('|').AppendJoin('|', row.Select((cell, i) => $" {cell.PadRight(widths[i])} ")).Append("|\n");
            if (row == rows[0])
                text.Append('|').AppendJoin('|', widths.Select(width => new string('-', width + 2))).Append("|\n");
        }

        text.Append('\n').Append(Count(TestResult.Passed)).Append(" checks under Wine ok, ");
        text.Append(Count(TestResult.Failed)).Append(" failed, ");
        text.Append(Count(TestResult.Skipped)).Append(" skipped.\n");
        return text.ToString();
    }

    private static string Cell(string row, string column)
    {
        TestResult?[] results = [.. s_entries.Where(entry => entry.Row == row && entry.Column == column)
            .Select(entry => entry.Result)];
        return results.Length == 0 ? "-"
            : results.Contains(TestResult.Failed) ? "FAILED"
            : results.Contains(TestResult.Passed) ? "ok"
            : "skipped";
    }

    private static int Count(TestResult result) => s_entries.Count(entry => entry.Result == result);
}
