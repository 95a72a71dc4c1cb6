using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>results.tsv: what was measured last, for programs and for the next comparison.</summary>
internal sealed record Result(string Workload, string Peer, int Rounds, double Median, double Min, double Max,
    double? Ratio, double? Spread)
{
    private const string Machine = "# ";
    private const string Head = "workload\tpeer\trounds\tmedian\tmin\tmax\tratio_to_c\tratio_spread";

    public static IEnumerable<Result> Of(Runs runs)
        => from workload in runs.Workloads
           from peer in runs.Peers
           let measured = runs.Of(peer, workload)
           where measured is not null
           let ratio = peer == "c" ? null : runs.Ratio(peer, workload, "c", runs.BaseOf(workload))
           select new Result(workload, peer, measured.Count, measured.Median, measured.Min, measured.Max, ratio?.Median,
               ratio?.Spread);

    /// <summary>Of each row the worst of several runs: by its ratio where it has one, else by its value.</summary>
    public static IEnumerable<Result> Worst(IEnumerable<Runs> runs)
        => runs.SelectMany(Of).GroupBy(result => (result.Workload, result.Peer))
            .Select(same => same.MaxBy(result => result.Ratio ?? (same.Any(other => other.Ratio is not null)
                ? double.MinValue : result.Median))!);

    public static void Write(string path, string machine, IEnumerable<Result> results)
        => File.WriteAllLines(path, [Machine + machine, Head,
            .. results.Select(r => string.Create(CultureInfo.InvariantCulture,
                $"{r.Workload}\t{r.Peer}\t{r.Rounds}\t{r.Median:0.##}\t{r.Min:0.##}\t{r.Max:0.##}\t"
                + $"{r.Ratio:0.####}\t{r.Spread:0.####}"))]);

    /// <summary>What a table was measured on; empty where it does not say.</summary>
    public static string MachineOf(string path)
        => File.ReadLines(path).First() is var line && line.StartsWith(Machine, StringComparison.Ordinal)
            ? line[Machine.Length..] : "";

    public static IEnumerable<Result> Read(string path)
        => from line in File.ReadLines(path).SkipWhile(line => line != Head).Skip(1)
           let c = line.Split('\t')
           select new Result(c[0], c[1], int.Parse(c[2], CultureInfo.InvariantCulture), Number(c[3])!.Value,
               Number(c[4])!.Value, Number(c[5])!.Value, Number(c[6]), Number(c[7]));

    private static double? Number(string text)
        => text.Length == 0 ? null : double.Parse(text, CultureInfo.InvariantCulture);
}
