using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>One way to name things, in every verb.</summary>
public class NamingTests : OneType
{
    // A segment and a set of the number that PostgreSQL prints, and one of each that no key leads to.
    private const string Numbered =
        "perl -e '$i=shmget(5432001,64,01600);shmwrite($i,\"hello\",0,5);"
            + "$s=semget(5432001,1,01600);semop($s,pack(\"s3\",0,2,0));'\n";
    private const string Private =
        "perl -e '$i=shmget(0,64,01600);shmwrite($i,\"world\",0,5);"
            + "$s=semget(0,2,01600);semop($s,pack(\"s3\",0,3,0));'\n";

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("$N read 5432001 -r -n 5", "hello")]
    [InlineData("$N read 0x52e2c1 -r -n 5", "hello")]
    [InlineData("$N read key:5432001 -r -n 5", "hello")]
    [InlineData("$N read key:0x0052E2C1 -r -n 5", "hello")]
    [InlineData("$N read shmid:1 -r -n 5", "world")]
    [InlineData("echo shmid:1 | $N read - -r -n 5", "world")]
    [InlineData("$N write shmid:1 -s WORLD; $N read 1 -r -n 5", "WORLD")]
    [InlineData("printf moon > in; $N restore shmid:1 in; $N read shmid:1 -r -n 5", "moond")]
    [InlineData("$N dump 1 out; head -c 5 out", "world")]
    [InlineData("$N dump shmid:1 - | head -c 5", "world")]
    [InlineData("$N show shmid:1 -n 0 | grep ^id", "id          1 (ipcs -m -i 1)")]
    [InlineData("$N show semid:1 | grep ^value", "value       3")]
    [InlineData("$N show 1 -k sem | grep ^value", "value       3")]
    [InlineData("$N show 0x52e2c1 -n 0 | grep -c ^native", "2")]
    [InlineData("$N value 5432001", "2")]
    [InlineData("$N value semid:1", "3")]
    [InlineData("$N acquire semid:1 -n 2; $N value semid:1", "1")]
    [InlineData("$N acquire 5432001 -w 5; $N value semid:0", "1")]
    [InlineData("$N release semid:1; $N value 1", "4")]
    [InlineData("$N run --sem semid:1 -n 3 $N value semid:1; $N value semid:1", "0\n3")]
    [InlineData("$N value semid:1 --json | grep -c '\"id\": 1'", "1")]
    [InlineData("$N rm key:5432001 | grep ^removed; $N list --no-attachments | grep -c 0x0052e2c1",
        "removed shm shmid:0\nremoved sem semid:0\n0")]
    [InlineData("$N rm shmid:1 semid:1 | grep ^removed", "removed shm shmid:1\nremoved sem semid:1")]
    [InlineData("$N rm 5432001 -k sem | grep ^removed", "removed sem semid:0")]
    public void Numbers_lead_to_System_V_objects_in_every_verb(string script, string output)
    {
        Alone.Require();
        Assert.Equal(output, Alone.Run(Numbered + Private + script).Output.TrimEnd('\n'));
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("$N show 1", "shmid:1", "semid:1")]
    [InlineData("$N rm 1", "shmid:1", "semid:1")]
    [InlineData("$N rm 5432001", "shmid:0", "semid:0")]
    [InlineData("$N create shm posix:/1 9; $N read 1", "shmid:1", "posix:/1")]
    [InlineData("$N create sem posix:/1 9; $N acquire 1 -w 0", "semid:1", "posix:/1")]
    [InlineData("perl -e 'semget(1,1,01600)'; $N value 1", "semid:1", "semid:2")]
    [InlineData("perl -e 'semget(1,1,01600)'; $N run --sem 1 true", "semid:1", "semid:2")]
    public void What_fits_several_objects_is_refused_with_their_list(string script, string one, string other)
    {
        Alone.Require();
        ShellResult result = Alone.Run(Numbered + Private + script);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("fits several objects", result.Error, StringComparison.Ordinal);
        Assert.Contains($"\n  {one} ", result.Error, StringComparison.Ordinal);
        Assert.Contains($"\n  {other} ", result.Error, StringComparison.Ordinal);
        Assert.Equal("3", Alone.Run(Numbered + Private + script + "; $N value semid:1").Output.TrimEnd('\n')
            .Split('\n')[^1]);
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("$N value semid:77", 3)]
    [InlineData("$N read 77", 3)]
    [InlineData("$N rm 77", 3)]
    [InlineData("$N run --sem 77 --create 1 true", 2)]
    [InlineData("$N create sem 77 1", 2)]
    [InlineData("$N restore 77 /dev/null --create", 2)]
    [InlineData("$N value shmid:1", 2)]
    [InlineData("$N read semid:1", 2)]
    [InlineData("$N read shmid:", 2)]
    [InlineData("$N read shmid:x", 2)]
    [InlineData("$N show key:0", 2)]
    [InlineData("$N show 0x0", 2)]
    [InlineData("$N read shmid:1 --lock", 2)]
    [InlineData("$N read shmid:99999999999999999999", 2)]
    public void What_is_not_there_or_cannot_be_meant_is_said(string script, int exitCode)
    {
        Alone.Require();
        ShellResult result = Alone.Run(Numbered + Private + script);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.StartsWith("nipc: ", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("posix:/a1", "-g 'a*'")]
    [InlineData("posix:/a1", "-g 'posix:/a*'")]
    [InlineData("posix:/a1", "-g -t posix '/a*'")]
    [InlineData("posix:/s1", "-g 's*'")] // and no shmid:N
    [InlineData("shmid:0", "-g 'shm*'", false)]
    [InlineData("shmid:0", "-g 'shmid:*'")]
    [InlineData("shmid:0", "-g '0x4cb193*'")]
    [InlineData("posix:/bidi\\u202ename", "'posix:/bidi\\u202ename'")]
    [InlineData("posix:/bidi\\u202ename", "-g 'posix:/bidi\\\\u202e*'")]
    public void What_list_shows_is_taken_as_it_stands_there_and_patterns_fit_it(string name, string words,
        bool fits = true)
    {
        Alone.Require();
        string output = Alone.Run("perl -e 'shmget(0x4cb19301,64,01600)'; cd /dev/shm; touch a1 s1 "
            + "\"$(printf 'bidi\\342\\200\\256name')\"; touch -d 2020-01-01 *\n"
            + $"$N rm {words}{(words.StartsWith("-g", StringComparison.Ordinal) ? " --yes" : "")} | grep ^removed")
            .Output.TrimEnd('\n');
        Assert.Equal(fits ? $"removed shm {name}" : "", output);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void What_looks_as_another_name_does_is_refused_until_it_is_named_natively()
    {
        Alone.Require();
        ShellResult result = Alone.Run("cd /dev/shm; touch 'b\\u202e' \"$(printf 'b\\342\\200\\256')\"\n"
            + "$N rm 'posix:/b\\u202e'; echo $?; $N rm -t posix '/b\\u202e'; ls | wc -l; $N rm 'posix:/b\\u202e'");
        Assert.Equal("2\nremoved shm posix:/b\\u202e\n1\nremoved shm posix:/b\\u202e\n", result.Output);
        Assert.Contains("is how 2 objects look", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsUnix("The objects of Windows do not outlive their process.")]
    public void A_bare_name_is_the_safe_key_of_the_default_type_and_is_told()
    {
        string name = TestNames.NextName();
        NativeIpcKey key = SharedMemory.PlatformSafeKey(name);
        Names.Track(key);
        Assert.Equal($"{key}", Nipc.Succeed("create", "sem", name, "2"));
        Told("2\n", "value", name);
        Told("", "acquire", name, "-w", "5");
        Told("", "release", name);
        Told("1\n", "run", "--sem", name, "-c", "4", Nipc.Program, "value", $"{key}");
        Assert.Equal($"removed sem {key}", Nipc.Succeed("rm", name));
        Assert.Equal($"{key}", Nipc.Succeed("create", "shm", name, "4"));
        Told("", "write", name, "-s", "abcd");
        Told("abcd", "read", name);
        string file = NewFile();
        Told("", "dump", name, file);
        Told("", "restore", name, file);
        Assert.Contains($"{key}", Nipc.Succeed("show", name), StringComparison.Ordinal);
        Assert.Equal($"removed shm {key}", Nipc.Succeed("rm", name));

        void Told(string output, string verb, params ReadOnlySpan<string> rest)
        {
            ShellResult result = Nipc.Run([verb, .. rest]);
            Assert.Equal((0, output), (result.ExitCode, result.Output));
            Assert.Equal($"nipc: {name} is {key}\n", result.Error);
        }
    }

    [Theory]
    [InlineData("/jobs", "posix:/jobs")]
    [InlineData("a/b", "--type")]
    [InlineData("", "Not a key")]
    [InlineData("postix:/jobs", "Not a key")]
    [NeedsUnix("Names with a slash are told another way on Windows.")]
    public void What_is_neither_a_key_nor_a_name_is_explained(string text, string hint)
    {
        Assert.Contains(hint, Nipc.Fail(2, "value", text), StringComparison.Ordinal);
        Assert.Contains(hint, Nipc.Fail(2, "rm", text), StringComparison.Ordinal);
        Assert.Contains(hint, Nipc.Fail(2, "create", "sem", text, "1"), StringComparison.Ordinal);
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("value $K", true)]
    [InlineData("acquire $K -w 0", false)]
    [InlineData("release $K", false)]
    [InlineData("run --sem $K true", false)]
    public void Root_needs_to_allow_other_owners_of_semaphores_for_what_changes_or_waits(string verb, bool looks)
        => Shared("create sem $K 3", verb, looks);

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("read $K", true)]
    [InlineData("dump $K out", true)]
    [InlineData("show $K", true)]
    [InlineData("write $K -s x", false)]
    [InlineData("read $K --lock -w 1", false)]
    [InlineData("dump $K out2 --lock -w 1", false)]
    [InlineData("restore $K in", false)]
    public void Root_needs_to_allow_other_owners_of_segments_for_what_changes_or_waits(string verb, bool looks)
        => Shared("create shm $K 16", verb, looks);

    private static void Shared(string create, string verb, bool looks)
    {
        Alone.Require();
        foreach (string key in new[] { "posix:/planted", "systemv:$PWD/planted" })
        {
            ShellResult refused = Alone.Run(Script(verb));
            Assert.True(refused.ExitCode == (looks ? 0 : 4), $"{key}: {refused.ExitCode}: {refused.Error}");
            if (!looks) Assert.Contains("--allow-other-owners", refused.Error, StringComparison.Ordinal);
            if (!looks) Alone.Succeed(Script(verb.Replace("$K", "$K -O", StringComparison.Ordinal)));

            string Script(string line) => $"K={key}; echo x > in; as_user $N {create} >/dev/null || exit 98; $N {line}";
        }
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Users_of_a_group_share_what_they_allow()
    {
        Alone.Require();
        const string script = """
            as_b() { setpriv --reuid 4711 --regid 65534 --clear-groups "$@"; }
            as_user $N create sem posix:/w 2 -m 660 >/dev/null && as_user $N create shm posix:/s 4 -m 660 >/dev/null ||
                exit 98
            as_b $N value posix:/w; echo $?
            as_b $N value -O posix:/w
            as_b $N acquire --allow-other-owners posix:/w && as_b $N value -O posix:/w
            as_b $N write -O posix:/s -s abcd && as_b $N read -O posix:/s
            """;
        Assert.Equal("4\n2\n1\nabcd", Alone.Succeed(script));
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Patterns_are_for_the_option_alone_and_show_first()
    {
        Alone.Require();
        const string script = """
            for k in ab 'a*' b; do $N create shm "posix:/$k" 1 > /dev/null; done
            $N rm --glob 'posix:/a*' | grep ^matches; $N rm --glob --dry-run 'posix:/?' | grep ^matches
            $N rm --glob 'posix:/c*'; echo $?; $N rm -g -n -y 'posix:/b'; echo $?; $N rm -n posix:/b; echo $?
            $N rm -g; echo $?
            $N rm 'posix:/a*'; ls /dev/shm
            $N rm --glob --yes 'posix:/a*'; ls /dev/shm
            """;
        string[] lines = Alone.Run(script).Output.TrimEnd('\n').Split('\n');
        Assert.Equal(["matches shm posix:/a*", "matches shm posix:/ab"], lines[..2].Order(StringComparer.Ordinal));
        Assert.Equal(["matches shm posix:/b", "3", "2", "2", "2", "removed shm posix:/a*", "ab", "b",
            "removed shm posix:/ab", "b"], lines[2..]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void A_verb_for_one_object_takes_the_one_that_fits_a_pattern()
    {
        Alone.Require();
        const string script = """
            $N create shm posix:/frames 4 > /dev/null; $N create sem posix:/frames 3 > /dev/null
            $N create sem posix:/workers 2 > /dev/null
            $N write -g 'posix:/f*' -s abcd; $N read --glob 'posix:/fr?mes'; echo
            $N dump -g 'posix:/f*' out && cat out; echo
            printf wxyz > in; $N restore -g 'posix:/f*' in; echo 'posix:/f*' | $N read -g -; echo
            $N value -g 'posix:/w*'; $N acquire -g 'posix:/w*' && $N value posix:/workers; $N release -g 'posix:/wor*'
            $N value posix:/workers
            $N value -g 'posix:/w*' --json | grep name
            """;
        ShellResult result = Alone.Run(script);
        Assert.Equal("abcd\nabcd\nwxyz\n2\n1\n2\n  \"name\": \"posix:/workers\",\n", result.Output);
        Assert.StartsWith("nipc: posix:/f* is posix:/frames\n", result.Error, StringComparison.Ordinal);
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [InlineData("read", "shm", "")]
    [InlineData("write", "shm", "-s x")]
    [InlineData("dump", "shm", "out")]
    [InlineData("restore", "shm", "in")]
    [InlineData("value", "sem", "")]
    [InlineData("acquire", "sem", "-w 0")]
    [InlineData("release", "sem", "")]
    public void A_verb_for_one_object_refuses_several_that_fit_a_pattern(string verb, string kind, string rest)
    {
        Alone.Require();
        ShellResult result = Alone.Run($"""
            echo in > in; for k in one once two; do $N create {kind} posix:/$k 2 > /dev/null; done
            $N {verb} -g 'posix:/on*' {rest}; echo $?; $N {verb} -g 'posix:/none*' {rest}; echo $?
            $N list --no-header --no-attachments -o value,bytes | uniq; ls out
            """);
        Assert.Equal(kind == "sem" ? "2\n3\n2  32\n" : "2\n3\n-  2\n", result.Output);
        Assert.Contains("'posix:/on*' fits several objects", result.Error, StringComparison.Ordinal);
        Assert.Contains("\n  posix:/one ", result.Error, StringComparison.Ordinal);
        Assert.Contains("\n  posix:/once ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("posix:/two", result.Error, StringComparison.Ordinal);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Show_shows_all_that_fit_a_pattern()
    {
        Alone.Require();
        const string script = """
            for k in one once two; do $N create shm posix:/$k 2 > /dev/null; done; $N create sem posix:/on 1 > /dev/null
            $N show -g 'posix:/on*' -n 0 | grep -E '^(segment|semaphore)' | sort
            $N show -g 'posix:/on*' -k sem | grep ^value
            $N show -g 'posix:/on*' --json | grep -c '"name": "posix'
            $N show 'posix:/on*'; echo $?; $N show -g 'posix:/x*'; echo $?
            """;
        Assert.Equal("segment     posix:/once\nsegment     posix:/one\nsemaphore   posix:/on\nvalue       1\n3\n3\n3",
            Alone.Succeed(script));
    }

    /// <summary>The names of the fields are those of docs/nipc-json.md in every verb.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Every_verb_calls_an_object_by_the_same_fields()
    {
        Alone.Require();
        const string script = """
            f() { grep -oE '^ *"(name|key|id)": [^,]*' | tr -d ' "' | sort | tr '\n' ' '; echo; }
            $N create shm posix:/a 4 --json | f; $N create sem posix:/s 4 --json | f; $N value posix:/s --json | f
            $N list --no-attachments --json -k shm | f; $N show posix:/a --json -n 0 | f
            $N rm -g 'posix:/a' --json -n | f; $N rm posix:/a posix:/none --json 2> /dev/null | f
            perl -e 'shmget(0,64,01600)'; $N rm shmid:0 --json | f
            """;
        Assert.Equal(
            ["key:posix:/a name:posix:/a ", "key:posix:/s name:posix:/s ", "key:posix:/s name:posix:/s ",
                "key:posix:/a name:posix:/a ", "key:posix:/a name:posix:/a ", "key:posix:/a name:posix:/a ",
                "key:posix:/a key:posix:/none name:posix:/a name:posix:/none ", "id:0 name:shmid:0 "],
            Alone.Run(script).Output.TrimEnd('\n').Split('\n'));
    }
}
