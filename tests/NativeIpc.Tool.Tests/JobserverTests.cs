using System.Globalization;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc jobserver</c>: builds share the permits of one semaphore by the protocols of make and Cabal, and
/// each ends with all of them given back, whoever in it was killed.</summary>
[NeedsLinux("Commands, signals, FIFOs and /proc are those of Linux.")]
public sealed class JobserverTests : OneType
{
    private const int Permits = 4;

    /// <summary>A client as make's documents describe one, by lines of standard input.</summary>
    private const string Client = """
        exec 5<>"${MAKEFLAGS##*fifo:}"; echo $$
        while read -r word; do case $word in
            take) read -rN1 -u5 token; echo "took $token";;
            give) printf + >&5; echo gave;;
        esac; done
        """;

    private static readonly SystemSemaphoreOptions s_options = new()
        { Undo = SystemVUndoPolicy.None, Removal = RemovalPolicy.Keep };

    [Theory]
    [InlineData("4.4")]
    [InlineData("of this machine")]
    public void Make_runs_as_many_jobs_as_there_are_permits_and_so_do_its_children(string version)
    {
        string make = Make(version);
        NativeIpcKey key = NewKey("posix");
        string folder = NewFolder();

        // Each of two waits for the other one, in a make that a make has started.
        File.WriteAllText(Path.Combine(folder, "Makefile"),
            "all:\n\t@mkfifo f && $(MAKE) one two\none:\n\t@read x < f && echo $$x\ntwo:\n\t@echo together > f\n");
        Assert.Contains("together", Nipc.Succeed("jobserver", "-s", $"{key}", "-j", "2", make, "-C", folder),
            StringComparison.Ordinal);
        Assert.Equal("2", Nipc.Succeed("value", $"{key}"));
    }

