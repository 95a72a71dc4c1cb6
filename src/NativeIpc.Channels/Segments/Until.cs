using System.Diagnostics;

namespace NativeIpc.Channels.Segments;

/// <summary>Until when a call may wait, on the monotonic clock.</summary>
internal readonly struct Until
{
    private readonly long _end;

    /// <param name="timeout">Zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is another negative time, or over 2^31-1 ms.</exception>
    public Until(TimeSpan timeout)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
        {
            _end = long.MaxValue;
            return;
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout.TotalMilliseconds, int.MaxValue, nameof(timeout));
        // Up, so that no wait is too short
        _end = timeout == TimeSpan.Zero ? 0
            : Stopwatch.GetTimestamp() + (long)Math.Ceiling(timeout.TotalSeconds * Stopwatch.Frequency);
    }

    public bool IsOver => _end != long.MaxValue && (_end == 0 || Stopwatch.GetTimestamp() >= _end);

    /// <summary>The time that is left, and no more than a slice.</summary>
    public TimeSpan Slice(TimeSpan longest)
    {
        if (_end == long.MaxValue) return longest;
        long left = _end == 0 ? 0 : _end - Stopwatch.GetTimestamp();
        if (left <= 0) return TimeSpan.Zero;
        TimeSpan rest = TimeSpan.FromSeconds((double)left / Stopwatch.Frequency) + TimeSpan.FromTicks(1);
        return rest < longest ? rest : longest;
    }
}
