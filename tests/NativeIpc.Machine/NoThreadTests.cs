using Xunit;

namespace NativeIpc.Machine;

/// <summary>
/// No further thread can be started (ulimit -u, pids.max): blocking waits do without, asynchronous ones say why they
/// cannot, and nothing is lost.
/// </summary>
[NeedsLinux("Uses Linux's limits.")]
public class NoThreadTests
{
    // The runtime's own compiler wants a thread now and then
    private static readonly Situation s_nobody =
        Situation.Nobody with { Environment = new() { ["DOTNET_TieredCompilation"] = "0" } };

    [Theory]
    [InlineData(Backend.Posix, "")]
    [InlineData(Backend.Posix, "NativeIpc.NoIoUring")]
    [InlineData(Backend.Posix, "NativeIpc.PortableWaits")]
    [InlineData(Backend.SystemV, "")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_blocking_wait_works_and_an_asynchronous_one_names_the_limit(Backend backend, string turnedOn)
    {
        NativeIpcKey semaphore = TestRun.NewKey(backend);
        NativeIpcKey segment = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(s_nobody,
            [$"switch {(turnedOn.Length == 0 ? "NativeIpc.None" : turnedOn)}", $"semaphore-create {semaphore} 0",
                $"segment-create {segment} 4096", "segment-lock", $"segment-open {segment}", "limit-threads",
            "semaphore-wait 120", "segment-wait 120", "semaphore-fail-async 1", "segment-fail-async 1",
            "lift-limit-of-threads", "semaphore-wait-async 20", "segment-wait-async 20",
            "semaphore-wait 1", "semaphore-release 1", "semaphore-wait 1", "dispose"]);
        foreach (int failed in new[] { 8, 9 })
        {
            Assert.StartsWith("OutOfResources 0 few: ", result[failed].Did, StringComparison.Ordinal);
            Assert.Contains("ulimit -u", result[failed].Did, StringComparison.Ordinal);
            Assert.Contains("pids.max", result[failed].Did, StringComparison.Ordinal);
        }

        string?[] others = [.. result.Outcomes.Where((_, i) => i is not (8 or 9))
            .Select(outcome => outcome.Did ?? $"{outcome.Exception}: {outcome.Message}")];
        Assert.Equal(["switched", "created", "created 4096", "locked", "opened 4096", "limited", "False", "False",
            "lifted", "False", "False", "False", "released", "True", "disposed"], others);
    }
}