    [Theory]
    [InlineData("4.4")]
    [InlineData("of this machine")]
    public void Two_builds_together_have_no_more_jobs_than_there_are_permits(string version)
    {
        string make = Make(version);
        NativeIpcKey key = NewKey("posix");
        string folder = NewFolder();
        Directory.CreateDirectory(Path.Combine(folder, "now"));
        string jobs = string.Join(' ', Enumerable.Range(0, 12).Select(n => $"job{n}"));
        File.WriteAllText(Path.Combine(folder, "Makefile"),
            $"all: {jobs}\njob%:\n\t@touch now/$$$$ && ls now | wc -l && rm now/$$$$\n");
        RunningNipc[] builds = [.. Enumerable.Range(0, 2).Select(
            _ => new RunningNipc("jobserver", "-s", $"{key}", "--jobs", "3", make, "--silent", "-C", folder))];
        foreach (RunningNipc build in builds)
        {
            for (int i = 0; i < 12; i++)
                Assert.InRange(int.Parse(build.ReadLine(), CultureInfo.InvariantCulture), 1, 3);
            Assert.Equal(0, build.WaitForEnd());
            build.Dispose();
        }

        Assert.Equal("3", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void One_token_is_ready_and_what_is_given_back_is_free_for_others()
    {
        using SystemSemaphore cores = Make(out RunningNipc build);
        using RunningNipc _ = build;
        Until(build, cores, Permits - 2); // the first job and the token that is ready
        Say(build, "take", "took +");
        Until(build, cores, Permits - 3);
        Say(build, "take", "took +");
        Until(build, cores, 0);
        Say(build, "give", "gave");
        Until(build, cores, 1);
        Say(build, "give", "gave");
        Until(build, cores, Permits - 2);
        build.Process.StandardInput.Close();
        Assert.Equal(0, build.WaitForEnd());
        Assert.Equal(Permits, Count(cores));
    }

    [Fact]
    public void A_build_that_waits_for_a_token_gets_the_one_that_another_build_gives_back()
    {
        using SystemSemaphore cores = Make(out RunningNipc build);
        using RunningNipc _ = build;
        Until(build, cores, Permits - 2);
        Say(build, "take", "took +");
        Say(build, "take", "took +");
        Until(build, cores, 0);
        cores.Release(); // for the other one's first job
        using RunningNipc other = Start(cores.Key);
        Until(other, cores, 0);
        other.Process.StandardInput.WriteLine("take");
        Say(build, "give", "gave");
        Assert.Equal("took +", other.ReadLine());
        build.Process.StandardInput.Close();
        other.Process.StandardInput.Close();
        Assert.Equal((0, 0), (build.WaitForEnd(), other.WaitForEnd()));
        Assert.Equal(Permits + 1, Count(cores));
    }

    [Fact]
    public void Count_bounds_the_jobs_of_one_build()
    {
        NativeIpcKey key = NewKey("posix");
        Assert.Equal("3", Nipc.Succeed("jobserver", "-s", $"{key}", "-j", "4", "-n", "1", Nipc.Program, "value",
            $"{key}"));
    }

    [Fact]
    public void Tokens_that_nobody_took_make_no_permits()
    {
        using SystemSemaphore cores = Make(out RunningNipc build);
        using RunningNipc _ = build;
        Until(build, cores, Permits - 2);
        for (int i = 0; i < 5; i++) Say(build, "give", "gave");
        build.Process.StandardInput.Close();
        Assert.Equal(0, build.WaitForEnd());
        Assert.Equal(Permits, Count(cores));
    }

    [Fact]
    public void The_token_of_a_killed_client_is_not_given_away_while_its_build_lives_and_comes_back_with_its_end()
    {
        using SystemSemaphore cores = Make(out RunningNipc build,
            $"bash -c '{Client.Replace("'", "'\\''", StringComparison.Ordinal)}'; echo killed; read -r word");
        using RunningNipc _ = build;
        Say(build, "take", "took +");
        Say(build, "take", "took +");
        Until(build, cores, 0);
        RunningNipc.Kill(_client, PeerProcess.SIGKILL);
        Assert.Equal("killed", build.ReadLine());
        Assert.Equal(0, Count(cores));
        build.Process.StandardInput.Close();
        build.WaitForEnd();
        Assert.Equal(Permits, Count(cores));
    }

    [Fact]
    public void A_make_that_is_killed_below_another_one_costs_no_permit_for_good()
    {
        string make = Make("4.4");
        NativeIpcKey key = NewKey("posix");
        string folder = NewFolder();
        File.WriteAllText(Path.Combine(folder, "Makefile"),
            "all:\n\t-@$(MAKE) a b 2> /dev/null\n\t@echo after\na:\n\t@mkfifo f; read x < f\n"
                + "b:\n\t@kill -9 $$PPID; echo > f\n");
        Assert.Contains("after", Nipc.Succeed("jobserver", "-s", $"{key}", "-j", "3", make, "-C", folder),
            StringComparison.Ordinal);
        Assert.Equal("3", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void When_nipc_is_killed_the_permits_are_the_builds_until_it_ends_and_then_the_next_one_s()
    {
        Assert.SkipUnless(SystemSemaphore.IsPermitRecordingSupported(NativeIpcKeyType.PosixRealtime),
            "Permits are not recorded here.");
        string folder = NewFolder();
        NativeIpcKey key = NewKey("posix");
        using RunningNipc build = Start(key, Client, folder);
        Say(build, "take", "took +");
        using var cores = SystemSemaphore.OpenExisting(key, s_options);
        Until(build, cores, Permits - 3);
        build.Signal(PeerProcess.SIGKILL);
        build.WaitForEnd();
        string left = Assert.Single(Directory.GetDirectories(folder));

        // The build goes on: its FIFO stays, and its permits are in use.
        Nipc.RunWith([new("TMPDIR", folder)], "jobserver", "-s", $"{key}", "true");
        Assert.Equal(left, Assert.Single(Directory.GetDirectories(folder)));
        Nipc.Fail(1, "run", "--sem", $"{key}", "-n", "2", "--timeout", "1", "--", "true");
        Say(build, "take", "took +");

        RunningNipc.Kill(_client, PeerProcess.SIGKILL);
        Nipc.Succeed("run", "--sem", $"{key}", "-n", "4", "--timeout", "30", "--", "true");
        Assert.Equal(Permits, Count(cores));
        Nipc.RunWith([new("TMPDIR", folder)], "jobserver", "-s", $"{key}", "true");
        Assert.Empty(Directory.GetDirectories(folder));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(PeerProcess.SIGTERM)]
    public void A_signal_ends_the_build_and_nothing_is_left(int signal)
    {
        string folder = NewFolder();
        NativeIpcKey key = NewKey("posix");
        using RunningNipc build = Start(key, "echo $$; exec cat", folder);
        Assert.Single(Directory.GetDirectories(folder));
        build.Signal(signal);
        Assert.Equal(128 + signal, build.WaitForEnd());
        Assert.Empty(Directory.GetDirectories(folder));
        Assert.Equal("4", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void A_folder_that_is_no_leftover_stays()
    {
        string folder = NewFolder();
        string link = Path.Combine(folder, "nipc-jobserver-link"), kept = Path.Combine(folder, "nipc-jobserver-kept");
        Directory.CreateDirectory(Path.Combine(folder, "else"));
        File.WriteAllText(Path.Combine(folder, "else", "lock"), "");
        Directory.CreateSymbolicLink(link, Path.Combine(folder, "else"));
        Directory.CreateDirectory(kept);
        File.WriteAllText(Path.Combine(kept, "mine"), "");
        NativeIpcKey key = NewKey("posix");
        Assert.Equal(0, Nipc.RunWith([new("TMPDIR", folder)], "jobserver", "-s", $"{key}", "true").ExitCode);
        Assert.True(File.Exists(Path.Combine(folder, "else", "lock")) && Directory.Exists(link));
        Assert.True(File.Exists(Path.Combine(kept, "mine")));
    }

    /// <summary>What GHC does with <c>-jsem</c>, of which its users' guide tells the protocol.</summary>
    [Fact]
    public void A_client_of_Cabals_semaphore_gets_what_is_free_and_killed_it_keeps_nothing()
    {
        const string Script = """
            import ctypes, sys
            libc = ctypes.CDLL(None, use_errno=True)
            libc.sem_open.restype = ctypes.c_void_p
            name = sys.argv[1]
            semaphore = ctypes.c_void_p(libc.sem_open(name.encode(), 0))
            assert semaphore.value, ctypes.get_errno()
            taken = 0
            while libc.sem_trywait(semaphore) == 0: taken += 1
            assert libc.sem_post(semaphore) == 0
            print(name, taken, flush=True)
            input()
            """;
        string python = Peers.Require("python3", "python3");
        NativeIpcKey key = NewKey("posix");
        using var build = new RunningNipc("jobserver", "-s", $"{key}", "-j", "4", "-n", "3", "--jsem", python, "-c",
            Script, "{}");
        string[] said = build.ReadLine().Split(' ');
        Assert.Equal("2", said[1]); // and the first job
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
        int client = int.Parse(Shell.Run("pgrep", ["-P", $"{build.Process.Id}"]).Succeeded,
            CultureInfo.InvariantCulture);
        RunningNipc.Kill(client, PeerProcess.SIGKILL);
        Assert.Equal(128 + PeerProcess.SIGKILL, build.WaitForEnd());
        Assert.Equal("4", Nipc.Succeed("value", $"{key}"));
        Nipc.Fail(3, "value", $"posix:/{said[0]}");
    }

    [Theory]
    [InlineData(null, "-j --jobserver-auth=fifo:F")]
    [InlineData("", "-j --jobserver-auth=fifo:F")]
    [InlineData("ks", "ks -j --jobserver-auth=fifo:F")]
    [InlineData(" -j8 --jobserver-auth=3,4 -- CC=a\\ b", "-j --jobserver-auth=fifo:F -- CC=a\\ b")]
    [InlineData("k -j --jobserver-fds=3,4 --no-print-directory",
        "k --no-print-directory -j --jobserver-auth=fifo:F")]
    public void The_jobserver_takes_the_place_of_the_one_in_MAKEFLAGS(string? before, string after)
    {
        ShellResult result = Nipc.RunWith([new("MAKEFLAGS", before)], "jobserver", "-s", $"{NewKey("posix")}",
            "printenv", "MAKEFLAGS");
        Assert.Equal(after, System.Text.RegularExpressions.Regex.Replace(result.Output.TrimEnd('\n'), "fifo:[^ ]+",
            "fifo:F"));
    }

    [Fact]
    public void What_cannot_be_is_said()
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "sem", $"{key}", "0");
        Assert.Contains("had no permit free", Nipc.Fail(1, "jobserver", "-s", $"{key}", "-w", "0", "true"),
            StringComparison.Ordinal);
        Nipc.Succeed("release", $"{key}");
        Assert.Contains("write {} there", Nipc.Fail(2, "jobserver", "-s", $"{key}", "--jsem", "true"),
            StringComparison.Ordinal);
        Assert.Contains("is no option of 'nipc jobserver'", Nipc.Fail(2, "jobserver", "--bogus", "true"),
            StringComparison.Ordinal);
        Nipc.Fail(127, "jobserver", "-s", $"{key}", "nipc-no-such-command");
        string blank = NewFolder() + " x";
        Names.TrackPath(Directory.CreateDirectory(blank).FullName);
        ShellResult result = Nipc.RunWith([new("TMPDIR", blank)], "jobserver", "-s", $"{key}", "true");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("set TMPDIR", result.Error, StringComparison.Ordinal);
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
    }

    private int _client;

    private SystemSemaphore Make(out RunningNipc build, string script = Client)
    {
        NativeIpcKey key = NewKey("posix");
        build = Start(key, script);
        return SystemSemaphore.OpenExisting(key, s_options);
    }

    /// <summary>A build of one shell, which says its process id first.</summary>
    private RunningNipc Start(NativeIpcKey key, string script = Client, string? folder = null)
    {
        var build = new RunningNipc("env", [$"TMPDIR={folder ?? Path.GetTempPath()}", Nipc.Program, "jobserver", "-s",
            $"{key}", "--jobs", $"{Permits}", "bash", "-c", script]);
        _client = int.Parse(build.ReadLine(), CultureInfo.InvariantCulture);
        return build;
    }

    private static void Say(RunningNipc build, string word, string answer)
    {
        build.Process.StandardInput.WriteLine(word);
        Assert.Equal(answer, build.ReadLine());
    }

    private static void Until(RunningNipc build, SystemSemaphore cores, int count)
        => Watch.Until(() => Count(cores) == count, build.Process);

    private static int Count(SystemSemaphore semaphore)
    {
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        return count;
    }

    private string NewFolder() => Names.TrackPath(Directory.CreateDirectory(NewFile()).FullName);

    /// <summary>A make that knows the FIFO, which eng/peers.sh prepares, or that of this machine.</summary>
    private static string Make(string version)
    {
        if (version != "4.4") return Peers.Require("make", "make");
        string cache = Environment.GetEnvironmentVariable("NATIVEIPC_CACHE")
            ?? Path.Combine(Environment.GetEnvironmentVariable("XDG_CACHE_HOME")
                ?? Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".cache"), "nativeipc");
        return Peers.Require(Path.Combine(cache, "peers", "make44", "make"), "make, of Debian 13; eng/peers.sh");
    }
}
