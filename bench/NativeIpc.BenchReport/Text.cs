using System.Globalization;

namespace NativeIpc.BenchReport;

/// <summary>Numbers as a reader wants them.</summary>
internal static class Text
{
    public static string Ratio(double ratio)
        => ratio.ToString(ratio < 0.1 ? "0.000" : ratio < 10 ? "0.00" : "0", CultureInfo.InvariantCulture) + "×";

    /// <summary>The value of a workload, with its unit.</summary>
    public static string Value(string workload, double value) => workload.Split('.')[^1] switch
    {
        "idle_wakeups_s" => Number(value) + " /s",
        "idle_cpu_us_s" => Number(value) + " µs/s",
        "maps_left" or "fds_left" or "maps" or "threads" or "cores" or "fds" => Number(value),
        "bytes" or "private_bytes" => value < 1e6 ? Number(value / 1e3) + " kB" : Number(value / 1e6) + " MB",
        _ when workload.StartsWith("alloc.", StringComparison.Ordinal)
            || workload.StartsWith("object.", StringComparison.Ordinal) => Number(value) + " B",
        _ => Time(value),
    };

    public static string Time(double ns) => ns switch
    {
        < 1e3 => Number(ns) + " ns",
        < 1e6 => Number(ns / 1e3) + " µs",
        _ => Number(ns / 1e6) + " ms",
    };

    private static string Number(double value)
        => value.ToString(value < 10 ? "0.##" : value < 100 ? "0.#" : "0", CultureInfo.InvariantCulture);
}
