using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc key</c>. The rules themselves are tested in NativeIpc.Tests; here, that each is reached from the
/// command line.</summary>
public class KeyTests
{
    [Theory]
    [InlineData("posix:/frames", "key", "safe", "frames", "-p", "linux")]
    [InlineData("posix:/frames", "key", "safe", "frames", "-t", "posix", "-p", "macos")]
    [InlineData("systemv:/run/user/7/frames", "key", "safe", "frames", "-t", "systemv", "-p", "linux", "-d",
        "/run/user/7")]
    [InlineData("systemv-84:/tmp/f", "key", "safe", "/tmp/f", "-t", "systemv-84", "-p", "linux")]
    [InlineData("windows:shm_frames", "key", "safe", "frames", "-p", "windows")]
    [InlineData("windows:sem_frames", "key", "safe", "frames", "-t", "windows", "-k", "sem")]
    [InlineData("windows:event_frames", "key", "safe", "frames", "-t", "windows", "-k", "event")]
    [InlineData("windows:event_frames", "key", "convert", "posix:/frames", "--to", "windows", "-k", "event")]
    [InlineData("posix:/frames", "key", "convert", "windows:event_frames", "--to", "posix", "-p", "linux", "-k",
        "event")]
    [InlineData("windows:Global\\sem_frames", "key", "safe", "Global\\frames", "-t", "windows", "-k", "sem")]
    [InlineData("systemv:/tmp/qipc_sharedmemory_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames", "key",
        "legacy", "frames", "-p", "linux", "-d", "/tmp")]
    [InlineData("posix:/qipc_systemsem_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames", "key",
        "legacy", "frames", "-p", "android", "-k", "sem")]
    [InlineData("windows:qipc_sharedmemory_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames", "key",
        "legacy", "frames", "-p", "windows")]
    [InlineData("windows:shm_frames", "key", "convert", "posix:/frames", "--to", "windows")]
    [InlineData("posix:/Local\\frames", "key", "convert", "windows:Local\\sem_frames", "--to", "posix")]
    [InlineData("posix:/frames", "key", "convert", "systemv:/run/user/7/frames", "--to", "posix", "-p", "linux")]
    [InlineData("posix:/frames", "key", "convert", "frames", "-t", "posix", "--to", "posix", "-p", "linux")]
    [InlineData("posix:/qipc_sharedmemory_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames", "key",
        "convert", "windows:x?legacyKey=frames", "--to", "posix", "-p", "linux")]
    public void A_key_is_made(string expected, params string[] arguments)
        => Assert.Equal(expected, Nipc.Succeed(arguments));

    [Fact]
    public void A_cut_name_is_made_as_Qt_makes_it_and_told_on_standard_error()
    {
        string name = new('n', 40);
        ShellResult result = Nipc.Run("key", "safe", name, "-p", "macos");
        Assert.Equal(0, result.ExitCode);
        Assert.Equal($"posix:/{name[..29]}\n", result.Output);
        Assert.Contains("was cut", result.Error, StringComparison.Ordinal);
        Assert.Contains("shorter", Nipc.Fail(2, "key", "safe", name, "-p", "macos", "--strict"),
            StringComparison.Ordinal);
        Assert.True(Nipc.Json("key", "safe", name, "-p", "macos", "--json").GetProperty("wasCut").GetBoolean());
    }

    [Theory]
    [InlineData("machine", NameScope.Machine)]
    [InlineData("user", NameScope.User)]
    public void Safe_makes_the_key_of_a_scope_as_the_library_does(string word, NameScope scope)
    {
        Assert.Equal(SharedMemory.PlatformSafeKey("a.b", scope).ToString(),
            Nipc.Succeed("key", "safe", "a.b", "--scope", word));
        Assert.Equal(SystemSemaphore.PlatformSafeKey("a.b", scope, NativeIpcKeyType.SystemV).ToString(),
            Nipc.Succeed("key", "safe", "a.b", "--scope", word, "-k", "sem", "-t", "systemv"));
        JsonElement key = Nipc.Json("key", "safe", "a.b", "--scope", word, "-k", "event", "--json");
        Assert.Equal(SystemEvent.PlatformSafeKey("a.b", scope).ToString(), key.GetProperty("key").GetString());
        Assert.Equal("event", key.GetProperty("kind").GetString());
        Assert.True(key.GetProperty("supportedHere").GetBoolean());
        Assert.False(key.TryGetProperty("lockKey", out _));
    }

