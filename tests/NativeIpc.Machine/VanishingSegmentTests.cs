using Xunit;

namespace NativeIpc.Machine;

/// <summary>kernel.shm_rmid_forced=1: the kernel removes a System V segment when nobody is attached any more.</summary>
[NeedsLinux("A setting of Linux.")]
public class VanishingSegmentTests
{
    private const string Setting = "kernel.shm_rmid_forced";

    private static Situation With(int value)
        => new() { IsPrivateIpc = true, Before = $"echo {value} > /proc/sys/kernel/shm_rmid_forced",
        After = Situation.ListSystemV };

    [Theory]
    [InlineData("Keep")]
    [InlineData("Default")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Making_a_segment_says_so_once(string removal)
    {
        NativeIpcKey first = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey second = TestRun.NewKey(Backend.SystemV);
        try
        {
            VictimResult result =
                Victims.Run(With(1), "listen", $"semaphore-create {first} 1", "events",
                $"segment-create {first} 100 "
                    + $"removal={removal}", "events", $"segment-create {second} 100 "
                    + $"removal={removal}", "events", "findings RemovedWithoutUsers", "dispose");
            Assert.Equal("", result[2].Did);
            Assert.Contains(Setting, result[4].Did, StringComparison.Ordinal);
            Assert.Contains(first.NativeKey, result[4].Did, StringComparison.Ordinal);
            Assert.Equal("", result[6].Did);
            Assert.Contains($"sysctl -w {Setting}=0", result[7].Did, StringComparison.Ordinal);
            Assert.StartsWith("Warning: ", result[7].Did, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(first.NativeKey);
            File.Delete(second.NativeKey);
        }
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Nothing_is_said_where_the_setting_is_off()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        VictimResult result =
            Victims.Run(With(0), "listen", $"segment-create {key} 100", "events", "findings RemovedWithoutUsers",
            "dispose");
        Assert.Equal(("", ""), (result[2].Did, result[3].Did));
        result.LeftNothing();
    }

    [Theory]
    [InlineData("dispose", "Default", true)]
    [InlineData("exit 0", "Default", true)]
    [InlineData("dispose", "Default", false)]
    [InlineData("exit 0", "Default", false)]
    [InlineData("dispose", "Creator", true)]
    [InlineData("exit 0", "Creator", true)]
    [NeedsRoot(Victims.WhyRoot)]
    public void What_belongs_to_a_segment_that_the_kernel_removed_goes_with_the_last_one_out(string end,
        string removal, bool locks)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        VictimResult result =
            Victims.Run(With(1), $"segment-create {key} 100 removal={removal} lock={locks}",
            locks ? "segment-lock" : "umask 22", "segment-fill", end);
        Assert.Equal(("created 100", "filled"), (result[0].Did, result[2].Did));
        result.LeftNothing();
        Assert.False(File.Exists(key.NativeKey), "The key file stayed.");
    }
}
