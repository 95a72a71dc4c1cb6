using System.Globalization;
using System.Text;
using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What every verb prints: nothing but text into pipes, JSON that parses, errors on standard error.</summary>
public class OutputTests : OneType
{
    [Theory]
    [InlineData(null)]
    [InlineData("1")]
    [NeedsUnix("The keys are those of Unix.")]
    public void No_escape_code_reaches_a_pipe(string? noColour)
    {
        NativeIpcKey key = NewKey("posix");
        string file = NewFile();
        KeyValuePair<string, string?>[] environment = [new("NO_COLOR", noColour), new("TERM", "xterm-256color"),
            new("COLORTERM", "truecolor"), new("FORCE_COLOR", "1")];
        foreach (string[] verb in (string[][])[
            ["create", "shm", $"{key}", "64"], ["read", $"{key}"], ["list"], ["show", $"{key}"], ["doctor"], ["dump",
                $"{key}", file], ["restore", $"{key}", file], ["key", "safe", "x", "-e"],
            ["rm", "--unused"], ["rm", $"{key}"], ["demo", file, "--type", "posix", "--child", "dotnet"], ["--help"],
            ["nonsense"]])
        {
            ShellResult result = Nipc.RunWith(environment, verb);
            Assert.False((result.Output + result.Error).Contains('\e', StringComparison.Ordinal),
                $"nipc {verb[0]}:\n{result.Output}{result.Error}");
        }
    }

    [Fact]
    [NeedsUnix("The keys are those of Unix.")]
    public void Json_is_one_value_and_a_line_feed()
    {
        NativeIpcKey key = NewKey("posix");
        foreach (string[] verb in (string[][])[
            ["create", "sem", $"{key}", "1"], ["value", $"{key}"], ["list"], ["doctor"], ["key", "safe", "x"], ["key",
                "legacy", "x"], ["key", "parse", "posix:/x"], ["key", "convert", "posix:/x", "--to", "windows"],
            ["rm", $"{key}"]])
        {
            ShellResult result = Nipc.Run([.. verb, "--json"]);
            Assert.EndsWith("\n", result.Output, StringComparison.Ordinal);
            using JsonDocument document = JsonDocument.Parse(result.Output);
            Assert.True(document.RootElement.ValueKind is JsonValueKind.Object or JsonValueKind.Array,
                $"nipc {verb[0]}");
        }
    }

    [Fact]
    [NeedsUnix("Run by hand under Wine.")]
    public void The_demo_copies_between_two_processes_and_leaves_nothing()
    {
        string file = NewFile();
        File.WriteAllBytes(file, new byte[300_000]);
        string output = Nipc.Succeed("demo", file, "--type", "posix", "--type", "systemv", "--child", "dotnet");
        Assert.Contains("All 2 copies have the SHA-256 ", output, StringComparison.Ordinal);
        Assert.EndsWith("nothing is left behind.", output, StringComparison.Ordinal);
        Nipc.Fail(3, "demo", file + ".missing");
        Nipc.Fail(2, "demo", "--child", "cobol");
    }

    /// <summary>What a terminal would act on, or not show, as it may stand in a name, a file, or an argument: C0, DEL,
    /// C1, direction, zero width, line ends, blanks, what is drawn as nothing, tags.</summary>
    public static TheoryData<string> Invisible
        => new("\e]0;x\a\u007f\u009b31m\u202e\u2066\u200b\u200d\ufeff\u2028\u2029\u0085\u00a0\u3164\ufe0f\U000e0041",
            "a\nb");

