using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Xunit;

namespace NativeIpc.Tests.Keys;

public partial class NativeIpcKeyConversionTests
{
    private static readonly NativeIpcKey s_key = new("/a b%", NativeIpcKeyType.PosixRealtime, "l\u00e9gende");

    [Fact]
    public void A_key_is_its_text_in_JSON()
    {
        string json = JsonSerializer.Serialize(s_key);
        Assert.Equal(s_key.ToString(), JsonSerializer.Deserialize<string>(json));
        Assert.Equal(s_key, JsonSerializer.Deserialize<NativeIpcKey>(json));
    }

    [Fact]
    public void The_invalid_key_is_null_in_JSON()
    {
        Assert.Equal("null", JsonSerializer.Serialize(default(NativeIpcKey)));
        Assert.Equal(default, JsonSerializer.Deserialize<NativeIpcKey>("null"));
        Assert.Null(JsonSerializer.Deserialize<NativeIpcKey?>("null"));
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"nothing\"")]
    [InlineData("\"posix://host/x\"")]
    [InlineData("\"posix:/\\ud800\"")]
    [InlineData("7")]
    [InlineData("{}")]
    [InlineData("{\"nothing\":1}")]
    public void Other_JSON_is_refused(string json)
    {
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<NativeIpcKey>(json));
        if (json.StartsWith('{') && json.Length > 2)
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Dictionary<NativeIpcKey, int>>(json));
    }

    [Fact]
    public void A_key_can_be_the_name_of_a_JSON_property()
    {
        var map = new Dictionary<NativeIpcKey, int> { [s_key] = 1,
            [new NativeIpcKey("x", NativeIpcKeyType.Windows)] = 2 };
        string json = JsonSerializer.Serialize(map);
        Assert.Contains("\"windows:x\":2", json, StringComparison.Ordinal);
        Assert.Equal(map, JsonSerializer.Deserialize<Dictionary<NativeIpcKey, int>>(json));
        Assert.Throws<JsonException>(() =>
            JsonSerializer.Serialize(new Dictionary<NativeIpcKey, int> { [default] = 1 }));
    }

    public static TheoryData<string, NativeIpcKeyType, string?> Damaged() => new()
    {
        { "/\ud800", NativeIpcKeyType.PosixRealtime, null },
        { "/\udc00x", NativeIpcKeyType.SystemV, null },
        { "/a", NativeIpcKeyType.PosixRealtime, "\ud800" },
        { "/a", NativeIpcKeyType.PosixRealtime, "\ufeffb" },
        { "/a", (NativeIpcKeyType)0x102, null },
        { "/a", NativeIpcKeyType.Invalid, null },
    };

    [Theory]
    [MemberData(nameof(Damaged), DisableDiscoveryEnumeration = true)]
    public void A_key_that_JSON_would_damage_is_refused(string nativeKey, NativeIpcKeyType type, string? legacyKey)
    {
        var key = new NativeIpcKey(nativeKey, type, legacyKey);
        Assert.Throws<JsonException>(() => JsonSerializer.Serialize(key));
        Assert.Throws<JsonException>(() => JsonSerializer.Serialize(new Dictionary<NativeIpcKey, int> { [key] = 1 }));
    }

    [Fact]
    public void Generated_JSON_code_finds_the_converter()
    {
        var holder = new Holder(s_key, default, new Dictionary<NativeIpcKey, string> { [s_key] = "x" });
        string json = JsonSerializer.Serialize(holder, KeyJson.Default.Holder);
        Holder back = JsonSerializer.Deserialize(json, KeyJson.Default.Holder)!;
        Assert.Equal(holder.Key, back.Key);
        Assert.Equal(holder.None, back.None);
        Assert.Equal(holder.Names, back.Names);
    }

    [Fact]
    public void The_type_converter_goes_through_the_text()
    {
        TypeConverter converter = TypeDescriptor.GetConverter(typeof(NativeIpcKey));
        Assert.True(converter.CanConvertFrom(typeof(string)));
        Assert.True(converter.CanConvertTo(typeof(string)));
        Assert.False(converter.CanConvertFrom(typeof(int)));
        Assert.Equal(s_key, converter.ConvertFromInvariantString(s_key.ToString()));
        Assert.Equal(s_key.ToString(), converter.ConvertToInvariantString(s_key));
        Assert.Equal("", converter.ConvertToInvariantString(default(NativeIpcKey)));
        Assert.Equal(default(NativeIpcKey), converter.ConvertFromInvariantString(""));
        Assert.Throws<FormatException>(() => converter.ConvertFromInvariantString("nothing"));
        Assert.Throws<NotSupportedException>(
            () => converter.ConvertToInvariantString(new NativeIpcKey("/a", (NativeIpcKeyType)0x102)));
        Assert.Throws<NotSupportedException>(() => converter.ConvertFrom(7));
        Assert.Throws<NotSupportedException>(() => converter.ConvertTo(s_key, typeof(int)));
    }

    internal sealed record Holder(NativeIpcKey Key, NativeIpcKey None, Dictionary<NativeIpcKey, string> Names);

    [JsonSerializable(typeof(Holder))]
    internal sealed partial class KeyJson : JsonSerializerContext;
}
