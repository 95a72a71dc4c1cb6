using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool.Output;

/// <summary>Everything that <c>--json</c> prints: records with a line here each; what does not apply is left out. The fields are a contract with scripts (docs/nipc.md): added, never renamed.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true)]
[JsonSerializable(typeof(CreatedObject))]
internal sealed partial class ToolJson : JsonSerializerContext
{
    /// <summary>Writes one value and a line feed to standard output, as UTF-8.</summary>
    public static int Print<T>(T value, JsonTypeInfo<T> type)
    {
        Console.Out.WriteLine(JsonSerializer.Serialize(value, type));
        return ExitCodes.Ok;
    }
}
