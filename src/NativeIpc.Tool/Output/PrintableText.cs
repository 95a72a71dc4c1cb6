using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>
/// Text that came from outside (names, process names, arguments), made harmless for a terminal: what is no visible
/// character is shown as its code. Those are the control characters of C0 and C1, the format characters (marks of
/// direction, zero-width characters, tags), line and paragraph separators, blanks other than the one of ASCII,
/// characters that are drawn as nothing, and halves of surrogate pairs. Bytes that are no UTF-8 have become <c>\xff</c>
/// when the library read them.
/// </summary>
/// <remarks>Everything that is printed comes through here, since <see cref="StandardStreams"/>, <see cref="Terminal"/>
/// and <see cref="ToolJson"/> apply it; a text that may hold a line feed is made one line where it is put into a
/// line.</remarks>
internal static class PrintableText
{
    /// <summary>A text for one line: a line feed is shown as its code as well.</summary>
    public static string Of(string text) => Escape(text, keepsLines: false);

    /// <summary>Lines that this tool has made: line feeds stay, and so do the carriage returns before them, as Windows
    /// has them.</summary>
    public static string OfLines(string text) => Escape(text, keepsLines: true);

    private static string Escape(string text, bool keepsLines)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        StringBuilder? shown = null;
        for (int i = 0; i < text.Length;)
        {
            bool isRune = Rune.TryGetRuneAt(text, i, out Rune rune);
            int length = isRune ? rune.Utf16SequenceLength : 1;
            if (isRune && (!IsInvisible(rune) || (keepsLines && IsLineEnd(text, i))))
            {
                shown?.Append(text, i, length);
            }
            else
            {
                shown ??= new StringBuilder(text, 0, i, text.Length + 16);
                int code = isRune ? rune.Value : text[i];
                shown.Append(CultureInfo.InvariantCulture, $"{(code > 0xFFFF ? $"\\U{code:x8}" : $"\\u{code:x4}")}");
            }

            i += length;
        }

        return shown?.ToString() ?? text;
    }

    private static bool IsLineEnd(string text, int at)
        => text[at] == '\n' || (text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n');

    /// <summary>Whether a character is to be shown as its code.</summary>
    public static bool IsInvisible(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => true,
        UnicodeCategory.SpaceSeparator => rune.Value != ' ',
        _ => IsDrawnAsNothing(rune.Value),
    };

    /// <summary>What Unicode lets a terminal draw as nothing although its category does not say so
    /// (Default_Ignorable_Code_Point of DerivedCoreProperties.txt), the blank of braille, and no characters.</summary>
    private static bool IsDrawnAsNothing(int code)
        => code is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x2065 or 0x2800 or 0x3164 or 0xFFA0
            or (>= 0x180B and <= 0x180F) or (>= 0xFE00 and <= 0xFE0F) or (>= 0xFDD0 and <= 0xFDEF)
            or (>= 0xFFF0 and <= 0xFFF8) or (>= 0xE0000 and <= 0xE0FFF)
            || (code & 0xFFFE) == 0xFFFE;
}
