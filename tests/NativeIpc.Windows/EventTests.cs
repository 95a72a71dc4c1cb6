using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>Events with a C program that uses CreateEvent, OpenEvent, SetEvent and ResetEvent, in both
/// directions.</summary>
public class EventTests : WindowsTest
{
    [Theory]
    [MemberData(nameof(Functions))]
    public void A_peer_uses_our_event(string functions)
    {
        NativeIpcKey key = NewKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        using Peer peer = Peer.Start();
        foreach (string access in new[] { "least", "all" })
            Assert.Equal("ok", peer.Ask("open-event", functions, key.NativeKey, access));
        Assert.Equal("ok existing", peer.Ask("make-event", functions, key.NativeKey, 0, 0));
        Assert.Equal("timeout", peer.Ask("await", 20));
        opened.Set();
        Assert.True(opened.TryGetIsSet(out bool isSet) && isSet);
        Assert.Equal("ok", peer.Ask("await", 0));
        Assert.False(opened.Wait(TimeSpan.Zero));
        peer.Ask("set");
        peer.Ask("set");
        Assert.True(opened.Wait(TimeSpan.Zero));
        Assert.False(opened.Wait(TimeSpan.Zero));
        peer.Ask("set");
        peer.Ask("reset");
        Assert.False(opened.Wait(TimeSpan.Zero));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public async Task We_use_a_peer_s_event_of_either_mode(string functions)
    {
        foreach (bool isManual in new[] { false, true })
        {
            string name = NewName();
            using Peer peer = Peer.Start();
            Assert.Equal("ok new", peer.Ask("make-event", functions, name, isManual ? 1 : 0, 1));
            using SystemEvent opened = SystemEvent.OpenExisting(Key(name));
            Assert.Equal(isManual ? EventResetMode.ManualReset : EventResetMode.AutoReset, opened.ResetMode);
            Assert.False(opened.CreatedNew);
            Assert.True(opened.Wait(TimeSpan.Zero));
            Assert.Equal(isManual, opened.Wait(TimeSpan.Zero));
            opened.Reset();
            Task blocked = Start(opened.Wait);
            Task pending = opened.WaitAsync(TestContext.Current.CancellationToken).AsTask();
            peer.Ask("set");
            if (!isManual)
            {
                await Soon(Task.WhenAny(blocked, pending));
                peer.Ask("set");
            }

            await Soon(Task.WhenAll(blocked, pending));
            EventResetMode other = isManual ? EventResetMode.AutoReset : EventResetMode.ManualReset;
            NativeIpcException refused = Assert.Throws<NativeIpcException>(
                () => SystemEvent.CreateOrOpen(Key(name), other));
            Assert.Equal(NativeIpcError.KeyError, refused.Error);
            Assert.Throws<NativeIpcException>(() => SystemEvent.CreateOrReset(Key(name), other));
            Fails(NativeIpcError.AlreadyExists, 183, () => SystemEvent.CreateNew(Key(name), other));
        }
    }

    [Fact]
    public void Each_Set_frees_exactly_one_across_processes()
    {
        NativeIpcKey there = NewKey(), back = NewKey();
        using SystemEvent first = SystemEvent.CreateNew(there, EventResetMode.AutoReset);
        using SystemEvent second = SystemEvent.CreateNew(back, EventResetMode.AutoReset);
        using Peer peer = Peer.Start();
        peer.Ask("open-event", "W", there.NativeKey, "all");
        const int Times = 500;
        peer.Tell("relay", Times, back.NativeKey);
        for (int i = 0; i < Times; i++)
        {
            first.Set();
            Assert.True(second.Wait(TimeSpan.FromSeconds(30)));
            Assert.False(second.Wait(TimeSpan.Zero));
        }

        Assert.Equal("ok", peer.Answer());
        Assert.False(first.Wait(TimeSpan.Zero));
    }

    [Fact]
    public async Task A_peer_s_Set_frees_all_asynchronous_waits()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        peer.Ask("make-event", "W", name, 1, 0);
        using SystemEvent opened = SystemEvent.OpenExisting(Key(name));
        for (int round = 0; round < 10; round++)
        {
            Task[] waits = new Task[20];
            for (int i = 0; i < waits.Length; i++)
                waits[i] = opened.WaitAsync(TestContext.Current.CancellationToken).AsTask();
            peer.Ask("set");
            await Soon(Task.WhenAll(waits));
            peer.Ask("reset");
            Assert.False(opened.Wait(TimeSpan.Zero));
        }
    }

    [Fact]
    public void An_event_goes_with_its_last_handle_and_another_kind_has_its_name()
    {
        NativeIpcKey key = NewKey();
        SystemEvent.CreateNew(key, EventResetMode.ManualReset).Dispose();
        Assert.False(SystemEvent.TryOpenExisting(key, out _));
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        Fails(NativeIpcError.KeyError, 6, () => SystemEvent.CreateNew(key, EventResetMode.AutoReset));
        Fails(NativeIpcError.KeyError, 6, () => SystemEvent.OpenExisting(key));
        Assert.Throws<PlatformNotSupportedException>(Remove);
        Assert.StartsWith("event_", SystemEvent.PlatformSafeKey("x").NativeKey, StringComparison.Ordinal);
#pragma warning disable CA1416 // that it is refused is what is tested
        void Remove() => SystemEvent.Remove(key);
#pragma warning restore CA1416
    }
}
