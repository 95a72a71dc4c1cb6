using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>Bytes for eyes, 16 in a line, as <c>hexdump -C</c> shows them.</summary>
internal static class HexLines
{
    public const int BytesPerLine = 16;

    /// <summary>One line: offset, up to 16 bytes, and what of them is ASCII.</summary>
    public static string Line(long offset, ReadOnlySpan<byte> bytes)
    {
        var line = new StringBuilder(Offset(offset), 80).Append(' ');
        for (int i = 0; i < BytesPerLine; i++)
        {
            if (i % 8 == 0) line.Append(' ');
            line.Append(i < bytes.Length ? Hex(bytes[i]) : "  ").Append(' ');
        }

        line.Append(" |");
        foreach (byte value in bytes) line.Append(Character(value));
        return line.Append('|').ToString();
    }

    /// <summary>A whole dump: of lines that are alike the first is shown and a <c>*</c>, and the last line is the
    /// offset after the end.</summary>
    public static void Write(TextWriter output, long offset, ReadOnlySpan<byte> bytes)
    {
        bool starred = false;
        for (int at = 0; at < bytes.Length; at += BytesPerLine)
        {
            ReadOnlySpan<byte> line = Part(bytes, at);
            bool isAlike = at > 0 && line.SequenceEqual(Part(bytes, at - BytesPerLine));
            if (!isAlike) output.WriteLine(Line(offset + at, line));
            else if (!starred) output.WriteLine("*");
            starred = isAlike;
        }

        if (bytes.Length > 0) output.WriteLine(Offset(offset + bytes.Length));
    }

    /// <summary>The bytes of the line that begins at an index.</summary>
    public static ReadOnlySpan<byte> Part(ReadOnlySpan<byte> bytes, int at)
        => bytes.Slice(at, Math.Min(BytesPerLine, bytes.Length - at));

    public static string Offset(long offset) => offset.ToString("x8", CultureInfo.InvariantCulture);

    public static string Hex(byte value) => value.ToString("x2", CultureInfo.InvariantCulture);

    public static char Character(byte value) => value is >= 0x20 and < 0x7f ? (char)value : '.';
}
