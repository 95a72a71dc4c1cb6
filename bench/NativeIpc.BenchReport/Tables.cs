using System.Globalization;
using System.Text;

namespace NativeIpc.BenchReport;

/// <summary>The tables, in Markdown.</summary>
internal static class Tables
{
    public static readonly string[] Ours = ["jit", "aot"];

    private static readonly Dictionary<string, string> s_heads = new()
    {
        ["c"] = "C", ["qt"] = "Qt 6.8", ["boost"] = "Boost", ["py"] = "Python", ["net"] = ".NET", ["jit"] = "ours, JIT",
        ["aot"] = "ours, AOT", ["iceoryx"] = "iceoryx",
    };

    // Ours on another runtime or C library, and the C that is beside it there.
    private static readonly (string Peer, string C, string Head)[] s_platforms =
        [("net11", "c", ".NET 11"), ("musl", "cmusl", "musl")];

    // A technique that pays on one platform and costs this many times as much on another is told.
    private const double MuchWorse = 1.5;

    // From here on a row says how far its rounds are apart.
    private const double Apart = 0.10;

    /// <summary>Each target with what was reached: in the worst of several runs of the whole table.</summary>
    public static string Targets(IReadOnlyList<Runs> runs, IReadOnlyList<Target> targets,
        IReadOnlyDictionary<string, string> explanations)
    {
        StringBuilder text = new("| What | | Target | JIT | AOT | | Explanation |\n|---|---|---|---|---|---|---|\n");
        string row = "";
        foreach (Target target in targets)
        {
            Measured? jit = Worst(target, "jit"), aot = Worst(target, "aot");
            string verdict = Name((Verdict)Math.Max((int)target.Judge(jit), (int)target.Judge(aot)));
            text.Append(CultureInfo.InvariantCulture,
                $"| {(target.Row == row ? "" : target.Row)} | {target.Label} | {target.Goal} | {Shown(target, jit)} "
                    + $"| {Shown(target, aot)} | {verdict} | {explanations.GetValueOrDefault(Key(target), "")} |\n");
            row = target.Row;
        }

        return text.ToString();

        Measured? Worst(Target target, string ours)
            => runs.Select(run => target.Of(run, ours)).Where(measured => measured is not null)
                .MaxBy(measured => measured!.Median);
    }

    private static string Shown(Target target, Measured? measured)
        => target.Shown(measured) + (target.Divisor is not null && measured is { Count: > 1, Spread: > Apart }
            ? string.Create(CultureInfo.InvariantCulture, $" ±{measured.Spread * 100:0} %") : "");

