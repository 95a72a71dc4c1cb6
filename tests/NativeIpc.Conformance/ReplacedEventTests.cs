using Xunit;

namespace NativeIpc.Conformance;

/// <summary>An event that a peer removed or replaced says so to those who have it open.</summary>
public abstract class ReplacedEventTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly SystemEventOptions s_kept = new() { Removal = RemovalPolicy.Keep };

    [Fact]
    public void One_that_is_left_alone_was_not_replaced()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        for (int i = 0; i < 20; i++) Assert.False(opened.WasReplaced);
        if (!OperatingSystem.IsWindows())
        {
            using SystemEvent reset = SystemEvent.CreateOrReset(key, EventResetMode.AutoReset, true, s_kept);
            Assert.False(opened.WasReplaced || reset.WasReplaced);
        }

        opened.Dispose();
        ObjectDisposedException failure = Assert.Throws<ObjectDisposedException>(() => opened.WasReplaced);
        Assert.Equal(typeof(SystemEvent).FullName, failure.ObjectName);
    }

    [BackendTheory(Needs.Leftovers | Needs.ComparedNames)]
    [InlineData(0)]
    [InlineData(20)] // after some looks a watch tells
    public void One_that_was_removed_says_so(int looks)
    {
        NativeIpcKey key = NextKey();
        using SystemEvent kept = SystemEvent.CreateNew(key, EventResetMode.ManualReset, options: s_kept);
        using SystemEvent opened = SystemEvent.OpenExisting(key);
        for (int i = 0; i < looks; i++) Assert.False(opened.WasReplaced);
        Assert.True(SystemEvent.Remove(key));
        Until(() => opened.WasReplaced);
    }

    [BackendTheory(Needs.Leftovers | Needs.ComparedNames)]
    [InlineData(0)]
    [InlineData(20)]
    public void One_that_another_process_replaced_says_so_and_the_new_one_does_not(int looks)
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: s_kept);
        for (int i = 0; i < looks; i++) Assert.False(opened.WasReplaced);
        SystemEvent.Remove(key);
        PeerProcess peer = Peer();
        peer.Ask($"event create e {key} auto 0");
        Until(() => opened.WasReplaced);
        using SystemEvent found = SystemEvent.OpenExisting(key);
        Assert.False(found.WasReplaced);
    }

    private static void Until(Func<bool> holds)
        => Assert.True(SpinWait.SpinUntil(holds, s_watchdog), "The watchdog went off.");
}
