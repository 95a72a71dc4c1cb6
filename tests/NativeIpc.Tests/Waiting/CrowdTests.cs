using NativeIpc.Waiting.Bounds;
using Xunit;

namespace NativeIpc.Tests.Waiting;

/// <summary>How many threads want each processor, and the bounds that count on it.</summary>
public sealed class CrowdTests : IDisposable
{
    public void Dispose() => Crowd.t_instead = null;

    [Theory]
    [InlineData("0.20 0.18 0.12 1/80 11206", 2, 1)]
    [InlineData("70.00 35.00 9.00 72/400 11206\n", 2, 36)]
    [InlineData("70.00 35.00 9.00 3/400 11206", 2, 1.5)]
    [InlineData("70.00 35.00 9.00 3/400 11206", 64, 1)]
    [InlineData("0.00 0.00 0.00", 2, 1)]
    [InlineData("", 2, 1)]
    [InlineData("a b c d/e f", 2, 1)]
    public void It_is_read_from_the_systems_line(string line, int processors, double times)
        => Assert.Equal(times, Crowd.Parse(line, processors));

    [Fact]
    public void This_machine_has_one_thread_for_a_processor_at_least() => Assert.True(Crowd.Times >= 1);

    [Fact]
    public void A_bound_is_longer_in_a_crowd_and_only_for_who_says_so()
    {
        var backoff = new Backoff(TimeSpan.FromTicks(1));
        Crowd.t_instead = () => 1e12;
        while (backoff.Pause()) Assert.True(backoff.Pauses < 1000);
        Assert.True(backoff.PauseInCrowd());
        Assert.False(backoff.Pause());
        Crowd.t_instead = () => 1;
        Assert.False(backoff.PauseInCrowd());
    }

    [Fact]
    public void Where_nothing_is_waited_for_a_crowd_does_not_change_that()
    {
        Crowd.t_instead = () => 1e12;
        var none = new Backoff(TimeSpan.Zero);
        Assert.False(none.PauseInCrowd());
    }
}
