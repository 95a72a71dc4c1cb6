using Xunit;

namespace NativeIpc.Machine;

/// <summary>Several copies of the library in a process, as plug-ins bring them: at a signal that ends it, each removes
/// what it owns.</summary>
[NeedsLinux("Looks at Linux's files.")]
public class CopiesTests
{
    private readonly NativeIpcKey[] _keys =
        [.. Enumerable.Range(0, 6).Select(i => TestRun.NewKey(i % 2 == 0 ? Backend.Posix : Backend.SystemV))];

    private string[] MakeIn(string copy, int first)
        => [$"{copy} segment-create {_keys[first]} 100".Trim(), $"{copy} segment-create {_keys[first + 1]} 100".Trim()];

    private void AssertNothingLeft() => Assert.DoesNotContain(true, _keys.Select(SharedMemory.Remove).ToArray());

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(15)]
    public void What_any_of_the_copies_owns_goes_at_a_signal(int signal)
    {
        VictimResult result = Victims.Run(Situation.Plain,
            [.. MakeIn("copy a", 0), .. MakeIn("copy b", 2), .. MakeIn("", 4), $"signal {signal}", "wait-for-ever"]);
        Assert.All(result.Outcomes[..6], outcome => Assert.Equal("created 100", outcome.Did));
        Assert.Equal(128 + signal, result.ExitCode);
        AssertNothingLeft();
    }

    [Fact]
    public void A_handler_that_cancels_keeps_what_any_of_the_copies_owns_until_the_end()
    {
        VictimResult result = Victims.Run(Situation.Plain,
            [.. MakeIn("copy a", 0), .. MakeIn("copy b", 2), "on-signal 15 cancel", "signal 15", "await-handlers",
                .. _keys[..4].Select(key => $"segment-open {key}")]);
        Assert.All(result.Outcomes[7..], outcome => Assert.Equal("opened 100", outcome.Did));
        AssertNothingLeft();
    }

    /// <summary>SIGINT and SIGQUIT are not taken over: the runtime catches them for the console by then, and whether
    /// for somebody else it does not tell.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    public void When_the_first_copy_is_unloaded_the_next_one_takes_over(int signal)
    {
        VictimResult result = Victims.Run(Situation.Plain,
        [
            $"copy a segment-create {_keys[0]} 100", .. MakeIn("copy b", 2), .. MakeIn("copy c", 4),
            "copy a dispose", "copy-unload a", $"signal {signal}", "wait-for-ever",
        ]);
        Assert.Equal("unloaded", result[6].Did);
        Assert.Equal(128 + signal, result.ExitCode);
        AssertNothingLeft();
    }

    [Fact]
    public void When_the_first_copy_is_unloaded_and_somebody_else_handles_the_signal_nothing_is_removed_at_it()
    {
        VictimResult result = Victims.Run(Situation.Plain,
        [
            $"copy a segment-create {_keys[0]} 100", $"copy b segment-create {_keys[2]} 100", "on-signal 15 cancel",
            "copy a dispose", "copy-unload a", "signal 15", "await-handlers", $"segment-open {_keys[2]}",
        ]);
        Assert.Equal(("unloaded", "opened 100"), (result[4].Did, result[7].Did));
        AssertNothingLeft();
    }
}
