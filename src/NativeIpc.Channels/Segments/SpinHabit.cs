using System.Diagnostics;

namespace NativeIpc.Channels.Segments;

/// <summary>Whether to try for a moment before a sleep. A spin that brought nothing lets the next 1, 2, 4 … 1,024 waits
/// sleep at once; one that paid starts anew. Of one thread at a time.</summary>
internal struct SpinHabit
{
    /// <summary>Pauses in which messages, or room for them, gather: about a microsecond.</summary>
    public const int MostGathers = 31;

    private const int MostSkipped = 1024;
    /// <summary>Whether another one can run meanwhile.</summary>
    public static readonly bool s_canSpin = Environment.ProcessorCount > 1;

    private static readonly long s_longest = Stopwatch.Frequency / 20_000; // 50 µs

    private int _skip;
    private int _penalty;

    /// <summary>Begins a spin, unless it did not pay lately.</summary>
    public bool Begins()
    {
        if (!s_canSpin) return false;
        if (_skip == 0) return true;
        _skip--;
        return false;
    }

    /// <summary>When a spin that begins now is over.</summary>
    public static long End() => Stopwatch.GetTimestamp() + s_longest;

    public void Paid() => _penalty = 0;

    public void DidNotPay()
    {
        _penalty = Math.Min(MostSkipped, Math.Max(1, _penalty * 2));
        _skip = _penalty;
    }
}
