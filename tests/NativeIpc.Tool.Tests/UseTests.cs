using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Who does what with a semaphore: holders, waiters, and the members of System V sets.</summary>
[NeedsLinux("Who uses an object is told on Linux.")]
public sealed class UseTests : OneType
{
    [Fact]
    public void Show_tells_holders_and_waiters_apart()
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "sem", $"{key}", "3");
        using var holder = new RunningNipc("run", "--sem", $"{key}", "-n", "3", "sh", "-c", "echo has it; read x");
        Assert.Equal("has it", holder.ReadLine());
        using SystemSemaphore idle = SystemSemaphore.OpenExisting(key,
            new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep });
        using var waiter = new RunningNipc("acquire", $"{key}");
        Watch.Until(() => Uses(key).GetValueOrDefault(waiter.Process.Id) == "waits", waiter.Process);
        string sheet = Nipc.Succeed("show", $"{key}");
        Assert.Matches(
            $@"\nholders +{holder.Process.Id} nipc \(3 permits\)\n +[0-9]+ sh \(3 permits\)"
                + $@"\nwaiters +{waiter.Process.Id} nipc\nothers +{Environment.ProcessId} ", sheet);
        Dictionary<int, string> uses = Uses(key);
        Assert.Equal("holds", uses[holder.Process.Id]);
        Assert.Equal("open", uses[Environment.ProcessId]);
        JsonElement found = Nipc.Json("show", $"{key}", "--json").GetProperty("objects")[0];
        Assert.Equal(1, found.GetProperty("waiting").GetInt32());
        holder.Process.StandardInput.Close();
        Assert.Equal(0, waiter.WaitForEnd());
        Assert.Equal("2", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void The_holder_of_a_robust_semaphore_is_told()
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "sem", $"{key}", "1");
        using var holder = new RunningNipc("run", "--robust", "--sem", $"{key}", "sh", "-c", "echo has it; read x");
        Assert.Equal("has it", holder.ReadLine());
        Assert.Equal("holds", Uses(key)[holder.Process.Id]);
    }

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void The_members_of_a_set_are_told_as_ipcs_tells_them()
    {
        Alone.Require();
        Alone.RequireFirstPidNamespace();
        const string script = """
            perl -e '$s=semget(0,3,01600); semop($s,pack("s3",1,7,0)); semop($s,pack("s3",2,-1,0))' &
            until grep -q 1 /proc/sysvipc/sem && $N show semid:0 | grep -q 'waiting 1'; do :; done
            $N show semid:0
            ipcs -s -i 0 | awk '/^[0-9]/ { printf "ipcs %s %s %s %s\n", $1, $2, $3, $4 }'
            $N show semid:0 --json
            $N rm --force semid:0 > /dev/null; wait
            """;
        string all = Alone.Run(script).Output;
        string output = all[..all.IndexOf('{', StringComparison.Ordinal)];
        Assert.Matches(
            @"\nmembers +3\n  0 +value 0, waiting 0, waiting for zero 0, last pid none"
                + @"\n  1 +value 7, waiting 0, waiting for zero 0, last pid \d+"
                + @"\n  2 +value 0, waiting 1, waiting for zero 0, last pid none\n", output);
        Assert.Matches(@"\nwaiters +\d+ perl\n", output);
        string[] ipcs = [.. output.Split('\n').Where(line => line.StartsWith("ipcs ", StringComparison.Ordinal))];
        Assert.Equal("ipcs 0 0 0 0", ipcs[0]);
        Assert.StartsWith("ipcs 1 7 0 0", ipcs[1], StringComparison.Ordinal);
        Assert.StartsWith("ipcs 2 0 1 0", ipcs[2], StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(all[all.IndexOf('{', StringComparison.Ordinal)..]);
        JsonElement found = json.RootElement.GetProperty("objects")[0];
        Assert.Equal(3, found.GetProperty("memberCount").GetInt32());
        Assert.Equal(7, found.GetProperty("members")[1].GetProperty("value").GetInt32());
        Assert.Equal(1, found.GetProperty("members")[2].GetProperty("waiting").GetInt32());
        Assert.Equal("semid:0", found.GetProperty("name").GetString());
    }

    private static Dictionary<int, string> Uses(NativeIpcKey key)
        => Nipc.Json("show", $"{key}", "--json").GetProperty("objects")[0].GetProperty("users").EnumerateArray()
            .ToDictionary(user => user.GetProperty("pid").GetInt32(),
                user => user.TryGetProperty("use", out JsonElement use) ? use.GetString()! : "open");
}
