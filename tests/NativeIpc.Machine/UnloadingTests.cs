using Xunit;

namespace NativeIpc.Machine;

/// <summary>A collectible AssemblyLoadContext is unloaded after the library was used in it: threads, registrations and
/// watches end.</summary>
[NeedsLinux("Looks at Linux's files.")]
public class UnloadingTests
{
    private const string Unloaded = "unloaded";

    public static TheoryData<Backend, string, string> Uses => new(
        from backend in Enum.GetValues<Backend>()
        from use in new (string Step, string Did)[]
        {
            ("segment-create KEY 4096", "created 4096"), // a duty, with the registrations
            ("semaphore-create KEY 1", "created"),
            ("segment-create KEY 4096 exit=false", "created 4096"),
            ("segment-wait-for-own KEY 1", "False"), // the threads that sleepers and watched names need
            ("segment-wait-for-own-async KEY 1", "False"),
            ("segment-drop-locked KEY", "dropped"),
            ("segment-lock-often KEY 20", "locked"), // more looks at the name than are done without a watch
            ("segment-attend KEY", "attended"), // a handle that is watched for others who ask, which POSIX has
            ("life-thread", "NativeIpc lock owner"), // that of Windows, where no test can collect garbage (Wine)
            ("segment-wait-twice KEY", "waits"), // and what waits for ever ends with its object
        }
        where backend == Backend.Posix || !use.Step.Contains("attend", StringComparison.Ordinal)
        select (backend, use.Step, use.Did));

    [Theory]
    [MemberData(nameof(Uses))]
    public void After_all_is_disposed_a_collectible_context_unloads(Backend backend, string step, string did)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Plain,
            ["kernel-objects", $"copy a {step.Replace("KEY", $"{key}", StringComparison.Ordinal)}", "copy a dispose",
                "copy-unload a", "kernel-objects"]);
        result.Did(result[0].Did!, did, "disposed", Unloaded, result[0].Did!);
        Assert.False(SharedMemory.Remove(key) || SystemSemaphore.Remove(key));
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public void What_is_used_after_the_unloading_has_begun_works_and_ends_too(Backend backend, string step, string did)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Plain,
        [
            "kernel-objects", "copy a supports 1", "copy-begin-unload a",
            $"copy a {step.Replace("KEY", $"{key}", StringComparison.Ordinal)}", "copy a dispose", "copy-unload a",
            "kernel-objects",
        ]);
        result.Did(result[0].Did!, result[1].Did!, "asked", did, "disposed", Unloaded, result[0].Did!);
        Assert.False(SharedMemory.Remove(key) || SystemSemaphore.Remove(key));
    }

    /// <summary>By then the handlers are taken out of the event, and the context is still listed.</summary>
    [Theory]
    [MemberData(nameof(Uses))]
    public void What_is_used_first_by_a_handler_of_the_unloading_ends_too(Backend backend, string step, string did)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Plain,
        [
            "kernel-objects", $"copy-begin-unload-with a {step.Replace("KEY", $"{key}", StringComparison.Ordinal)}",
            "copy a dispose", "copy-unload a", "kernel-objects",
        ]);
        result.Did(result[0].Did!, did, "disposed", Unloaded, result[0].Did!);
        Assert.False(SharedMemory.Remove(key) || SystemSemaphore.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void What_was_not_disposed_is_let_go_of_by_the_unloading(Backend backend)
    {
        NativeIpcKey[] keys = [TestRun.NewKey(backend), TestRun.NewKey(backend)];
        VictimResult result = Victims.Run(Situation.Plain,
            [$"copy a segment-create {keys[0]} 100", "copy a segment-lock", $"copy a semaphore-create {keys[1]} 1",
                "copy-unload a", $"segment-try-open {keys[0]}", $"semaphore-try-open {keys[1]}"]);
        result.Did("created 100", "locked", "created", Unloaded, "missing", "missing");
        Assert.False(SharedMemory.Remove(keys[0]) || SystemSemaphore.Remove(keys[0])
            || SystemSemaphore.Remove(keys[1]));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void What_is_not_disposed_while_the_context_unloads_goes_at_the_end_of_the_process(Backend backend)
    {
        foreach (string end in new[] { "umask 22", "signal 15" })
        {
            NativeIpcKey[] keys = [TestRun.NewKey(backend), TestRun.NewKey(backend)];
            string[] last = end.StartsWith("signal", StringComparison.Ordinal) ? [end, "wait-for-ever"] : [end];
            VictimResult result = Victims.Run(Situation.Plain,
                [$"copy a segment-create {keys[0]} 100", "copy a segment-lock", $"copy a semaphore-create {keys[1]} 1",
                    "copy-begin-unload a", .. last]);
            Assert.Equal(["created 100", "locked", "created", "asked"],
                result.Outcomes[..4].Select(outcome => outcome.Did));
            Assert.False(SharedMemory.Remove(keys[0]) | SystemSemaphore.Remove(keys[0])
                | SystemSemaphore.Remove(keys[1]));
        }
    }

    [Fact]
    public void A_listener_outside_of_the_context_does_not_keep_it()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(Situation.Plain,
            ["listen", $"copy a segment-create {key} 100", "copy a dispose", "copy-unload a", "events"]);
        result.Did("listens", "created 100", "disposed", Unloaded, "");
    }
}
