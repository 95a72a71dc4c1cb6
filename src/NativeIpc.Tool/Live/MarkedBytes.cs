using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Live;

/// <summary>Bytes of a segment that is looked at again and again: what differs from the last look stands out, also
/// where there are no colours.</summary>
internal sealed class MarkedBytes
{
    private byte[]? _last;

    /// <summary>The lines of the dump.</summary>
    /// <param name="offset">Where the bytes begin in the segment.</param>
    /// <param name="bytes">The bytes as they are now.</param>
    public IEnumerable<StyledText> Lines(long offset, byte[] bytes)
    {
        byte[]? last = _last;
        _last = bytes;
        for (int at = 0; at < bytes.Length; at += HexLines.BytesPerLine) yield return Line(bytes, last, at, offset);
    }

    /// <summary>The segment has gone: the next one is another.</summary>
    public void Forget() => _last = null;

    private static StyledText Line(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> last, int at, long offset)
    {
        ReadOnlySpan<byte> line = HexLines.Part(bytes, at);
        var text = new StyledText(HexLines.Offset(offset + at) + "  ");
        bool hasLast = !last.IsEmpty;
        for (int i = 0; i < HexLines.BytesPerLine; i++)
        {
            bool changed = i < line.Length && hasLast && (at + i >= last.Length || last[at + i] != line[i]);
            text.Append(i < line.Length ? HexLines.Hex(line[i]) : "  ", changed ? Style.Inverse : Style.Plain);
            text.Append(i == 7 ? "  " : " ");
        }

        text.Append(" |");
        for (int i = 0; i < line.Length; i++)
        {
            bool changed = hasLast && (at + i >= last.Length || last[at + i] != line[i]);
            text.Append(HexLines.Character(line[i]).ToString(), changed ? Style.Inverse : Style.Plain);
        }

        return text.Append("|");
    }
}
