using Xunit;

namespace NativeIpc.Machine;

/// <summary>A process without standard input and error: what it prints, or reads, must not be an object.</summary>
[NeedsLinux("Looks into /proc.")]
public class StandardDescriptorTests
{
    [Theory]
    [InlineData("")]
    [InlineData("NativeIpc.PlainPosixCalls")]
    public void No_descriptor_of_ours_is_a_standard_one(string turnedOn)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(Situation.Plain,
            $"switch {(turnedOn.Length == 0 ? "NativeIpc.None" : turnedOn)}", "close 0 2", $"segment-create {key} 4096",
            "segment-lock", $"segment-open {key}", "segment-wait 1", "segment-wait-async 1",
            $"semaphore-create {semaphore} 0", "semaphore-wait-async 1", "descriptors-of /dev/shm",
            "descriptors-of anon_inode", "dispose");
        Assert.Equal(["closed", "created 4096", "locked", "opened 4096", "False", "False", "created", "False"],
            result.Outcomes[1..9].Select(outcome => outcome.Did ?? outcome.Message));
        Assert.NotEmpty(result[9].Did!);
        foreach (int step in new[] { 9, 10 })
            Assert.DoesNotContain(result[step].Did!.Split(' '), number => number is "0" or "2");
        Assert.Equal("disposed", result[11].Did);
    }
}
