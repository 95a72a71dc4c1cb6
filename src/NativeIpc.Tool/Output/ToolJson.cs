using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Removal;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool.Output;

/// <summary>Everything that <c>--json</c> prints: records with a line here each; what does not apply is left out. The
/// fields are a contract with scripts (docs/nipc-json.md): added, never renamed. Only code that writes is generated:
/// the native file is 0.2 MB smaller than with what reads, too. So no record has an enumeration.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Serialization)]
[JsonSerializable(typeof(CreatedObject))]
[JsonSerializable(typeof(KeyReport))]
[JsonSerializable(typeof(ObjectList))]
[JsonSerializable(typeof(ChangeReport))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(SemaphoreValue))]
[JsonSerializable(typeof(RemovalList))]
internal sealed partial class ToolJson : JsonSerializerContext
{
    private static readonly JsonWriterOptions s_writing = new() { Indented = true, Encoder = new PrintableJson() };

    /// <summary>Writes one value on one line to standard output, for what goes on and on.</summary>
    public static void PrintLine<T>(T value, JsonTypeInfo<T> type)
    {
        Write(value, type, s_writing with { Indented = false });
    }

    /// <summary>Writes one value and a line feed to standard output, as UTF-8.</summary>
    public static int Print<T>(T value, JsonTypeInfo<T> type)
    {
        Write(value, type, s_writing);
        return ExitCodes.Ok;
    }

    private static void Write<T>(T value, JsonTypeInfo<T> type, JsonWriterOptions writing)
        => StandardStreams.Write(() =>
    {
        using Stream output = StandardStreams.OpenOutput();
        using (var writer = new Utf8JsonWriter(output, writing)) JsonSerializer.Serialize(writer, value, type);
        output.WriteByte((byte)'\n');
    });
}
