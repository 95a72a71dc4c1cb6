using System.Buffers;
using System.Globalization;
using System.Text;

namespace NativeIpc.Keys;

/// <summary>
/// The text form of keys, character for character as Qt 6.6 and later writes and reads it. The rules were observed, not
/// read: each is held by a case in tests/NativeIpc.Tests/Vectors.
/// </summary>
internal static class KeyText
{
    private const string LegacyKeyName = "legacyKey";
    private const string ControlCharacters =
        "\0\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a"
            + "\x1b\x1c\x1d\x1e\x1f\x7f";
    private const char ReplacementCharacter = '\uFFFD';
    private const char ByteOrderMark = '\uFEFF';

    private static readonly SearchValues<char> s_escapedInPath = SearchValues.Create(ControlCharacters + "%?#");
    private static readonly SearchValues<char> s_escapedInQuery = SearchValues.Create(ControlCharacters + "%&=#");

    /// <summary>The text form; empty for types that have none.</summary>
    public static string Format(NativeIpcKeyType type, string nativeKey, string legacyKey)
    {
        if (type is not (NativeIpcKeyType.PosixRealtime or NativeIpcKeyType.Windows) && !type.IsSystemV) return "";

        var text = new StringBuilder(nativeKey.Length + legacyKey.Length + 24);
        switch (type)
        {
            case NativeIpcKeyType.PosixRealtime: text.Append("posix:"); break;
            case NativeIpcKeyType.Windows: text.Append("windows:"); break;
            case NativeIpcKeyType.SystemV: text.Append("systemv:"); break;
            default: text.Append(CultureInfo.InvariantCulture, $"systemv-{(ushort)type}:"); break;
        }

        // A path that starts with two slashes would be read as an authority.
        bool looksLikeAuthority = nativeKey.StartsWith("//", StringComparison.Ordinal);
        if (looksLikeAuthority) text.Append("/%2F");
        AppendEscaped(text, nativeKey.AsSpan(looksLikeAuthority ? 2 : 0), s_escapedInPath);
        if (legacyKey.Length > 0)
        {
            text.Append('?').Append(LegacyKeyName).Append('=');
            AppendEscaped(text, legacyKey, s_escapedInQuery);
        }

        return text.ToString();
    }

    /// <summary>Reads a key. False, with the fault, for every text that Qt rejects. Never throws.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out NativeIpcKey key, out KeyTextFault fault)
    {
        key = default;
        int colon = text.IndexOf(':');
        if (colon < 0)
            return Fail(out fault, 0, "it lacks the type and its colon (posix:, systemv:, systemv-N: or windows:)");
        if (!TryParseType(text[..colon], out NativeIpcKeyType type, out fault)) return false;

        ReadOnlySpan<char> rest = text[(colon + 1)..];
        if (rest.IndexOf('#') is var fragment and >= 0) rest = rest[..fragment]; // ignored, whatever it holds
        int question = rest.IndexOf('?');
        ReadOnlySpan<char> path = question < 0 ? rest : rest[..question];
        if (path.StartsWith("//"))
        {
            ReadOnlySpan<char> authority = path[2..];
            int slash = authority.IndexOf('/');
            path = slash < 0 ? [] : authority[slash..];
            if (slash >= 0) authority = authority[..slash];
            if (authority is not ("" or "@" or ":" or "@:"))
                return Fail(out fault, colon + 3,
                    "after two slashes it names a host, which a key has not (a native key that starts with two "
                        + "slashes is written /%2F…)");
        }

        string? legacyKey = null;
        if (question >= 0 && !TryParseQuery(rest[(question + 1)..], colon + question + 2, out legacyKey, out fault))
            return false;
        key = new NativeIpcKey(Decode(path, HasOnlyWholeEscapes(path), acceptNoncharacters: false), type, legacyKey);
        return true;
    }

    /// <summary>Where the first surrogate without its partner is; -1 when the text is well-formed UTF-16.</summary>
    public static int IndexOfLoneSurrogate(ReadOnlySpan<char> text)
    {
        for (int i = text.IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return i;
            i++;
        }

        return -1;
    }