    /// <summary>In a session of its own: CI's may have no number.</summary>
    [Fact]
    public void Safe_makes_the_key_of_the_session_that_it_runs_in()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Equal("windows:Local\\shm_a.b", Nipc.Succeed("key", "safe", "a.b", "--scope", "session"));
            return;
        }

        ShellResult made = Shell.Run(Peers.Require("setsid", "util-linux"), ["-w", "sh", "-c",
            "echo $$; exec \"$0\" key safe a.b --scope session -t posix", Nipc.Program]);
        Assert.Equal(0, made.ExitCode);
        string[] lines = made.Output.TrimEnd('\n').Split('\n');
        Assert.Equal($"posix:/~s{lines[0]}.a.b", lines[1]);
    }

    [Fact]
    public void Where_the_session_has_no_number_the_remedy_is_named()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs a PID namespace.");
        Need.Root("A PID namespace of its own needs root.");
        ShellResult refused = Shell.Run(Peers.Require("unshare", "util-linux"),
            ["-pf", Nipc.Program, "key", "safe", "x", "--scope", "session"]);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("setsid", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Explain_names_the_rule_of_each_part_and_the_limit()
    {
        string text = Nipc.Succeed("key", "safe", "a\u00e9", "-t", "systemv", "-p", "linux", "-d", "/run/user/7",
            "--explain");
        Assert.Matches(@"\n +/run/user/7/ +the user's runtime folder", text);
        Assert.Matches(@"\n +aé +the name\n", text);
        Assert.Contains("15 of at most 4095 bytes", text, StringComparison.Ordinal);
        Assert.Contains("cut         no", text, StringComparison.Ordinal);
        Assert.Contains("systemv:/run/user/7/aé (a semaphore)", text, StringComparison.Ordinal);

        string legacy = Nipc.Succeed("key", "legacy", "Frames-7", "-p", "linux", "-d", "/tmp", "-e");
        Assert.Matches(@"\n +Frames +the ASCII letters of the name\n", legacy);
        Assert.Matches(@"\n +[0-9a-f]{40} +the SHA-1 of the name in UTF-8\n", legacy);
    }

    [Theory]
    [InlineData("posix:/frames", @"\n +/ +.*\n +frames +the name\n", "-p", "linux")]
    [InlineData("systemv:/run/user/7/frames", @"\n +/run/user/7/ +the user's runtime folder.*\n +frames +the name\n",
        "-p", "linux", "-d", "/run/user/7")]
    [InlineData("systemv:/tmp/qipc_sharedmemory_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames",
        @"\n +frames +the ASCII letters of the name\n", "-p", "linux", "-d", "/tmp")]
    // No Qt before 6.6 had events
    [InlineData("systemv:/tmp/qipc_sharedmemory_framese7d679448a726df93a0ecc139508c9d3ef48b980?legacyKey=frames",
        @"\nlength +\d+ of at most 4095 bytes \(linux, an event\)\n", "-p", "linux", "-d", "/tmp", "-k", "event")]
    [InlineData("posix:/~1000.frames", @"\n +~1000\. +the scope: the user with this number\n +frames +the name\n",
        "-p", "linux", "-k", "event")]
    [InlineData("posix:/~s12.frames", @"\n +~s12\. +the scope: the session with this number\n +frames +the name\n",
        "-p", "linux")]
    [InlineData("systemv:/tmp/~m.frames", @"\n +/tmp/ +the folder that all.*\n +~m\. +the scope: the machine\n",
        "-p", "linux")]
    [InlineData(@"windows:Global\event_~S-1-5-21-7.frames", @"\n +event_ +NativeIpc's.*\n +~S-1-5-21-7\. +the scope: ",
        "-p", "windows", "-k", "event")]
    // No name gives that: the rule that it breaks is told
    [InlineData("posix:/a%2Fb", @"\nusable +no, on linux: ", "-p", "linux")]
    public void Parse_explains_a_key_that_is_there(string key, string expected, params string[] options)
        => Assert.Matches(expected, Nipc.Succeed(["key", "parse", key, "--explain", .. options]) + "\n");

    [Fact]
    public void The_parts_are_the_native_key()
    {
        foreach (string[] arguments in (string[][])[
            ["key", "safe", "x", "-p", "linux"], ["key", "safe", "x", "-t", "systemv", "-p", "linux", "-d", "/r"],
            ["key", "safe", @"Local\x", "-p", "windows"], ["key", "safe", "x", "-p", "windows", "-k", "event"],
            ["key", "safe", "x.y", "--scope", "user"], ["key", "safe", "x", "--scope", "machine", "-t", "systemv"],
            ["key", "safe", new string('x', 300), "-p", "windows"], ["key", "legacy", "1", "-p", "linux", "-d", "/t"],
            ["key", "legacy", "x", "-p", "macos", "-t", "posix"], ["key", "legacy", "x y", "-p", "windows"]])
        {
            JsonElement key = Nipc.Json([.. arguments, "--json"]);
            Assert.Equal(key.GetProperty("nativeKey").GetString(),
                string.Concat(key.GetProperty("parts").EnumerateArray()
                    .Select(part => part.GetProperty("text").GetString())));
        }
    }

    [Fact]
    public void Parse_takes_a_key_apart()
    {
        JsonElement key = Nipc.Json("key", "parse", "systemv-84:/tmp/a%3Fb?legacyKey=n", "-p", "linux", "-d",
            "/tmp", "--json");
        Assert.Equal("systemv-84", key.GetProperty("type").GetString());
        Assert.Equal("/tmp/a?b", key.GetProperty("nativeKey").GetString());
        Assert.Equal("n", key.GetProperty("legacyKey").GetString());
        Assert.StartsWith("systemv-84:/tmp/qipc_systemsem_n", key.GetProperty("lockKey").GetString(),
            StringComparison.Ordinal);
        Assert.False(key.TryGetProperty("violation", out _));
        Assert.Equal("windows:x_sem", Nipc.Json("key", "parse", "windows:x",
            "--json").GetProperty("lockKey").GetString());
    }

    [Fact]
    public void Parse_says_why_a_key_cannot_be_used()
    {
        Assert.Contains("slash inside", Nipc.Succeed("key", "parse", "posix:/a/b", "-p", "linux"),
            StringComparison.Ordinal);
        Assert.Contains("does not have objects of this type", Nipc.Succeed("key", "parse", "posix:/a", "-p", "windows"),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key", "parse", "nonsense")]
    [InlineData("key", "parse", "systemv-300:/x")]
    [InlineData("key", "parse", "x", "-t", "systemv-0")]
    [InlineData("key", "safe", "")]
    [InlineData("key", "safe", "x", "-t", "windows", "-p", "linux")]
    [InlineData("key", "safe", "x", "-t", "systemv", "-p", "macos")]
    [InlineData("key", "safe", "a/b", "-p", "linux", "--strict")]
    [InlineData("key", "safe", "x", "-p", "beos")]
    [InlineData("key", "safe", "a/b", "--scope", "user")]
    [InlineData("key", "safe", "~a", "--scope", "machine")]
    [InlineData("key", "safe", "x", "--scope", "group")]
    [InlineData("key", "safe", "x", "--scope", "user", "-p", "linux")]
    [InlineData("key", "safe", "x", "--scope", "user", "-d", "/tmp")]
    [InlineData("key", "safe", "x", "--scope", "user", "-t", "windows")]
    [InlineData("key", "legacy", "x", "-k", "event")]
    [InlineData("key", "convert", "posix:/qipc_x?legacyKey=x", "--to", "systemv", "-k", "event")]
    [InlineData("key", "convert", "posix:/x")]
    [InlineData("key", "code", "posix:/x", "--lang", "cobol")]
    [InlineData("key", "code", "posix:/a/b", "--lang", "c")]
    public void What_cannot_be_meant_is_exit_code_2(params string[] arguments) => Nipc.Fail(2, arguments);

    [Fact]
    public void A_bare_name_without_a_type_is_told_what_to_do()
    {
        string error = Nipc.Fail(2, "value", "/frames");
        Assert.Contains("--type", error, StringComparison.Ordinal);
        Assert.Contains("posix:/frames", error, StringComparison.Ordinal);
    }
}
