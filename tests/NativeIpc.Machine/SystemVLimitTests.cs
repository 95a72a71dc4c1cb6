using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>System V limits that are reached, in an IPC name space with lowered ones.</summary>
[NeedsLinux("Uses Linux's name spaces.")]
public class SystemVLimitTests
{
    private const int EINVAL = 22;
    private const int ENOSPC = 28;

    private readonly NativeIpcKey _first = TestRun.NewKey(Backend.SystemV);
    private readonly NativeIpcKey _second = TestRun.NewKey(Backend.SystemV);

    private static Situation With(string limits)
        => new() { IsPrivateIpc = true, Before = limits, After = Situation.ListSystemV };

    private void AssertNothingLeft(VictimResult result)
    {
        result.LeftNothing();
        Assert.False(File.Exists(_first.NativeKey), "The first key file stayed.");
        Assert.False(File.Exists(_second.NativeKey), "The second key file stayed.");
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_size_over_shmmax_is_an_invalid_size()
    {
        VictimResult result = Victims.Run(With("echo 4096 > /proc/sys/kernel/shmmax"),
            $"segment-create {_first} 4097", $"segment-create-or-open {_first} 4097", $"segment-create {_second} 4096");
        result[0].AssertSays(NativeIpcError.InvalidSize, _first, "shmget", EINVAL);
        result[1].AssertSays(NativeIpcError.InvalidSize, _first, "shmget", EINVAL);
        Assert.Equal("created 4096", result[2].Did);
        AssertNothingLeft(result);
    }

    /// <summary>The tool that looks again before it removes; ipcrm does not.</summary>
    private static void AssertAdvises(Outcome outcome, params string[] commands)
    {
        foreach (string command in commands) Assert.Contains(command, outcome.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("ipcrm", outcome.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo 1 > /proc/sys/kernel/shmmni", 1)]
    [InlineData("echo 1 > /proc/sys/kernel/shmall", 4097)]
    [NeedsRoot(Victims.WhyRoot)]
    public void No_room_for_a_segment_is_out_of_resources(string limit, int size)
    {
        VictimResult result = Victims.Run(With(limit),
            $"segment-create {_first} 4096", $"segment-create {_second} {size}",
            $"segment-create-or-open {_second} {size}", $"segment-try-open {_second} timeout=0",
            $"segment-create-or-open {_first} 1", "segment-fill");
        Assert.Equal("created 4096", result[0].Did);
        for (int i = 1; i < 3; i++)
        {
            result[i].AssertSays(NativeIpcError.OutOfResources, _second, "shmget", ENOSPC);
            AssertAdvises(result[i], "'nipc list -k shm -t systemv --unused'", "'nipc rm shmid:ID'");
        }

        Assert.Equal(("missing", "opened 4096", "filled"), (result[3].Did, result[4].Did, result[5].Did));
        AssertNothingLeft(result);
    }

    [Theory]
    [InlineData("echo 250 32000 32 1 > /proc/sys/kernel/sem")] // SEMMNI: sets
    [InlineData("echo 250 1 32 128 > /proc/sys/kernel/sem")] // SEMMNS: semaphores
    [NeedsRoot(Victims.WhyRoot)]
    public void No_room_for_a_semaphore_is_out_of_resources(string limit)
    {
        VictimResult result = Victims.Run(With(limit),
            $"semaphore-create {_first} 3", $"semaphore-create {_second} 1", $"semaphore-create-or-open {_second} 1",
            $"semaphore-reset {_second} 1", $"semaphore-try-open {_second} timeout=0",
            $"semaphore-create-or-open {_first} 1", "semaphore-count");
        Assert.Equal("created", result[0].Did);
        for (int i = 1; i < 4; i++)
        {
            result[i].AssertSays(NativeIpcError.OutOfResources, _second, "semget", ENOSPC);
            AssertAdvises(result[i], "'nipc list -k sem -t systemv'", "'nipc rm semid:ID'");
        }

        Assert.Equal(("missing", "opened", "3"), (result[4].Did, result[5].Did, result[6].Did));
        AssertNothingLeft(result);
    }

    [Theory]
    [InlineData("dispose")]
    [InlineData("exit 0")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_segment_whose_lock_has_no_room_says_so_and_is_removed_all_the_same(string end)
    {
        VictimResult result = Victims.Run(With("echo 250 32000 32 1 > /proc/sys/kernel/sem"),
            $"semaphore-create {_first} 1", $"segment-create {_second} 4096", "segment-lock", "segment-fill", end);
        Assert.Equal("created 4096", result[1].Did);
        result[2].AssertSays(NativeIpcError.OutOfResources, _second, "semget", ENOSPC);
        Assert.Equal("filled", result[3].Did);
        AssertNothingLeft(result);
    }
}
