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
        var line = new StringBuilder(80);
        line.Append(CultureInfo.InvariantCulture, $"{offset:x8} ");
        for (int i = 0; i < BytesPerLine; i++)
        {
            if (i % 8 == 0) line.Append(' ');
            if (i < bytes.Length) line.Append(CultureInfo.InvariantCulture, $"{bytes[i]:x2} ");
            else line.Append("   ");
        }

        line.Append(" |");
        foreach (byte value in bytes) line.Append(value is >= 0x20 and < 0x7f ? (char)value : '.');
        return line.Append('|').ToString();
    }
}
