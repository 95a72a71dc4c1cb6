using System.Text.Json;
using Xunit;

namespace NativeIpc.Tests.Vectors;

/// <summary>The observed outputs of Qt. See README.md beside this file; texts that are not well-formed stand in a
/// member with the suffix Utf16.</summary>
internal static class VectorFile
{
    /// <summary>All cases of a file; fails when the file does not have as many as it should.</summary>
    public static JsonElement[] Cases(string file, int count)
    {
        using JsonDocument document = JsonDocument.Parse(
            File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", file)));
        JsonElement[] cases = [.. document.RootElement.GetProperty("cases").EnumerateArray()
            .Select(element => element.Clone())];
        Assert.Equal(count, cases.Length);
        return cases;
    }

    /// <summary>Runs a check on every case and reports all that fail.</summary>
    public static void CheckAll(string file, int count, Action<JsonElement> check)
    {
        var failures = new List<string>();
        int run = 0;
        foreach (JsonElement one in Cases(file, count))
        {
            run++;
            try
            {
                check(one);
            }
            catch (Exception exception)
            {
                failures.Add($"{one.GetRawText()}\n    {exception.Message}");
            }
        }

        Assert.Equal(count, run);
        Assert.True(failures.Count == 0,
            $"{failures.Count} of {count} cases of {file} failed:\n{string.Join('\n', failures.Take(20))}");
    }

    /// <summary>A text member; empty when the case does not have it.</summary>
    public static string Text(this JsonElement element, string name)
        => element.TryGetProperty(name + "Utf16", out JsonElement units)
            ? string.Concat(units.EnumerateArray().Select(unit => (char)unit.GetUInt16()))
            : element.TryGetProperty(name, out JsonElement text) ? text.GetString()!
            : "";

    public static bool Flag(this JsonElement element, string name) => element.GetProperty(name).GetBoolean();

    public static NativeIpcKeyType KeyType(this JsonElement element)
        => (NativeIpcKeyType)element.GetProperty("type").GetUInt16();
}
