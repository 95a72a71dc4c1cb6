using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>
/// What of ours has become slower than the last table says. Ratios to C are compared where there are any, since the
/// pace of a machine changes; the rest by its value. Noise is what the rounds of both tables are apart, and at least
/// ten percent, a quarter where there were fewer than three rounds; half as much again where nothing is divided by C.
/// Of another machine only ratios and counts are compared. What was measured again counts only if it was slower each
/// time. Where C sleeps in the kernel and ours passes lines from core to core, those may take four times as long: so it
/// is in hours in which the two cores share no cache.
/// </summary>
internal static class Comparison
{
    private const double Least = 0.10, LeastOfFew = 0.25, LeastAlone = 0.50, LinesWithoutCache = 4;

    private static readonly string[] s_linesOnly =
        ["pp.posix.x", "pp.posix.free", "pp.posix.spin.", "pp.crowd.", "contend.", "event.pp.x"];

    public static IEnumerable<string> Regressions(IEnumerable<Result> before, bool isSameMachine,
        IReadOnlyList<IEnumerable<Result>> times)
    {
        var found = times.Select(now => Slower(before, isSameMachine, now)
            .ToDictionary(slower => (slower.Workload, slower.Peer), slower => slower.Text)).ToArray();
        return found[0].Keys.Where(row => found.All(slower => slower.ContainsKey(row))).Select(row => found[^1][row]);
    }

    private static IEnumerable<(string Workload, string Peer, string Text)> Slower(IEnumerable<Result> before,
        bool isSameMachine, IEnumerable<Result> now)
    {
        Dictionary<(string, string), Result> last = before.ToDictionary(r => (r.Workload, r.Peer));
        foreach (Result current in now.Where(r => Tables.Ours.Contains(r.Peer)))
        {
            if (!last.TryGetValue((current.Workload, current.Peer), out Result? old)) continue;
            bool divided = old.Ratio is not null && current.Ratio is not null;
            if (!divided && !isSameMachine && !IsCount(current.Workload)) continue;
            (double was, double @is) = divided
                ? (old.Ratio!.Value, current.Ratio!.Value) : (old.Median, current.Median);
            double noise = divided ? Math.Max(Math.Min(old.Rounds, current.Rounds) < 3 ? LeastOfFew : Least,
                Math.Max(old.Spread ?? 0, current.Spread ?? 0)) : IsCount(current.Workload)
                    ? 0 : Math.Max(LeastAlone, Apart(old) + Apart(current));
            double pace = PassesLines(current.Workload) ? LinesWithoutCache : 1;
            if (@is > was * pace * (1 + noise))
                yield return (current.Workload, current.Peer, string.Create(CultureInfo.InvariantCulture,
                    $"{current.Workload} ({current.Peer}): {Shown(current, divided, was)} "
                        + $"before, {Shown(current, divided, @is)} now, noise {noise:P0}"));
        }
    }

    private static bool PassesLines(string workload)
        => s_linesOnly.Any(prefix => workload.StartsWith(prefix, StringComparison.Ordinal));

    private static bool IsCount(string workload) => workload.StartsWith("alloc.", StringComparison.Ordinal)
        || workload.EndsWith(".maps_left", StringComparison.Ordinal);

    private static double Apart(Result result) => result.Median == 0 ? 0 : (result.Max - result.Min) / result.Median;

    private static string Shown(Result result, bool divided, double value)
        => divided ? Text.Ratio(value) + " C" : Text.Value(result.Workload, value);
}
