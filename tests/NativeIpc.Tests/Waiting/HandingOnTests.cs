using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Waiting.Async;
using Xunit;

namespace NativeIpc.Tests.Waiting;

/// <summary>Permits that a release hands to a task of the same instance, without the system in between.</summary>
public sealed class HandingOnTests
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    [Fact]
    public void Where_nobody_waits_a_release_is_left_to_the_system()
    {
        WaitQueue<bool> queue = new Nothing().Queue;
        Assert.False(queue.TryHandOn(true));
        Assert.False(queue.TryHandOn(true));
    }

    [Fact]
    public async Task The_first_release_is_left_to_the_system_and_the_next_ones_go_to_the_waits_in_their_order()
    {
        WaitQueue<bool> queue = new Nothing().Queue;
        Task<bool>[] waits = [.. Enumerable.Range(0, 3).Select(_ => Wait(queue))];
        Assert.False(queue.TryHandOn(true));
        for (int i = 0; i < waits.Length; i++)
        {
            HandOn(queue);
            Assert.True(await waits[i].WaitAsync(s_watchdog, TestContext.Current.CancellationToken));
            Assert.All(waits.AsSpan(i + 1).ToArray(), static wait => Assert.False(wait.IsCompleted));
        }

        Assert.False(queue.TryHandOn(true));
    }

    [Fact]
    public void It_is_the_turn_of_others_again_a_tenth_of_a_millisecond_later()
    {
        WaitQueue<bool> queue = new Nothing().Queue;
        Task<bool>[] waits = [.. Enumerable.Range(0, 2).Select(_ => Wait(queue))];
        HandOn(queue);
        var passed = Stopwatch.StartNew();
        while (passed.Elapsed < TimeSpan.FromMilliseconds(0.2)) Thread.Yield();
        Assert.False(queue.TryHandOn(true));
        Assert.Single(waits, static wait => !wait.IsCompleted);
    }

    [Fact]
    public void What_continues_at_once_is_never_continued_by_a_release()
    {
        WaitQueue<bool> queue = new Nothing(continuesAtOnce: true).Queue;
        Task<bool> wait = Wait(queue);
        for (int i = 0; i < 100; i++) Assert.False(queue.TryHandOn(true));
        Assert.False(wait.IsCompleted);
    }

    private static Task<bool> Wait(WaitQueue<bool> queue)
        => queue.WaitAsync(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken).AsTask();

    // On a busy machine the time may be over before the next call.
    private static void HandOn(WaitQueue<bool> queue)
    {
        var passed = Stopwatch.StartNew();
        while (!queue.TryHandOn(true)) Assert.True(passed.Elapsed < s_watchdog);
    }

    /// <summary>There is never anything to take.</summary>
    private sealed class Nothing : IAwaitable<bool>, IWaitSignal
    {
        public Nothing(bool continuesAtOnce = false) => Queue = new WaitQueue<bool>(this, continuesAtOnce);

        public WaitQueue<bool> Queue { get; }

        public IWaitSignal Signal => this;

        public nint Word => 0;

        public NativeIpcKey Key => default;

        public bool NeedsLooks => false;

        public WaitObject BeginUse() => throw new InvalidOperationException();

        public bool TryTake(uint seen, out bool taken, out bool isHeldUp) => taken = isHeldUp = false;

        public void AwaitMoment()
        {
        }

        public ObjectDisposedException Disposed() => new(nameof(Nothing));

        public void Arm(WaitQueue queue)
        {
        }

        public void Disarm(WaitQueue queue)
        {
        }

        public void Drain(WaitQueue queue)
        {
        }
    }
}
