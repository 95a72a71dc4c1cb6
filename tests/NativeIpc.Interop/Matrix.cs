using System.Collections.Concurrent;
using System.Reflection;
using System.Text;

namespace NativeIpc.Foreign;

/// <summary>What came out, by peer, back end, scenario and direction. A limit is something that a peer or a system
/// cannot do, shown by a test.</summary>
internal static class Matrix
{
    private const int Scenarios = 7;

    private static readonly ConcurrentBag<Entry> s_entries = [];

    internal enum Outcome
    {
        Ok,
        Limit,
        Skipped,
        Failed,
    }

    internal static void Add(string peer, string backEnd, int scenario, string direction, Outcome outcome,
        string note = "")
        => s_entries.Add(new Entry(peer, backEnd, scenario, direction, outcome, note));

    /// <summary>Writes the table to standard output and to artifacts/interop-matrix.md.</summary>
    internal static void Print()
    {
        if (s_entries.IsEmpty) return;
        string text = Table();
        Console.WriteLine(text);
        if (typeof(Matrix).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(data => data.Key == "Artifacts")?.Value is not { } folder)
            return;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "interop-matrix.md"), text);
    }

    private static string Table()
    {
        List<string> limits =
        [
            .. s_entries.Where(entry => entry.Outcome == Outcome.Limit)
                .OrderBy(entry => PeerKind.All.TakeWhile(kind => kind.Name != entry.Peer).Count())
                .ThenBy(entry => entry.Scenario)
                .ThenBy(entry => entry.Note, StringComparer.Ordinal)
                .Select(entry => entry.Note)
                .Distinct(),
        ];
        List<string[]> rows = [["Peer", "Back end",
            .. Enumerable.Range(1, Scenarios).SelectMany(number => new[] { $"{number} →", $"{number} ←" })]];
        foreach (PeerKind kind in PeerKind.All)
        {
            foreach ((string backEnd, Has _) in kind.BackEnds)
            {
                string[] directions = [Direction.Ours, Direction.Theirs];
                IEnumerable<string> cells = Enumerable.Range(1,
                    Scenarios).SelectMany(number => directions.Select(way => Cell(kind, backEnd, number, way, limits)));
                rows.Add([kind.Title, backEnd, .. cells]);
            }
        }

        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder("Scenarios: 1 keys, 2 bytes, 3 lock, 4 semaphore, 5 lifetime, 6 crash, 7 idioms. "
            + "→ NativeIpc creates and the peer opens; ← the other way round. `ok N`: works, with limit N. `N`: "
            + "nothing but limit N. `-`: the peer has no such thing.\n\n");
        foreach (string[] row in rows)
        {
            text.Append('|').AppendJoin('|',
                row.Select((cell, column) => $" {cell.PadRight(widths[column])} ")).Append("|\n");
            if (row == rows[0])
                text.Append('|').AppendJoin('|', widths.Select(width => new string('-', width + 2))).Append("|\n");
        }

        text.Append('\n');
        for (int i = 0; i < limits.Count; i++) text.Append(i + 1).Append(". ").Append(limits[i]).Append('\n');
        int failures = s_entries.Count(entry => entry.Outcome == Outcome.Failed);
        text.Append($"\n{s_entries.Count(entry => entry.Outcome == Outcome.Ok)} checks ok, {failures} "
            + $"failed, {s_entries.Count(entry => entry.Outcome == Outcome.Skipped)} skipped.\n");
        return text.ToString();
    }

    private static string Cell(PeerKind kind, string backEnd, int scenario, string direction, List<string> limits)
    {
        List<Entry> entries = [.. s_entries.Where(
            entry => entry.Peer == kind.Name && entry.BackEnd == backEnd && entry.Scenario == scenario
                && entry.Direction == direction)];
        if (entries.Count == 0) return "-";
        if (entries.Any(entry => entry.Outcome == Outcome.Failed)) return "FAILED";
        if (entries.Any(entry => entry.Outcome == Outcome.Skipped)) return "skipped";
        string numbers = string.Join(',',
            entries.Where(entry => entry.Outcome == Outcome.Limit).Select(entry => limits.IndexOf(entry.Note) + 1)
                .Distinct().Order());
        return entries.Any(entry => entry.Outcome == Outcome.Ok) ? $"ok {numbers}".TrimEnd() : numbers;
    }

    private sealed record Entry(string Peer, string BackEnd, int Scenario, string Direction, Outcome Outcome,
        string Note);
}
