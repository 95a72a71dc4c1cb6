using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace NativeIpc.Tool.Arguments;

/// <summary>Taking several permits, on every type of key.</summary>
internal static class Permits
{
    public static Option<int> CountOption(string description) => new("--count", "-n")
    {
        HelpName = "N",
        Description = description,
        DefaultValueFactory = _ => 1,
        CustomParser = result =>
        {
            string text = result.Tokens[^1].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count >= 1)
                return count;
            result.AddError($"'{text}' is no number of permits. Use 1 or more.");
            return 1;
        },
    };

    /// <summary>Takes permits within a time. False when the time is up; none is held then.</summary>
    /// <remarks>System V takes them in one step. The others know no such step: one after the other, and those that were
    /// had are given back when the time is up or the wait is interrupted. Two takers that each have a part of what is
    /// there wait for each other, then: only a timeout ends that.</remarks>
    public static bool TryAcquire(SystemSemaphore semaphore, int count, TimeSpan? timeout,
        CancellationToken cancellation)
    {
        TimeSpan limit = timeout ?? Timeout.InfiniteTimeSpan;
        if (count == 1) return semaphore.TryAcquire(limit, cancellation);
        if (SystemSemaphore.IsMultipleAcquireSupported(semaphore.Key.Type))
            return semaphore.TryAcquire(count, limit, cancellation);

        long started = Stopwatch.GetTimestamp();
        int held = 0;
        try
        {
            while (held < count)
            {
                TimeSpan left = timeout is null ? limit : limit - Stopwatch.GetElapsedTime(started);
                if (!semaphore.TryAcquire(timeout is null || left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellation))
                    break;
                held++;
            }

            return held == count;
        }
        finally
        {
            if (held > 0 && held < count) semaphore.Release(held);
        }
    }
}
