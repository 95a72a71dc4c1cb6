using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>What the yardsticks printed: for each peer and workload a value of each round.</summary>
internal sealed class Runs
{
    private readonly Dictionary<(string Peer, string Workload), SortedDictionary<int, double>> _values = [];

    public List<string> Peers { get; } = [];

    public List<string> Workloads { get; } = [];

    /// <summary>Reads lines of round, peer, workload, value.</summary>
    public static Runs Read(string path)
    {
        Runs runs = new();
        foreach (string line in File.ReadLines(path))
        {
            if (line.Split('\t') is not [var round, var peer, var workload, var value])
                throw new FormatException($"{path}: '{line}' is not round, peer, workload, value.");
            if (!runs.Peers.Contains(peer)) runs.Peers.Add(peer);
            if (!runs.Workloads.Contains(workload)) runs.Workloads.Add(workload);
            if (!runs._values.TryGetValue((peer, workload), out var rounds))
                runs._values[(peer, workload)] = rounds = [];
            rounds[int.Parse(round, CultureInfo.InvariantCulture)] = double.Parse(value, CultureInfo.InvariantCulture);
        }

        return runs;
    }

    public Measured? Of(string peer, string workload)
        => _values.TryGetValue((peer, workload), out var rounds) ? new Measured([.. rounds.Values]) : null;

    /// <summary>The quotients of the rounds in which both were measured: whatever the machine did meanwhile fell on
    /// both.</summary>
    public Measured? Ratio(string peer, string workload, string divisorPeer, string divisor)
    {
        if (!_values.TryGetValue((peer, workload), out var ours)
            || !_values.TryGetValue((divisorPeer, divisor), out var others))
            return null;
        double[] ratios = [.. ours.Where(pair => others.GetValueOrDefault(pair.Key) > 0)
            .Select(pair => pair.Value / others[pair.Key])];
        return ratios.Length == 0 ? null : new Measured(ratios);
    }

    /// <summary>The workload without its variant, which is between an @ and a dot.</summary>
    public static string Plain(string workload)
    {
        int at = workload.IndexOf('@', StringComparison.Ordinal);
        if (at < 0) return workload;
        int dot = workload.IndexOf('.', at);
        return workload[..at] + (dot < 0 ? "" : workload[dot..]);
    }

    /// <summary>What a workload is compared with: the same of C, or for a variant that C does not have the plain
    /// one.</summary>
    public string BaseOf(string workload)
    {
        if (_values.ContainsKey(("c", workload))) return workload;
        return Plain(workload);
    }
}
