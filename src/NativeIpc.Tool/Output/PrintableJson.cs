using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;

namespace NativeIpc.Tool.Output;

/// <summary>How strings stand in JSON: as they are, so that an apostrophe or an umlaut can be read, but for what JSON
/// does not allow and what <see cref="PrintableText"/> shows as its code. That has JSON's own escapes, and means the
/// same.</summary>
internal sealed class PrintableJson : JavaScriptEncoder
{
    private static readonly JavaScriptEncoder s_json = UnsafeRelaxedJsonEscaping;

    public override int MaxOutputCharactersPerInputCharacter => 12; // a pair of surrogates

    public override bool WillEncode(int unicodeScalar)
        => s_json.WillEncode(unicodeScalar)
            || (Rune.TryCreate(unicodeScalar, out Rune rune) && PrintableText.IsInvisible(rune));

    [SuppressMessage("Design", "CA1045", Justification = "The base class has it so.")]
    public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var rest = new ReadOnlySpan<char>(text, textLength);
        for (int at = 0; at < textLength;)
        {
            if (Rune.DecodeFromUtf16(rest[at..], out Rune rune, out int length) != System.Buffers.OperationStatus.Done
                || WillEncode(rune.Value)) return at;
            at += length;
        }

        return -1;
    }

    public override unsafe bool TryEncodeUnicodeScalar(
        int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        if (s_json.WillEncode(unicodeScalar))
            return s_json.TryEncodeUnicodeScalar(unicodeScalar, buffer, bufferLength, out numberOfCharactersWritten);
        Span<char> room = new(buffer, bufferLength);
        Span<char> units = stackalloc char[2];
        int count = new Rune(unicodeScalar).EncodeToUtf16(units);
        numberOfCharactersWritten = 0;
        foreach (char unit in units[..count])
        {
            if (!room[numberOfCharactersWritten..].TryWrite($"\\u{(int)unit:x4}", out int written)) return false;
            numberOfCharactersWritten += written;
        }

        return true;
    }
}
