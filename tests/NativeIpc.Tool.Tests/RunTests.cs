using System.Globalization;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc run</c>: the permit lives as long as the command, however that ends.</summary>
public class RunTests : OneType
{
    private static readonly SystemSemaphoreOptions s_options = new() { Undo = SystemVUndoPolicy.None };

    [Theory]
    [MemberData(nameof(Types))]
    public void The_permit_is_held_while_the_command_runs_and_the_exit_code_is_its_own(string type)
    {
        using SystemSemaphore semaphore = Make(type, 3);
        using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--count", "2", "--", "sh", "-c",
            "echo $$; read line; exit 42");
        run.ReadLine();
        Assert.Equal(1, Count(semaphore));
        run.Process.StandardInput.WriteLine();
        Assert.Equal(42, run.WaitForEnd());
        Assert.Equal(3, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_command_that_is_killed_gives_the_permit_back(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c", "echo $$; read line");
        int command = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        Assert.Equal(0, Count(semaphore));
        RunningNipc.Kill(command, PeerProcess.SIGKILL);
        Assert.Equal(128 + PeerProcess.SIGKILL, run.WaitForEnd());
        Assert.Equal(1, Count(semaphore));
    }

    [Theory]
    [InlineData("systemv")]
    [InlineData("systemv-84")]
    public void On_System_V_the_kernel_gives_the_permit_back_after_SIGKILL_of_everything(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c", "echo $$; read line");
        Assert.Equal(run.Process.Id, int.Parse(run.ReadLine(), CultureInfo.InvariantCulture));
        Assert.Equal(0, Count(semaphore));
        run.Process.Kill(entireProcessTree: true);
        run.WaitForEnd();
        Assert.Equal(1, Count(semaphore));
    }

    [Fact]
    public void With_robust_the_next_one_gets_the_permit_of_a_supervisor_that_was_killed()
    {
        using SystemSemaphore semaphore = Make("posix", 1);
        using (var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--robust", "--", "sh", "-c",
            "echo $$; read line"))
        {
            run.ReadLine();
            run.Process.Kill(entireProcessTree: true);
            run.WaitForEnd();
        }

        Assert.Equal("mine", Nipc.Succeed("run", "--sem", $"{semaphore.Key}", "--robust", "--timeout", "30", "--",
            "echo", "mine"));
        Assert.Equal(1, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void When_the_time_is_up_the_command_is_not_started(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        string file = NewFile();
        Nipc.Fail(1, "run", "--sem", $"{semaphore.Key}", "-n", "2", "--timeout", "50ms", "--", "touch", file);
        Nipc.Fail(75, "run", "--sem", $"{semaphore.Key}", "-n", "2", "-w", "0", "-E", "75", "--", "touch", file);
        Assert.False(File.Exists(file));
        Assert.Equal(1, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_command_that_cannot_be_started_is_126_or_127_and_the_permit_is_back(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        string file = NewFile();
        File.WriteAllText(file, "no program");
        Nipc.Fail(127, "run", "--sem", $"{semaphore.Key}", "--", "nipc-no-such-command");
        Nipc.Fail(127, "run", "--sem", $"{semaphore.Key}", "--", file + ".missing");
        Nipc.Fail(126, "run", "--sem", $"{semaphore.Key}", "--", file);
        Assert.Equal(1, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Arguments_and_environment_and_descriptors_reach_the_command(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        Assert.Equal("[@a][--sem][b c][]",
            Nipc.Succeed("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c", "printf '[%s]' \"$@\"", "x", "@a",
                "--sem", "b c", ""));
        Assert.Equal("v\n", Nipc.RunWith([new("NIPC_TEST", "v")], "run", "--sem", $"{semaphore.Key}", "--", "printenv",
            "NIPC_TEST").Output);
        Assert.Equal("in", System.Text.Encoding.ASCII.GetString(
            Nipc.Feed("in"u8.ToArray(), "run", "--sem", $"{semaphore.Key}", "--", "cat").Output));

        // Descriptors of the tool's own stay with the tool: the command has what this test gave, what ls opens itself,
        // and on POSIX the one whose lock says that the command lives.
        string[] with = Descriptors(Nipc.Succeed("run", "--sem", $"{semaphore.Key}", "--", "ls", "-l",
            "/proc/self/fd")), without = Descriptors(Shell.Run("ls", ["-l", "/proc/self/fd"]).Output);
        string[] more = [.. with.Where(line => line.Contains("/dev/shm/sem.", StringComparison.Ordinal))];
        // For reading only
        if (type == "posix") Assert.StartsWith("lr-x", Assert.Single(more), StringComparison.Ordinal);
        else Assert.Empty(more);
        Assert.Equal(without.Length, with.Length - more.Length);

        static string[] Descriptors(string listing)
            => [.. listing.Split('\n').Where(line => line.Contains(" -> ", StringComparison.Ordinal))];
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void No_signal_is_blocked_or_ignored_in_the_command(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        string status = Nipc.Succeed("run", "--sem", $"{semaphore.Key}", "--", "cat", "/proc/self/status");
        Assert.Matches(@"SigBlk:\s+0+\n", status);
        Assert.Equal(IgnoredHere(), Ignored(status));
        Assert.Matches(@"SigCgt:\s+0+\n", status);
    }

    // What whoever started the tests ignores (Python: SIGXFSZ) stays so, in a command of the tool as in any other.
    // SIGPIPE is what .NET ignores; the tool gives it back.
    private static ulong IgnoredHere() => Ignored(Shell.Run("cat", ["/proc/self/status"]).Succeeded) & ~Sigpipe;

    private const ulong Sigpipe = 1 << (13 - 1);

    private static ulong Ignored(string status)
        => ulong.Parse(System.Text.RegularExpressions.Regex.Match(status, @"SigIgn:\s+([0-9a-f]+)").Groups[1].Value,
            System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);

    [Theory]
    [MemberData(nameof(Types))]
    public void What_nohup_ignores_stays_ignored(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        string status = Shell.Run("sh",
            ["-c",
                $"trap '' HUP INT; exec '{Nipc.Program}' run --sem '{semaphore.Key}' -- cat /proc/self/status"])
            .Succeeded;
        Assert.Equal(IgnoredHere() | 3, Ignored(status));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Signals_reach_the_command(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        foreach ((string name, int number) in new[] { ("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3), ("USR1", 10),
            ("USR2", 12) })
        {
            using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c",
                $"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do read line || :; done");
            Assert.Equal("ready", run.ReadLine());
            run.Signal(number);
            Assert.Equal($"got {name}", run.ReadLine());
            Assert.Equal(9, run.WaitForEnd());
            Assert.Equal(1, Count(semaphore));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_signal_that_ends_the_command_is_the_exit_code(string type)
    {
        using SystemSemaphore semaphore = Make(type, 1);
        using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c", "echo ready; exec cat");
        Assert.Equal("ready", run.ReadLine());
        run.Signal(PeerProcess.SIGTERM);
        Assert.Equal(128 + PeerProcess.SIGTERM, run.WaitForEnd());
        Assert.Equal(1, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Ctrl_C_while_waiting_starts_nothing(string type)
    {
        using SystemSemaphore semaphore = Make(type, 0);
        string file = NewFile();
        using var run = new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "touch", file);
        Watch.Until(() => Watch.Catches(run.Process.Id, PeerProcess.SIGINT), run.Process);
        run.Signal(PeerProcess.SIGINT);
        Assert.Equal(130, run.WaitForEnd());
        Assert.False(File.Exists(file));
        Assert.Equal(0, Count(semaphore));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Create_makes_the_semaphore_once(string type)
    {
        NativeIpcKey key = NewKey(type);
        Assert.Equal("1", Nipc.Succeed("run", "--sem", $"{key}", "--create", "2", "--", Nipc.Program,
            "value", $"{key}"));
        Assert.Equal("1", Nipc.Succeed("run", "--sem", $"{key}", "--create", "7", "--", Nipc.Program,
            "value", $"{key}"));
        Assert.Equal("2", Nipc.Succeed("value", $"{key}"));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void No_more_commands_run_at_a_time_than_there_are_permits(string type)
    {
        using SystemSemaphore semaphore = Make(type, 2);
        string folder = Names.TrackPath(Directory.CreateDirectory(NewFile()).FullName);

        // Each makes a file, counts how many there are, and takes its own away.
        string script = $"cd '{folder}' && touch $$ && ls | wc -l && rm $$";
        RunningNipc[] runs = [.. Enumerable.Range(0,
            8).Select(_ => new RunningNipc("run", "--sem", $"{semaphore.Key}", "--", "sh", "-c", script))];
        foreach (RunningNipc run in runs)
        {
            Assert.InRange(int.Parse(run.ReadLine(), CultureInfo.InvariantCulture), 1, 2);
            Assert.Equal(0, run.WaitForEnd());
            run.Dispose();
        }

        Assert.Equal(2, Count(semaphore));
    }

    private static int Count(SystemSemaphore semaphore)
    {
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        return count;
    }

    private SystemSemaphore Make(string type, int count)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Commands, signals and /proc are those of Linux.");
        return SystemSemaphore.CreateNew(NewKey(type), count, s_options);
    }

    [Theory]
    [InlineData("--bogus", "true")]
    [InlineData("-z")]
    [InlineData("--json")]
    [InlineData("-Oz")]
    [InlineData("--countless=2", "true")]
    [NeedsUnix("The objects of Windows do not outlive their process.")]
    public void An_unknown_option_before_the_command_is_refused_and_takes_nothing(params string[] words)
    {
        NativeIpcKey key = NewKey("systemv");
        Nipc.Succeed("create", "sem", $"{key}", "2");
        string error = Nipc.Fail(2, ["run", "--sem", $"{key}", .. words]);
        Assert.Contains($"'{words[0]}' is no option of 'nipc run'", error, StringComparison.Ordinal);
        Assert.Equal("0", Nipc.Succeed("run", "-On2", "--sem", $"{key}", Nipc.Program, "value", $"{key}"));
        Assert.Contains("Standard input is the command's", Nipc.Fail(2, "run", "--sem", "-", "cat"),
            StringComparison.Ordinal);
        Nipc.Succeed("rm", $"{key}");
    }
}
