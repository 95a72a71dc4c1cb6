using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>
/// What of ours has become slower than the last table says. Ratios to C are compared where there are any, since the
/// pace of a machine changes; the rest by its value. Noise is what the rounds of both tables are apart, and at least
/// ten percent, a quarter where there were fewer than three rounds; half as much again where C takes ten times as long
/// or is not measured, as the pace is then not divided out: those may also follow the time that a sleeping C process
/// takes to be woken on the other core. Of another machine only ratios and counts are compared. What was measured again
/// counts only if it was slower each time. What the host's caches decide has more room (<see cref="HostsRoom"/>).
/// </summary>
internal static class Comparison
{
    private const double Least = 0.10, LeastOfFew = 0.25, LeastAlone = 0.50, FarFromC = 0.1;

    private static readonly string[] s_wakes = ["pp.posix.x", "pp.posix.free", "pp.sysv.x"];

    /// <summary>
    /// How many times as long a row may take, by how it begins. Of the first C sleeps in the kernel and ours passes
    /// lines from core to core, which takes four times as long while the host gives them no common cache. A topic
    /// copies into places that are in this cache or in that.
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
    };

    public static IEnumerable<string> Regressions(IReadOnlyCollection<Result> before, bool isSameMachine,
        IReadOnlyList<IReadOnlyCollection<Result>> times)
    {
        double pace = PaceOfWakes(before, times[0]);
        var found = times.Select(now => Slower(before, isSameMachine, pace, now)
            .ToDictionary(slower => (slower.Workload, slower.Peer), slower => slower.Text)).ToArray();
        return found[0].Keys.Where(row => found.All(slower => slower.ContainsKey(row))).Select(row => found[^1][row]);
    }

    private static IEnumerable<(string Workload, string Peer, string Text)> Slower(IEnumerable<Result> before,
        bool isSameMachine, double pace, IEnumerable<Result> now)
    {
        Dictionary<(string, string), Result> last = before.ToDictionary(r => (r.Workload, r.Peer));
        foreach (Result current in now.Where(r => Tables.Ours.Contains(r.Peer) && !IsSaturated(r.Workload)))
        {
            if (!last.TryGetValue((current.Workload, current.Peer), out Result? old)) continue;
            bool divided = old.Ratio is not null && current.Ratio is not null;
            if (!divided && !isSameMachine && !IsCount(current.Workload)) continue;
            (double was, double @is) = divided
                ? (old.Ratio!.Value, current.Ratio!.Value) : (old.Median, current.Median);
            bool alone = !divided || was < FarFromC;
            double noise = IsCount(current.Workload) ? 0
                : divided ? Math.Max(alone ? LeastAlone : Math.Min(old.Rounds, current.Rounds) < 3 ? LeastOfFew : Least,
                    Math.Max(old.Spread ?? 0, current.Spread ?? 0))
                : Math.Max(LeastAlone, Apart(old) + Apart(current));
            double room = HostsRoom(current.Workload) * (alone && !IsCount(current.Workload) ? pace : 1);
            if (@is > was * room * (1 + noise))
                yield return (current.Workload, current.Peer, string.Create(CultureInfo.InvariantCulture,
                    $"{current.Workload} ({current.Peer}): {Shown(current, divided, was)} "
                        + $"before, {Shown(current, divided, @is)} now, noise {noise:P0}"));
        }
    }

    /// <summary>How many times as long C's wake-ups on the other core take now; 1 at least.</summary>
    private static double PaceOfWakes(IEnumerable<Result> before, IEnumerable<Result> now)
    {
        Dictionary<string, double> last = OfC(before);
        double[] paces = [.. OfC(now).Where(row => last.ContainsKey(row.Key)).Select(row => row.Value / last[row.Key])
            .Order()];
        return paces.Length == 0 ? 1 : Math.Max(1, paces[paces.Length / 2]);
    }

    private static Dictionary<string, double> OfC(IEnumerable<Result> results)
        => results.Where(r => r.Peer == "c" && s_wakes.Contains(r.Workload) && r.Median > 0)
            .ToDictionary(r => r.Workload, r => r.Median);

    private static double HostsRoom(string workload)
        => s_hostsRoom.Where(row => workload.StartsWith(row.Key, StringComparison.Ordinal)).Select(row => row.Value)
            .FirstOrDefault(1);

    /// <summary>Whether it fills the processors, so that any other load makes it wait without bound.</summary>
    private static bool IsSaturated(string workload) => workload is "load.async" or "load.async_p99";

    private static bool IsCount(string workload) => workload.StartsWith("alloc.", StringComparison.Ordinal)
        || workload.EndsWith(".maps_left", StringComparison.Ordinal);

    private static double Apart(Result result) => result.Median == 0 ? 0 : (result.Max - result.Min) / result.Median;

    private static string Shown(Result result, bool divided, double value)
        => divided ? Text.Ratio(value) + " C" : Text.Value(result.Workload, value);
}
