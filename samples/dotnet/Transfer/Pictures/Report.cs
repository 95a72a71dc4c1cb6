using System.Globalization;

namespace Transfer.Pictures;

/// <summary>What a viewer says: of each picture, and at its end.</summary>
/// <param name="IsEnd">Whether it is the end.</param>
/// <param name="Frames">How many pictures there were.</param>
/// <param name="Values">Of a picture its number, who drew it, and whether that one took over; at the end bytes, missed
/// pictures and milliseconds.</param>
internal sealed record Report(bool IsEnd, long Frames, long[] Values)
{
    public long Number => Values[0];

    public long Drawer => Values[1];

    public bool TookOver => Values[2] != 0;

    public long Bytes => Values[0];

    public long Missed => Values[1];

    public TimeSpan Time => TimeSpan.FromMilliseconds(Values[2]);

    public static Report? Parse(string line)
    {
        string[] words = line.Split(' ');
        if (words.Length != 5 || words[0] is not ("frame" or "end")) return null;
        long[] numbers = new long[4];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!long.TryParse(words[i + 1], CultureInfo.InvariantCulture, out numbers[i])) return null;
        }

        return new Report(words[0] == "end", numbers[0], numbers[1..]);
    }
}
