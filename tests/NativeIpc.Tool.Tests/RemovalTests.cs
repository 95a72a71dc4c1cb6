using System.Text.Json;
using System.Text.RegularExpressions;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>rm</c> removes nothing that lives, and nothing of which it does not know whether it does.</summary>
[NeedsLinux("Windows removes by itself.")]
[NeedsRoot("Other users and namespaces need root.")]
public sealed class RemovalTests : OneType
{
    // What the root of a container has by default (docker): neither SYS_PTRACE nor LEASE.
    private const string AsInContainers = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,"
        + "+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    public void What_cannot_be_told_is_not_removed_without_force(string kind)
    {
        NativeIpcKey key = NewKey("posix");
        string file = $"/dev/shm/{(kind == "sem" ? "sem." : "")}{key.NativeKey[1..]}";
        Nipc.Succeed("create", kind, $"{key}", "1", "--mode", "666");
        File.SetUnixFileMode(file, FileModes.Mode666);
        Assert.Equal("", Shell.Run("chown", ["1000", file]).Succeeded);
        using var user = new RunningNipc("setpriv", ["--reuid=1000", "--regid=1000", "--clear-groups", "sh", "-c",
            $"exec 9<>{file} && echo open && read line"]);
        Assert.Equal("open", user.ReadLine());

        ShellResult told = Contained("rm", $"{key}", "--json");
        Assert.True(told.ExitCode == 6, told.Output + told.Error);
        Assert.Equal("cannot-tell", OutcomeOf(told));
        Assert.Contains("--force", told.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(file));

        // As long as nobody says that it is used, nobody says that it is not.
        JsonElement shown = JsonDocument.Parse(Contained("show", $"{key}", "--json").Succeeded).RootElement;
        Assert.False(shown.GetProperty("objects")[0].TryGetProperty("attached", out _));
        Assert.DoesNotContain("by 0", Contained("show", $"{key}").Succeeded, StringComparison.Ordinal);
        Assert.Matches($@"{key} +- +{kind} .* \? +\d+[smh] ", Contained("list").Output + " ");

        Assert.Contains("removed", Contained("rm", $"{key}", "--force").Succeeded, StringComparison.Ordinal);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public void Another_user_removes_nothing_of_which_it_cannot_tell_whether_it_is_used()
    {
        string output = Private("""
            chmod 0777 /dev/shm
            setpriv --reuid=1000 --regid=1000 --clear-groups $n create shm posix:/app 10
            setpriv --reuid=1001 --regid=1001 --clear-groups $n rm posix:/app; echo "code $?"
            ls /dev/shm
            setpriv --reuid=1001 --regid=1001 --clear-groups $n rm --force posix:/app; echo "code $?"
            """);
        Assert.Contains("code 6\napp\n", output, StringComparison.Ordinal);
        Assert.EndsWith("removed shm posix:/app\ncode 0\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Hidden_processes_are_not_taken_for_none()
    {
        string output = Private("""
            $n create shm posix:/app 10 --mode 666
            exec 9<>/dev/shm/app
            mount -t proc -o hidepid=2 proc /proc
            setpriv --reuid=1000 --regid=1000 --clear-groups $n list 9<&-; echo "code $?"
            """);
        Assert.Matches(@"posix:/app .* \? +\d+s", output);
        Assert.Contains("Processes are hidden from this user (hidepid", output, StringComparison.Ordinal);
    }

    [Fact]
    public void What_may_not_be_looked_at_is_not_said_to_be_missing()
    {
        string output = Private("""
            $n create shm posix:/app 10
            mkdir -m 700 /dev/shm/private; $n create shm systemv:/dev/shm/private/app 10
            for key in systemv:/dev/shm/private/app posix:/app; do
                for verb in show rm; do
                    setpriv --reuid=1000 --regid=1000 --clear-groups $n $verb $key; echo "$verb ended with $?"
                done
                chmod 700 /dev/shm
            done
            """);
        Assert.Equal(2, output.Split("show ended with 4").Length - 1);
        Assert.Equal(2, output.Split("rm ended with 4").Length - 1);
        Assert.DoesNotContain("There is no", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_semaphore_set_that_somebody_waits_for_or_has_just_used_is_not_removed_without_force()
    {
        Peers.Require("perl", "perl");
        NativeIpcKey key = NewKey("systemv");
        Nipc.Succeed("create", "sem", $"{key}", "0");
        string number = Nipc.Json("show", $"{key}",
            "--json").GetProperty("objects")[0].GetProperty("ipcKey").GetString()!;
        using (var waiter = new RunningNipc("perl", ["-e",
            $"$s=semget({number},0,0); $|=1; print \"waits\\n\"; "
                + "semop($s,pack('s3',0,-1,0)); print \"had\\n\"; <STDIN>"]))
        {
            Assert.Equal("waits", waiter.ReadLine());
            Watch.Until(() => Nipc.Run("rm", $"{key}").ExitCode == 1 || !Exists());
            Assert.True(Exists());
            Nipc.Succeed("release", $"{key}");
            Assert.Equal("had", waiter.ReadLine());
            ShellResult result = Nipc.Run("rm", $"{key}", "--json");
            Assert.True(result.ExitCode == 6, result.Output + result.Error);
            Assert.Equal("cannot-tell", OutcomeOf(result));
            Assert.Contains($"{waiter.Process.Id} (perl)", result.Error, StringComparison.Ordinal);
        }

        Assert.StartsWith($"removed sem {key}\n    Nobody waits for it, and its last operator has ended.",
            Nipc.Succeed("rm", $"{key}"), StringComparison.Ordinal);

        bool Exists() => IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore) is not null;
    }

    /// <summary>The kernel tells who operated last on each member: its number, or 0 for one of another PID
    /// namespace.</summary>
    [Theory]
    [InlineData("semop($s,pack(q(s3),1,1,0))")]
    [InlineData("semctl($s,1,16,3)")] // SETVAL, which is no operation
    public void A_set_that_a_process_of_another_PID_namespace_has_used_is_not_removed_without_force(string use)
    {
        Peers.Require("perl", "perl");
        string output = Private($"""
            perl -e '$s=semget(7,3,01600); {use}'
            export n; unshare --pid --fork --mount-proc bash <<'END'
            perl -e '$s=semget(7,3,0); semop($s,pack("s3",0,1,0))'
            $n rm semid:0; echo "code $?"
            $n rm key:7 --json; echo "code $?"
            $n rm semid:0 --force; echo "code $?"
            END
            """);
        Assert.Equal(2, output.Split("code 6\n").Length - 1);
        Assert.Contains("cannot be seen from here (another PID namespace). --force removes it all the same.", output,
            StringComparison.Ordinal);
        Assert.Contains("\"cannot-tell\"", output, StringComparison.Ordinal);
        Assert.EndsWith("removed sem semid:0\ncode 0\n", output, StringComparison.Ordinal);
    }

    /// <summary>Nobody knows who else uses a set: what goes by its name goes with what is known of it.</summary>
    [Fact]
    public void A_set_of_which_nothing_says_that_it_is_used_goes_by_its_name_with_the_evidence()
    {
        Peers.Require("perl", "perl");
        const string set = "perl -e '$s=semget(7,2,01600); semop($s,pack(\"s3\",1,1,0))'\n";
        string output = Private(set + "$n rm semid:0\n" + set + "$n rm key:7\n" + set + "$n rm -g --yes 'semid:*'\n"
            + set + "$n rm key:7 --json");
        Assert.Equal(3, Regex.Count(output, """
            (?m)^removed sem semid:\d+
                Nobody waits for it, and its last operator has ended\. The kernel does not count its other users\.
                It was made, or changed last, \d{4}-\d\d-\d\d [0-9:]{8}Z \(\d+s ago\)\.
                Its owner \(root\) has (one living process|\d+ living processes)\.$
            """));
        using JsonDocument json = JsonDocument.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]);
        JsonElement outcome = json.RootElement.GetProperty("outcomes")[0];
        Assert.Equal("removed", outcome.GetProperty("outcome").GetString());
        Assert.Equal(3, outcome.GetProperty("evidence").GetArrayLength());
    }

    [Theory]
    [InlineData("--unused", "unused")]
    [InlineData("--glob --dry-run 'posix:/*'", "matches")]
    public void A_list_of_what_may_be_removed_has_age_owner_and_users(string options, string word)
    {
        string output = Private($"""
            $n create shm posix:/idle 10; $n create shm posix:/used 10; exec 9<>/dev/shm/used
            $n rm {options}
            """);
        Assert.Matches(
            $@"{word} shm posix:/idle\n    It was made, or changed last, |{word} shm posix:/idle\n    It was made "
                + @"\d{4}-\d\d-\d\d [0-9:]{8}Z \(\d+s ago\)\.\n    Its owner \(root\) has ", output);
        Assert.Equal(word == "matches", Regex.IsMatch(output, @"matches shm posix:/used\n    In use by \d+ \("));
    }

    /// <summary>Issue 14, A1: a server's own objects, which nobody has open for a while.</summary>
    [Theory]
    [InlineData("--stale")]
    [InlineData("--orphaned")]
    public void What_a_living_program_made_and_nobody_has_open_is_not_removed_as_left_behind(string word)
    {
        Peers.Require("perl", "perl");
        string output = Private($"""
            mkfifo /dev/shm/go
            perl -e '$|=1; $i=shmget(0x5045524c,64,01600); shmwrite($i,"hello",0,5);
                $s=semget(0x5045524c,1,01600); semop($s,pack("s3",0,1,0));
                print "made\n"; open($go,"<","/dev/shm/go"); <$go>; print shmread($i,$b,0,5)?"ok":"$!","\n";
                print semop($s,pack("s3",0,-1,0))?"ok":"$!","\n"' > /dev/shm/said &
            until grep -q made /dev/shm/said 2>/dev/null; do :; done
            $n rm {word} --yes
            $n list --type systemv
            echo > /dev/shm/go
            wait $!
            cat /dev/shm/said
            """);
        Assert.EndsWith("made\nok\nok\n", output, StringComparison.Ordinal);
        Assert.Matches(@"0x5045524c .* shm .* unused", output);
        Assert.Equal(word == "--stale",
            output.Contains("--stale is the old word for --orphaned", StringComparison.Ordinal));
    }

    /// <summary>What this library recorded, and nothing else, is removed by --orphaned.</summary>
    [Fact]
    public void What_a_killed_process_had_to_remove_is_orphaned_and_what_is_kept_or_foreign_is_not()
    {
        string output = Private($"""
            export XDG_RUNTIME_DIR=/dev/shm/run; mkdir -m 700 $XDG_RUNTIME_DIR
            $n create shm posix:/kept 10; $n create sem posix:/keptsem 1; $n create shm systemv:/dev/shm/run/kept 10
            head -c 100 /dev/zero > /dev/shm/foreign
            for o in 'shm posix:/left 10' 'sem posix:/leftsem 1' 'shm systemv:/dev/shm/run/left 10' \
                'shm posix:/lives 10'; do
                $n create $o --hold > /dev/shm/run/out &
                pids="$pids $!"
                until grep -q : /dev/shm/run/out; do :; done
                : > /dev/shm/run/out
            done
            $n write posix:/left --text x --lock
            $n write systemv:/dev/shm/run/left --text x --lock
            $n list --orphaned --no-attachments; echo "none yet"
            set -- $pids; kill -9 $1 $2 $3; wait $1 $2 $3 2>/dev/null
            $n list --orphaned
            $n rm --orphaned
            $n doctor | grep -A2 'was to be removed'
            echo "== removing"
            $n rm --orphaned --yes
            echo "== left"
            ls /dev/shm /dev/shm/run
            $n list --type systemv
            kill $4; wait
            """);
        string[] parts = output.Split("none yet\n", 2)[1].Split("== removing\n");
        string[] expected = ["shm posix:/left", "sem posix:/left", "sem posix:/leftsem",
            "shm systemv:/dev/shm/run/left", "sem systemv:/dev/shm/run/left"];
        foreach (string one in expected)
        {
            Assert.Contains($"orphaned {one}\n", parts[0], StringComparison.Ordinal);
            Assert.Contains($"removed {one}\n", parts[1], StringComparison.Ordinal);
        }

        Assert.Equal(expected.Length, parts[1].Split("removed ").Length - 1);
        Assert.Contains("which has ended, has to remove it", parts[0], StringComparison.Ordinal);
        Assert.Contains("posix:/left was to be removed by a process that has ended", parts[0],
            StringComparison.Ordinal);
        Assert.Contains("$ nipc rm", parts[0], StringComparison.Ordinal);
        Assert.DoesNotContain("kept", parts[0], StringComparison.Ordinal);
        Assert.DoesNotContain("foreign", parts[0], StringComparison.Ordinal);
        string left = parts[1].Split("== left\n")[1];
        Assert.StartsWith("/dev/shm:\nforeign\nkept\nlives\nrun\nsem.keptsem\n\n/dev/shm/run:\nkept\nout\n", left,
            StringComparison.Ordinal);
        Assert.Contains("systemv:/dev/shm/run/kept", left, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_kept_after_its_maker_was_killed_is_not_orphaned_any_more()
    {
        NativeIpcKey key = NewKey("posix"), semaphore = NewKey("posix"), systemV = NewKey("systemv");
        (string, NativeIpcKey)[] all = [("shm", key), ("sem", semaphore), ("shm", systemV)];
        foreach ((string kind, NativeIpcKey one) in all)
        {
            using (var maker = new RunningNipc("create", kind, $"{one}", "10", "--hold"))
                Assert.Equal($"{one}", maker.ReadLine());
            Assert.Contains($"orphaned {kind} {one}\n",
                Nipc.Run("rm", "--orphaned", "--folder", TestNames.Folder).Output, StringComparison.Ordinal);
            Assert.Contains("has ended, has to remove it", Nipc.Succeed("show", $"{one}"), StringComparison.Ordinal);
            Nipc.Succeed("create", kind, $"{one}", "10", "--or-open");
            Assert.DoesNotContain($"{kind} {one}\n", Nipc.Run("rm", "--orphaned", "--folder", TestNames.Folder).Output,
                StringComparison.Ordinal);
            Assert.Contains($"unused {kind} {one}\n", Nipc.Run("rm", "--unused", "--folder", TestNames.Folder).Output,
                StringComparison.Ordinal);
            Assert.DoesNotContain("has to remove it", Nipc.Succeed("show", $"{one}"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Unused_shows_what_nobody_has_open_with_the_evidence_and_removes_it_only_with_yes()
    {
        string output = Private("""
            $n create shm posix:/mine 10; $n create shm posix:/used 10; exec 9<>/dev/shm/used
            head -c 64 /dev/zero > /dev/shm/PostgreSQL.12345
            $n rm --unused
            echo "== as another user"
            setpriv --reuid=1000 --regid=1000 --clear-groups \
                sh -c "$n create shm posix:/theirs 10; $n rm --unused; $n rm --unused --yes"
            echo "== removing"
            $n rm --unused --kind sem --yes; $n rm --unused -t systemv --yes
            $n rm --unused --yes; echo "code $?"
            ls /dev/shm
            """);
        string[] parts = output.Split("== ");
        Assert.Contains("unused shm posix:/mine\n", parts[0], StringComparison.Ordinal);
        Assert.Contains("PostgreSQL (dynamic shared memory) gives such names.", parts[0], StringComparison.Ordinal);
        Assert.Matches(@"Its owner \(\w+\) has \d+ living processes", parts[0]);
        Assert.DoesNotContain("used 10", parts[0], StringComparison.Ordinal);
        Assert.Contains("Nothing was removed yet: --yes does.", parts[0], StringComparison.Ordinal);
        Assert.Contains("unused shm posix:/theirs\n", parts[1], StringComparison.Ordinal); // the kernel tells the owner
        Assert.Contains("removed shm posix:/theirs\n", parts[1], StringComparison.Ordinal);
        Assert.DoesNotContain("posix:/mine", parts[1], StringComparison.Ordinal);
        Assert.EndsWith("code 0\nused\n", parts[2], StringComparison.Ordinal);
        Assert.Contains("removed shm posix:/mine\n", parts[2], StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_terminal_the_list_is_shown_and_the_user_is_asked()
    {
        Assert.SkipUnless(TerminalScreen.WhyNot is null, TerminalScreen.WhyNot ?? "");
        using var terminal = new TerminalScreen(
            "\"$NIPC\" create shm posix:/left 10 >/dev/null; \"$NIPC\" rm --unused; ls /dev/shm; echo ==; \"$NIPC\" "
                + "rm --unused; echo \"ended with $?\"; ls /dev/shm; exec cat", 100, 24);
        string screen = terminal.Await(screen => screen.Contains("Remove it? [y/N]", StringComparison.Ordinal),
            "the question");
        Assert.Contains("unused shm posix:/left", screen, StringComparison.Ordinal);
        terminal.Press("Enter");
        terminal.Await(
            screen => screen.Contains("Nothing was removed yet", StringComparison.Ordinal)
                && screen.Contains("\nleft\n==", StringComparison.Ordinal)
                && screen.TrimEnd().EndsWith("[y/N]", StringComparison.Ordinal), "the object, and the next question");
        terminal.Press("y", "Enter");
        screen = terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the removal");
        Assert.Contains("removed shm posix:/left", screen, StringComparison.Ordinal);
        Assert.EndsWith("ended with 0", screen, StringComparison.Ordinal);
    }

    /// <summary>Issue 14, A6: a lease makes the open of others fail (musl) or wait.</summary>
    [Fact]
    public void Looking_asks_for_no_lease_and_opens_no_segment()
    {
        string strace = Peers.Require("strace", "strace");
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "10");
        string calls = NewFile();
        foreach (string[] verb in (string[][])[["list"], ["doctor"], ["show", $"{key}", "--length", "0"]])
        {
            // Also where not all processes can be seen, as in containers.
            foreach (string[] way in (string[][])[[],
                ["setpriv", "--bounding-set", AsInContainers, "--inh-caps", AsInContainers]])
            {
                ShellResult result = Shell.Run(strace,
                    ["-f", "-qq", "-e", "trace=open,openat,fcntl", "-o", calls, .. way, Nipc.Program, .. verb]);
                Assert.True(result.ExitCode is 0 or 1, result.Output + result.Error);
                string said = File.ReadAllText(calls);
                Assert.Contains("/proc/", said, StringComparison.Ordinal);
                Assert.DoesNotContain("F_SETLEASE", said, StringComparison.Ordinal);
                Assert.DoesNotContain($"\"/dev/shm{key.NativeKey}\"", said, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>stat(2) of a link in /proc/PID/fd asks the file system that it leads to, which may never
    /// answer.</summary>
    [Fact]
    public void Looking_follows_no_link_to_what_is_no_object()
    {
        string strace = Peers.Require("strace", "strace");
        string calls = NewFile();
        ShellResult result = Shell.Run(strace, ["-f", "-qq", "-e", "trace=%file", "-o", calls, Nipc.Program, "list"]);
        Assert.Equal(0, result.ExitCode);
        string[] said = File.ReadAllLines(calls);
        Assert.Contains(said,
            line => line.Contains("readlinkat(", StringComparison.Ordinal)
                && line.Contains("/dev/null", StringComparison.Ordinal));
        Assert.DoesNotContain(said, line =>
            line.Contains("stat", StringComparison.Ordinal) && Regex.IsMatch(line, "\"/proc/[0-9]+/fd/"));
    }

    private static string OutcomeOf(ShellResult result)
        => JsonDocument.Parse(result.Output).RootElement.GetProperty("outcomes")[0].GetProperty("outcome").GetString()!;

    private static ShellResult Contained(params string[] arguments)
        => Shell.Run("setpriv", ["--bounding-set", AsInContainers, "--inh-caps", AsInContainers, Nipc.Program,
            .. arguments]);

    /// <summary>What a script prints in a /dev/shm and an IPC namespace of its own, errors included.</summary>
    private static string Private(string script)
        => Shell.Run("unshare", ["--ipc", "--mount", "bash", "-c",
            $"mount -t tmpfs -o mode=1777 tmpfs /dev/shm && n='{Nipc.Program}' && exec 2>&1 || exit\n{script}"]).Output;

    /// <summary>--force was advised where it removes nothing.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Force_is_advised_only_where_it_removes()
    {
        Alone.Require();
        string said = Alone.Run("""
            printf abcd > /dev/shm/x
            perl -e 'semget(0x55, 1, 01600)'
            exec 3< /dev/shm/x
            "$N" rm posix:/x
            as_user "$N" rm semid:0
            chmod 777 /dev/shm
            as_user "$N" rm posix:/x 3<&-
            mount -o remount,ro /dev/shm
            "$N" rm posix:/x
            exec 3<&-
            "$N" rm posix:/x
            true
            """).Error;
        string[] lines = said.TrimEnd('\n').Split('\n');
        Assert.Equal(5, lines.Length);
        Assert.EndsWith("End its users, or give --force.", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("may not be read. Only its owner, its creator and root may remove it.", lines[1],
            StringComparison.Ordinal);
        Assert.EndsWith("(CAP_LEASE). --force removes it all the same.", lines[2], StringComparison.Ordinal);
        Assert.All(lines[3..], line => Assert.EndsWith("mounted read-only here, so nothing can be removed.", line,
            StringComparison.Ordinal));
    }
}
