using Xunit;

namespace NativeIpc.NamedObjects.Tests;

public sealed class EventTests : NamedObjectTests
{
    [Fact]
    public void A_set_of_an_auto_reset_event_lets_one_in()
    {
        string name = NextName();
        PeerProcess first = Peer(), second = Peer();
        using var mine = new NamedEvent(false, EventResetMode.AutoReset, name, out bool createdNew);
        Assert.True(createdNew);
        first.Ask($"open event e {name}");
        second.Ask($"open event e {name}");
        Assert.True(mine.Set());
        Assert.True(mine.Set()); // it is set
        first.Post("wait e 20");
        Assert.Equal("true", first.Answer());
        second.Post("wait e 20");
        Assert.Equal("false", second.Answer());
        second.Post("wait e");
        second.Await("acquiring");
        first.Ask("set e");
        Assert.Equal("true", second.Answer());
        Assert.False(mine.WaitOne(0));
    }

    [Fact]
    public void A_set_of_a_manual_reset_event_lets_all_in_until_it_is_reset()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        Assert.Equal("true", peer.Ask($"event e {name} true manual"));
        using var mine = new NamedEvent(false, EventResetMode.AutoReset, name, out bool createdNew);
        Assert.False(createdNew); // and it is the one of the other mode
        Assert.True(mine.WaitOne());
        Assert.True(mine.WaitOne(0));
        Assert.True(mine.Reset());
        Assert.False(mine.WaitOne(20));
        peer.Post("wait e");
        peer.Await("acquiring");
        mine.Set();
        Assert.Equal("true", peer.Answer());
    }

    [Fact]
    public void It_goes_with_its_last_handle_also_with_killed_processes()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using (new NamedEvent(true, EventResetMode.ManualReset, name)) peer.Ask($"open event e {name}");
        using (NamedEvent found = NamedEvent.OpenExisting(name)) Assert.True(found.WaitOne(0));
        peer.Kill();
        Assert.Throws<WaitHandleCannotBeOpenedException>(() => NamedEvent.OpenExisting(name));
        Assert.False(NamedEvent.TryOpenExisting(name, out _));
        Assert.Empty(FilesOf(name));
        PeerProcess next = Peer();
        next.Ask($"event e {name} true manual");
        next.Kill();
        using var anew = new NamedEvent(false, EventResetMode.AutoReset, name, out bool createdNew);
        Assert.True(createdNew);
        Assert.False(anew.WaitOne(0));
    }

    [Fact]
    public void Arguments_are_those_of_NET()
    {
        Assert.Throws<ArgumentException>(() => new NamedEvent(false, (EventResetMode)7, NextName()));
        Assert.Throws<ArgumentNullException>(() => NamedEvent.OpenExisting(null!));
        Assert.Throws<ArgumentException>(() => NamedEvent.OpenExisting(""));
        var mine = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        mine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => mine.Set());
        Assert.Throws<ObjectDisposedException>(() => mine.WaitOne());
        using var local = new NamedEvent(true, EventResetMode.AutoReset);
        using var other = new NamedEvent(false, EventResetMode.AutoReset, "", out bool createdNew);
        Assert.True(createdNew);
        Assert.Equal(1, WaitHandle.WaitAny([other, local]));
    }

    [Fact]
    [NeedsLinux("It counts what this thread allocates.")]
    public void Setting_and_waiting_allocate_nothing()
    {
        using var mine = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        for (int i = 0; i < 100; i++)
        {
            mine.Set();
            mine.WaitOne();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            mine.Set();
            mine.WaitOne();
            mine.Set();
            mine.WaitOne(5);
            mine.Reset();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
