using System.Globalization;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Waiting.Bounds;

/// <summary>How many threads of the machine want each of its processors now: on a machine with more to do than it can,
/// the time says little about a peer that does something short.</summary>
internal static class Crowd
{
    /// <summary>What a test has this thread ask instead.</summary>
    [ThreadStatic]
    internal static Func<double>? t_instead;

    /// <summary>1 where each thread has a processor, and where the system does not say. Linux only.</summary>
    public static double Times => t_instead?.Invoke() ?? Read(Environment.ProcessorCount);

    private static double Read(int processors)
    {
        if (!OperatingSystem.IsLinux()) return 1;
        return Libc.TextOf("/proc/loadavg", out _) is { } text ? Parse(text, processors) : 1;
    }

    /// <summary>The line of proc_loadavg(5), "0.20 0.18 0.12 3/80 11206": three threads run, or would if they got a
    /// processor. One of them is the caller.</summary>
    internal static double Parse(string line, int processors)
    {
        string[] words = line.Split(' ', '/');
        return words.Length > 3 && int.TryParse(words[3], CultureInfo.InvariantCulture, out int runnable)
            ? Math.Max(1, (double)runnable / processors) : 1;
    }
}
