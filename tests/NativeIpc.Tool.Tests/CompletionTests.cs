using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Keys that are there, completed by the shells themselves. Their names are other people's text.</summary>
public sealed class CompletionTests
{
    // Any user may make an object of this name. In a shell that expands it, the file below comes to be.
    private const string Hostile = "posix:/fr a$(touch planted)\"'";

    [Theory]
    [InlineData("bash", "bash --norc --noprofile -i", "eval \"$(nipc completion bash)\"")]
    [InlineData("zsh", "zsh -f -i", "autoload -U compinit && compinit -u -D && eval \"$(nipc completion zsh)\"")]
    public void A_key_is_completed_at_a_prompt(string shell, string start, string setUp)
    {
        Assert.SkipUnless(TerminalScreen.WhyNot is null, TerminalScreen.WhyNot ?? "");
        _ = Peers.Require(shell, shell);
        using var terminal = new TerminalScreen($$"""
            PATH=$(dirname "$NIPC"):$PATH; export PATH
            nipc create shm posix:/frames 10 && nipc create sem posix:/workers 1 &&
                nipc create shm '{{Hostile.Replace("'", "'\\''", StringComparison.Ordinal)}}' 10
            cd /dev/shm && PS1='ready> ' exec {{start}}
            """, 120, 30);
        terminal.Await(screen => screen.Contains('>', StringComparison.Ordinal), "the prompt");
        Type(setUp + " && echo set-'up'");
        terminal.Press("Enter");
        terminal.Await(screen => screen.Contains("set-up", StringComparison.Ordinal), "the completion");

        Complete("nipc show posix:/fra", "nipc show posix:/frames");
        Complete("nipc acquire pos", "nipc acquire posix:/workers"); // no segments
        Complete("nipc run --sem=posix:/wo", "nipc run --sem=posix:/workers");
        Complete("nipc run --sem po", "nipc run --sem posix:/workers");
        Complete("nipc cre", "nipc create");
        Type("nipc show posix:/fr\\ ");
        terminal.Press("Tab", "Enter");
        terminal.Await(screen => screen.Contains("native key  /fr a$(touch planted)", StringComparison.Ordinal),
            "the object with the hostile name");
        Type("ls -a; echo o'ver'");
        terminal.Press("Enter");
        string seen = terminal.Await(screen => screen.Contains("over", StringComparison.Ordinal), "the end");
        Assert.DoesNotContain("\nplanted", seen, StringComparison.Ordinal);

        void Complete(string typed, string expected)
        {
            Type(typed);
            terminal.Press("Tab");
            terminal.Await(screen => screen.Contains($"> {expected} ", StringComparison.Ordinal)
                || screen.EndsWith($"> {expected}", StringComparison.Ordinal), expected);
            terminal.Press("C-u", "C-l");
            terminal.Await(screen => !screen.Contains(typed, StringComparison.Ordinal), "an empty line");
        }

        void Type(string text) => terminal.Press("-l", text);
    }

    [Fact]
    [NeedsLinux("Namespaces of its own need root, on Linux.")]
    [NeedsRoot("Namespaces of its own need root, on Linux.")]
    public void A_key_is_completed_by_fish()
    {
        string fish = Peers.Require("fish", "fish"), folder = Path.GetDirectoryName(Nipc.Program)!;
        const string script = """
            nipc completion fish | source
            nipc create shm posix:/frames 10 >/dev/null; nipc create sem posix:/workers 1 >/dev/null
            nipc create shm $HOSTILE 10 >/dev/null; cd /dev/shm
            for line in "nipc show posix:/fr" "nipc acquire pos" "nipc run --sem=posix:/wo" "nipc cre"
                complete -C $line
            end
            ls -a
            """;
        const string mounts = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm && HOME=/dev/shm exec \"$0\" -c \"$1\"";
        ShellResult result = Shell.Run("unshare", ["-im", "--propagation", "private", "sh", "-c", mounts, fish, script],
            environment: [new("HOSTILE", Hostile),
                new("PATH", $"{folder}:{Environment.GetEnvironmentVariable("PATH")}")]);
        string[] lines = result.Succeeded.Split('\n');
        Assert.Contains("posix:/frames", lines);
        Assert.Contains(Hostile, lines);
        Assert.Contains("posix:/workers", lines);
        Assert.Contains("--sem=posix:/workers", lines);
        Assert.Contains(lines, line => line.Split('\t')[0] == "create");
        Assert.DoesNotContain("planted", lines);
    }

    [Fact]
    [NeedsLinux("Files in /dev/shm are objects on Linux.")]
    public void What_a_terminal_would_act_on_is_not_offered()
    {
        string name = $"nitool-{Environment.ProcessId}-\u001b]0;x\u0007";
        File.WriteAllBytes($"/dev/shm/{name}", [1]);
        try
        {
            Assert.DoesNotContain('\u001b', Nipc.Succeed("[suggest:10]", "nipc show "));
        }
        finally
        {
            File.Delete($"/dev/shm/{name}");
        }
    }
}
