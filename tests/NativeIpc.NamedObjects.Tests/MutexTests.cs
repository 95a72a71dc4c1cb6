using Xunit;

namespace NativeIpc.NamedObjects.Tests;

public sealed class MutexTests : NamedObjectTests
{
    [Fact]
    public void One_thread_of_all_processes_owns_it()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        Assert.Equal("true", peer.Ask($"mutex m {name} true"));
        using var mine = new NamedMutex(true, name, out bool createdNew);
        Assert.False(createdNew);
        Assert.False(mine.WaitOne(0)); // one that is there is not taken
        Assert.Throws<ApplicationException>(mine.ReleaseMutex);
        peer.Ask("release m");
        Assert.True(mine.WaitOne());
        OnAnotherThread(() =>
        {
            Assert.False(mine.WaitOne(20));
            Assert.Throws<ApplicationException>(mine.ReleaseMutex);
        });
        peer.Post("wait m");
        peer.Await("acquiring");
        mine.ReleaseMutex();
        Assert.Equal("true", peer.Answer());
    }

    [Fact]
    public void Its_owner_takes_it_again_by_any_instance_and_releases_as_often()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using var first = new NamedMutex(true, name, out bool createdNew);
        Assert.True(createdNew);
        using NamedMutex second = NamedMutex.OpenExisting(name);
        peer.Ask($"open mutex m {name}");
        Assert.True(second.WaitOne(0));
        Assert.True(first.WaitOne());
        first.ReleaseMutex();
        first.ReleaseMutex();
        peer.Post("wait m 1");
        Assert.Equal("false", peer.Answer());
        second.ReleaseMutex();
        Assert.Throws<ApplicationException>(first.ReleaseMutex);
        Assert.Equal("true", Wait(peer, "m"));
    }

    [Fact]
    public void The_next_owner_is_told_once_of_a_killed_one_and_owns_it()
    {
        string name = NextName();
        PeerProcess victim = Peer(), waiter = Peer();
        using var mine = new NamedMutex(false, name);
        victim.Ask($"open mutex m {name}");
        waiter.Ask($"open mutex m {name}");
        Assert.Equal("true", Wait(victim, "m"));
        waiter.Post("wait m");
        waiter.Await("acquiring");
        victim.Kill();
        Assert.Equal("abandoned", waiter.Answer());
        Assert.False(mine.WaitOne(0));
        waiter.Ask("release m");
        Assert.True(mine.WaitOne(Watchdog));
        mine.ReleaseMutex();
    }

    [Fact]
    public void A_killed_owner_is_told_to_one_that_waits_later_with_a_time()
    {
        string name = NextName();
        PeerProcess victim = Peer();
        using var mine = new NamedMutex(false, name);
        victim.Ask($"mutex m {name} false");
        Wait(victim, "m");
        victim.Kill();
        Assert.Throws<AbandonedMutexException>(() => mine.WaitOne(Watchdog));
        Assert.True(mine.WaitOne(0));
        mine.ReleaseMutex();
        mine.ReleaseMutex();
        Assert.True(mine.WaitOne(0));
        mine.ReleaseMutex();
    }

    [Fact]
    public void The_next_owner_is_told_of_a_thread_that_ended_in_a_process_that_lives()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using var mine = new NamedMutex(false, name);
        peer.Ask($"open mutex m {name}");
        peer.Ask("leave m");
        Assert.Throws<AbandonedMutexException>(() => mine.WaitOne(Watchdog));
        mine.ReleaseMutex();

        OnAnotherThread(() => Assert.True(mine.WaitOne())); // of this process, too
        Assert.Equal("abandoned", Wait(peer, "m"));
        peer.Ask("release m");
        OnAnotherThread(() => Assert.True(mine.WaitOne()));
        Assert.Throws<AbandonedMutexException>(() => mine.WaitOne());
        mine.ReleaseMutex();
        Assert.True(mine.WaitOne(0));
        mine.ReleaseMutex();
    }

    [Fact]
    public void An_owner_that_disposes_its_last_handle_abandons_it()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        peer.Ask($"mutex m {name} true");
        using NamedMutex mine = NamedMutex.OpenExisting(name);
        if (OperatingSystem.IsWindows()) return; // there when the thread ends
        peer.Ask("dispose m");
        Assert.Throws<AbandonedMutexException>(() => mine.WaitOne(Watchdog));
        mine.ReleaseMutex();
    }

    [Fact]
    public void It_goes_with_its_last_handle_whoever_owns_it()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        var mine = new NamedMutex(true, name);
        mine.Dispose();
        Assert.False(NamedMutex.TryOpenExisting(name, out _));
        peer.Ask($"mutex m {name} true");
        peer.Kill();
        Assert.Throws<WaitHandleCannotBeOpenedException>(() => NamedMutex.OpenExisting(name));
        using var anew = new NamedMutex(true, name, out bool createdNew);
        Assert.True(createdNew);
        anew.ReleaseMutex();
        Assert.Throws<ApplicationException>(anew.ReleaseMutex);
        mine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => mine.WaitOne());
        Assert.Throws<ObjectDisposedException>(mine.ReleaseMutex);
    }

    [Fact]
    public void An_instance_that_is_disposed_leaves_the_others_of_the_process()
    {
        string name = NextName();
        var first = new NamedMutex(true, name);
        using var second = new NamedMutex(false, name);
        first.Dispose();
        Assert.True(second.WaitOne(0));
        second.ReleaseMutex();
        second.ReleaseMutex();
    }

    [Fact]
    public void One_of_many_that_make_it_at_once_owns_it()
    {
        for (int round = 0; round < 20; round++)
        {
            string name = NextName();
            PeerProcess[] peers = [Peer(), Peer()];
            foreach (PeerProcess peer in peers) peer.Post($"mutex m {name} true");
            string[] created = [.. peers.Select(peer => peer.Answer())];
            Assert.Single(created, "true");
            for (int i = 0; i < peers.Length; i++)
            {
                if (created[i] == "true") peers[i].Ask("release m");
                else Assert.Equal("ApplicationException", peers[i].AskFailing("release m"));
            }

            foreach (PeerProcess peer in peers) peer.Kill();
        }
    }

    [Fact]
    public void Processes_that_count_under_it_lose_nothing()
    {
        const int times = 3000;
        string name = NextName();
        PeerProcess[] peers = [Peer(), Peer(), Peer()];
        foreach (PeerProcess peer in peers)
        {
            peer.Ask($"mutex m {name} false");
            peer.Ask($"map n {name}.map 16");
            peer.Post($"count m n {times}");
        }

        foreach (PeerProcess peer in peers) peer.Answer();
        using NamedMemory map = NamedMemory.OpenExisting($"{name}.map");
        using NamedMemoryViewAccessor view = map.CreateViewAccessor();
        Assert.Equal(peers.Length * times, view.ReadInt32(0));
    }

    [Fact]
    public void Without_a_name_it_is_the_systems_own()
    {
        using var mine = new NamedMutex(true);
        using var other = new NamedMutex();
        using var third = new NamedMutex("", default(NamedWaitHandleOptions));
        Assert.Equal(0, WaitHandle.WaitAny([mine, other]));
        mine.ReleaseMutex();
        mine.ReleaseMutex();
        Assert.Throws<ApplicationException>(mine.ReleaseMutex);
        Assert.True(third.WaitOne(0));
        third.ReleaseMutex();
    }

    [Fact]
    [NeedsLinux("It counts what this thread allocates.")]
    public void Taking_and_releasing_allocate_nothing()
    {
        using var mine = new NamedMutex(false, NextName());
        for (int i = 0; i < 100; i++)
        {
            mine.WaitOne();
            mine.ReleaseMutex();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            mine.WaitOne();
            mine.WaitOne(5);
            mine.ReleaseMutex();
            mine.ReleaseMutex();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
