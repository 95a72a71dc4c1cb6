using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>
/// Text that came from outside (names, process names, arguments), made harmless for a terminal: what is no visible character is shown as
/// its code. Those are the control characters of C0 and C1, the format characters (bidirectional marks, zero-width characters, tags), line
/// and paragraph separators and halves of surrogate pairs. Bytes that are no UTF-8 have become U+FFFD when they were read.
/// </summary>
internal static class PrintableText
{
    /// <summary>A text for one line: a line feed is shown as its code as well.</summary>
    public static string Of(string text) => Escape(text, keepsLines: false);

    /// <summary>Lines that this tool has made: line feeds stay, and so do the carriage returns before them, as Windows has them.</summary>
    public static string OfLines(string text) => Escape(text, keepsLines: true);

    private static string Escape(string text, bool keepsLines)
    {
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

    private static bool IsLineEnd(string text, int at) => text[at] == '\n' || (text[at] == '\r' && at + 1 < text.Length && text[at + 1] == '\n');

    private static bool IsInvisible(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate;
}
