using System.Diagnostics.CodeAnalysis;
using NativeIpc.Keys;

namespace NativeIpc;

public readonly partial struct NativeIpcKey
{
    /// <summary>The text form, as Qt 6.6 and later writes it.</summary>
    /// <returns>The text; empty for the invalid key and for types that have no text form (every value from 0x102
    /// up).</returns>
    public override string ToString() => KeyText.Format(Type, NativeKey, LegacyKey);

    /// <summary>The text form; see <see cref="ToString()"/>.</summary>
    /// <param name="format">Null, empty or <c>G</c>; there is one form only.</param>
    /// <param name="formatProvider">Not used: the text does not depend on a culture.</param>
    /// <returns>The text.</returns>
    /// <exception cref="FormatException"><paramref name="format"/> is another one.</exception>
    public string ToString(string? format, IFormatProvider? formatProvider)
    {
        ThrowUnlessGeneral(format);
        return ToString();
    }

    /// <summary>Writes the text form; see <see cref="ToString()"/>.</summary>
    /// <param name="destination">Where to write.</param>
    /// <param name="charsWritten">How many UTF-16 units were written; 0 when they did not fit.</param>
    /// <param name="format">Empty or <c>G</c>; there is one form only.</param>
    /// <param name="provider">Not used.</param>
    /// <returns>Whether the text fitted.</returns>
    /// <exception cref="FormatException"><paramref name="format"/> is another one.</exception>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format = default,
        IFormatProvider? provider = null)
    {
        ThrowUnlessGeneral(format);
        string text = ToString();
        bool fits = text.TryCopyTo(destination);
        charsWritten = fits ? text.Length : 0;
        return fits;
    }

    /// <summary>Reads the text form, as Qt 6.6 and later does.</summary>
    /// <param name="text">The text. White space is never trimmed.</param>
    /// <returns>The key, which is valid and may be of a type that this system does not support.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is null.</exception>
    /// <exception cref="FormatException">The text is not a key; the message says which part is wrong and
    /// where.</exception>
    public static NativeIpcKey Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Parse(text.AsSpan());
    }

    /// <inheritdoc cref="Parse(string)"/>
    public static NativeIpcKey Parse(ReadOnlySpan<char> text)
        => KeyText.TryParse(text, out NativeIpcKey key, out KeyTextFault fault) ? key : throw fault.ToException(text);

    /// <inheritdoc cref="Parse(string)" path="/*[not(self::param)]"/>
    /// <param name="s">The text. White space is never trimmed.</param>
    /// <param name="provider">Not used: the text does not depend on a culture.</param>
    /// <exception cref="ArgumentNullException"><paramref name="s"/> is null.</exception>
    public static NativeIpcKey Parse(string s, IFormatProvider? provider)
    {
        ArgumentNullException.ThrowIfNull(s);
        return Parse(s.AsSpan());
    }

    /// <inheritdoc cref="Parse(string)" path="/*[not(self::param)]"/>
    /// <param name="s">The text. White space is never trimmed.</param>
    /// <param name="provider">Not used: the text does not depend on a culture.</param>
    public static NativeIpcKey Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s);

    /// <summary>Reads the text form, as Qt 6.6 and later does. Never throws.</summary>
    /// <param name="text">The text. White space is never trimmed.</param>
    /// <param name="key">The key, or the invalid key when the text is none.</param>
    /// <returns>Whether the text is a key; false for null.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out NativeIpcKey key)
        => KeyText.TryParse(text, out key, out _);

    /// <inheritdoc cref="TryParse(string?, out NativeIpcKey)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out NativeIpcKey key)
        => KeyText.TryParse(text, out key, out _);

    /// <inheritdoc cref="TryParse(string?, out NativeIpcKey)" path="/*[not(self::param)]"/>
    /// <param name="s">The text. White space is never trimmed.</param>
    /// <param name="provider">Not used: the text does not depend on a culture.</param>
    /// <param name="result">The key, or the invalid key when the text is none.</param>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out NativeIpcKey result)
        => KeyText.TryParse(s, out result, out _);

    /// <inheritdoc cref="TryParse(string?, out NativeIpcKey)" path="/*[not(self::param)]"/>
    /// <param name="s">The text. White space is never trimmed.</param>
    /// <param name="provider">Not used: the text does not depend on a culture.</param>
    /// <param name="result">The key, or the invalid key when the text is none.</param>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out NativeIpcKey result)
        => KeyText.TryParse(s, out result, out _);

    private static void ThrowUnlessGeneral(ReadOnlySpan<char> format)
    {
        if (format.IsEmpty || format is "G" or "g") return;
        throw new FormatException($"The format '{format}' is not one of a key, which has the general form G only.");
    }
}
