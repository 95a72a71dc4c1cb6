using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What the verbs do in a real terminal and nowhere else.</summary>
public sealed class TerminalTests
{
    public TerminalTests() => Assert.SkipUnless(TerminalScreen.WhyNot is null, TerminalScreen.WhyNot ?? "");

    [Fact]
    public void Dump_and_restore_show_a_bar()
    {
        using var terminal = new TerminalScreen("""
            cd "$(mktemp -d)" && "$NIPC" create shm posix:/big 64M > /dev/null && "$NIPC" dump posix:/big big.bin &&
                "$NIPC" restore posix:/copy big.bin --create
            rm -r "$PWD"; echo "ended with $?"; exec cat
            """, 100, 20);
        string screen = terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the end");
        Assert.Equal(2, screen.Split('\n')
            .Count(line => line.StartsWith("big.bin ━", StringComparison.Ordinal)
                && line.Contains("100%", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(80, "list", 80)]
    [InlineData(40, "list", 40)]
    [InlineData(80, "list -o key,users", 80)]
    [InlineData(100, "list --wide", 300)]
    [InlineData(80, "list -o native --no-header", 80)]
    public void A_list_fits_the_width_of_the_terminal(int columns, string verb, int longest)
    {
        const string name = "posix:/qipc_sharedmemory_camerafeedofthefrontdoor8843d7f92416211de9ebb963ff4ce28125932878";
        using var terminal = new TerminalScreen(
            $"\"$NIPC\" create sem '{name}' 1 > /dev/null; \"$NIPC\" create shm posix:/中文の鍵 9 > /dev/null; "
                + $"\"$NIPC\" {verb} 2> /dev/null; echo over; exec cat", columns, 12);
        string screen = terminal.Await(screen => screen.EndsWith("over", StringComparison.Ordinal), "the end");
        string[] lines = screen.Split('\n');
        if (longest > columns)
        {
            Assert.Contains(name, screen.Replace("\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
            return;
        }

        // No line goes on in the next one
        Assert.Equal(verb.Contains("header", StringComparison.Ordinal) ? 3 : 4, lines.Length);
        string row = Assert.Single(lines, line => line.Contains("932878", StringComparison.Ordinal));
        Assert.Matches(@"posix:/\w*…\w*932878|sem\.qipc\w*…", row);
        Assert.Contains("中文の鍵", screen, StringComparison.Ordinal);
        if (verb == "list" && columns == 80) Assert.Matches(@" sem +=1 .* -$", row);
    }

    [Fact]
    public void Read_shows_a_hexdump_and_NO_COLOR_is_respected()
    {
        using var terminal = new TerminalScreen(
            "\"$NIPC\" create shm posix:/a 3; \"$NIPC\" read posix:/a; NO_COLOR=1 \"$NIPC\" dump posix:/a "
                + "/tmp/$$.bin; rm /tmp/$$.bin; echo over; exec cat", 100, 20);
        string screen = terminal.Await(screen => screen.Contains("over", StringComparison.Ordinal), "the end",
            withEscapes: true);
        Assert.Contains("00000000  00 00 00 ", screen, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"\e\[[0-9;]*3[0-9]|\e\[[0-9;]*9[0-9]", screen);
    }

    [Theory]
    [InlineData("posix:/s", "held by [0-9]+ \\(nipc\\), [0-9]+ \\(sh\\)")]
    [InlineData("systemv:/run/user/1000/s", "last used by [0-9]+")]
    public void Who_waits_says_for_whom(string key, string whom)
    {
        using var terminal = new TerminalScreen($$"""
            "$NIPC" create sem {{key}} 1 > /dev/null
            "$NIPC" run --sem {{key}} sh -c 'until [ -e /dev/shm/go ]; do sleep 0.05; done' &
            until [ "$("$NIPC" value {{key}})" = 0 ]; do :; done
            "$NIPC" acquire {{key}}; echo "ended with $?"; "$NIPC" release {{key}}; exec cat
            """, 200, 12);
        string screen = terminal.Await(screen => screen.Contains("Ctrl-C gives up", StringComparison.Ordinal),
            "the note");
        Assert.Matches($"nipc: Waiting for {key}, {whom}", screen);
        terminal.Open(": > /dev/shm/go");
        terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the permit");
    }

    [Fact]
    public void A_wait_that_is_ended_from_the_background_ends()
    {
        // timeout(1) takes its command out of the foreground, and wakes it after its signal.
        using var terminal = new TerminalScreen("""
            "$NIPC" create sem systemv:/run/user/1000/s 0 > /dev/null
            for i in 1 2 3 4; do timeout -s INT 0.5 "$NIPC" acquire systemv:/run/user/1000/s; done; echo over; exec cat
            """, 200, 12);
        terminal.Await(screen => screen.Contains("over", StringComparison.Ordinal), "the end of all four");
    }

    [Fact]
    public void A_line_is_a_line_without_codes()
    {
        string record = Path.Combine(Path.GetTempPath(), NativeIpc.Testing.TestNames.NextName());
        try
        {
            using var terminal = new TerminalScreen(
                "read x; \"$NIPC\" create sem posix:/s 1; \"$NIPC\" value posix:/s; \"$NIPC\" list 2> /dev/null; echo "
                    + "over; exec cat", 100, 12);
            terminal.RecordTo(record);
            terminal.Press("Enter");
            terminal.Await(screen => screen.EndsWith("over", StringComparison.Ordinal), "the end");
            Watch.Until(() => File.ReadAllText(record).Contains("over", StringComparison.Ordinal));
            Assert.DoesNotContain("\u001b", File.ReadAllText(record), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(record);
        }
    }

    [Theory]
    [InlineData("posix:/s")]
    [InlineData("systemv:/run/user/1000/s")]
    public void Ctrl_C_reaches_the_command_of_run_once(string key)
    {
        using var terminal = new TerminalScreen($$"""
            "$NIPC" create sem {{key}} 1 > /dev/null
            "$NIPC" run --sem {{key}} -- sh -c 'trap "echo caught" INT; echo ready
                until [ -e /dev/shm/go ]; do sleep 0.05; done; exit 5'
            echo "ended with $?"; "$NIPC" value {{key}}; exec cat
            """, 80, 12);
        terminal.Await(screen => screen.Contains("ready", StringComparison.Ordinal), "the command");
        terminal.Press("C-c");
        terminal.Await(screen => screen.Contains("caught", StringComparison.Ordinal), "the signal");
        terminal.Open(": > /dev/shm/go");
        string screen = terminal.Await(
            screen => screen.Contains("ended with 5\n1", StringComparison.Ordinal), "the end");
        Assert.Single(screen.Split('\n'), line => line.Contains("caught", StringComparison.Ordinal));
    }
}
