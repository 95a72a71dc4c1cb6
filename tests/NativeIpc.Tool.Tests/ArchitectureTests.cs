using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>The tool uses the public surface of the library, and asks the system itself for no more than starting a
/// command and who the user is.</summary>
public partial class ArchitectureTests
{
    private static IEnumerable<string> Sources
        => Directory.EnumerateFiles(Nipc.Sources, "*.cs", SearchOption.AllDirectories)
        .Where(
            file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}",
                StringComparison.Ordinal));

    [Fact]
    public void The_library_has_no_secrets_for_the_tool()
        => Assert.DoesNotContain(new[] { typeof(SharedMemory), typeof(IpcObjects) }
                .SelectMany(one => one.Assembly.GetCustomAttributes<InternalsVisibleToAttribute>()),
            friend => friend.AssemblyName.Split(',')[0] is "nipc" or "NativeIpc.Tool");

    [Fact]
    public void The_tool_takes_no_way_around_the_public_surface()
        => Assert.DoesNotContain(Sources, file => Around().IsMatch(File.ReadAllText(file)));

    [Fact]
    public void Native_calls_stand_in_one_file()
        => Assert.Equal(["Running/Libc.cs"],
            Sources.Where(file => File.ReadAllText(file).Contains("[LibraryImport", StringComparison.Ordinal))
                .Select(file => Path.GetRelativePath(Nipc.Sources, file)));

    /// <summary>The native file says it before .NET runs.</summary>
    [Fact]
    public void What_is_said_without_a_thread_is_one_sentence_in_both_languages()
        => Assert.Contains(
            $"\"nipc: {Nipc.Code.GetType("NativeIpc.Tool.Failures")!.GetField("NoThread")!.GetRawConstantValue()}\\n\"",
            File.ReadAllText(Path.Combine(Nipc.Sources, "Native", "start.c")), StringComparison.Ordinal);

    /// <summary>What is printed comes through one function, so that nothing that comes from outside reaches a terminal
    /// raw.</summary>
    [Theory]
    [InlineData(@"OpenStandard(Output|Error)|Set(Out|Error)\(|Console\.(Out|Error) =", "Output/StandardStreams.cs")]
    [InlineData(@"\bRaw(Out|Error)\b", "Output/ProgressBar.cs", "Output/Screen.cs", "Output/StandardStreams.cs",
        "Output/Terminal.cs")]
    [InlineData(@"\\u001b|\\e\[|\\x1b", "Output/ProgressBar.cs", "Output/Screen.cs", "Output/StyledText.cs")]
    [InlineData(@"Utf8JsonWriter|JsonSerializer\.Serialize", "Output/ToolJson.cs")]
    // Bytes of a segment
    [InlineData(@"\bOpenOutput\b", "Output/StandardStreams.cs", "Output/ToolJson.cs", "Verbs/DumpVerb.cs",
        "Verbs/ReadVerb.cs")]
    public void Text_is_printed_in_one_way(string way, params string[] files)
        => Assert.Equal(files.Order(),
            Sources.Where(file => Regex.IsMatch(File.ReadAllText(file), way))
                .Select(file => Path.GetRelativePath(Nipc.Sources, file)).Order());

    [Theory]
    [InlineData("Output/StandardStreams.cs")]
    [InlineData("Output/StyledText.cs")]
    [InlineData("Output/ProgressBar.cs")]
    [InlineData("Output/PrintableJson.cs")]
    public void The_ways_to_print_escape(string file)
        => Assert.Contains("PrintableText.", File.ReadAllText(Path.Combine(Nipc.Sources, file)),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("[UnsafeAccessor(UnsafeAccessorKind.Method)]")]
    [InlineData("typeof(SharedMemory).GetMethod(\"x\", BindingFlags.NonPublic)")]
    [InlineData("using NativeIpc.Posix.Words;")]
    [InlineData("using static NativeIpc.Interop.Unix.Libc;")]
    [InlineData("using NativeIpc.Inspection.Looks;")]
    public void A_way_around_is_seen(string line) => Assert.Matches(Around(), line);

    [Theory]
    [InlineData("using NativeIpc.Inspection;")]
    [InlineData("using NativeIpc.Layouts;")]
    [InlineData("using NativeIpc.Tool.Running;")]
    public void A_public_or_own_namespace_is_none(string line) => Assert.DoesNotMatch(Around(), line);

    /// <summary>Public types have the namespace of their assembly; one below is a room. Layouts is source that is
    /// compiled in.</summary>
    [GeneratedRegex(@"UnsafeAccessor|BindingFlags|using (static )?NativeIpc\.(?!Inspection;|Layouts;|Tool\b)"
        + "|IgnoresAccessChecksTo")]
    private static partial Regex Around();
}
