using System.Diagnostics;

namespace NativeIpc.DistributedLock;

/// <summary>What is left of a time, on the monotonic clock. The default has none.</summary>
internal readonly struct Deadline
{
    private readonly TimeSpan _timeout;
    private readonly long _began;

    /// <summary>Begins now.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    public Deadline(TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan && timeout.TotalMilliseconds is < 0 or > int.MaxValue)
        {
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout,
                "A time must be from 0 to 2^31-1 ms, or Timeout.InfiniteTimeSpan.");
        }

        _timeout = timeout;
        _began = timeout <= TimeSpan.Zero ? 0 : Stopwatch.GetTimestamp();
    }

    public TimeSpan Rest
    {
        get
        {
            if (_timeout <= TimeSpan.Zero) return _timeout; // none, or infinite
            TimeSpan rest = _timeout - Stopwatch.GetElapsedTime(_began);
            return rest < TimeSpan.Zero ? TimeSpan.Zero : rest;
        }
    }

    public bool HasTime => Rest != TimeSpan.Zero;
}
