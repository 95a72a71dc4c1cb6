using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>
/// What of ours has become slower than the last table says. Ratios to C are compared where there are any, since the
/// pace of a machine changes; the rest by its value. Noise is what the rounds of both tables are apart, and at least
/// ten percent, a quarter where there were fewer than three rounds; half as much again where C takes ten times as long
/// or is not measured, as the pace is then not divided out. Of another machine only counts and ratios are compared, and
/// those may be half as high again. What was measured again counts only if it was slower each time. What the host
/// decides (<see cref="HostsRoom"/>) is told, and is not slower for certain.
/// </summary>
internal static class Comparison
{
    private const double Least = 0.10, LeastOfFew = 0.25, LeastAlone = 0.50, FarFromC = 0.1;
    private const double SamePace = 1.15, SamePaceOfWakes = 1.3;

    /// <summary>
    /// How many times as long a row may take before it is slower for certain, by how it begins. In the first six C
    /// sleeps in the kernel and ours passes lines from core to core, which takes four times as long while the host
    /// gives them no common cache. A topic and a ring of pages copy into places that are in this cache or in that.
    /// </summary>
    private static readonly Dictionary<string, double> s_hostsRoom = new()
    {
        ["pp.posix.x"] = 4,
        ["pp.posix.free"] = 4,
        ["pp.posix.spin."] = 4,
        ["pp.crowd."] = 4,
        ["contend."] = 4,
        ["event.pp.x"] = 4,
        ["topic."] = 2,
        ["ring.4k"] = 2,
    };

    /// <summary>By the pace of C, why the tables are not of one machine, whatever its name; null if they are.</summary>
    public static string? Elsewhere(IReadOnlyCollection<Result> before, IReadOnlyCollection<Result> now)
    {
        double pace = PaceOfC(before, now, _ => true);
        double wakes = PaceOfC(before, now, workload => workload is "pp.posix.x" or "pp.posix.free" or "pp.sysv.x");
        return pace is > SamePace or < 1 / SamePace || wakes > SamePaceOfWakes
            ? string.Create(CultureInfo.InvariantCulture,
                $"C takes {pace:0.00} times as long as then, and {wakes:0.00} times to wake the other core")
            : null;
    }

    /// <summary>What was slower each time; not for certain where it was within what the host decides.</summary>
    public static IEnumerable<(string Text, bool IsCertain)> Regressions(IReadOnlyCollection<Result> before,
        bool isSameMachine, IEnumerable<IReadOnlyCollection<Result>> times)
    {
        var found = times.Select(now => Slower(before, isSameMachine, now)
            .ToDictionary(slower => (slower.Workload, slower.Peer))).ToArray();
        return found[0].Keys.Where(row => found.All(slower => slower.ContainsKey(row)))
            .Select(row => (found[^1][row].Text, found.All(slower => slower[row].IsCertain)));
    }

    private static IEnumerable<(string Workload, string Peer, string Text, bool IsCertain)> Slower(
        IEnumerable<Result> before, bool isSameMachine, IEnumerable<Result> now)
    {
        Dictionary<(string, string), Result> last = before.ToDictionary(r => (r.Workload, r.Peer));
        foreach (Result current in now.Where(r => Tables.Ours.Contains(r.Peer)))
        {
            if (!last.TryGetValue((current.Workload, current.Peer), out Result? old)) continue;
            bool divided = old.Ratio is not null && current.Ratio is not null;
            if (!divided && !isSameMachine && !IsCount(current.Workload)) continue;
            (double was, double @is) = divided
                ? (old.Ratio!.Value, current.Ratio!.Value) : (old.Median, current.Median);
            double noise = NoiseOf(old, current, divided, isSameMachine), most = was * (1 + noise);
            if (@is > most)
                yield return (current.Workload, current.Peer, string.Create(CultureInfo.InvariantCulture,
                    $"{current.Workload} ({current.Peer}): {Shown(current, divided, was)} "
                        + $"before, {Shown(current, divided, @is)} now, noise {noise:P0}"),
                    @is > most * HostsRoom(current.Workload));
        }
    }

    private static double NoiseOf(Result old, Result current, bool divided, bool isSameMachine)
    {
        if (IsCount(current.Workload)) return 0;
        if (!divided) return Math.Max(LeastAlone, Apart(old) + Apart(current));
        double least = !isSameMachine || old.Ratio < FarFromC ? LeastAlone
            : Math.Min(old.Rounds, current.Rounds) < 3 ? LeastOfFew : Least;
        return Math.Max(least, Math.Max(old.Spread ?? 0, current.Spread ?? 0));
    }

    /// <summary>The median of what C's rows take now by what they took; 1 if there are none in both.</summary>
    private static double PaceOfC(IEnumerable<Result> before, IEnumerable<Result> now, Func<string, bool> isChosen)
    {
        Dictionary<string, double> last = OfC(before);
        double[] paces = [.. OfC(now).Where(row => isChosen(row.Key) && last.ContainsKey(row.Key))
            .Select(row => row.Value / last[row.Key])];
        return paces.Length == 0 ? 1 : new Measured(paces).Median;
    }

    private static Dictionary<string, double> OfC(IEnumerable<Result> results)
        => results.Where(r => r.Peer == "c" && r.Median > 0).ToDictionary(r => r.Workload, r => r.Median);

    private static double HostsRoom(string workload)
        => FillsProcessors(workload) ? double.PositiveInfinity
            : s_hostsRoom.Where(row => workload.StartsWith(row.Key, StringComparison.Ordinal)).Select(row => row.Value)
                .FirstOrDefault(1);

    /// <summary>Whether it waits without bound for any other load.</summary>
    private static bool FillsProcessors(string workload) => workload is "load.async" or "load.async_p99";

    private static bool IsCount(string workload) => workload.StartsWith("alloc.", StringComparison.Ordinal)
        || workload.EndsWith(".maps_left", StringComparison.Ordinal);

    private static double Apart(Result result) => result.Median == 0 ? 0 : (result.Max - result.Min) / result.Median;

    private static string Shown(Result result, bool divided, double value)
        => divided ? Text.Ratio(value) + " C" : Text.Value(result.Workload, value);
}
