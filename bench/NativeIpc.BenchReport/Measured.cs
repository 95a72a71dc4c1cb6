namespace NativeIpc.BenchReport;

/// <summary>One value of each round.</summary>
internal sealed class Measured(double[] values)
{
    private readonly double[] _sorted = [.. values.Order()];

    public int Count => _sorted.Length;

    public double Min => _sorted[0];

    public double Max => _sorted[^1];

    public double Median => _sorted.Length % 2 == 1
        ? _sorted[_sorted.Length / 2] : (_sorted[(_sorted.Length / 2) - 1] + _sorted[_sorted.Length / 2]) / 2;

    /// <summary>How far the rounds are apart, as a part of their median: the middle half of them, or all where there
    /// are fewer than four.</summary>
    public double Spread
    {
        get
        {
            if (Median == 0) return 0;
            int cut = _sorted.Length < 4 ? 0 : _sorted.Length / 4;
            return (_sorted[^(cut + 1)] - _sorted[cut]) / Median;
        }
    }
}
