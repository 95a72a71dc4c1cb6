using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>create</c> and <c>rm</c>.</summary>
public class ObjectTests : OneType
{
    private const string Hold = "The objects of Windows do not outlive their process.";

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix(Hold)]
    public void A_segment_is_made_and_stays(string type)
    {
        NativeIpcKey key = NewKey(type);
        Assert.Equal($"{key}", Nipc.Succeed("create", "shm", $"{key}", "64k", "-m", "640"));
        using var segment = SharedMemory.OpenExisting(key,
            options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
        Assert.Equal(64 * 1024, segment.Size);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
            IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)!.Mode);

        Assert.Contains("--or-open", Nipc.Fail(1, "create", "shm", $"{key}", "64k"), StringComparison.Ordinal);
        JsonElement opened = Nipc.Json("create", "shm", $"{key}", "1", "--or-open", "--json");
        Assert.False(opened.GetProperty("createdNew").GetBoolean());
        Assert.Equal(64 * 1024, opened.GetProperty("size").GetInt64());
        Assert.Equal($"{key}", opened.GetProperty("key").GetString());
        Assert.Contains($"'nipc rm {key}'", Nipc.Fail(5, "create", "shm", $"{key}", "65k", "--or-open"),
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix(Hold)]
    public void A_semaphore_is_made_opened_and_reset(string type)
    {
        NativeIpcKey key = NewKey(type);
        Nipc.Succeed("create", "sem", $"{key}", "3");
        Nipc.Fail(1, "create", "sem", $"{key}", "3");
        Assert.Equal(3, Nipc.Json("create", "sem", $"{key}", "9", "--or-open",
            "--json").GetProperty("value").GetInt32());
        Assert.Equal(7, Nipc.Json("create", "sem", $"{key}", "7", "--reset", "--json").GetProperty("value").GetInt32());
    }

    [Fact]
    [NeedsUnix(Hold)]
    public void A_bare_name_is_taken_with_its_type_and_keys_come_from_standard_input()
    {
        NativeIpcKey key = NewKey("systemv-84");
        Nipc.Succeed("create", "sem", "--type", "systemv-84", key.NativeKey, "1");
        Assert.Equal("1\n",
            Encoding.UTF8.GetString(Nipc.Feed(Encoding.UTF8.GetBytes($"{key}\n"), "value", "-").Output));
        NativeIpcKey second = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{second}", "1");
        (int code, byte[] output, _) = Nipc.Feed(Encoding.UTF8.GetBytes($"{key}\n\n{second}\n"), "rm", "-");
        Assert.Equal(0, code);
        string[] removed = [.. Encoding.UTF8.GetString(output).Split('\n')
            .Where(line => line.StartsWith("removed ", StringComparison.Ordinal))];
        // Under the set stands what was known of its use
        Assert.Equal([$"removed sem {key}", $"removed shm {second}"], removed);
    }

    [Theory]
    [InlineData("create", "shm", "posix:/x", "0")]
    [InlineData("create", "shm", "posix:/x", "12q")]
    [InlineData("create", "shm", "posix:/x", "9999999999999T")]
    [InlineData("create", "shm", "posix:/x", "1", "-m", "789")]
    [InlineData("create", "shm", "posix:/x", "1", "-m", "200")]
    [InlineData("create", "shm", "posix:/a/b", "1")]
    [InlineData("create", "sem", "posix:/x", "-1")]
    [InlineData("create", "sem", "posix:/x", "1", "--reset", "--or-open")]
    [InlineData("create", "sem", "posix:/x", "many")]
    [InlineData("create", "shm", "posix:/x", "1", "-g", "no such group")]
    [InlineData("rm")]
    [InlineData("rm", "posix:/x", "--stale")]
    [InlineData("rm", "posix:/x", "--unused")]
    [InlineData("rm", "posix:/x", "--orphaned")]
    [InlineData("rm", "--unused", "--orphaned")]
    [InlineData("rm", "--unused", "--force")]
    [InlineData("rm", "posix:/x", "--yes")]
    public void What_cannot_be_meant_is_exit_code_2(params string[] arguments) => Nipc.Fail(2, arguments);

    [Theory]
    [InlineData(2)] // SIGINT
    [InlineData(15)] // SIGTERM
    public void A_held_object_is_gone_after_a_signal(int signal)
    {
        NativeIpcKey key = NewKey(OperatingSystem.IsWindows() ? "windows" : "systemv");
        using var holder = new RunningNipc("create", "shm", $"{key}", "10", "--hold");
        Assert.Equal($"{key}", holder.ReadLine());
        Assert.True(SharedMemory.TryOpenExisting(key, out SharedMemory? segment,
            options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep }));
        segment.Dispose();
        holder.Signal(signal);
        Assert.Equal(128 + signal, holder.WaitForEnd());
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        Assert.False(File.Exists(key.NativeKey));
    }

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix(Hold)]
    public void What_is_in_use_is_refused_with_who_uses_it_unless_forced(string type)
    {
        NativeIpcKey key = NewKey(type);
        Nipc.Succeed("create", "shm", $"{key}", "10");
        using (SharedMemory.OpenExisting(key, options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep }))
        {
            string error = Nipc.Fail(1, "rm", $"{key}");
            Assert.Contains($"{Environment.ProcessId} (", error, StringComparison.Ordinal);
            Assert.Contains("--force", error, StringComparison.Ordinal);
            ShellResult json = Nipc.Run("rm", $"{key}", "--json");
            Assert.Equal(1, json.ExitCode);
            JsonElement outcome = JsonDocument.Parse(json.Output).RootElement.GetProperty("outcomes")[0];
            Assert.Equal("in-use", outcome.GetProperty("outcome").GetString());
            Assert.Contains(outcome.GetProperty("users").EnumerateArray(),
                user => user.GetProperty("pid").GetInt32() == Environment.ProcessId);
            Assert.Equal($"removed shm {key}", Nipc.Succeed("rm", $"{key}", "--force"));
        }

        Assert.Contains("nipc list", Nipc.Fail(3, "rm", $"{key}"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    [NeedsLinux("A PID namespace needs root, on Linux.")]
    [NeedsRoot("A PID namespace needs root, on Linux.")]
    public void What_processes_of_another_container_use_is_refused_unless_forced(string kind)
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", kind, $"{key}", "10");
        using (IDisposable user = kind == "shm"
            ? SharedMemory.OpenExisting(key, options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep })
            : SystemSemaphore.OpenExisting(key, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep }))
        {
            ShellResult result = FromContainer();
            Assert.True(result.ExitCode == 1, result.Output + result.Error);
            using JsonDocument document = JsonDocument.Parse(result.Output);
            Assert.Equal("in-use", document.RootElement.GetProperty("outcomes")[0].GetProperty("outcome").GetString());
            Assert.Contains("not seen from here", result.Error, StringComparison.Ordinal);
            Assert.Contains("\"removed\"", FromContainer("--force").Succeeded, StringComparison.Ordinal);
        }

        Nipc.Succeed("create", kind, $"{key}", "10");
        Assert.Contains("\"removed\"", FromContainer().Succeeded, StringComparison.Ordinal);

        ShellResult FromContainer(params string[] options) => Shell.Run("unshare",
            ["--pid", "--fork", "--mount-proc", Nipc.Program, "rm", $"{key}", "--json", .. options]);
    }

    [Fact]
    [NeedsUnix(Hold)]
    public void Of_several_keys_all_are_tried_and_the_first_failure_is_the_exit_code()
    {
        NativeIpcKey first = NewKey("posix"), second = NewKey("systemv");
        Nipc.Succeed("create", "sem", $"{first}", "1");
        Nipc.Succeed("create", "shm", $"{second}", "1");
        ShellResult result = Nipc.Run("rm", $"{first}", $"{NewKey("posix")}", "windows:x", $"{second}");
        Assert.Equal(3, result.ExitCode);
        Assert.Equal($"removed sem {first}\nremoved shm {second}\n", result.Output);
        Assert.False(File.Exists(second.NativeKey), "the key file is left");
    }

    [Fact]
    [NeedsUnix(Hold)]
    public void Kind_chooses_between_a_segment_and_a_semaphore_of_one_key()
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "1");
        Nipc.Succeed("create", "sem", $"{key}", "1");
        Assert.Equal($"removed sem {key}", Nipc.Succeed("rm", "--kind", "sem", $"{key}"));
        Nipc.Fail(3, "rm", "--kind", "sem", $"{key}");
        Assert.Equal($"removed shm {key}", Nipc.Succeed("rm", "--kind", "shm", $"{key}"));
    }

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix(Hold)]
    public void A_limit_and_a_key_that_breaks_a_rule_are_told_with_the_verbs_that_help(string type)
    {
        NativeIpcKey key = NewKey(type);
        Nipc.Succeed("create", "sem", $"{key}", type == "posix" ? "2147483647" : "32767");
        Assert.Contains($"'nipc value {key}' prints its count", Nipc.Fail(5, "release", $"{key}"),
            StringComparison.Ordinal);
        string broken = type == "posix" ? "posix:/a/b" : $"{type}:/{new string('k', 4096)}";
        Assert.Contains("--explain' says which rule", Nipc.Fail(2, "create", "shm", broken, "1"),
            StringComparison.Ordinal);
        Assert.Contains("--explain' says which rule", Nipc.Fail(2, "rm", "--force", broken), StringComparison.Ordinal);
    }

    [Fact]
    [NeedsLinux("The lengths are those of Linux.")]
    public void A_lock_that_cannot_be_made_is_told_with_the_way_without_it()
    {
        // A segment may have it; its lock would have four bytes more
        NativeIpcKey key = Names.Track(NativeIpcKey.Parse($"posix:/{TestNames.NextName().PadRight(255, 'k')}"));
        Nipc.Succeed("create", "shm", $"{key}", "10");
        
        // So long a key is not repeated in the remedy.
        string said = Nipc.Fail(1, "write", $"{key}", "--text", "x", "--lock");
        Assert.Contains("'nipc show KEY' says who uses it and its lock; try again, or leave --lock out", said,
            StringComparison.Ordinal);
        Assert.Single(Regex.Matches(said, "Use a shorter name"));
        Nipc.Succeed("write", $"{key}", "--text", "x");
    }

    [Fact]
    [NeedsLinux("Hiding /proc/sysvipc needs root, on Linux.")]
    [NeedsRoot("Hiding /proc/sysvipc needs root, on Linux.")]
    public void Where_the_system_does_not_say_who_uses_an_object_rm_says_that_it_cannot_tell()
    {
        NativeIpcKey key = NewKey("systemv");
        Nipc.Succeed("create", "shm", $"{key}", "10");

        // /proc without sysvipc, as a kernel or a container may have it.
        string all = Names.TrackPath(Directory.CreateDirectory(
            Path.Combine(TestNames.Folder, TestNames.NextName())).FullName);
        ShellResult result = Hidden("rm", $"{key}", "--json");
        Assert.True(result.ExitCode == 6, result.Output + result.Error);
        using JsonDocument document = JsonDocument.Parse(result.Output);
        JsonElement outcome = document.RootElement.GetProperty("outcomes")[0];
        Assert.Equal("cannot-tell", outcome.GetProperty("outcome").GetString());
        Assert.Contains("--force", outcome.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.NotNull(IpcObjects.Inspect(key, IpcObjectKind.SharedMemory));
        Assert.Equal($"removed shm {key}\n", Hidden("rm", $"{key}", "--force").Succeeded);

        ShellResult Hidden(params string[] arguments)
        {
            string script = $$"""
                mount --rbind /proc '{{all}}' && mount -t tmpfs tmpfs /proc || exit 125
                for each in '{{all}}'/*; do [ "${each##*/}" = sysvipc ] || ln -s "$each" /proc/; done
                exec "$0" "$@"
                """;
            ShellResult result = Shell.Run("unshare",
                ["-m", "--propagation", "private", "sh", "-c", script, Nipc.Program, .. arguments]);
            Assert.SkipWhen(result.ExitCode == 125, $"This container does not let /proc be replaced: {result.Error}");
            return result;
        }
    }

    [Fact]
    [NeedsLinux("Becoming other users needs root, on Linux.")]
    [NeedsRoot("Becoming other users needs root, on Linux.")]
    public void A_stranger_who_locks_the_folder_or_the_file_does_not_make_rm_remove_what_is_in_use()
    {
        string setpriv = Peers.Require("setpriv", "util-linux");
        NativeIpcKey key = NewKey("posix");
        string file = $"/dev/shm{key.NativeKey}";
        const string Flock = "exec 3<\"$0\"; flock 3; echo ready; exec cat";
        _ = As(1234, Nipc.Program, "create", "shm", $"{key}", "8", "--mode", "666").Succeeded;
        using (Waiting(65534, "sh", "-c", Flock, "/dev/shm"))
        {
            using (Waiting(65534, "sh", "-c", "exec 3<\"$0\"; echo ready; exec cat", file))
            {
                ShellResult used = As(1234, Nipc.Program, "rm", $"{key}", "--json");
                Assert.True(used.ExitCode == 1 && used.Output.Contains("\"in-use\"", StringComparison.Ordinal),
                    used.Output + used.Error);
            }

            using (Waiting(65534, "sh", "-c", Flock, file))
            {
                ShellResult unknown = As(1234, Nipc.Program, "rm", $"{key}", "--json");
                Assert.True(unknown.ExitCode == 6 && unknown.Output.Contains("\"cannot-tell\"",
                    StringComparison.Ordinal), unknown.Output + unknown.Error);
                Assert.Contains("--force", unknown.Error, StringComparison.Ordinal);
            }

            Assert.True(File.Exists(file));
            Assert.Equal($"removed shm {key}\n", As(1234, Nipc.Program, "rm", $"{key}").Succeeded);
        }

        ShellResult As(int user, params string[] command)
            => Shell.Run(setpriv, [$"--reuid={user}", $"--regid={user}", "--clear-groups", .. command],
                environment: [new("DOTNET_CLI_HOME", "/tmp")]);

        RunningNipc Waiting(int user, params string[] command)
        {
            var running = new RunningNipc(setpriv,
                [$"--reuid={user}", $"--regid={user}", "--clear-groups", .. command]);
            Assert.Equal("ready", running.ReadLine());
            return running;
        }
    }

    [Fact]
    [NeedsLinux("Becoming another user needs root, on Linux.")]
    [NeedsRoot("Becoming another user needs root, on Linux.")]
    public void What_another_user_owns_is_exit_code_4()
    {
        string setpriv = Peers.Require("setpriv", "util-linux");
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{key}", "1");
        foreach (string[] verb in (string[][])[["read", $"{key}"], ["write", $"{key}", "--text", "x"],
            ["rm", $"{key}"]])
        {
            ShellResult result = Shell.Run(setpriv,
                ["--reuid", "65534", "--regid", "65534", "--clear-groups", Nipc.Program, .. verb],
                environment: [new("DOTNET_CLI_HOME", "/tmp")]);
            Assert.True(result.ExitCode == 4, $"{verb[0]}: {result.ExitCode}\n{result.Output}{result.Error}");
        }
    }
}
