using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>What storms share: processes that are killed at a step, or end by themselves.</summary>
public abstract class StormTests : LanguageTests
{
    /// <summary>One of the storm.</summary>
    private protected readonly record struct Victim(Process Process, string Language, string Verb, string Step)
    {
        public long Start { get; } = Stopwatch.GetTimestamp();

        public override string ToString() => $"{Language} {Verb} {Step}";
    }

    /// <summary>How many were killed at which step.</summary>
    private protected SortedDictionary<string, int> Killed { get; } = [];

    private protected string KilledLines => string.Join('\n', Killed.Select(one => $"{one.Value,5} {one.Key}"));

    /// <summary>Which of them has ended.</summary>
    /// <param name="all">They.</param>
    /// <param name="look">What is done from time to time meanwhile.</param>
    private protected static int WaitForAny(List<Victim> all, Action? look = null)
    {
        long begin = Stopwatch.GetTimestamp();
        while (true)
        {
            int ended = all.FindIndex(one => one.Process.HasExited);
            if (ended >= 0) return ended;
            Assert.True(Stopwatch.GetElapsedTime(begin) < Watchdog,
                $"The storm stands still: {string.Join(", ", all)}");
            look?.Invoke();
            all[0].Process.WaitForExit(1);
        }
    }

    /// <summary>Whether it was killed; otherwise it has ended as it should.</summary>
    private protected bool Judge(Victim victim)
    {
        victim.Process.WaitForExit();
        string said = victim.Process.StandardOutput.ReadToEnd();
        int code = victim.Process.ExitCode;
        Release(victim.Process);
        Assert.True(code is 0 or 137, $"{victim}: {code} {said}");
        Assert.Equal("", said);
        if (code == 0) return false;
        Killed[$"{victim}"] = Killed.GetValueOrDefault($"{victim}") + 1;
        return true;
    }
}
