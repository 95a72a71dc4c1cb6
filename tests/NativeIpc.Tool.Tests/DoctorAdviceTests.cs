using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Each command that <c>nipc doctor</c> prints, run by a shell as it is printed: it does what is said, and it
/// looks again, so that it refuses when the state is another one by now. In namespaces of its own.</summary>
[NeedsRoot(Alone.Why)]
public sealed class DoctorAdviceTests
{
    // The commands of the findings, those in their remedies, and those of the summary, one a line. What is quoted in a
    // remedy ends before "looks again".
    private const string Prelude = """
        nipc() { "$N" "$@"; }
        advice() {
            nipc doctor --all "$@" > said
            for what in "^ *\$ \(.*\)$" ".*needs it: '\(nipc .*\)' looks again.*" \
                ".*its permit back: \(nipc release .*\)\. Programs .*" \
                "^'\(nipc .*\)' \(lists\|mends\).*" ".*open: '\(nipc [^']*\)' names.*"
            do sed -n "s/$what/\1/p" said; done | sort -u > all
            [ "$(grep -c "$pattern" all)" = 1 ] || { echo "== not one command with $pattern:"; cat all said; exit 1; }
            command=$(grep "$pattern" all)
            echo "$ $command"
        }
        try() { eval "$command" 2>&1; echo "ended with $?"; }
        ended() { until [ ! -e /proc/$1 ] || grep -q '^State:.Z' /proc/$1/status; do :; done; }
        attach() {
            perl -e '$| = 1; syscall(30, $ARGV[0] + 0, 0, 0) != -1 or die; print "attached\n"; sleep 1000' $1 \
                > attached &
            user=$!
            until grep -q attached attached; do :; done
        }

        """;

    private const string KilledRun = """
        nipc create sem posix:/s 2 > /dev/null
        "$N" run --sem posix:/s --count 2 sh -c 'echo $$ > began; exec sleep 1000' & run=$!
        until [ -s began ]; do :; done
        kill -9 $run $(cat began); ended $(cat began); ended $run

        """;

    private const string KilledReader = """
        nipc create shm posix:/x 1M > /dev/null; mkfifo full; exec 8<>full
        "$N" read posix:/x --lock > full & run=$!
        until [ "$(nipc value posix:/x)" = 0 ]; do :; done
        kill -9 $run; ended $run

        """;

    private const string KilledMaker = """
        "$N" create shm "$KEY" 10 --hold > made & run=$!
        until [ -s made ]; do :; done
        kill -9 $run; ended $run

        """;

    // The old one stays open, so that its inode is not that of another file of the folder soon; and it is on a device
    // of its own, since ftok takes 16 bits of the inode only, which one of many files in /tmp may have as well.
    private const string KeyFileMadeAnew = """
        mkdir device; mount -t tmpfs tmpfs device; cd device
        nipc create shm "systemv:$PWD/key" 100 > /dev/null
        exec 8< key; mv key old; touch key; rm old

        """;

    private const string ForeignPrivate = "perl -e 'print shmget(0, 4096, 01600)' > id\n";

    public DoctorAdviceTests() => Alone.Require();