    private static bool TryParseType(ReadOnlySpan<char> name, out NativeIpcKeyType type, out KeyTextFault fault)
    {
        const string SystemVPrefix = "systemv-";
        fault = default;
        type = Ascii.EqualsIgnoreCase(name, "posix") ? NativeIpcKeyType.PosixRealtime
            : Ascii.EqualsIgnoreCase(name, "systemv") ? NativeIpcKeyType.SystemV
            : Ascii.EqualsIgnoreCase(name, "windows") ? NativeIpcKeyType.Windows
            : NativeIpcKeyType.Invalid;
        if (type != NativeIpcKeyType.Invalid) return true;
        if (name.Length < SystemVPrefix.Length || !Ascii.EqualsIgnoreCase(name[..SystemVPrefix.Length], SystemVPrefix))
            return Fail(out fault, 0, "the type is none of posix, systemv, systemv-N and windows");

        ReadOnlySpan<char> digits = name[SystemVPrefix.Length..];
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9')
            || !byte.TryParse(digits.TrimStart('0'), NumberStyles.None, CultureInfo.InvariantCulture,
                out byte projectId))
            return Fail(out fault, SystemVPrefix.Length, "the project id after systemv- is not a number from 1 to 255");
        type = (NativeIpcKeyType)projectId;
        return true;
    }

    /// <summary>Items called legacyKey and nothing else, separated by &amp;; the last one counts. Null when there is no
    /// item at all.</summary>
    private static bool TryParseQuery(ReadOnlySpan<char> query, int position, out string? legacyKey,
        out KeyTextFault fault)
    {
        legacyKey = null;
        fault = default;
        if (query.IsEmpty) return true;

        bool escaped = HasOnlyWholeEscapes(query);
        ReadOnlySpan<char> items = query[^1] == '&' ? query[..^1] : query;
        foreach (Range range in items.Split('&'))
        {
            ReadOnlySpan<char> item = items[range];
            int equals = item.IndexOf('=');
            ReadOnlySpan<char> name = equals < 0 ? item : item[..equals];
            if (Decode(name, escaped, acceptNoncharacters: true) != LegacyKeyName)
                return Fail(out fault, position + range.Start.Value, "the query has an item other than legacyKey=NAME");
            legacyKey = equals < 0 ? "" : AsIfThroughUtf8(
                Decode(item[(equals + 1)..], escaped, acceptNoncharacters: true));
        }

        return true;
    }

    private static bool Fail(out KeyTextFault fault, int position, string reason)
    {
        fault = new KeyTextFault(position, reason);
        return false;
    }

    private static void AppendEscaped(StringBuilder text, ReadOnlySpan<char> part, SearchValues<char> escaped)
    {
        while (part.IndexOfAny(escaped) is var at and >= 0)
        {
            text.Append(part[..at]).Append(CultureInfo.InvariantCulture, $"%{(int)part[at]:X2}");
            part = part[(at + 1)..];
        }

        text.Append(part);
    }

    /// <summary>Qt decodes all escapes of a part or, when one % is not followed by two hex digits, none.</summary>
    private static bool HasOnlyWholeEscapes(ReadOnlySpan<char> part)
    {
        while (part.IndexOf('%') is var at and >= 0)
        {
            if (at + 2 >= part.Length || !char.IsAsciiHexDigit(part[at + 1]) || !char.IsAsciiHexDigit(part[at + 2]))
                return false;
            part = part[(at + 3)..];
        }

        return true;
    }

    /// <summary>
    /// Decodes runs of %XX as UTF-8. Each byte that is not part of a well-formed sequence becomes one U+FFFD; .NET's
    /// decoder would give one for a whole truncated sequence. Raw text passes as it is.
    /// </summary>
    private static string Decode(ReadOnlySpan<char> part, bool escaped, bool acceptNoncharacters)
    {
        if (!escaped || !part.Contains('%')) return part.ToString();

        var text = new StringBuilder(part.Length);
        Span<byte> bytes = stackalloc byte[4];
        Span<char> units = stackalloc char[2];
        while (part.IndexOf('%') is var at and >= 0)
        {
            text.Append(part[..at]);
            part = part[at..];
            int count = 0;
            while (count < bytes.Length && count * 3 < part.Length && part[count * 3] == '%')
            {
                bytes[count] = byte.Parse(part.Slice(count * 3 + 1, 2), NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture);
                count++;
            }

            bool decoded = Rune.DecodeFromUtf8(bytes[..count], out Rune rune, out int length) == OperationStatus.Done
                && (acceptNoncharacters || !IsNoncharacter(rune));
            if (decoded) text.Append(units[..rune.EncodeToUtf16(units)]);
            else text.Append(ReplacementCharacter);
            part = part[(3 * (decoded ? length : 1))..];
        }

        return text.Append(part).ToString();
    }

    private static bool IsNoncharacter(Rune rune)
        => (rune.Value & 0xFFFE) == 0xFFFE || rune.Value is >= 0xFDD0 and <= 0xFDEF;

    /// <summary>Qt takes a legacy key through UTF-8: lone surrogates become ?, and one U+FEFF at the start is
    /// lost.</summary>
    private static string AsIfThroughUtf8(string text)
    {
        if (text.StartsWith(ByteOrderMark)) text = text[1..];
        return IndexOfLoneSurrogate(text) < 0 ? text : NameText.Utf8.GetString(NameText.Utf8.GetBytes(text));
    }
}
