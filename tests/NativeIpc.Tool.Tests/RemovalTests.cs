using System.Text.Json;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>rm</c> removes nothing that lives, and nothing of which it does not know whether it does.</summary>
public sealed class RemovalTests : OneType
{
    // What the root of a container has by default (docker): neither SYS_PTRACE nor LEASE.
    private const string AsInContainers = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,"
        + "+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap";

    public RemovalTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Windows removes by itself.");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Other users and namespaces need root.");
    }

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    public void What_cannot_be_told_is_not_removed_without_force(string kind)
    {
        NativeIpcKey key = NewKey("posix");
        string file = $"/dev/shm/{(kind == "sem" ? "sem." : "")}{key.NativeKey[1..]}";
        Nipc.Succeed("create", kind, $"{key}", "1", "--mode", "666");
        File.SetUnixFileMode(file, (UnixFileMode)0x1B6);
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
        Assert.False(shown.GetProperty("objects")[0].GetProperty("object").TryGetProperty("attached", out _));
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
            setpriv --reuid=1000 --regid=1000 --clear-groups $n list; echo "code $?"
            """);
        Assert.Matches(@"posix:/app .* \? +\d+s", output);
        Assert.Contains("not seen", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_semaphore_set_that_somebody_waits_for_or_has_just_used_is_not_removed_without_force()
    {
        Peers.Require("perl", "perl");
        NativeIpcKey key = NewKey("systemv");
        Nipc.Succeed("create", "sem", $"{key}", "0");
        string number = Nipc.Json("show", $"{key}", "--json").GetProperty("objects")[0].GetProperty("object").GetProperty("ipcKey").GetString()!;
        using (var waiter = new RunningNipc("perl", ["-e", $"$s=semget({number},0,0); $|=1; print \"waits\\n\"; semop($s,pack('s3',0,-1,0)); print \"had\\n\"; <STDIN>"]))
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

        Assert.Equal($"removed sem {key}", Nipc.Succeed("rm", $"{key}"));

        bool Exists() => IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore) is not null;
    }

    private static string OutcomeOf(ShellResult result) => JsonDocument.Parse(result.Output).RootElement[0].GetProperty("outcome").GetString()!;

    private static ShellResult Contained(params string[] arguments)
        => Shell.Run("setpriv", ["--bounding-set", AsInContainers, "--inh-caps", AsInContainers, Nipc.Program, .. arguments]);

    /// <summary>What a script prints in a /dev/shm and an IPC namespace of its own, errors included.</summary>
    private static string Private(string script)
        => Shell.Run("unshare", ["--ipc", "--mount", "bash", "-c", $"mount -t tmpfs -o mode=1777 tmpfs /dev/shm && n='{Nipc.Program}' && exec 2>&1 || exit\n{script}"]).Output;
}
