using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>The largest file that a process may write (RLIMIT_FSIZE, ulimit -f): the kernel ends a process beyond it by
/// SIGXFSZ.</summary>
[NeedsLinux("Uses Linux's mounts and limits.")]
public class FileSizeLimitTests
{
    private static readonly NativeIpcKey s_key = new("/size", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_other = new("/other", NativeIpcKeyType.PosixRealtime);

    private static Situation DevShm
        => new() { MountFirst = "mount -t tmpfs -o size=16m,mode=1777 none /dev/shm", After = Situation.ListDevShm };

    [Theory]
    [InlineData("umask 22")]
    [InlineData("refuse-tmpfile")]
    public void A_larger_segment_is_out_of_resources_and_the_process_lives(string calls)
    {
        string[] steps =
        [
            .. from allocation in Enum.GetNames<SharedMemoryAllocation>() from verb in new[] { "segment-create",
                "segment-create-or-open" } select $"{verb} {s_key} 4194304 allocation={allocation}",
        ];
        VictimResult result =
            Victims.Run(DevShm,
            [calls, "limit-file-size 1048576", .. steps, $"segment-create {s_key} 1048576", "segment-fill",
            $"segment-create {s_key} 4194304", "dispose"]);
        foreach (Outcome outcome in result.Outcomes[2..(steps.Length + 2)]) AssertNamesTheLimit(outcome, s_key);
        Assert.Equal(("created 1048576", "filled"), (result[steps.Length + 2].Did, result[steps.Length + 3].Did));
        Assert.Equal(NativeIpcError.AlreadyExists, result[steps.Length + 4].Error);
        Assert.Equal("disposed", result[steps.Length + 5].Did);
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_half_created_segment_is_not_recovered_beyond_the_limit()
    {
        Situation situation =
            DevShm with { MountFirst = DevShm.MountFirst + "; : > /dev/shm/size", After = "stat -c %s /dev/shm/size" };
        VictimResult result =
            Victims.Run(situation, "limit-file-size 1048576", $"segment-create-or-open {s_key} 4194304 timeout=0");
        AssertNamesTheLimit(result[1], s_key);
        Assert.Equal(["0"], result.OtherLines);
    }

    [Theory]
    [InlineData("umask 22")]
    [InlineData("refuse-tmpfile")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_limit_of_zero_lets_no_semaphore_be_made_and_those_that_exist_be_used(string calls)
    {
        VictimResult result =
            Victims.Run(DevShm, calls, $"segment-create {s_other} 4096", $"semaphore-create {s_other} 1",
            "limit-file-size 0",
            $"semaphore-create {s_key} 1", $"semaphore-create-or-open {s_key} 1", $"semaphore-reset {s_key} 1",
                $"semaphore-open {s_other}", "semaphore-acquire", "semaphore-release 1", "segment-lock",
                "segment-fill", "dispose");
        for (int i = 4; i < 7; i++) AssertNamesTheLimit(result[i], s_key);
        Assert.Equal(["opened", "acquired", "released", "locked", "filled", "disposed"],
            result.Outcomes[7..].Select(outcome => outcome.Did ?? outcome.Message!));
        result.LeftNothing();
    }

    /// <summary>The kernel asks where a write begins, not whether it makes the file longer.</summary>
    [Fact]
    public void A_segment_beyond_the_limit_is_opened_and_read_and_written_by_spans_and_a_call_that_writes_says_so()
    {
        VictimResult result =
            Victims.Run(DevShm, $"segment-create {s_key} 4194304", "limit-file-size 1048576", $"segment-open {s_key}",
            "segment-fill", "segment-copy-out", "segment-copy-in", "dispose");
        Assert.Equal(["opened 4194304", "filled", "read"],
            result.Outcomes[2..5].Select(outcome => outcome.Did ?? outcome.Message!));
        AssertNamesTheLimit(result[5], s_key);
        Assert.Equal("disposed", result[6].Did);
        result.LeftNothing();
    }

    [Theory]
    [InlineData("Reserve")]
    [InlineData("Sparse")]
    [InlineData("Populate")]
    public void System_V_segments_are_no_files_to_the_limit(string allocation)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        Victims.Run(Situation.Plain, "limit-file-size 0", $"segment-create {key} 4194304 allocation={allocation}",
            "segment-fill", "segment-copy-in", "segment-lock", "dispose")
            .Did("0 bytes", "created 4194304", "filled", "written", "locked", "disposed");
        Assert.False(File.Exists(key.NativeKey));
    }

    private static void AssertNamesTheLimit(Outcome outcome, NativeIpcKey key)
    {
        outcome.AssertSays(NativeIpcError.OutOfResources, key, "getrlimit", 0);
        Assert.Contains("ulimit -f", outcome.Message, StringComparison.Ordinal);
    }
}
