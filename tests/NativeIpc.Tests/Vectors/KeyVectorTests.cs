using System.Text.Json;
using NativeIpc.Keys;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Vectors;

/// <summary>Every key that Qt was seen to make, write, read and compare.</summary>
public class KeyVectorTests
{
    private const string RuntimeDirectory = "/run/user/1000";
    private const string TemporaryDirectory = "/var/tmp/some_where.else-7";

    private static readonly KeyEnvironment s_linux = new(KeyPlatform.Linux, false, () => RuntimeDirectory,
        () => TemporaryDirectory);

    [Fact]
    public void Keys_are_written_as_Qt_writes_them() => VectorFile.CheckAll("key-tostring.json", 589, one =>
    {
        NativeIpcKey key = one.TryGetProperty("from", out _)
            ? NameRules.LegacyNativeKey(one.Text("legacyKey"), one.KeyType(), IpcObjectKind.SharedMemory, s_linux)
            : new NativeIpcKey(one.Text("nativeKey"), one.KeyType());
        Assert.Equal(Substitute(one.Text("nativeKey")), key.NativeKey);
        Assert.Equal(one.Flag("isValid"), key.IsValid);
        Assert.Equal(Substitute(one.Text("toString")), key.ToString());

        bool parsed = NativeIpcKey.TryParse(key.ToString(), out NativeIpcKey back);
        JsonElement roundTrip = one.GetProperty("roundTrip");
        Assert.Equal(roundTrip.Flag("isValid"), parsed);
        AssertKey(roundTrip, back);
        Assert.Equal(one.Flag("roundTripEqual"), back == key);
    });

    [Fact]
    public void Text_is_read_as_Qt_reads_it() => VectorFile.CheckAll("key-fromstring.json", 518, one =>
    {
        string text = one.Text("text");
        Assert.Equal(one.Flag("isValid"), NativeIpcKey.TryParse(text, out NativeIpcKey key));
        AssertKey(one, key);
        if (one.Flag("isValid")) Assert.Equal(key, NativeIpcKey.Parse(text));
        else Assert.Throws<FormatException>(() => NativeIpcKey.Parse(text));
    });

    [Fact]
    public void Keys_compare_and_change_as_in_Qt() => VectorFile.CheckAll("key-equality.json", 37, one =>
    {
        switch (one.Text("op"))
        {
            case "equal":
                NativeIpcKey a = KeyOrInvalid(one.Text("a"));
                NativeIpcKey b = KeyOrInvalid(one.Text("b"));
                Assert.Equal(one.Flag("equal"), a == b);
                Assert.Equal(one.Flag("equal"), a.Equals((object)b));
                Assert.NotEqual(one.Flag("equal"), a != b);
                Assert.Equal(one.Flag("hashEqual"), a.GetHashCode() == b.GetHashCode());
                break;
            case "change":
                NativeIpcKey key = KeyOrInvalid(one.Text("text"));
                foreach (JsonElement step in one.GetProperty("steps").EnumerateArray())
                {
                    key = step.TryGetProperty("setType", out JsonElement type)
                        ? key.WithType((NativeIpcKeyType)type.GetUInt16())
                        : key.WithNativeKey(step.GetProperty("setNativeKey").GetString()!);
                }

                AssertKey(one.GetProperty("result"), key);
                break;
            default:
                Assert.Fail("unknown op");
                break;
        }
    });

    [Fact]
    public void Platform_safe_keys_are_those_of_Qt() => VectorFile.CheckAll("platform-safe-key.json", 138, one =>
        ForEachKindAndType(one, (kind, type, native) =>
        {
            NativeIpcKey key = NameRules.PlatformSafeKey(one.Text("key"), type, kind, s_linux, out bool wasCut);
            Assert.Equal(Substitute(native), key.NativeKey);
            Assert.Equal(type, key.Type);
            Assert.Equal("", key.LegacyKey);
            Assert.False(wasCut);
            if (type == NativeIpcKeyType.SystemV)
                Assert.Equal(key.NativeKey, NameRules.PlatformSafeKey(one.Text("key"), (NativeIpcKeyType)200, kind,
                    s_linux, out _).NativeKey);
        }));

    [Fact]
    public void Legacy_keys_are_those_of_Qt_6_and_Qt_5() => VectorFile.CheckAll("legacy-native-key.json", 138, one =>
    {
        JsonElement qt5 = one.GetProperty("qt5");
        Assert.True(one.Flag("sameAsQt5"));
        ForEachKindAndType(one, (kind, type, native) =>
        {
            string name = one.Text("key");
            NativeIpcKey key = NameRules.LegacyNativeKey(name, type, kind, s_linux);
            Assert.Equal(Substitute(native), key.NativeKey);
            Assert.Equal(type, key.Type);
            Assert.Equal(type == NativeIpcKeyType.Windows ? "" : name, key.LegacyKey);
            if (type == NativeIpcKeyType.SystemV)
                Assert.Equal(
                    Substitute(qt5.Text(kind == IpcObjectKind.SharedMemory ? "sharedMemory" : "systemSemaphore")),
                    key.NativeKey);
        });
    });

    private static void ForEachKindAndType(JsonElement one, Action<IpcObjectKind, NativeIpcKeyType, string> check)
    {
        foreach (IpcObjectKind kind in QtKinds.All)
        {
            JsonElement natives = one.GetProperty(
                kind == IpcObjectKind.SharedMemory ? "sharedMemory" : "systemSemaphore");
            check(kind, NativeIpcKeyType.PosixRealtime, natives.Text("posix"));
            check(kind, NativeIpcKeyType.SystemV, natives.Text("systemv"));
            check(kind, NativeIpcKeyType.Windows, natives.Text("windows"));
        }
    }

    private static NativeIpcKey KeyOrInvalid(string text)
        => NativeIpcKey.TryParse(text, out NativeIpcKey key) ? key : default;

    private static void AssertKey(JsonElement expected, NativeIpcKey key)
    {
        Assert.Equal(expected.Flag("isValid"), key.IsValid);
        Assert.Equal(expected.KeyType(), key.Type);
        Assert.Equal(Substitute(expected.Text("nativeKey")), key.NativeKey);
        Assert.Equal(expected.Text("legacyKey"), key.LegacyKey);
        Assert.Equal(Substitute(expected.Text("toString")), key.ToString());
    }

    private static string Substitute(string text)
        => text.Replace("{runtimeDir}", RuntimeDirectory, StringComparison.Ordinal).Replace("{tempDir}",
            TemporaryDirectory, StringComparison.Ordinal);
}
