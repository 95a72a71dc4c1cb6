using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>The thread that wakes sleepers waits for none of them: one that does not come up is woken again by the
/// watching thread.</summary>
[NeedsLinux("The watching thread is Linux's.")]
public sealed class SleepWatchTests
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    /// <summary>A sleeper that comes up after it was woken a number of times, as one that has looked and is not asleep
    /// yet.</summary>
    private sealed class Sleeper(nint place, int times) : ISleeper
    {
        private int _left = times;

        public ManualResetEventSlim IsUp { get; } = new();

        public List<int> Threads { get; } = [];

        public bool IsAsleep => place != 0;

        public bool SleepsWithin(nint first, nint end) => place >= first && place < end;

        public bool TryWake() => TryWakeAgain();

        public bool TryWakeAgain()
        {
            lock (Threads) Threads.Add(Environment.CurrentManagedThreadId);
            if (Interlocked.Decrement(ref _left) > 0) return false;
            IsUp.Set();
            return true;
        }

        public void Nudge()
        {
        }
    }

    [Fact]
    public void A_sleeper_that_does_not_come_up_is_woken_again_by_the_watching_thread()
    {
        var late = new Sleeper(17, 5);
        var other = new Sleeper(17, 1);
        SleepWatch.Add(late);
        SleepWatch.Add(other);

        SleepWatch.WakeAll(17);

        Assert.True(other.IsUp.IsSet);
        Assert.True(late.IsUp.Wait(s_watchdog, TestContext.Current.CancellationToken));
        lock (late.Threads)
        {
            Assert.Equal(Environment.CurrentManagedThreadId, late.Threads[0]);
            Assert.Single(late.Threads.Skip(1).Distinct());
            Assert.DoesNotContain(Environment.CurrentManagedThreadId, late.Threads.Skip(1));
        }

        GC.KeepAlive(late);
    }

    // The process lives until the test has seen that its end was not told yet; then its input ends, and it with it.
    [Fact]
    public void A_sleeper_that_never_comes_up_keeps_no_other_one_from_hearing_of_an_end()
    {
        var stuck = new Sleeper(18, int.MaxValue);
        var other = new Sleeper(19, 1);
        SleepWatch.Add(stuck);
        SleepWatch.Add(other);
        SleepWatch.Ensure();
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("cat") { RedirectStandardInput = true })!;
        using SleepWatch.Watch ofStuck = SleepWatch.EndOf(process.Id, stuck);
        using SleepWatch.Watch ofOther = SleepWatch.EndOf(process.Id, other);
        Assert.False(other.IsUp.IsSet);

        process.StandardInput.Close();

        Assert.True(other.IsUp.Wait(s_watchdog, TestContext.Current.CancellationToken));
        GC.KeepAlive(stuck);
    }
}