    /// <summary>Each workload: C's median, and the ratio of the others to it.</summary>
    public static string Ratios(Runs runs)
    {
        string[] peers = [.. s_heads.Keys.Where(peer => peer != "c" && runs.Peers.Contains(peer))];
        StringBuilder text = new();
        text.Append("| Workload | C |").AppendJoin('|',
            peers.Select(peer => $" {s_heads[peer]} ")).Append("|\n|---|---|");
        foreach (string _ in peers) text.Append("---|");
        text.Append('\n');
        foreach (string workload in Ordered(runs))
        {
            string plain = runs.BaseOf(workload);
            if (runs.Of("c", plain) is not { Median: > 0 } c) continue;
            text.Append(CultureInfo.InvariantCulture,
                $"| `{workload}` | {(plain == workload ? "" : "*")}{BenchReport.Text.Value(plain, c.Median)} |");
            foreach (string peer in peers)
            {
                string ratio = runs.Ratio(peer, workload, "c", plain) is { } found
                    ? BenchReport.Text.Ratio(found.Median) : "–";
                text.Append(CultureInfo.InvariantCulture, $" {ratio} |");
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Counted instructions beside times.</summary>
    public static string Instructions(Runs runs, IEnumerable<string> counted)
    {
        StringBuilder text = new("| Workload | Instructions | Time, AOT |\n|---|---|---|\n");
        foreach (string[] line in counted.Where(line => line is not ['#', ..]).Select(line => line.Split('\t')))
        {
            string time = runs.Of("aot", line[0]) is { } found ? BenchReport.Text.Value(line[0], found.Median) : "–";
            text.Append(CultureInfo.InvariantCulture, $"| `{line[0]}` | {line[1]} | {time} |\n");
        }

        return text.ToString();
    }

    /// <summary>Ours with the JIT by its ratio to C, on .NET 10 and glibc and on other platforms, each beside the C
    /// there.</summary>
    public static string Platforms(Runs runs, IReadOnlyDictionary<string, string> explanations)
    {
        StringBuilder text = new("| Workload | .NET 10, glibc |");
        text.AppendJoin('|', s_platforms.Select(platform => $" {platform.Head} ")).Append("| | Why |\n|---|---|");
        foreach (var _ in s_platforms) text.Append("---|");
        text.Append("---|---|\n");
        foreach (string workload in Ordered(runs))
        {
            string plain = runs.BaseOf(workload);
            Measured? usual = runs.Ratio("jit", workload, "c", plain);
            Measured?[] others = [.. s_platforms.Select(platform => runs.Ratio(platform.Peer, workload, platform.C,
                plain))];
            if (usual is null || others.All(other => other is null)) continue;
            bool isWorse = others.Any(other => other?.Median > usual.Median * MuchWorse);
            text.Append(CultureInfo.InvariantCulture, $"| `{workload}` | {BenchReport.Text.Ratio(usual.Median)} |");
            foreach (Measured? other in others)
                text.Append(CultureInfo.InvariantCulture,
                    $" {(other is null ? "–" : BenchReport.Text.Ratio(other.Median))} |");
            text.Append(CultureInfo.InvariantCulture, $" {(isWorse ? "**much worse**" : "")} | "
                + $"{(isWorse ? explanations.GetValueOrDefault(PlatformKey(workload), "") : "")} |\n");
        }

        return text.ToString();
    }

    public static string PlatformKey(string workload) => $"platform\t{workload}\t-";

    /// <summary>What only the library has.</summary>
    public static string Alone(Runs runs)
    {
        StringBuilder text = new("| Workload | JIT | AOT |\n|---|---|---|\n");
        foreach (string workload in Ordered(runs))
        {
            Measured? jit = runs.Of("jit", workload), aot = runs.Of("aot", workload);
            if ((jit is null && aot is null) || runs.Of("c", runs.BaseOf(workload)) is { Median: > 0 }) continue;
            text.Append(CultureInfo.InvariantCulture, $"| `{workload}` | {Value(jit)} | {Value(aot)} |\n");

            string Value(Measured? measured)
                => measured is null ? "–" : BenchReport.Text.Value(workload, measured.Median);
        }

        return text.ToString();
    }

    public static string Key(Target target)
        => $"{target.Row}\t{target.Label}\t{(target.Divisor is null ? "-" : $"{target.DivisorPeer}:{target.Divisor}")}";

    public static string Name(Verdict verdict) => verdict switch
    {
        Verdict.Met => "met",
        Verdict.WithinNoise => "within noise",
        Verdict.NotMet => "**not met**",
        _ => "not measured",
    };

    // As the yardsticks list them, a variant behind its plain workload whoever has it. What is left over is in the
    // table of targets.
    private static IEnumerable<string> Ordered(Runs runs)
        => runs.Workloads.Where(name => !name.EndsWith("_left", StringComparison.Ordinal))
            .Select((name, index) => (name, index))
            .OrderBy(item => runs.Workloads.FindIndex(other => other == Runs.Plain(item.name)) is >= 0 and var at
                ? at : item.index)
            .ThenBy(item => item.name.Contains('@', StringComparison.Ordinal)).ThenBy(item => item.index)
            .Select(item => item.name);
}
