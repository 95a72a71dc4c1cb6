using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A process that has no file descriptor left (ulimit -n) gets a clear error, and can still clean
/// up.</summary>
[NeedsLinux("Uses Linux's limits.")]
public class NoDescriptorTests
{
    private const int EMFILE = 24;

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Without_a_descriptor_every_call_is_out_of_resources(Backend backend)
    {
        NativeIpcKey there = TestRun.NewKey(backend);
        NativeIpcKey key = TestRun.NewKey(backend);
        string[] steps =
        [
            $"segment-create {key} 4096", $"segment-create-or-open {key} 4096", $"segment-open {there}",
            $"segment-read {there}", $"segment-try-open {there}", $"segment-remove {there}",
            $"semaphore-create {key} 1", $"semaphore-create-or-open {key} 1", $"semaphore-reset {key} 1",
            $"semaphore-open {there}", $"semaphore-try-open {there}", "segment-lock",
        ];
        VictimResult result = Victims.Run(Situation.Plain,
            [$"segment-create {there} 4096", $"semaphore-create {TestRun.NewKey(backend)} 1", "use-up-descriptors",
                .. steps, "segment-fill"]);

        Assert.Equal(steps.Length + 4, result.Outcomes.Length);
        Assert.EndsWith("error 24", result[2].Did, StringComparison.Ordinal);
        foreach (Outcome outcome in result.Outcomes[3..^1])
        {
            bool isOnThere = outcome.Step == "segment-lock"
                || outcome.Step.Contains(there.ToString()!, StringComparison.Ordinal);
            bool isShmOpen = backend == Backend.Posix && outcome.Step.StartsWith("segment-", StringComparison.Ordinal)
                && outcome.Step != "segment-lock" && !outcome.Step.Contains("remove", StringComparison.Ordinal)
                // Makes a file without a name first
                && !outcome.Step.StartsWith("segment-create posix", StringComparison.Ordinal);
            outcome.AssertSays(NativeIpcError.OutOfResources, isOnThere ? there : key,
                isShmOpen ? "shm_open" : "open", EMFILE);
        }

        Assert.Equal("filled", result.Outcomes[^1].Did);
        Assert.False(Path.Exists(backend == Backend.Posix ? TestRun.SegmentFile(there) : there.NativeKey),
            "The end of the process left it.");
    }

    [Theory]
    [InlineData(Backend.Posix, "dispose")]
    [InlineData(Backend.Posix, "exit 0")]
    [InlineData(Backend.SystemV, "dispose")]
    [InlineData(Backend.SystemV, "exit 0")]
    public void Without_a_descriptor_a_process_still_removes_its_objects(Backend backend, string end)
    {
        NativeIpcKey locked = TestRun.NewKey(backend);
        NativeIpcKey plain = TestRun.NewKey(backend);
        NativeIpcKey semaphore = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Plain,
            $"segment-create {locked} 4096", "segment-lock", $"segment-create {plain} 4096",
            $"semaphore-create {semaphore} 1", "use-up-descriptors", end, $"supports {(int)TestRun.SystemV}");

        Assert.Equal(("created 4096", "locked", "created 4096", "created"),
            (result[0].Did, result[1].Did, result[2].Did, result[3].Did));
        Assert.True(result.ExitCode == 0, $"It ended with {result.ExitCode}.\n{result.Error}");
        foreach (NativeIpcKey key in new[] { locked, plain, semaphore })
        {
            Assert.False(SharedMemory.TryOpenExisting(key, out _), $"The segment {key} stayed.");
            Assert.False(SystemSemaphore.TryOpenExisting(key, out _), $"The semaphore {key} stayed.");
            if (backend == Backend.SystemV)
                Assert.False(File.Exists(key.NativeKey), $"The key file {key.NativeKey} stayed.");
        }
    }

    /// <summary>What could not be opened was left out, so that nothing was there, and nothing was wrong.</summary>
    [Fact]
    public void Without_a_descriptor_a_look_at_the_machine_is_out_of_resources()
    {
        NativeIpcKey there = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(Situation.Plain,
            $"segment-create {there} 4096", "unseen", "findings Permissions", $"inspect {there}",
            "use-up-descriptors", "unseen", "findings Permissions", $"inspect {there}");
        Assert.NotNull(result[2].Did);
        Assert.Equal("inspected 4096", result[3].Did);
        foreach (Outcome outcome in result.Outcomes[5..])
        {
            Assert.True(outcome.Error == NativeIpcError.OutOfResources, $"{outcome}");
            Assert.Contains("ulimit -n", outcome.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>It was removed, and then the call failed for want of a descriptor for its key file.</summary>
    [Fact]
    public void Without_a_descriptor_for_its_key_file_a_System_V_object_of_the_list_stays()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        VictimResult result = Victims.Run(Situation.Plain, $"segment-create {key} 4096", $"segment-list {key}",
            "use-up-descriptors", "listed-remove", "signal 9", "wait-for-ever");
        Assert.Equal("listed", result[1].Did);
        result[3].AssertSays(NativeIpcError.OutOfResources, key, "open", EMFILE);
        Assert.True(SharedMemory.Remove(key));
    }
}
