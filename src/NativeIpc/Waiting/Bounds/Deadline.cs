using System.Diagnostics;

namespace NativeIpc.Waiting.Bounds;

/// <summary>A moment on the monotonic clock, or never. Checked once, where a timeout enters.</summary>
internal readonly struct Deadline
{
    private readonly long _start;
    private readonly TimeSpan _timeout;

    /// <param name="timeout">From now; <see cref="Timeout.InfiniteTimeSpan"/> for never, zero for now.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative, other than infinite, or longer than 2^31-1 milliseconds
    /// (as everywhere in .NET).</exception>
    public Deadline(TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout, TimeSpan.FromMilliseconds(int.MaxValue));
        }

        // Neither now nor never needs the clock, which costs as much as taking a free lock.
        _start = timeout == TimeSpan.Zero || timeout == Timeout.InfiniteTimeSpan ? 0 : Stopwatch.GetTimestamp();
        _timeout = timeout;
    }

    /// <summary>Whether a timeout has a meaning.</summary>
    public static bool IsValid(TimeSpan timeout)
        => timeout == Timeout.InfiniteTimeSpan
            || (timeout >= TimeSpan.Zero && timeout <= TimeSpan.FromMilliseconds(int.MaxValue));

    /// <summary>What is left, infinite for a deadline that never comes.</summary>
    public TimeSpan Rest => _timeout == Timeout.InfiniteTimeSpan ? _timeout : Left(TimeSpan.MaxValue);

    /// <summary>What is left, at most <paramref name="slice"/>; zero once the deadline has passed.</summary>
    public TimeSpan Left(TimeSpan slice)
    {
        if (_timeout == Timeout.InfiniteTimeSpan) return slice;
        if (_timeout == TimeSpan.Zero) return TimeSpan.Zero;
        TimeSpan left = _timeout - Stopwatch.GetElapsedTime(_start);
        return left <= TimeSpan.Zero ? TimeSpan.Zero : left < slice ? left : slice;
    }
}
