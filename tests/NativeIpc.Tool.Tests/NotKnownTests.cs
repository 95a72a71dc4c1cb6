using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What is not known is neither said nor acted upon: the use of sets, names that are gone, processes that are
/// not seen from here.</summary>
public sealed class NotKnownTests
{
    // A segment that nobody has attached, and a set of another program with the same number.
    private const string Foreign = """
        perl -e 'shmget(0x4243,64,01600); semget(0x4243,2,01600)'
        perl -e '$s=semget(0x4243,0,0); semop($s,pack(q(s3),0,1,0))'

        """;

    private const string Waiter = """
        perl -e '$s=semget(0x4243,0,0); semop($s,pack(q(s3),1,-1,0))' &
        until $N show semid:0 | grep -q 'waiting 1'; do :; done
        """;

    private const string Pair = "echo > /dev/shm/pair; $N create sem posix:/pair 1 > /dev/null; ";

    public NotKnownTests() => Alone.Require();

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void A_foreign_set_with_the_key_of_an_unattached_segment_is_no_lock_and_stays()
    {
        string output = Alone.Succeed(Foreign + """
            $N list --no-header -o kind,flags; $N list --unused --no-header -o kind; echo ==
            $N rm --unused --yes; echo ==
            perl -e '$s=semget(0x4243,0,0); print semop($s,pack(q(s3),0,-1,0))?"ok":"$!","\n"'
            $N doctor | grep 'used by no process' ; true
            """);
        string[] parts = output.Split("==\n");
        Assert.DoesNotMatch("(?m)^sem .*(lock|unused)", parts[0]);
        Assert.Matches(@"(?m)^shm\s+unused", parts[0]);
        Assert.EndsWith("\nshm\n", parts[0], StringComparison.Ordinal);
        Assert.Equal("removed shm shmid:0\n", parts[1]);
        Assert.Equal("ok", parts[2].Trim());
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void A_set_of_ours_that_a_process_waits_for_is_not_unused_and_goes_with_its_segment_otherwise()
    {
        const string script = """
            $N create shm systemv:$PWD/k 10; $N write --lock systemv:$PWD/k --text x
            $N list --folder $PWD --no-header -o kind,flags; echo ==
            key=$(awk 'NR==2 { print $1 }' /proc/sysvipc/sem)
            perl -e '$s=semget(shift,0,0); semop($s,pack(q(s3),1,-1,0))' $key &
            until $N show semid:0 | grep -q 'waiting 1'; do :; done
            $N list --folder $PWD --no-header -o kind,flags; echo ==
            $N rm systemv:$PWD/k 2>&1; echo "code $?"; $N list --no-header -o kind
            kill $!; wait $! 2>/dev/null; echo ==
            $N rm systemv:$PWD/k; $N list --no-header -o kind
            """;
        string[] parts = Alone.Run(script).Output.Split("==\n");
        Assert.Matches(@"(?m)^sem\s+lock", parts[0]);
        Assert.Matches(@"(?m)^sem\s+lock$", parts[1]);
        Assert.Matches("in use.*Nothing was removed", parts[2]);
        Assert.EndsWith("code 1\nshm\nsem\n", parts[2], StringComparison.Ordinal);
        Assert.Matches(@"^removed shm systemv:\S+\n$", parts[3]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void An_unlinked_file_has_no_name_that_leads_to_another_object()
    {
        const string script = """
            exec 9<>/dev/shm/unl; echo old >&9; rm /dev/shm/unl; echo new > /dev/shm/unl
            $N list --json; echo ==; $N list; echo ==; $N rm -g --yes '/dev/shm/*' ; $N rm -g --yes 'posix:/*'
            """;
        string[] parts = Alone.Run(script).Output.Split("==\n");
        JsonElement[] objects = [.. JsonDocument.Parse(parts[0]).RootElement.GetProperty("objects").EnumerateArray()];
        JsonElement gone = Assert.Single(objects, one => one.TryGetProperty("flags", out JsonElement flags)
            && flags.EnumerateArray().Any(flag => flag.GetString() == "removed"));
        Assert.False(gone.TryGetProperty("name", out _));
        Assert.False(gone.TryGetProperty("key", out _));
        Assert.Equal("posix:/unl", Assert.Single(objects,
            one => one.TryGetProperty("name", out _)).GetProperty("name").GetString());
        Assert.Matches(@"(?m)^/dev/shm/unl \(deleted\)  ", parts[1]);
        Assert.Equal("removed shm posix:/unl\n", parts[2]);
    }

    /// <summary>A name means both: the half that nobody uses does not go alone.</summary>
    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData(Pair + "exec 9<>/dev/shm/sem.pair", "posix:/pair")]
    [InlineData(Pair + "exec 9<>/dev/shm/pair", "posix:/pair")]
    [InlineData(Foreign + Waiter, "key:0x4243")]
    public void Of_two_objects_under_one_name_none_goes_when_one_is_in_use(string made, string name)
    {
        string output = Alone.Run($"""
            {made}
            $N rm {name} 2>&1; echo "code $?"; $N list --no-header -o kind | sort; echo ==
            $N rm {name} --json 2>/dev/null; echo ==
            $N rm {name} --force > /dev/null; exec 9<&-; kill $! 2>/dev/null; wait; $N list --no-header 2>/dev/null
            """).Output;
        string[] parts = output.Split("==\n");
        Assert.DoesNotContain("removed ", parts[0], StringComparison.Ordinal);
        Assert.Matches(@"in use.*\n?.*code 1\nsem\nshm\n$", parts[0]);
        Assert.Contains("Nothing was removed", parts[0], StringComparison.Ordinal);
        Assert.Equal("in-use", JsonDocument.Parse(parts[1]).RootElement.GetProperty("outcomes")[0]
            .GetProperty("outcome").GetString());
        Assert.Equal("", parts[2]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void A_process_of_another_PID_namespace_has_no_number_here()
    {
        const string script = """
            perl -e '$i=shmget(7,64,01600); shmwrite($i,"x",0,1); $s=semget(7,2,01600); semop($s,pack(q(s3),0,1,0))'
            export N; unshare --pid --fork --mount-proc sh -c '
                $N list --json; echo ==
                $N list --no-header -o kind,creator; $N show shmid:0; $N show semid:0'
            """;
        string[] parts = Alone.Run(script).Output.Split("==\n");
        foreach (JsonElement one in JsonDocument.Parse(parts[0]).RootElement.GetProperty("objects").EnumerateArray())
            Assert.False(one.TryGetProperty("creatorPid", out _) || one.TryGetProperty("lastPid", out _));
        Assert.DoesNotContain("pid 0", parts[1], StringComparison.Ordinal);
        Assert.DoesNotContain("last pid none", parts[1], StringComparison.Ordinal);
        Assert.Contains("last pid not known", parts[1], StringComparison.Ordinal);
        Assert.Matches(@"(?m)^shm\s+\?$", parts[1]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Waiters_that_are_not_seen_are_counted_and_not_left_out()
    {
        const string script = """
            perl -e '$s=semget(0x4243,2,01644)'
            perl -e '$s=semget(0x4243,0,0); semop($s,pack(q(s3),1,-1,0))' & one=$!
            as_user true; chmod 666 /dev/null
            perl -e '$s=semget(0x4243,0,0); semop($s,pack(q(s3),0,-1,0))' & other=$!
            until [ "$($N show semid:0 | grep -c 'waiting 1')" = 2 ]; do :; done
            $N show semid:0 | grep -E "^ *(waiters)? +($one|$other) perl" | wc -l; $N show semid:0 | grep -c ^unreadable
            echo ==; as_user $N show semid:0 | grep -E '^(waiters|unreadable)'
            as_user $N show semid:0 --json | grep -c waiting.threads
            kill $one $other
            """;
        string[] parts = Alone.Run(script).Output.Split("==\n");
        Assert.Equal("2\n0\n", parts[0]);
        Assert.StartsWith("unreadable  2 of 2 waiting threads are not seen", parts[1], StringComparison.Ordinal);
        Assert.EndsWith("\n1\n", parts[1], StringComparison.Ordinal);
    }

    /// <summary>Each has the number that the key of a segment was made of, and is older than it.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void A_FIFO_or_a_socket_is_no_key_file_and_a_folder_is_one()
    {
        string list = Alone.Succeed(Alone.KeysOfOwnDevice + """
            cd keys; mkfifo fifo; mkdir folder; echo data > file
            perl -MSocket -e 'socket($s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un(q(socket))) or die'
            perl -e 'for (qw(fifo folder file socket)) { @s = stat; shmget(0x51 << 24 | ($s[0] & 0xff) << 16
                | $s[1] & 0xffff, 10, 01600) // die }'
            $N list --folder "$PWD" --wide 2> /dev/null |
                grep -oE "systemv:.*/(fifo|folder|file|socket)" | sed 's|.*/||'
            """);
        Assert.Equal("file\nfolder", string.Join('\n', list.Split('\n').Order(StringComparer.Ordinal)));
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void An_object_without_a_key_is_called_in_every_message_what_it_was_called()
    {
        ShellResult result = Alone.Run("""
            printf abc > "$(printf '/dev/shm/a\377b')"; chmod 600 /dev/shm/*
            perl -e 'shmget(0,10,01600); semget(0,1,01600)'
            said() { as_user $N "$@" 2>&1 > /dev/null; echo "$? ==" >&2; }
            said rm -f '/dev/shm/a\xffb' >&2; said show '/dev/shm/a\xffb' >&2; said read shmid:0 >&2
            said write shmid:0 -O -s x >&2
            said show shmid:0 -n 1 >&2; said rm -f shmid:0 >&2; said acquire semid:0 >&2; said rm -f semid:0 >&2
            """);
        string[] messages = result.Error.Split(" ==\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(8, messages.Length);
        string[] names = ["/dev/shm/a\\xffb", "/dev/shm/a\\xffb", "shmid:0", "shmid:0", "shmid:0", "shmid:0", "semid:0",
            "semid:0"];
        for (int i = 0; i < names.Length; i++)
        {
            Assert.EndsWith("\n4", messages[i], StringComparison.Ordinal);
            Assert.Contains($" {names[i]}: ", messages[i], StringComparison.Ordinal);
            Assert.Contains($"'nipc show {(i < 2 ? "\"/dev/shm/a\\\\xffb\"" : names[i])}'", messages[i],
                StringComparison.Ordinal);
            Assert.DoesNotContain("posix:", messages[i], StringComparison.Ordinal);
            Assert.DoesNotContain("IPC_PRIVATE", messages[i], StringComparison.Ordinal);
            Assert.DoesNotContain("KEY", messages[i], StringComparison.Ordinal);
        }
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void What_is_not_there_is_said_to_be_of_no_kind()
    {
        string output = Alone.Run("$N rm posix:/none --json; $N rm posix:/none -k sem --json | grep kind").Output;
        Assert.Equal(1, Regex.Count(output, "\"kind\""));
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void No_key_is_invented_for_an_object_that_is_named_by_its_number()
    {
        ShellResult result = Alone.Run("""
            perl -e '$i=shmget(0x32e1a08,64,01600)'
            as_user $N rm --force shmid:0; as_user $N write -O shmid:0 --text x
            """);
        Assert.DoesNotContain("systemv:", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("project id", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("for reading only", result.Error, StringComparison.Ordinal);
        Assert.Contains("'nipc show key:0x032e1a08", result.Error, StringComparison.Ordinal);
    }
}
