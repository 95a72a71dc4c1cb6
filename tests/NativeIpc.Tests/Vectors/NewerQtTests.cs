using System.Text;
using System.Text.Json;
using NativeIpc.Keys;
using Xunit;

namespace NativeIpc.Tests.Vectors;

/// <summary>
/// What Qt 6.11 answers otherwise than Qt 6.8 (qt-6.11.json). Keys are made as all Qt up to 6.8 makes them, since
/// legacy keys are there to meet older programs; what docs/interop.md tells to do for Qt 6.11 gives the keys that it
/// makes.
/// </summary>
public class NewerQtTests
{
    private const string RuntimeDirectory = "/run/user/1000";
    private const string TemporaryDirectory = "/var/tmp/some_where.else-7";

    private static readonly NativeIpcKeyRules s_rules = new(KeyPlatform.Linux)
    {
        RuntimeDirectory = RuntimeDirectory,
        TemporaryDirectory = TemporaryDirectory,
    };

    [Fact]
    public void A_legacy_name_without_its_lone_surrogates_gives_the_key_of_Qt_6_11()
    {
        foreach (JsonElement answer in Answers("legacy-native-key", 2))
        {
            string name = answer.Text("key");
            foreach (IpcObjectKind kind in QtKinds.All)
            {
                JsonElement natives = answer.GetProperty(
                    kind == IpcObjectKind.SharedMemory ? "sharedMemory" : "systemSemaphore");
                NativeIpcKey key = s_rules.LegacyNativeKey(name, NativeIpcKeyType.PosixRealtime, kind);
                Assert.NotEqual(natives.Text("posix"), key.NativeKey);

                // Nothing is left of these, and an empty name has no key here: Qt 6.11 hashes it.
                Assert.Equal("", WellFormed(name));
                Assert.EndsWith("da39a3ee5e6b4b0d3255bfef95601890afd80709", natives.Text("posix"),
                    StringComparison.Ordinal);
            }
        }

        foreach (JsonElement answer in Answers("key-tostring", 2))
        {
            NativeIpcKey key = s_rules.LegacyNativeKey(WellFormed(answer.Text("legacyKey")), answer.KeyType(),
                IpcObjectKind.SharedMemory);
            Assert.Equal(Substitute(answer.Text("nativeKey")), key.NativeKey);
        }
    }

    [Fact]
    public void A_text_without_its_lone_surrogates_is_read_as_Qt_6_11_reads_it()
    {
        foreach (JsonElement answer in Answers("key-fromstring", 3))
        {
            string text = answer.Text("text");
            NativeIpcKey key = NativeIpcKey.Parse(WellFormed(text));
            Assert.Equal(answer.Text("nativeKey"), key.NativeKey);
            Assert.Equal(answer.Text("legacyKey"), key.LegacyKey);
            Assert.NotEqual(answer.Text("legacyKey"), NativeIpcKey.Parse(text).LegacyKey);
        }
    }

    [Fact]
    public void The_folder_as_TMPDIR_says_it_gives_the_legacy_keys_of_Qt_6_11()
    {
        foreach (JsonElement answer in Answers("key-directories", 3))
        {
            var rules = new NativeIpcKeyRules(KeyPlatform.Linux) { TemporaryDirectory = answer.Text("tempPath") };
            NativeIpcKey key = rules.LegacyNativeKey("myapp", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory);
            Assert.Equal(answer.Text("legacy"), key.NativeKey);
            Assert.NotEqual(answer.Text("legacyQt5"), key.NativeKey);
        }
    }

    private static JsonElement[] Answers(string file, int count)
    {
        using JsonDocument document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "qt-6.11.json")));
        JsonElement[] answers = [.. document.RootElement.GetProperty(file).EnumerateArray()
            .Select(entry => entry.GetProperty("answer").Clone())];
        Assert.Equal(count, answers.Length);
        return answers;
    }

    /// <summary>As docs/interop.md says it.</summary>
    private static string WellFormed(string text)
        => string.Concat(text.EnumerateRunes().Where(rune => rune != Rune.ReplacementChar));

    private static string Substitute(string text)
        => text.Replace("{tempDir}", TemporaryDirectory, StringComparison.Ordinal);
}
