using System.Reflection;
using System.Text.RegularExpressions;
using NativeIpc.Inspection;
using NativeIpc.Tool.Output;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Messages name the options of the tool and the key itself, and no members of the library.</summary>
public partial class MessageWordsTests : OneType
{
    // What the tool never sets or does, so that the messages about it never come.
    private static readonly string[] s_neverAsked =
    [
        "Reclaim", "LastOneOut", "PeerTimeout", "CurrentUserOnly", "SecurityDescriptor", "RequireLockRecovery",
        "MaximumCount", "Recording", "NamesAsTheyAre",
        "IsHeld", "IsRecoverable", "WasTakenByThisThread", "StoppedProcesses", "UnseenUsers", "GetSpan",
        "SharedMemoryAccess.ReadWrite", "UseLock = false, so",
    ];

    // What stands in a hole of another text: told in the whole.
    private static readonly string[] s_parts =
        ["CreateNew, CreateOrOpen", "CreateNew, CreateOrOpen, CreateOrReset"];

    [Fact]
    public void Every_message_of_the_library_is_told_in_words_of_the_tool()
    {
        HashSet<string> members = [.. new[] { typeof(SharedMemory), typeof(IpcObjects) }
            .SelectMany(one => one.Assembly.GetExportedTypes())
            .SelectMany(
                type =>
                    type.GetMembers(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance
                        | BindingFlags.DeclaredOnly).Select(member => member.Name).Append(type.Name))
            .Where(name => name.Skip(1).Any(char.IsUpper)), "Sparse", "Populate", "Reserve", "Robust"];
        members.ExceptWith(["NativeIpc", "SystemV"]);
        string[] messages = [.. Messages().Except(s_parts),
            .. s_parts.Select(part => $"A creating call ({part}) recovers it")];
        Assert.Contains(messages, message => message.Contains("CreateOrOpen", StringComparison.Ordinal));
        string[] foreign = [.. messages.Select(message => ToolWords.Of(message, "posix:/x"))
            .Where(told => told.Contains("KEY", StringComparison.Ordinal)
                || Member().Matches(told).Any(word => members.Contains(word.Value)))];
        Assert.True(foreign.Length == 0, string.Join('\n', foreign));
    }

    /// <summary>The texts in the sources of the library, those in parts put together, with holes for values.</summary>
    private static IEnumerable<string> Messages()
    {
        return new[] { "../NativeIpc", "../NativeIpc.Inspection" }
            .SelectMany(library => Directory.EnumerateFiles(
                Path.GetFullPath(Path.Combine(Nipc.Sources, library)), "*.cs", SearchOption.AllDirectories))
            .Where(
                file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}",
                    StringComparison.Ordinal))
            .SelectMany(file => Literal().Matches(Joint().Replace(Comment().Replace(File.ReadAllText(file), ""), "")))
            .Select(text => Hole().Replace(text.Value, "{}"))
            .Where(text => text.Contains(' ', StringComparison.Ordinal) && !Code().IsMatch(text)
                && !s_neverAsked.Any(word => text.Contains(word, StringComparison.Ordinal)));
    }

    [Fact]
    [NeedsUnix("The objects of Windows do not outlive their process.")]
    public void Failures_name_the_key_and_the_options()
    {
        foreach (string type in new[] { "posix", "systemv" })
        {
            NativeIpcKey key = NewKey(type);
            Says(3, $"make it with 'nipc create'; 'nipc list' shows what is there", "read", $"{key}");
            Says(3, $"make it with 'nipc create'", "acquire", $"{key}");
            Nipc.Succeed("create", "shm", $"{key}", "64");
            Says(1, $"--or-open takes what is there, 'nipc show {key}' describes it, 'nipc rm {key}' removes it",
                "create", "shm", $"{key}", "64");
            Says(5, $"'nipc rm {key}'", "create", "shm", $"{key}", "65", "--or-open");
            Nipc.Succeed("rm", $"{key}");
        }

        void Says(int exitCode, string words, params string[] arguments)
        {
            string error = Nipc.Fail(exitCode, arguments);
            Assert.Contains(words, error, StringComparison.Ordinal);
            Assert.DoesNotMatch("CreateOrOpen|CreateNew|KEY|With this tool", error);
        }
    }

    [Theory]
    [InlineData("it is there (in CreateNew). Look.", "it is there. Look.")]
    [InlineData("it is another's (in owner check, error 13). Look.", "it is another's (error 13). Look.")]
    [InlineData("dispose what is not used, or", "end what is not used, or")]
    [InlineData("to be kept (RemovalPolicy.Keep, and any of a", "to be kept (those of 'nipc create', and any of a")]
    public void Operations_of_the_library_are_not_told(string message, string told)
        => Assert.Equal(told, ToolWords.Keeping(message));

    [Theory]
    [InlineData("a (in b). c")]
    [InlineData("(in CreateNew)")]
    [InlineData("with Robust")]
    [InlineData("AllowOtherOwners")]
    public void A_name_stays_as_somebody_has_called_it(string name)
        => Assert.Equal($"Cannot open posix:/{name}: it is /{name}. Look, or give --allow-other-owners.",
            ToolWords.Keeping(
                $"Cannot open posix:/{name}: it is /{name} (in CreateNew). Look, or set AllowOtherOwners.",
                $"posix:/{name}", $"/{name}"));

    [Fact]
    [NeedsUnix("POSIX objects have a file.")]
    public void A_failure_names_the_object_as_it_is_called()
    {
        string key = $"{NewKey("posix")} (in b). with Robust";
        Assert.StartsWith($"nipc: Cannot open the segment {key} ", Nipc.Fail(3, "read", key), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("posix:/jobs", "posix:/jobs")]
    [InlineData("posix:/a b", "\"posix:/a b\"")]
    [InlineData("posix:/a'b", "\"posix:/a'b\"")]
    [InlineData("posix:/$a\"`\\", "\"posix:/\\$a\\\"\\`\\\\\"")]
    [InlineData("posix:/ä", "posix:/ä")]
    [InlineData("", "\"\"")]
    public void A_key_can_be_typed_in_a_shell(string key, string typed)
    {
        Assert.Equal($"'nipc rm {typed}'", ToolWords.WithKey("'nipc rm KEY'", key));
        if (!OperatingSystem.IsWindows()) Assert.Equal(key, Shell.Run("sh", ["-c", $"printf %s {typed}"]).Succeeded);
    }

    [GeneratedRegex(@"^\s*//.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex(@"""\s*\+\s*\$?""")]
    private static partial Regex Joint();

    [GeneratedRegex(@"(?<=\$?"")(?:[^""\\\n]|\\.)*(?="")")]
    private static partial Regex Literal();

    /// <summary>What stands between two texts, and not in one.</summary>
    [GeneratedRegex(@"\? *$|^ *[:+)?,] *\w*[.(]|^[^ ]*\.|=>|^\)| is null|StringComparison")]
    private static partial Regex Code();

    [GeneratedRegex(@"\{[^{}]*(\}|$)")]
    private static partial Regex Hole();

    [GeneratedRegex(@"\b[A-Z][A-Za-z]+\b")]
    private static partial Regex Member();
}
