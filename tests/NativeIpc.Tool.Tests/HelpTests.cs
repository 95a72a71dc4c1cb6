using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Help: on one screen, with examples that the parser takes.</summary>
public partial class HelpTests
{
    private const int Rows = 24;
    private const int Columns = 80;

    private static readonly ConcurrentDictionary<string, string> s_helps = new();

    public static TheoryData<string> Commands() => [.. Walk("")];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_fits_a_screen(string command)
    {
        string[] lines = HelpOf(command).TrimEnd('\n').Split('\n');
        Assert.True(lines.Length <= Rows, $"{lines.Length} lines");
        Assert.All(lines, line => Assert.True(line.Length <= Columns, line));
        Assert.StartsWith($"Usage: nipc {command}".TrimEnd(), lines[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Each_verb_has_examples_of_itself(string command)
    {
        string help = HelpOf(command);
        if (help.Contains(" COMMAND --help'", StringComparison.Ordinal)) return; // a group of verbs: they have them
        string[] examples =
            help[(help.IndexOf("Examples:\n", StringComparison.Ordinal) + "Examples:\n".Length)..].TrimEnd('\n')
                .Split('\n');
        Assert.NotEmpty(examples);
        Assert.All(examples, example => Assert.StartsWith($"  nipc {command}", example, StringComparison.Ordinal));
    }

    [Fact]
    public void A_mistake_on_the_command_line_is_exit_code_2_and_says_where_help_is()
    {
        Assert.Contains("nipc create shm --help", Nipc.Fail(2, "create", "shm", "posix:/x", "12", "--nonsense"),
            StringComparison.Ordinal);
        Assert.Contains("nipc --help", Nipc.Fail(2, "nonsense"), StringComparison.Ordinal);
        Nipc.Fail(2, "create");
    }

    [Fact]
    public void The_version_is_printed() => Assert.Matches(@"^\d+\.\d+\.\d+", Nipc.Succeed("--version"));

    [Theory]
    [InlineData("bash", "complete -o default -F _nipc nipc")]
    [InlineData("zsh", "compdef _nipc nipc")]
    [InlineData("fish", "complete -c nipc")]
    public void Completion_is_printed_for_each_shell(string shell, string line)
        => Assert.Contains(line, Nipc.Succeed("completion", shell), StringComparison.Ordinal);

    [Fact]
    public void Bash_completes_verbs_and_options()
    {
        string folder = Path.GetDirectoryName(Nipc.Program)!;
        string script = $"PATH='{folder}':$PATH; {Nipc.Succeed("completion", "bash")}\ncomplete_line() {{ "
            + $"COMP_LINE=$1 COMP_POINT=${{#1}}; read -ra COMP_WORDS <<<\"$1\"; COMP_CWORD=$((${{#COMP_WORDS[@]}} - "
            + $"1)); _nipc; echo \"${{COMPREPLY[*]}}\"; }}\n";
        Assert.Equal("create", Shell.Run("bash", ["-c", script + "complete_line 'nipc cre'"]).Succeeded.Trim());
        Assert.Equal("--or-open", Shell.Run("bash",
            ["-c", script + "complete_line 'nipc create shm --or'"]).Succeeded.Trim());
    }

    [Fact]
    public void The_manual_page_has_every_verb_and_option_that_help_has()
    {
        string page = Nipc.Succeed("man").Replace("\\-", "-", StringComparison.Ordinal).Replace("\\(aq", "'",
            StringComparison.Ordinal);
        foreach (string command in Walk(""))
        {
            string help = HelpOf(command);
            if (help.Contains(" COMMAND --help'", StringComparison.Ordinal)) continue;
            Assert.Contains($"\n.SS {help[..help.IndexOf('\n', StringComparison.Ordinal)]["Usage: ".Length..]}\n", page,
                StringComparison.Ordinal);
            foreach (string option in help.Split('\n').Where(line => line.StartsWith("  -", StringComparison.Ordinal)))
                Assert.Contains($"\n.TP\n\\fB{option[2..].Split("  ")[0]}\\fR\n", page, StringComparison.Ordinal);
        }

        foreach (string row in File.ReadAllLines(Path.Combine(Nipc.Documents, "nipc.md"))
            .Where(row => ExitCodeRow().IsMatch(row)))
        {
            string[] cells = row.Replace("`", "", StringComparison.Ordinal).Split('|', StringSplitOptions.TrimEntries);
            Assert.Contains($"\n.TP\n\\fB{cells[1]}\\fR\n{cells[2]}\n", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_manual_page_is_good_roff()
    {
        string groff = Peers.Require("groff", "groff-base");
        string file = Path.Combine(Path.GetTempPath(), $"nipc-{Environment.ProcessId}.1");
        try
        {
            File.WriteAllText(file, Nipc.Succeed("man") + "\n");
            ShellResult result = Shell.Run(groff, ["-man", "-Tutf8", "-ww", "-z", file]);
            Assert.Equal((0, "", ""), (result.ExitCode, result.Output, result.Error));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [GeneratedRegex(@"^\| [0-9]+(, [0-9]+|\+N)? \| ")]
    private static partial Regex ExitCodeRow();

    private static string HelpOf(string command) => s_helps.GetOrAdd(command,
        _ => Nipc.Succeed([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]) + "\n");

    /// <summary>All commands, by what help itself lists.</summary>
    private static IEnumerable<string> Walk(string command)
    {
        yield return command;
        string help = HelpOf(command);
        if (!help.Contains(" COMMAND --help'", StringComparison.Ordinal)) yield break;
        foreach (string line in help.Split('\n')
            .Where(line => line.StartsWith("  ", StringComparison.Ordinal) && char.IsAsciiLetterLower(line[2])))
        {
            foreach (string sub in Walk($"{command} {line.Trim().Split(' ')[0]}".Trim())) yield return sub;
        }
    }

    [Theory]
    [InlineData("There is no verb 'xyzzy'.\nTry 'nipc --help'.", "xyzzy")]
    [InlineData("There is no verb 'xyzzy'.\nTry 'nipc --help'.", "xyzzy", "--help")]
    [InlineData("There is no verb 'nothing'.\nTry 'nipc --help'.", "help", "nothing")]
    [InlineData("There is no verb 'key prase'. Did you mean 'parse'?\nTry 'nipc key --help'.", "key", "prase", "x")]
    [InlineData("'nipc create' needs one of: shm, sem, event.\nTry 'nipc create --help'.", "create")]
    [InlineData("Argument 'mem' not recognized. Must be one of: 'shm', 'sem', 'event'.\nTry 'nipc list --help'.",
        "list", "-k", "mem")]
    [InlineData("--folder /none/there: there is no such folder that this user can see. Give one that holds key files.",
        "list", "-d", "/none/there")]
    [InlineData("--folder /etc/passwd: there is no such folder that this user can see. Give one that holds key files.",
        "doctor", "-d", "/etc/passwd")]
    public void What_cannot_be_meant_is_said_in_sentences(string said, params string[] words)
        => Assert.Equal($"nipc: {said}\n", Nipc.Fail(2, words).ReplaceLineEndings("\n"));
}