    [Theory]
    [MemberData(nameof(Invisible))]
    [NeedsLinux("Files in /dev/shm are objects on Linux.")]
    public void What_is_invisible_reaches_no_terminal(string text)
    {
        string name = $"nitool-{Environment.ProcessId}-{text}";
        string file = $"/dev/shm/{name}";
        File.WriteAllBytes(file, [1, 2, 3]);
        string key = $"posix:/{name}";
        try
        {
            foreach (string[] verb in (string[][])[
                ["list"], ["list", "--json"], ["show", key], ["show", key, "--json"], ["doctor", "--all"],
                ["doctor", "--json"],
                ["create", "shm", key, "64"], ["rm", "posix:/none-" + text], ["key", "parse", key, "--explain"],
                ["key", "safe", text, "--explain"], ["key", "safe", text, "--json"], ["key", "code", key,
                    "--lang", "c"],
                ["acquire", key], ["read", text], ["read", key, "--offset", text], ["list", "--" + text], [text],
                ["show", key, "--struct", text],
                ["run", "--sem", key, "true"], ["run", "--sem", "posix:/none", text], ["dump", key, $"/none/{text}"],
                ["rm", "--unused", "--json"], ["rm", key]])
            {
                ShellResult result = Nipc.Run(verb);
                AssertVisible(result);
                Assert.DoesNotContain("a\nb", result.Output + result.Error, StringComparison.Ordinal);
                if (verb[^1] != "--json" || verb[0] is not ("list" or "show")) continue;
                Assert.Contains(JsonDocument.Parse(result.Output).RootElement.GetProperty("objects").EnumerateArray(),
                    found => found.GetProperty("nativeName").GetString() == name);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    [NeedsLinux("Names of processes are told on Linux.")]
    public void The_name_of_a_process_reaches_no_terminal_raw()
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "64");
        string open = $"open(F, '<', '/dev/shm{key.NativeKey}'); syscall(157, 15, my $n = "
            + $"\"\\e[31m\\xe2\\x80\\xae\\xff\\n\"); $| = 1; print \"ready\\n\"; <STDIN>";
        using var peer = new RunningNipc("perl", ["-e", open]); // prctl(PR_SET_NAME)
        Assert.Equal("ready", peer.ReadLine());
        foreach (string[] verb in (string[][])[["list"], ["show", $"{key}"], ["rm", $"{key}"], ["list", "--json"],
            ["doctor", "--all"]])
        {
            ShellResult result = Nipc.Run(verb);
            AssertVisible(result);
            if (verb[0] == "show") Assert.Contains("[31m", result.Output, StringComparison.Ordinal); // it is told
        }
    }

    [Fact]
    [NeedsLinux("Files in /dev/shm are objects on Linux.")]
    public void A_name_that_is_no_UTF_8_reaches_no_terminal_raw()
    {
        string mark = $"nitool-{Environment.ProcessId}-raw";
        Shell.Run("bash", ["-c", $"touch $'/dev/shm/{mark}\\xff\\e]0;x\\a'"]);
        try
        {
            foreach (string verb in (string[])["list", "doctor"]) AssertVisible(Nipc.Run(verb));
        }
        finally
        {
            Shell.Run("bash", ["-c", $"rm -f /dev/shm/{mark}*"]);
        }
    }

    private static void AssertVisible(ShellResult result)
    {
        string all = result.Output + result.Error;
        Assert.DoesNotContain(all.EnumerateRunes(), rune => Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.SpaceSeparator
            ? rune.Value is not (' ' or '\n') : rune.Value is 0x3164 or 0xFE0F);
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("show posix:/nitool-none", "2>/dev/full", 3)]
    [InlineData("show posix:/nitool-none", "2>&-", 3)]
    [InlineData("list", "2>&-", 0)]
    [InlineData("list", ">/dev/full", 7)]
    [InlineData("list", ">&-", 7)]
    [InlineData("list --json", ">/dev/full", 7)]
    [InlineData("doctor", ">/dev/full", 7)]
    [InlineData("key safe x", ">/dev/full 2>/dev/full", 7)]
    [InlineData("list", "<&- >&- 2>&-", 7)]
    [InlineData("doctor", "<&- >&- 2>&-", 7)]
    [InlineData("read posix:/x", "<&- >&- 2>&-", 7)]
    [InlineData("dump posix:/x -", "<&- >&- 2>&-", 7)]
    [InlineData("create shm posix:/new 10", "<&- >&- 2>&-", 7)]
    [InlineData("create sem posix:/new 1", ">/dev/full", 7)]
    [InlineData("restore posix:/x /tmp", "", 7)]
    [InlineData("--help", ">/dev/full", 7)]
    [NeedsLinux("/dev/full is Linux's.")]
    public void A_stream_that_is_closed_or_full_ends_with_a_documented_exit_code(string verb, string streams,
        int exitCode)
    {
        Alone.Require();
        if (streams.StartsWith("<&-", StringComparison.Ordinal)) Nipc.RequireStartWithoutInput();

        // What failed has left nothing, and nothing was printed into what took the place of a closed stream.
        ShellResult result = Alone.Run(
            $"printf abcd > /dev/shm/x; \"$N\" {verb} {streams}; code=$?; [ \"$(cd /dev/shm; echo *) $(cat "
                + $"/dev/shm/x)\" = 'x abcd' ] || exit 88; exit $code");
        Assert.Equal(exitCode, result.ExitCode);
        Assert.DoesNotContain("Unhandled", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mknod TARGET p")]
    [InlineData("mknod TARGET c 1 3")]
    [InlineData("ln -s elsewhere TARGET")]
    [InlineData("mkdir TARGET")]
    [NeedsLinux("Only root makes devices.")]
    [NeedsRoot("Only root makes devices.")]
    public void Dump_replaces_nothing_but_a_regular_file(string make)
    {
        NativeIpcKey key = NewKey("posix");
        string target = NewFile();
        Nipc.Succeed("create", "shm", $"{key}", "64");
        Shell.Run("sh", ["-c", make.Replace("TARGET", target, StringComparison.Ordinal)]);
        string before = Shell.Run("stat", ["-c", "%F %i", target]).Output;
        Assert.Contains("no regular file", Nipc.Fail(1, "dump", $"{key}", target, "--force"), StringComparison.Ordinal);
        Assert.Equal(before, Shell.Run("stat", ["-c", "%F %i", target]).Output);
        Shell.Run("rm", ["-rf", target]);
    }

    [Theory]
    [InlineData("-")]
    [InlineData("/dev/stdout")]
    [NeedsUnix("The keys are those of Unix.")]
    public void Dump_streams_to_standard_output(string target)
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "5");
        Nipc.Succeed("write", $"{key}", "--text", "bytes");
        (int code, byte[] output, string error) = Nipc.Feed([], "dump", $"{key}", target);
        Assert.Equal((0, "bytes", ""), (code, Encoding.UTF8.GetString(output), error));
    }

    // .NET itself needs some of each before the tool begins: that many are found first.
    private const string Least = """
        least=1
        until few $least "$N" --version > /dev/null 2>&1; do least=$((least + 1)); [ $least -lt 200 ] || exit 1; done
        check() {
            few "$@" > out 2> err < /dev/null; code=$?
            [ $code = 0 ] || { [ $3 = doctor ] && [ $code = 1 ] && [ -s out ]; } || {
                { [ $code = 5 ] || { [ $3 = run ] && [ $code = 126 ]; }; } &&
                    [ $(wc -l < err) = 1 ] && grep -q '^nipc: ' err
            } || echo "$*: $code $(cat err)"
            [ $code != 0 ] || ! grep -E 'cannot be (read|listed)|There is no|Nothing fits' err ||
                echo "$*: took unknown for no"
            [ $code != 0 ] || [ $3 != list ] || grep -q posix:/x out || echo "$*: left something out"
            [ $code = 0 ] || { [ ! -e /dev/shm/new ] && [ ! -e /dev/shm/sem.new ]; } ||
                echo "$*: $code, and left something"
            rm -f /dev/shm/new /dev/shm/sem.new
        }

        """;

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Too_few_descriptors_are_one_line_and_exit_code_5()
    {
        RequireNativeFile();
        string said = Alone.Run(Prelude("(ulimit -n $n; exec \"$@\")") + """
            perl -e 'shmget(0x55, 64, 01600)'
            for n in 0 1 2 3 4 6 8; do
                for verb in 'list' 'doctor' 'show posix:/x' 'read posix:/x' 'create shm posix:/new 10' \
                    'create sem posix:/new 1' 'dump posix:/x -' 'rm --unused -t systemv' 'rm --orphaned --yes' \
                    'rm -g posix:* --dry-run' 'show shmid:0'; do check $((least + n)) "$N" $verb; done
            done
            """).Succeeded;
        Assert.Equal("", said);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Too_few_descriptors_leave_a_System_V_object_whole_or_remove_it_whole()
    {
        RequireNativeFile();
        string said = Alone.Run(Prelude("(ulimit -n $n; exec \"$@\")") + """
            for n in 0 1 2 3 4; do
                for verb in "rm systemv:$PWD/k" "rm systemv:$PWD/k -k sem" "rm --orphaned --yes -d ." \
                    "rm --unused --yes -t systemv -d ."; do
                    "$N" create shm systemv:$PWD/k 10 > /dev/null; "$N" write systemv:$PWD/k --lock -s x
                    there() {
                        echo "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l) $(awk 'NR > 1' /proc/sysvipc/sem | wc -l)" \
                            "$(ls k 2> /dev/null)"
                    }
                    check $((least + n)) "$N" $verb
                    case "$code $verb $(there)" in
                        5*' 1 1 k') ;; '0 rm --orphaned'*' 1 1 k') ;; '0'*'-k sem 1 0 k') ;; '0'*' 0 0 ') ;;
                        *) echo "$n $verb: $code left $(there): $(cat out err)" ;;
                    esac
                    "$N" rm systemv:$PWD/k > /dev/null 2>&1 || true
                done
            done
            """).Succeeded;
        Assert.Equal("", said);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Too_few_threads_are_one_line_and_exit_code_5()
    {
        RequireNativeFile();

        // The limit counts what a user has altogether, and not for root.
        string said = Alone.Run("uid=$((200000 + $$)); chmod 777 .\n"
            + Prelude("setpriv --reuid $uid --regid $uid --clear-groups prlimit --nproc=$n:$n \"$@\"") + """
            for n in 0 1 2 3; do
                for verb in 'list' 'doctor' 'show posix:/x' 'read posix:/x' 'create shm posix:/new 10' \
                    'create sem posix:/new 1' 'dump posix:/x -' 'run --sem posix:/s true' \
                    'run --sem posix:/new --create 1 true' 'acquire posix:/s --timeout 9'; do
                    "$N" create sem posix:/s 1 > /dev/null; chown $uid /dev/shm/sem.s
                    check $((least + n)) "$N" $verb
                    [ "$code" = 0 ] || [ "$("$N" value posix:/s)" = 1 ] || echo "$n $verb took a permit"
                    rm /dev/shm/sem.s
                done
            done
            """).Succeeded;
        Assert.Equal("", said);
    }

    /// <summary>.NET itself starts a thread before the program begins.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Without_a_thread_for_NET_there_is_a_line_and_exit_code_5_as_well()
    {
        RequireNativeFile();
        const string script = """
            uid=$((200000 + $$)); few() { setpriv --reuid $uid --regid $uid --clear-groups prlimit --nproc=1:1 "$@"; }
            few "$N" --version; echo $?; few "$N" --version 2>&-; echo $?; few "$N" list 2>/dev/full; echo $?
            "$N" create sem posix:/s 1 > /dev/null; "$N" run --sem posix:/s sh -c 'exit 255'; echo $?
            """;
        ShellResult result = Alone.Run(script);
        Assert.Equal("5\n5\n5\n255\n", result.Output);
        Assert.Matches("^nipc: No memory, or no further thread, is to be had: [^\\n]*\\.\\n$", result.Error);
    }

    private static void RequireNativeFile()
    {
        Alone.Require();
        Assert.SkipWhen(File.Exists(Nipc.Program + ".dll"),
            "The runtime of .NET loads files and starts threads at any time, and aborts or waits without: only the "
                + "native file does with few.");
    }

    private static string Prelude(string limited)
        => $"few() {{ n=$1; shift; {limited}; }}\nprintf abcd > /dev/shm/x; chmod 666 /dev/shm/x\n{Least}";

    [Fact]
    public void The_spellings_that_people_try_work()
    {
        Assert.Equal(Nipc.Succeed("--help"), Nipc.Succeed());
        Assert.Equal(Nipc.Succeed("--help"), Nipc.Succeed("help"));
        Assert.Equal(Nipc.Succeed("list", "--help"), Nipc.Succeed("help", "list"));
        Assert.Equal(Nipc.Succeed("--version"), Nipc.Succeed("-V"));
        Assert.StartsWith("KEY", Nipc.Succeed("ls"), StringComparison.Ordinal);
        Assert.Matches(@"^\d+\.\d+\.\d+(-[\w.]+)?$", Nipc.Succeed("--version"));
        Assert.Contains("list", Nipc.Fail(2, "lsit"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("show KEY --struct", "u64 a@0x7fffffffffffffff, u8 b")]
    [InlineData("run --sem KEY --create", "99999999999")]
    [InlineData("run --sem KEY --create", "x")]
    [InlineData("run --sem KEY --timeout-code", "x")]
    [InlineData("acquire KEY --count", "99999999999")]
    [InlineData("create sem KEY", "99999999999")]
    [InlineData("create sem KEY", "x")]
    [InlineData("create sem KEY", "1.5")]
    [InlineData("create shm KEY", "99999999999999999999")]
    [InlineData("show KEY --struct", "u64[2305843009213693952] a")]
    [InlineData("acquire KEY --timeout", "99999999999999h")]
    [InlineData("read KEY --offset", "0x8000000000000000")]
    [InlineData("read KEY --length", "99999999999999999999")]
    [NeedsUnix("The keys are those of Unix.")]
    public void A_number_that_cannot_be_meant_is_an_error_of_the_command_line(string verb, string number)
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "64");
        ShellResult result = Nipc.Run(
            [.. verb.Replace("KEY", $"{key}", StringComparison.Ordinal).Split(' '), number,
                .. verb.StartsWith("run", StringComparison.Ordinal) ? ["true"] : Array.Empty<string>()]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.DoesNotContain("System.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsUnix("The keys and the commands are those of Unix.")]
    public void The_first_word_that_is_no_option_begins_the_command_of_run()
    {
        NativeIpcKey key = NewKey("posix");
        string file = NewFile();
        File.WriteAllText(file, "1\n2\n3\n");
        Nipc.Succeed("create", "sem", $"{key}", "1"); // one permit: -n 2 is not ours
        Assert.Equal("1\n2", Nipc.Succeed("run", "--sem", $"{key}", "head", "-n", "2", file));
        Assert.Equal("hi", Nipc.Succeed("run", $"--sem={key}", "-w", "5", "-n", "1", "echo", "-n", "hi"));
        Assert.Equal("-n", Nipc.Succeed("run", "--sem", $"{key}", "--", "printf", "%s", "-n"));
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
    }
}
