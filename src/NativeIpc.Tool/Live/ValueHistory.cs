using System.Globalization;

namespace NativeIpc.Tool.Live;

/// <summary>The last counts of a semaphore, as a line of bars.</summary>
internal sealed class ValueHistory
{
    /// <summary>How many are kept.</summary>
    public const int Most = 60;
    private const string Heights = "▁▂▃▄▅▆▇█";

    private readonly Queue<int> _values = new();

    public void Add(int value)
    {
        if (_values.Count == Most) _values.Dequeue();
        _values.Enqueue(value);
    }

    /// <summary>The bars of the last looks, the latest last, and between what counts they are.</summary>
    public string Bars(int most)
    {
        int[] values = [.. _values.TakeLast(most)];
        if (values.Length == 0) return "";
        int highest = Math.Max(1, values.Max());
        string bars = string.Concat(values.Select(
            value => Heights[(int)((long)value * (Heights.Length - 1) / highest)]));
        return string.Create(CultureInfo.InvariantCulture,
            $"{bars} {values.Min()} to {values.Max()} in {values.Length} looks");
    }
}