    [Theory]
    [InlineData(KilledRun, "", "doctor --fix$", "mended: given back|ended with 0", "nipc value posix:/s", "2")]
    [InlineData(KilledReader, "", "doctor --fix$", "mended: given back|ended with 0", "nipc value posix:/x", "1")]
    [InlineData("KEY=posix:/left\n" + KilledMaker, "", "rm --orphaned$",
        "orphaned shm posix:/left|Nothing was removed yet|ended with", "ls /dev/shm", "left")]
    [InlineData("mkdir k; KEY=systemv:$PWD/k/left\n" + KilledMaker, "--folder \"$PWD/k\"", "rm --orphaned.*k$",
        "orphaned shm systemv:/|Nothing was removed yet|ended with", "ls k", "left")]
    [InlineData("mkdir 'a b'; KEY=\"systemv:$PWD/a b/left\"\n" + KilledMaker, "--folder \"$PWD/a b\"", "rm --orphaned",
        "orphaned shm systemv:/|Nothing was removed yet|ended with", "ls 'a b'", "left")]
    [InlineData("printf abc > /dev/shm/sem.x\n", "", "rm -k sem", "removed sem posix:/x|ended with 0",
        "ls /dev/shm", "")]
    [InlineData(KeyFileMadeAnew, "", "rm shmid:", "removed shm|ended with 0", "ipcs -m | grep -c 0x", "0")]
    [InlineData(ForeignPrivate, "", "rm shmid:", "removed shm|ended with 0", "ipcs -m | grep -c 0x", "0")]
    [InlineData("mkdir k; touch k/qipc_sharedmemory_x11f6ad8ec52a2984abaafd7c3b516503785c2072\n", "--folder \"$PWD/k\"",
        "rm -k shm", "removed shm systemv:/|ended with 0", "ls k", "")]
    [InlineData("nipc create shm \"posix:/it's here\" 100 > /dev/null\n", "", "rm -k shm",
        "removed shm posix:/it's here|ended with 0", "ls /dev/shm", "")]
    [InlineData("nipc create sem 'posix:/a $(b) \"c\"' 1 > /dev/null\n", "", "rm -k sem",
        "removed sem posix:/a $(b) \"c\"|ended with 0", "ls /dev/shm", "")]
    [InlineData("nipc create sem \"posix:/it's\" 1 > /dev/null; nipc acquire \"posix:/it's\"\n", "", "release",
        "ended with 0", "nipc value \"posix:/it's\"", "1")]
    // "0 warnings"
    [InlineData("nipc create shm posix:/x 10 > /dev/null; nipc create sem posix:/x 1 > /dev/null; chmod 666 "
        + "/dev/shm/x\n", "", "^chmod", "ended with 0", "nipc doctor | grep -c warning", "1")]
    [InlineData("mkdir 'a b'; nipc create shm \"systemv:$PWD/a b/x\" 10 > /dev/null\n", "--folder \"$PWD/a b\"",
        "list --unused", "/a b/x|ended with 0", "ls 'a b'", "x")]
    [InlineData("nipc create shm posix:/x 10 > /dev/null\n", "", "list --unused", "posix:/x|ended with 0",
        "ls /dev/shm", "x")]
    [InlineData(
        "mount -o remount,size=1m /dev/shm; exec 7<>/dev/shm/gone; head -c 1M /dev/zero >&7; rm /dev/shm/gone\n", "",
        "^nipc list$", "gone|removed|ended with 0", "ls /dev/shm", "")]
    public void A_command_that_is_printed_does_what_is_said(string state, string options, string pattern, string says,
        string look, string seen)
    {
        string output = Run($"{state}pattern='{pattern}'; advice {options}\ntry; echo ==; {look}; true");
        string[] parts = output.Split("\n==");
        foreach (string part in says.Split('|')) Assert.Contains(part, parts[0], StringComparison.Ordinal);
        Assert.Equal(seen, parts[1].Trim('\n'));
    }

    [Theory]
    // Which gave them back
    [InlineData(KilledRun, "doctor --fix$", "nipc run --sem posix:/s true", 0, "nipc value posix:/s", "2")]
    [InlineData("KEY=posix:/left\n" + KilledMaker, "rm --orphaned$",
        "exec 9<>/dev/shm/left; command=\"$command --yes\"", 0, "ls /dev/shm", "left")]
    [InlineData("KEY=posix:/left\n" + KilledMaker, "rm --orphaned$",
        "nipc create shm posix:/left 10 --or-open; command=\"$command --yes\"", 0, "ls /dev/shm", "left")]
    [InlineData("printf abc > /dev/shm/sem.x\n", "rm -k sem", "exec 9<>/dev/shm/sem.x", 1, "ls /dev/shm", "sem.x")]
    [InlineData("printf abc > /dev/shm/sem.x\n", "rm -k sem", "rm /dev/shm/sem.x", 3, "ls /dev/shm", "")]
    [InlineData(KeyFileMadeAnew, "rm shmid:", "attach ${command#*shmid:}", 1, "ipcs -m | grep -c 0x", "1")]
    [InlineData(ForeignPrivate, "rm shmid:", "attach $(cat id)", 1, "ipcs -m | grep -c 0x", "1")]
    [InlineData(ForeignPrivate, "rm shmid:", "ipcrm -m $(cat id)", 3, "ipcs -m | grep -c 0x", "0")]
    [InlineData("nipc create shm posix:/x 10 > /dev/null\n", "rm -k shm", "exec 9<>/dev/shm/x", 1, "ls /dev/shm", "x")]
    // Another kind
    [InlineData("nipc create shm posix:/x 10 > /dev/null\n", "rm -k shm", "mv /dev/shm/x /dev/shm/sem.x", 3,
        "ls /dev/shm", "sem.x")]
    [InlineData("nipc create sem posix:/s 1 > /dev/null; nipc acquire posix:/s\n", "release", "nipc rm posix:/s", 3,
        "ls /dev/shm", "")]
    public void A_command_that_is_printed_looks_again_and_refuses_what_is_another_state_by_now(string state,
        string pattern, string change, int exitCode, string look, string seen)
    {
        string output = Run($"{state}pattern='{pattern}'; advice\n{change}\ntry; echo ==; {look}; true");
        string[] parts = output.Split("\n==");
        Assert.EndsWith($"ended with {exitCode}", parts[0], StringComparison.Ordinal);
        Assert.Equal(seen, parts[1].Trim('\n'));
    }

    private static string Run(string script)
        => Alone.Succeed(Alone.SeesAll + Prelude + script
            + "\nexit=$?; [ -z \"$user\" ] || kill -9 $user; exit $exit");
}
