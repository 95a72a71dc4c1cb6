using System.Text.Json;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What every verb prints: nothing but text into pipes, JSON that parses, errors on standard error.</summary>
public class OutputTests : OneType
{
    [Theory]
    [InlineData(null)]
    [InlineData("1")]
    public void No_escape_code_reaches_a_pipe(string? noColour)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The keys are those of Unix.");
        NativeIpcKey key = NewKey("posix");
        string file = NewFile();
        KeyValuePair<string, string?>[] environment = [new("NO_COLOR", noColour), new("TERM", "xterm-256color"), new("COLORTERM", "truecolor"), new("FORCE_COLOR", "1")];
        foreach (string[] verb in (string[][])[
            ["create", "shm", $"{key}", "64"], ["read", $"{key}"], ["list"], ["show", $"{key}"], ["doctor"], ["dump", $"{key}", file], ["restore", $"{key}", file], ["key", "safe", "x", "-e"],
            ["rm", "--stale"], ["rm", $"{key}"], ["demo", file, "--type", "posix", "--child", "dotnet"], ["--help"], ["nonsense"]])
        {
            ShellResult result = Nipc.RunWith(environment, verb);
            Assert.False((result.Output + result.Error).Contains('\e', StringComparison.Ordinal), $"nipc {verb[0]}:\n{result.Output}{result.Error}");
        }
    }

    [Fact]
    public void Json_is_one_value_and_a_line_feed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The keys are those of Unix.");
        NativeIpcKey key = NewKey("posix");
        foreach (string[] verb in (string[][])[
            ["create", "sem", $"{key}", "1"], ["value", $"{key}"], ["list"], ["doctor"], ["key", "safe", "x"], ["key", "legacy", "x"], ["key", "parse", "posix:/x"], ["key", "convert", "posix:/x", "--to", "windows"], ["rm", $"{key}"]])
        {
            ShellResult result = Nipc.Run([.. verb, "--json"]);
            Assert.EndsWith("\n", result.Output, StringComparison.Ordinal);
            using JsonDocument document = JsonDocument.Parse(result.Output);
            Assert.True(document.RootElement.ValueKind is JsonValueKind.Object or JsonValueKind.Array, $"nipc {verb[0]}");
        }
    }

    [Fact]
    public void The_demo_copies_between_two_processes_and_leaves_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Run by hand under Wine.");
        string file = NewFile();
        File.WriteAllBytes(file, new byte[300_000]);
        string output = Nipc.Succeed("demo", file, "--type", "posix", "--type", "systemv", "--child", "dotnet");
        Assert.Contains("All 2 copies have the SHA-256 ", output, StringComparison.Ordinal);
        Assert.EndsWith("nothing is left behind.", output, StringComparison.Ordinal);
        Nipc.Fail(3, "demo", file + ".missing");
        Nipc.Fail(2, "demo", "--child", "cobol");
    }
}
