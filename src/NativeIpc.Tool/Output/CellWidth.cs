using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>How many columns of a terminal a text takes: none for what combines with the character before, two for the
/// wide characters of East Asia and pictures (Unicode Standard Annex 11), one for the rest.</summary>
internal static class CellWidth
{
    // The blocks that are wide as a whole, or nearly so.
    private static readonly (int First, int Last)[] s_wide =
    [
        (0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
        (0xA960, 0xA97F), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F),
        (0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1F300, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1F9FF), (0x1FA70,
            0x1FAFF), (0x20000, 0x3FFFD),
    ];

    public static int Of(string text)
    {
        if (Ascii.IsValid(text)) return text.Length;
        int width = 0;
        foreach (Rune rune in text.EnumerateRunes()) width += Of(rune);
        return width;
    }

    /// <summary>The text with blanks behind it to a width.</summary>
    public static string Pad(string text, int width) => text + new string(' ', Math.Max(0, width - Of(text)));

    /// <summary>The beginning of a text that fits, with an ellipsis where something is cut.</summary>
    public static string Cut(string text, int width)
    {
        if (Of(text) <= width) return text;
        return width < 1 ? "" : Head(text, width - 1) + "…";
    }

    /// <summary>The two ends of a text, with an ellipsis in the middle where something is cut.</summary>
    public static string CutMiddle(string text, int width)
    {
        if (Of(text) <= width) return text;
        if (width < 3) return Cut(text, width);
        string head = Head(text, width / 2);
        return $"{head}…{Tail(text, width - Of(head) - 1)}";
    }

    private static string Head(string text, int width)
    {
        int length = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            width -= Of(rune);
            if (width < 0) break;
            length += rune.Utf16SequenceLength;
        }

        return text[..length];
    }

    private static string Tail(string text, int width)
    {
        int at = text.Length;
        while (at > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, at), out Rune rune,
            out int length) == System.Buffers.OperationStatus.Done)
        {
            width -= Of(rune);
            if (width < 0) break;
            at -= length;
        }

        return text[at..];
    }

    private static int Of(Rune rune)
    {
        if (rune.IsAscii) return 1;
        if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark) return 0;
        return Array.Exists(s_wide, block => rune.Value >= block.First && rune.Value <= block.Last) ? 2 : 1;
    }
}
