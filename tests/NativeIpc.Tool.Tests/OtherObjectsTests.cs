using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What no key leads to: files in folders of /dev/shm, names that are no text, memfds and message
/// queues.</summary>
public sealed partial class OtherObjectsTests : OneType
{
    public OtherObjectsTests() => Alone.Require();

    /// <summary>Issue 14, B: corosync and JACK have folders there.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Files_in_folders_are_listed_with_their_path_and_their_users()
    {
        const string script = """
            mkdir -p /dev/shm/d/e elsewhere; touch elsewhere/secret; ln -s "$PWD/elsewhere" /dev/shm/link
            ln -s "$PWD/elsewhere" /dev/shm/d/link
            head -c 4096 /dev/zero > /dev/shm/d/x; printf abc > /dev/shm/d/e/y; exec 9< /dev/shm/d/x
            $N list --no-header -o key,kind,bytes,flags | tr -s ' ' | sort; $N list -k sem --no-header | wc -l
            $N list --no-header -o key,users | grep '/d/x '
            $N show /dev/shm/d/e/y | tail -n 2; $N show /dev/shm/d/e/y --json | grep path
            $N doctor | grep -c /dev/shm/d
            """;
        string[] lines = Alone.Run(script).Output.TrimEnd('\n').Split('\n');
        string[] expected = ["/dev/shm/d/e/y shm 3 in-folder", "/dev/shm/d/x shm 4096 in-folder", "0"];
        Assert.Equal(expected, lines[..3].Select(line => line.Replace("unused,", "", StringComparison.Ordinal)));
        Assert.Matches(@"^/dev/shm/d/x +\d+\(", lines[3]);
        Assert.StartsWith("00000000  61 62 63", lines[4], StringComparison.Ordinal);
        Assert.Equal(["00000003", "      \"path\": \"/dev/shm/d/e/y\"", "0"],
            [lines[5], lines[6].TrimEnd(','), lines[7]]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Folders_that_are_too_deep_of_another_file_system_or_shut_are_told()
    {
        const string script = """
            mkdir -p /dev/shm/1/2/3/4/5/6/7/8/9 /dev/shm/other
            touch /dev/shm/1/2/3/4/5/6/7/8/in /dev/shm/1/2/3/4/5/6/7/8/9/out
            mount -t tmpfs tmpfs /dev/shm/other; touch /dev/shm/other/out
            $N list --no-header -o key,kind; mkdir -m 700 /dev/shm/shut; touch /dev/shm/shut/out
            as_user $N list --no-header -o key,kind
            """;
        ShellResult result = Alone.Run(script);
        Assert.Equal("/dev/shm/1/2/3/4/5/6/7/8/in  shm\n/dev/shm/1/2/3/4/5/6/7/8/in  shm\n", result.Output);
        Assert.Contains("nipc: 2 folders in /dev/shm could not be looked into.\n", result.Error,
            StringComparison.Ordinal);
        Assert.Contains("nipc: 3 folders in /dev/shm could not be looked into.\n", result.Error,
            StringComparison.Ordinal);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Files_in_folders_are_neither_opened_nor_removed()
    {
        const string script = """
            mkdir /dev/shm/d; printf abc > /dev/shm/d/x; printf abc > /dev/shm/top
            for verb in read 'write -s x' value rm 'rm --force'; do $N $verb /dev/shm/d/x; echo $?; done
            $N rm --unused --yes; $N rm --glob --yes '*'; ls /dev/shm/d /dev/shm
            """;
        ShellResult result = Alone.Run(script);
        Assert.Equal("6\n6\n3\n6\n6\nremoved shm posix:/top\n/dev/shm:\nd\n\n/dev/shm/d:\nx\n", result.Output);
        Assert.Contains("No key leads to /dev/shm/d/x, since it is in a folder of /dev/shm", result.Error,
            StringComparison.Ordinal);
        Assert.Contains("it goes with the program that has made the folder. rm(1) removes it as any file", result.Error,
            StringComparison.Ordinal);
        Assert.Contains("1 file in a folder of /dev/shm stays", result.Error, StringComparison.Ordinal);
    }

    /// <summary>Each byte can be seen, no two look alike, and the verbs take what list prints.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Names_that_are_no_UTF_8_are_told_apart_and_taken()
    {
        const string script = """
            f() { printf "$2" > "/dev/shm/$(printf "$1")"; }
            f '\377' a; f '\376' bb; f '\\xff' ccc; f '\377\\xff' dddd; f '\377\033]0;x' eeeee; f 'text' ffffff
            { printf '\003'; head -c 31 /dev/zero; } > "/dev/shm/sem.$(printf '\200')"
            $N list --no-header -o key,bytes | tr -s ' ' | LC_ALL=C sort; $N list | grep -c '\\u001b'
            $N list --json | grep -i '"name".*001b'
            $N show '/dev/shm/\xfe' -n 0 | grep ^size; $N show '/dev/shm/\xff' -n 0 | grep -E '^(segment|size)'
            $N show '/dev/shm/\\xff' -n 0 | grep -E '^(segment|size)'
            $N show '/dev/shm/sem.\x80' | grep ^value; $N value '/dev/shm/sem.\x80'; echo $?
            $N show /dev/shm/text -n 0 | grep ^segment
            $N rm '/dev/shm/\xff\u001b]0;x' | grep -v '^ '; $N rm '/dev/shm/\xff'; $N rm '/dev/shm/\xff'; echo $?
            $N rm 'posix:/\xff'; LC_ALL=C ls -b /dev/shm
            """;
        string[] lines = Alone.Run(script).Output.TrimEnd('\n').Split('\n');
        string[] expected =
        [
            @"/dev/shm/\xfe 2", @"/dev/shm/\xff 1", @"/dev/shm/\xff\\xff 4", @"/dev/shm/\xff\u001b]0;x 5",
            @"/dev/shm/sem.\x80 32", @"posix:/\xff 3", "posix:/text 6", "1",
            @"""name"": ""/dev/shm/\\xff\u001B]0;x""", "size 2 bytes", @"segment /dev/shm/\xff", "size 1 bytes",
            @"segment posix:/\xff", "size 3 bytes",
            "value 3", "6", "segment posix:/text",
            @"removed shm /dev/shm/\xff\u001b]0;x", @"removed shm /dev/shm/\xff", "3", @"removed shm posix:/\xff",
            @"sem.\200", "text", @"\376", @"\377\\xff",
        ];
        Assert.Equal(expected, lines.Select(
            line => string.Join(' ', line.TrimEnd(',').Split(' ', StringSplitOptions.RemoveEmptyEntries))));
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void The_name_of_a_process_that_is_no_UTF_8_is_shown_byte_by_byte()
    {
        const string script = """
            mount -t tmpfs tmpfs "$PWD" && cd "$PWD" || exit 98
            printf a > /dev/shm/x; cp "$(command -v sleep)" "$(printf 'a\377b')"
            "./$(printf 'a\377b')" 1000 < /dev/shm/x & until grep -aq b /proc/$!/comm; do :; done
            $N list -o users --no-header; $N list --json | grep '"name": "a'; kill $!
            """;
        string[] lines = Alone.Run(script).Output.Split('\n');
        Assert.Matches(@"^\d+\(a\\xffb\)$", lines[0]);
        Assert.Equal(@"""name"": ""a\\xffb""", lines[1].Trim());
    }

    [Fact]
    public void A_memfd_is_shown_once_with_all_its_users()
    {
        string name = TestNames.NextName();
        int file = CreateMemfd(name, 1); // MFD_CLOEXEC
        Assert.NotEqual(-1, file);
        using var owned = new Microsoft.Win32.SafeHandles.SafeFileHandle(file, ownsHandle: true);
        RandomAccess.SetLength(owned, 12_345);
        using var peer = new RunningNipc("sh",
            ["-c", string.Create(CultureInfo.InvariantCulture,
                $"exec 9<>/proc/{Environment.ProcessId}/fd/{file} && echo open && read line")]);
        Assert.Equal("open", peer.ReadLine());
        ShellResult listed = Nipc.Run("list");
        Assert.Matches(@"nipc: Besides: .*\d+ memfds?, .*'nipc list --all' shows them\.\n$", listed.Error);
        Assert.DoesNotContain("memfd:", listed.Output, StringComparison.Ordinal);

        JsonElement list = Nipc.Json("list", "--all", "--json");
        JsonElement found = Assert.Single(list.GetProperty("others").EnumerateArray(),
            other => other.GetProperty("name").GetString() == $"memfd:{name}");
        Assert.Equal((12_345, "memfd", name),
            (found.GetProperty("size").GetInt32(), found.GetProperty("kind").GetString(),
                found.GetProperty("nativeName").GetString()));
        int[] users = [.. found.GetProperty("users").EnumerateArray()
            .Select(user => user.GetProperty("pid").GetInt32())];
        Assert.Equal(new[] { Environment.ProcessId, peer.Process.Id }.Order(), users.Order());
        JsonElement count = CountOf(list, "memfd");
        Assert.True(count.GetProperty("count").GetInt32() >= 1);
        Assert.Matches($@"(?m)^memfd:{name} +- +memfd +12.1k .* {Environment.ProcessId}\(",
            Nipc.Succeed("list", "--all", "--wide"));
        Assert.Contains("with the last process that has it", Nipc.Fail(6, "rm", $"memfd:{name}"),
            StringComparison.Ordinal);

        // Without a look at the processes nothing is known, which is not 0.
        JsonElement blind = Nipc.Json("list", "--all", "--no-attachments", "--json");
        Assert.False(CountOf(blind, "memfd").TryGetProperty("count", out _));
        Assert.Contains("Memfds are known only by a look at the processes, which was not asked for.",
            blind.GetProperty("notes").EnumerateArray().Select(note => note.GetString()));
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Message_queues_are_counted_and_shown_and_what_is_not_mounted_is_not_0()
    {
        // A /dev of its own, in which queues are mounted only afterwards.
        const string script = """
            mkdir dev && mount -t tmpfs tmpfs dev && mkdir dev/shm dev/mqueue &&
                mount -t tmpfs -o mode=1777 tmpfs dev/shm || exit 99
            for f in null zero full random urandom tty; do touch dev/$f && mount --bind /dev/$f dev/$f || exit 99; done
            mount --rbind dev /dev || exit 99
            ipcmk -Q > /dev/null; perl -e 'msgsnd(msgget(7, 01600), pack("l! a*", 1, "hello"), 0)'
            $N list --no-attachments --json; echo ==; $N list --no-attachments; echo ==
            mount -t mqueue mqueue /dev/mqueue && touch /dev/mqueue/jobs || exit 99
            $N list --no-attachments --all --json; echo ==; $N list --no-attachments --all --no-header; echo ==
            $N list --no-attachments; $N rm msqid:0; echo $?; $N rm mqueue:/jobs; echo $?
            """;
        ShellResult result = Alone.Run(script);
        Assert.SkipWhen(result.ExitCode == 99, $"This container does not let the machine be made so: {result.Error}");
        string[] parts = result.Output.Split("==\n");
        JsonElement unmounted = JsonDocument.Parse(parts[0]).RootElement,
            mounted = JsonDocument.Parse(parts[2]).RootElement;
        Assert.False(CountOf(unmounted, "mqueue").TryGetProperty("count", out _));
        Assert.Equal(2, CountOf(unmounted, "msg").GetProperty("count").GetInt32());
        Assert.Contains("nipc: Besides: ? memfds, 2 System V message queues, ? POSIX message queues. 'nipc list "
            + "--all' shows them.", result.Error, StringComparison.Ordinal);
        Assert.Contains("nipc: Besides: ? memfds, 2 System V message queues, 1 POSIX message queue. 'nipc list --all' "
            + "shows them.", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, CountOf(mounted, "mqueue").GetProperty("count").GetInt32());
        JsonElement[] others = [.. mounted.GetProperty("others").EnumerateArray()];
        Assert.Equal(["msqid:0", "msqid:1", "mqueue:/jobs"],
            others.Select(other => other.GetProperty("name").GetString()));
        Assert.Equal((1, 5, "0x00000007"),
            (others[1].GetProperty("messages").GetInt32(), others[1].GetProperty("size").GetInt32(),
                others[1].GetProperty("ipcKey").GetString()));
        Assert.Matches(@"(?m)^msqid:1 +1 +msg +5 +0600 +root ", parts[3]);
        Assert.Matches(@"(?m)^mqueue:/jobs +- +mqueue +\? +0644 +root ", parts[3]);
        Assert.EndsWith("6\n6\n", parts[4], StringComparison.Ordinal);
        Assert.Contains("'ipcrm -q ID' does", result.Error, StringComparison.Ordinal);
        Assert.Contains("mq_unlink(3) does", result.Error, StringComparison.Ordinal);
    }

    private static JsonElement CountOf(JsonElement list, string kind)
        => Assert.Single(list.GetProperty("otherCounts").EnumerateArray(),
            count => count.GetProperty("kind").GetString() == kind);

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial int CreateMemfd(string name, uint flags);
}
