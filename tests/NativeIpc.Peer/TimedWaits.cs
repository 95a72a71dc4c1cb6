using System.Diagnostics;
using System.Globalization;

namespace NativeIpc.Peer;

/// <summary>Waits in every way for what does not come, and says how long each wait was on the monotonic
/// clock.</summary>
internal static class TimedWaits
{
    public static async Task<string> RunAsync(NativeIpcKey empty, NativeIpcKey locked, NativeIpcKey missing,
        TimeSpan time)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(empty);
        using SharedMemory segment = SharedMemory.OpenExisting(locked);
        DateTimeOffset wallClock = TimeProvider.System.GetUtcNow();
        double jump = Math.Abs((TimeProvider.System.GetUtcNow() - wallClock).TotalHours);
        (string Name, Func<Task<bool>> Wait)[] waits =
        [
            ("acquire", () => Task.FromResult(semaphore.TryAcquire(time))),
            ("acquireasync", () => semaphore.TryAcquireAsync(time).AsTask()),
            ("lock", () => Task.FromResult(segment.TryLock(time, out _))),
            ("lockasync", async () => await segment.TryLockAsync(time).ConfigureAwait(false) is not null),
            ("open", () => IsFoundAsync(SharedMemory.OpenExistingAsync(missing, time))),
            ("opensemaphore", () => IsFoundAsync(SystemSemaphore.OpenExistingAsync(missing, time))),
            .. SystemSemaphore.IsMultipleAcquireSupported(empty.Type)
                ? new (string, Func<Task<bool>>)[] { ("several",
                    () => Task.FromResult(semaphore.TryAcquire(2, time, CancellationToken.None))) } : [],
        ];
        string answer = string.Create(CultureInfo.InvariantCulture, $"ok jump={jump:0}");
        foreach ((string name, Func<Task<bool>> wait) in waits)
        {
            long start = Stopwatch.GetTimestamp();
            bool came = await wait().ConfigureAwait(false);
            double waited = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            if (came) return $"error Unknown {name} got what is not there";
            answer += string.Create(CultureInfo.InvariantCulture, $" {name}={Math.Floor(waited):0}");
        }

        return answer;
    }

    private static async Task<bool> IsFoundAsync<T>(Task<T> opening)
        where T : IDisposable
    {
        try
        {
            (await opening.ConfigureAwait(false)).Dispose();
            return true;
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound)
        {
            return false;
        }
    }
}
