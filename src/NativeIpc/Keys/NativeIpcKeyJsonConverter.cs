using System.Text.Json;
using System.Text.Json.Serialization;
using NativeIpc.Keys;

namespace NativeIpc;

/// <summary>
/// Reads and writes a <see cref="NativeIpcKey"/> as a JSON string in its text form, and the invalid key as null. It is
/// public for the source generator of System.Text.Json; programs need not name it.
/// </summary>
/// <remarks>A key that JSON would not give back as it is is refused with <see cref="JsonException"/> when written: one
/// with a lone surrogate (JSON is UTF-8), one whose legacy key starts with U+FEFF, or one whose type has no text form.
/// As the name of a property the invalid key is refused too. Thread-safe.</remarks>
public sealed class NativeIpcKeyJsonConverter : JsonConverter<NativeIpcKey>
{
    /// <summary>True: null is the invalid key.</summary>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    /// <exception cref="JsonException">The value is neither null nor a string with the text form of a key.</exception>
    public override NativeIpcKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => reader.TokenType switch
    {
        JsonTokenType.Null => default,
        JsonTokenType.String => ReadText(ref reader),
        _ => throw new JsonException($"A key is a string or null in JSON, not {reader.TokenType}."),
    };

    /// <inheritdoc/>
    /// <exception cref="JsonException">The key would not come back as it is.</exception>
    public override void Write(Utf8JsonWriter writer, NativeIpcKey value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (value == default) writer.WriteNullValue();
        else writer.WriteStringValue(SafeText(value));
    }

    /// <inheritdoc/>
    /// <exception cref="JsonException">The name is not the text form of a key.</exception>
    public override NativeIpcKey ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert,
        JsonSerializerOptions options) => ReadText(ref reader);

    /// <inheritdoc/>
    /// <exception cref="JsonException">The key is the invalid one, or would not come back as it is.</exception>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, NativeIpcKey value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WritePropertyName(SafeText(value));
    }

    private static NativeIpcKey ReadText(ref Utf8JsonReader reader)
    {
        try
        {
            return NativeIpcKey.Parse(reader.GetString()!);
        }
        // GetString: text that is not Unicode
        catch (Exception exception) when (exception is FormatException or InvalidOperationException)
        {
            throw new JsonException(exception.Message, exception);
        }
    }

    private static string SafeText(in NativeIpcKey key)
    {
        string text = key.ToString();
        if (text.Length == 0)
            throw new JsonException($"A key of type {key.Type} has no text form, so it cannot be written as JSON.");
        if (KeyText.IndexOfLoneSurrogate(text) is var at and >= 0)
            throw new JsonException(
                $"The key has a lone surrogate (at position {at} of its text form), which JSON cannot carry.");
        if (NativeIpcKey.Parse(text) != key)
            throw new JsonException("The legacy key starts with U+FEFF, which the text form of a key loses.");
        return text;
    }
}
