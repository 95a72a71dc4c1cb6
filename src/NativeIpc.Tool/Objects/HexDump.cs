using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Objects;

/// <summary>Bytes as <c>hexdump -C</c> prints them.</summary>
internal static class HexDump
{
    public const int PerLine = 16;

    /// <summary>The whole dump: a run of lines that are alike is one <c>*</c>, and the last line is the offset after the end.</summary>
    public static void Write(TextWriter output, ReadOnlySpan<byte> bytes, long offset)
    {
        bool starred = false;
        for (int at = 0; at < bytes.Length; at += PerLine)
        {
            ReadOnlySpan<byte> line = LineAt(bytes, at);
            if (at > 0 && line.Length == PerLine && line.SequenceEqual(bytes.Slice(at - PerLine, PerLine)))
            {
                if (!starred) output.WriteLine("*");
                starred = true;
                continue;
            }

            starred = false;
            output.WriteLine(Line(line, offset + at));
        }

        if (bytes.Length > 0) output.WriteLine(Offset(offset + bytes.Length));
    }

    /// <summary>One line of up to 16 bytes.</summary>
    public static string Line(ReadOnlySpan<byte> bytes, long offset)
    {
        var line = new StringBuilder(Offset(offset)).Append("  ");
        for (int i = 0; i < PerLine; i++)
        {
            line.Append(i < bytes.Length ? Hex(bytes[i]) : "  ").Append(' ');
            if (i == 7) line.Append(' ');
        }

        line.Append(" |");
        foreach (byte one in bytes) line.Append(Character(one));
        return line.Append('|').ToString();
    }

    public static string Offset(long offset) => offset.ToString("x8", CultureInfo.InvariantCulture);

    public static string Hex(byte one) => one.ToString("x2", CultureInfo.InvariantCulture);

    public static char Character(byte one) => one is >= 0x20 and < 0x7F ? (char)one : '.';

    public static ReadOnlySpan<byte> LineAt(ReadOnlySpan<byte> bytes, int at) => bytes.Slice(at, Math.Min(PerLine, bytes.Length - at));
}
