using System.Text.Json;

namespace NativeIpc.Tool.Output;

/// <summary>A record that <c>--json</c> prints. It writes each of its properties under its name, a small letter first,
/// in order; a test compares that with what System.Text.Json makes of it by itself.</summary>
internal interface IJsonRecord
{
    void WriteTo(JsonFields json);
}

/// <summary>Everything that <c>--json</c> prints: records; what does not apply is left out. The fields are a contract
/// with scripts (docs/nipc-json.md): added, never renamed. Written by hand, since the serializer would be 0.5 MB of the
/// native file.</summary>
internal static class ToolJson
{
    private static readonly JsonWriterOptions s_writing = new() { Indented = true, Encoder = new PrintableJson() };

    /// <summary>Writes one value on one line to standard output, for what goes on and on.</summary>
    public static void PrintLine(IJsonRecord value) => Print(value, s_writing with { Indented = false });

    /// <summary>Writes one value and a line feed to standard output, as UTF-8.</summary>
    public static int Print(IJsonRecord value)
    {
        Print(value, s_writing);
        return ExitCodes.Ok;
    }

    private static void Print(IJsonRecord value, JsonWriterOptions writing) => StandardStreams.Write(() =>
    {
        using Stream output = StandardStreams.OpenOutput();
        Write(value, output, writing);
        output.WriteByte((byte)'\n');
    });

    /// <summary>Writes a record, a part of it at a time: a list of thousands is not held as text.</summary>
    internal static void Write(IJsonRecord value, Stream output, JsonWriterOptions writing)
    {
        using var writer = new Utf8JsonWriter(output, writing);
        new JsonFields(writer).Write(value);
    }
}

/// <summary>Writes the fields of a record; null leaves one out.</summary>
internal sealed class JsonFields(Utf8JsonWriter writer)
{
    private const int MostPending = 16 << 10;

    public void Write(IJsonRecord record)
    {
        writer.WriteStartObject();
        record.WriteTo(this);
        writer.WriteEndObject();
        if (writer.BytesPending > MostPending) writer.Flush();
    }

    public void Add(string name, string? value)
    {
        if (value is not null) writer.WriteString(name, value);
    }

    public void Add(string name, long? value)
    {
        if (value is { } number) writer.WriteNumber(name, number);
    }

    public void Add(string name, bool? value)
    {
        if (value is { } known) writer.WriteBoolean(name, known);
    }

    public void Add(string name, DateTimeOffset? value)
    {
        if (value is { } time) writer.WriteString(name, time);
    }

    public void Add(string name, NativeIpcKey? value) => Add(name, value?.ToString());

    public void Add(string name, IJsonRecord? value)
    {
        if (value is null) return;
        writer.WritePropertyName(name);
        Write(value);
    }

    public void Add(string name, IReadOnlyList<string>? values)
    {
        if (values is null) return;
        writer.WriteStartArray(name);
        foreach (string value in values) writer.WriteStringValue(value);
        writer.WriteEndArray();
    }

    public void Add(string name, IReadOnlyList<IJsonRecord>? values)
    {
        if (values is null) return;
        writer.WriteStartArray(name);
        foreach (IJsonRecord value in values) Write(value);
        writer.WriteEndArray();
    }

    /// <summary>A value of <see cref="Objects.StructFields"/>.</summary>
    public void AddAny(string name, object? value)
    {
        if (value is null) return;
        writer.WritePropertyName(name);
        WriteAny(value);
    }

    private void WriteAny(object value)
    {
        switch (value)
        {
            case string text: writer.WriteStringValue(text); break;
            case bool known: writer.WriteBooleanValue(known); break;
            case long number: writer.WriteNumberValue(number); break;
            case ulong number: writer.WriteNumberValue(number); break;
            case float number: writer.WriteNumberValue(number); break;
            case double number: writer.WriteNumberValue(number); break;
            default:
                writer.WriteStartArray();
                foreach (object each in (object[])value) WriteAny(each);
                writer.WriteEndArray();
                break;
        }
    }
}
