using CsCheck;
using NativeIpc.Keys;
using NativeIpc.Tests.Vectors;
using Xunit;

namespace NativeIpc.Tests.Keys;

/// <summary>What must hold for every text: more than a million of them, made from pieces of the grammar and from
/// mutated vectors.</summary>
public class KeyTextPropertyTests
{
    private static readonly string[] s_pieces =
    [
        "posix:", "systemv:", "systemv-", "windows:", "POSIX:", "systemv-200:", "1", "255:", "0", ":", "/", "//", "%2F",
        "%", "%4", "%41", "%zz", "%00", "%25",
        "%C3%A9", "%C3", "%EF%BF%BE", "%EF%B7%90", "%ED%A0%80", "%F0%9F%98%80", "%F0%9F%98", "%EF%BB%BF", "?",
        "?legacyKey=", "legacyKey", "&", "&legacyKey=", "=", "#", "@", "@:",
        " ", "a", "Z", "é", "\u0301", "\ud800", "\udc00", "\U0001F600", "\ufeff", "\ufffe", "\uffff", "\ufdd0",
        "\ufffd", "\0", "\t", "\u007f", "\u0085", "\\", "+", ";", "[", "host",
    ];

    private static readonly NativeIpcKeyType[] s_types =
        [NativeIpcKeyType.Invalid, (NativeIpcKeyType)1, NativeIpcKeyType.SystemV, (NativeIpcKeyType)255,
            NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.Windows, (NativeIpcKeyType)0x102];

    private static readonly Gen<string> s_piece = OneOf(s_pieces);
    private static readonly Gen<string> s_grammatical = s_piece.Array[0, 8].Select(string.Concat);

    private static readonly Gen<string> s_mutated = Gen.Select(
        OneOf(VectorFile.Cases("key-fromstring.json", 518).Select(one => one.Text("text")).ToArray()),
        s_piece, Gen.Int[0, 1000], Gen.Int[0, 3], Mutate);

    private int _keys;

    [Fact]
    public void Parsing_is_total_and_what_it_gives_comes_back_equal()
    {
        Gen.OneOf(s_grammatical, s_mutated).Sample(CheckText, iter: 2_000_000);
        Assert.InRange(_keys, 200_000, 1_800_000); // both kinds of texts were there
    }

    [Fact]
    public void Formatting_is_total_and_keys_come_back_equal()
        => Gen.Select(s_grammatical, s_grammatical, OneOf(s_types), CheckKey).Sample(holds => holds, iter: 200_000);

    private static Gen<T> OneOf<T>(T[] values) => Gen.Int[0, values.Length - 1].Select(at => values[at]);

    private bool CheckText(string text)
    {
        bool parsed = NativeIpcKey.TryParse(text, out NativeIpcKey key);
        try
        {
            if (NativeIpcKey.Parse(text) != key || !parsed) return false;
        }
        catch (FormatException)
        {
            return !parsed && key == default;
        }

        Interlocked.Increment(ref _keys);

        // A parsed legacy key has no lone surrogate, and only a second U+FEFF can be at its start.
        string formatted = key.ToString();
        if (!key.IsValid || KeyText.IndexOfLoneSurrogate(key.LegacyKey) >= 0) return false;
        return ComesBack(key, formatted) || key.LegacyKey.StartsWith('\ufeff');
    }

    private static bool CheckKey(string nativeKey, string legacyKey, NativeIpcKeyType type)
    {
        var key = new NativeIpcKey(nativeKey, type, legacyKey);
        string formatted = key.ToString();
        if (type is NativeIpcKeyType.Invalid or (NativeIpcKeyType)0x102) return formatted.Length == 0;
        return ComesBack(key, formatted) || legacyKey.StartsWith('\ufeff')
            || KeyText.IndexOfLoneSurrogate(legacyKey) >= 0;
    }

    private static bool ComesBack(NativeIpcKey key, string formatted)
        => NativeIpcKey.TryParse(formatted, out NativeIpcKey back) && back == key && back.ToString() == formatted;

    private static string Mutate(string text, string piece, int at, int how)
    {
        at %= text.Length + 1;
        return how switch
        {
            0 => text.Insert(at, piece),
            1 => text[..at],
            2 => text[..at] + piece + text[Math.Min(text.Length, at + 1)..],
            _ => text[Math.Min(text.Length, at)..] + piece + text[..at],
        };
    }
}
