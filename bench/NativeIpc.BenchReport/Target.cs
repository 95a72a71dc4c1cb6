using System.Globalization;

namespace NativeIpc.BenchReport;

internal enum Verdict { NotMeasured, Met, WithinNoise, NotMet }

/// <summary>A line of targets.tsv.</summary>
internal sealed record Target(string Row, string Label, string Workload, string? DivisorPeer, string? Divisor,
    double AtMost, double? Aim)
{
    public static IEnumerable<Target> Read(string path)
        => from line in File.ReadLines(path)
           where line.Length > 0 && line[0] != '#'
           let c = line.Split('\t')
           let divisor = c[3] == "-" ? new string?[2] : c[3].Split(':', 2)
           select new Target(c[0], c[1], c[2], divisor[0], divisor[1], Number(c[4]), c[5] == "-" ? null : Number(c[5]));

    private const string OfC = "c:";

    /// <summary>What a peer of ours (jit, aot) reached. What C itself reached is in the column of the first of
    /// them.</summary>
    public Measured? Of(Runs runs, string ours)
    {
        if (Workload.StartsWith(OfC, StringComparison.Ordinal))
            return ours == Tables.Ours[0] ? runs.Ratio("c", Workload[OfC.Length..], DivisorPeer!, Divisor!) : null;
        if (Divisor is not null)
            return runs.Ratio(ours, Workload, DivisorPeer == "ours" ? ours : DivisorPeer!, Divisor);
        int star = Workload.IndexOf('*', StringComparison.Ordinal);
        if (star < 0) return runs.Of(ours, Workload);
        Measured[] all = [.. from name in runs.Workloads
                             where name.StartsWith(Workload[..star], StringComparison.Ordinal)
                                 && name.EndsWith(Workload[(star + 1)..], StringComparison.Ordinal)
                             select runs.Of(ours, name) into measured
                             where measured is not null
                             select measured];
        return all.MaxBy(one => one.Median);
    }

    /// <summary>Within the noise is what is over the target by less than the rounds are apart.</summary>
    public Verdict Judge(Measured? measured) => measured switch
    {
        null => Verdict.NotMeasured,
        _ when Rounded(measured.Median) <= AtMost => Verdict.Met,
        _ when Divisor is not null && measured.Count > 1
            && measured.Median * (1 - measured.Spread) <= AtMost => Verdict.WithinNoise,
        _ => Verdict.NotMet,
    };

    public string Goal => Divisor is null
        ? Text.Value(Workload, AtMost) + (Aim is { } aim ? $" (aim {Text.Value(Workload, aim)})" : "")
        : string.Create(CultureInfo.InvariantCulture, $"{AtMost}× {Against}")
            + (Aim is { } wish ? string.Create(CultureInfo.InvariantCulture, $" (aim {wish})") : "");

    public string Shown(Measured? measured) => measured is null
        ? "–" : Divisor is null ? Text.Value(Workload, measured.Median) : Text.Ratio(measured.Median);

    private string Against => DivisorPeer switch
    {
        "c" when Divisor!.EndsWith("@best", StringComparison.Ordinal) => "the best ring in C",
        "c" when Divisor!.EndsWith("@records", StringComparison.Ordinal) => "the best one with lengths",
        "c" when Divisor!.EndsWith("@unix", StringComparison.Ordinal) => "Unix socket",
        "c" when Divisor!.EndsWith("@memcpy", StringComparison.Ordinal) => "memcpy",
        "c" => "C",
        "boost" => "Boost",
        "iceoryx" => "iceoryx",
        "qt" => "Qt",
        "net" => "accessor",
        _ when Divisor!.EndsWith("@redis", StringComparison.Ordinal) => "Redis",
        _ when Divisor.EndsWith("@postgres", StringComparison.Ordinal) => "PostgreSQL",
        _ when Divisor.EndsWith("@semaphore", StringComparison.Ordinal) => "the semaphore",
        _ when Divisor.StartsWith("start.", StringComparison.Ordinal) => "an empty program",
        _ when Divisor.StartsWith("topic.", StringComparison.Ordinal) => "no reader",
        _ => Divisor.StartsWith("scale.", StringComparison.Ordinal) ? "100" : "a thread",
    };

    // Three places: a target of 0.286 is one of 3.5 times.
    private static double Rounded(double value) => Math.Round(value, 3);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
