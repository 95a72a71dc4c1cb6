using Xunit;

namespace NativeIpc.Machine;

/// <summary>A process that ends normally without disposing leaves nothing behind; one that is killed leaves everything
/// usable.</summary>
[NeedsLinux("Looks at Linux's files.")]
public class ProcessEndTests
{
    private readonly NativeIpcKey[] _segments = [TestRun.NewKey(Backend.Posix), TestRun.NewKey(Backend.SystemV)];
    private readonly NativeIpcKey[] _semaphores = [TestRun.NewKey(Backend.Posix), TestRun.NewKey(Backend.SystemV)];

    private string[] MakeAll(string options = "") =>
    [
        $"segment-create {_segments[0]} 4096 {options}", "segment-lock",
        $"segment-create {_segments[1]} 4096 {options}", "segment-lock",
        $"semaphore-create {_semaphores[0]} 1 {options}", $"semaphore-create {_semaphores[1]} 1 {options}",
    ];

    private static void AssertMadeAll(VictimResult result)
        => Assert.Equal(["created 4096", "locked", "created 4096", "locked", "created", "created"],
            result.Outcomes[..6].Select(outcome => outcome.Did));

    private void AssertNothingLeft()
    {
        foreach (NativeIpcKey key in (NativeIpcKey[])[.. _segments, .. _semaphores])
        {
            Assert.False(SharedMemory.TryOpenExisting(key, out _), $"The segment {key} stayed.");
            Assert.False(SystemSemaphore.TryOpenExisting(key, out _), $"The semaphore or lock {key} stayed.");
            if (key.Type == TestRun.SystemV)
                Assert.False(File.Exists(key.NativeKey), $"The key file {key.NativeKey} stayed.");
        }
    }

    private void AssertAllLeft()
    {
        bool[] removed = [.. _segments.Select(SharedMemory.Remove), .. _semaphores.Select(SystemSemaphore.Remove)];
        Assert.Equal([true, true, true, true], removed);
        AssertNothingLeft(); // the locks went with the segments
    }

    [Theory]
    [InlineData("umask 22", 0)] // the program just comes to its end
    [InlineData("exit 3", 3)]
    public void A_normal_end_leaves_nothing(string last, int exitCode)
    {
        VictimResult result = Victims.Run(Situation.Plain, [.. MakeAll(), last]);
        AssertMadeAll(result);
        Assert.Equal(exitCode, result.ExitCode);
        AssertNothingLeft();
    }

    [Theory]
    [InlineData(1)] // SIGHUP
    [InlineData(2)] // SIGINT, Ctrl-C
    [InlineData(3)] // SIGQUIT
    [InlineData(15)] // SIGTERM
    public void A_signal_that_asks_to_end_leaves_nothing_and_ends_the_process_by_itself(int signal)
    {
        VictimResult result = Victims.Run(Situation.Plain, [.. MakeAll(), $"signal {signal}", "wait-for-ever"]);
        AssertMadeAll(result);
        Assert.Equal(128 + signal, result.ExitCode);
        AssertNothingLeft();
    }

    [Fact]
    public void A_signal_that_is_ignored_stays_ignored()
    {
        VictimResult result = Victims.Run(new Situation { Before = "trap '' HUP" },
            [.. MakeAll(), "signal 1", $"supports {(int)TestRun.SystemV}", $"segment-open {_segments[0]}",
                $"semaphore-open {_semaphores[1]}"]);
        AssertMadeAll(result);
        Assert.Equal(("opened 4096", "opened"), (result[8].Did, result[9].Did));
        Assert.Equal(0, result.ExitCode);
        AssertNothingLeft();
    }

    [Theory]
    [InlineData("removal=Keep", "umask 22")]
    [InlineData("exit=false", "umask 22")]
    [InlineData("exit=false", "signal 15")]
    [InlineData("", "signal 9")]
    public void What_is_not_to_be_removed_or_cannot_be_stays_usable(string options, string last)
    {
        VictimResult result = Victims.Run(Situation.Plain,
            last.StartsWith("signal", StringComparison.Ordinal)
                ? [.. MakeAll(options), last, "wait-for-ever"] : [.. MakeAll(options), last]);
        AssertMadeAll(result);
        foreach (NativeIpcKey key in _segments)
        {
            using SharedMemory segment = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite,
                new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
            Assert.Equal(4096, segment.Size);
        }

        AssertAllLeft();
    }
}
