using Xunit;

namespace NativeIpc.Machine;

/// <summary>Processes that end while they, or others with them, are in the middle of something.</summary>
[NeedsLinux("Looks at Linux's files.")]
[Slow]
public class BusyEndTests
{
    private static readonly int s_times = Sample.Of(10, 3);

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Ctrl_C_for_a_group_of_waiting_processes_leaves_nothing(Backend backend)
    {
        for (int time = 0; time < s_times; time++)
        {
            NativeIpcKey segment = TestRun.NewKey(backend);
            NativeIpcKey semaphore = TestRun.NewKey(backend);
            (int[] exitCodes, string said) = Victims.RunGroup(4, "INT", "\"waits\"",
                $"segment-create-or-open {segment} 4096", $"semaphore-create-or-open {semaphore} 0",
                "semaphore-acquire-in-thread", "wait-for-ever");
            Assert.True(exitCodes is [130, 130, 130, 130],
                $"Time {time}: ended with {string.Join(", ", exitCodes)}.\n{said}");
            AssertNothingLeft(segment, $"time {time}\n{said}");
            AssertNothingLeft(semaphore, $"time {time}\n{said}");
        }
    }

    [Theory]
    [InlineData(Backend.Posix, "segment", 0)]
    [InlineData(Backend.Posix, "segment", 15)]
    [InlineData(Backend.Posix, "semaphore", 0)]
    [InlineData(Backend.Posix, "semaphore", 15)]
    [InlineData(Backend.SystemV, "segment", 0)]
    [InlineData(Backend.SystemV, "segment", 15)]
    [InlineData(Backend.SystemV, "semaphore", 0)]
    [InlineData(Backend.SystemV, "semaphore", 15)]
    public void An_end_while_a_thread_makes_and_disposes_objects_leaves_nothing(Backend backend,
        string kind, int signal)
    {
        for (int time = 0; time < s_times; time++)
        {
            NativeIpcKey key = TestRun.NewKey(backend);
            string[] end = signal == 0 ? [] : [$"signal {signal}", "wait-for-ever"];
            VictimResult result = Victims.Run(Situation.Plain, [$"{kind}-churn {key}", .. end]);
            Assert.Equal("churns", result[0].Did);
            AssertNothingLeft(key, $"time {time}\n{result.Error}");
            Assert.True(result.ExitCode == (signal == 0 ? 0 : 128 + signal),
                $"Time {time}: ended with {result.ExitCode}.\n{result.Error}");
        }
    }

    [Theory]
    [InlineData(Backend.Posix, 0)]
    [InlineData(Backend.Posix, 15)]
    [InlineData(Backend.SystemV, 0)]
    [InlineData(Backend.SystemV, 15)]
    public void An_end_with_a_pending_wait_for_the_lock_of_a_segment_leaves_nothing(Backend backend, int signal)
    {
        for (int time = 0; time < s_times; time++)
        {
            NativeIpcKey key = TestRun.NewKey(backend);
            string[] end = signal == 0 ? [] : [$"signal {signal}", "wait-for-ever"];
            VictimResult result = Victims.Run(Situation.Plain, [$"segment-wait-twice {key}", .. end]);
            Assert.Equal("waits", result[0].Did);
            AssertNothingLeft(key, $"time {time}\n{result.Error}");
            Assert.True(result.ExitCode == (signal == 0 ? 0 : 128 + signal),
                $"Time {time}: ended with {result.ExitCode}.\n{result.Error}");
        }
    }

    private static void AssertNothingLeft(NativeIpcKey key, string where)
    {
        bool[] left = [SharedMemory.Remove(key), SystemSemaphore.Remove(key),
            key.Type == TestRun.SystemV && File.Exists(key.NativeKey)];
        if (left[2]) File.Delete(key.NativeKey);
        Assert.True(!left.Contains(true), $"Left: segment {left[0]}, semaphore {left[1]}, key file {left[2]}; {where}");
    }
}
