using System.Diagnostics;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A semaphore that a peer removed or replaced says so to those who have it open.</summary>
public abstract class ReplacedSemaphoreTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly SystemSemaphoreOptions s_kept = new() { Removal = RemovalPolicy.Keep };

    [Fact]
    public void One_that_is_left_alone_was_not_replaced()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        for (int i = 0; i < 20; i++) Assert.False(semaphore.WasReplaced);
        semaphore.Dispose();
        Assert.Throws<ObjectDisposedException>(() => semaphore.WasReplaced);
    }

    [BackendTheory(Needs.Leftovers | Needs.ComparedNames)]
    [InlineData(0)]
    [InlineData(20)] // after some looks a watch tells
    public void One_that_was_removed_says_so(int looks)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore kept = SystemSemaphore.CreateNew(key, 1, s_kept);
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key);
        for (int i = 0; i < looks; i++) Assert.False(opened.WasReplaced);
        Assert.True(SystemSemaphore.Remove(key));
        Until(() => opened.WasReplaced);
    }

    [BackendTheory(Needs.Leftovers | Needs.ComparedNames | Needs.Recovery)]
    [InlineData(0)]
    [InlineData(20)]
    public void A_lock_that_another_process_replaced_says_so_to_its_holder(int looks)
    {
        NativeIpcKey key = NextGlibcKey();
        SystemSemaphoreOptions robust = new() { Robust = true, Removal = RemovalPolicy.Keep };
        using SystemSemaphore first = SystemSemaphore.CreateNew(key, 1, robust);
        using SystemSemaphore held = SystemSemaphore.OpenExisting(key, robust);
        held.Acquire();
        for (int i = 0; i < looks; i++) Assert.False(held.WasReplaced);
        SystemSemaphore.Remove(key);
        PeerProcess peer = Peer();
        peer.Ask($"sem create s {key} 1 robust");
        Assert.Equal("true", peer.Ask("sem tryacquire s"));
        Until(() => held.WasReplaced);
    }

    private static void Until(Func<bool> holds)
    {
        var watch = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(watch.Elapsed < s_watchdog, "The watchdog went off.");
            Thread.Yield();
        }
    }
}
