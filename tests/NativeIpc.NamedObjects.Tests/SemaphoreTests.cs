using Xunit;

namespace NativeIpc.NamedObjects.Tests;

public sealed class SemaphoreTests : NamedObjectTests
{
    [Fact]
    public void Processes_share_the_count_and_the_maximum()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        Assert.Equal("true", peer.Ask($"sem s {name} 1 3"));
        using var mine = new NamedSemaphore(7, 9, name, out bool createdNew); // the counts have no effect
        Assert.False(createdNew);
        Assert.Equal(1, mine.Release(2));
        Assert.Throws<SemaphoreFullException>(() => mine.Release());
        Assert.Equal("SemaphoreFullException", peer.AskFailing("release s"));
        for (int i = 0; i < 3; i++) Assert.Equal("true", Wait(peer, "s"));
        Assert.False(mine.WaitOne(0));
        Assert.Equal("0", peer.Ask("release s 2"));
        Assert.True(mine.WaitOne());
        Assert.True(mine.WaitOne(TimeSpan.Zero));
        Assert.False(mine.WaitOne(20));
    }

    [Fact]
    public void A_release_lets_a_waiter_of_another_process_in()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using var mine = new NamedSemaphore(0, 5, name);
        peer.Ask($"open sem s {name}");
        peer.Post("wait s");
        peer.Await("acquiring");
        Assert.InRange(mine.Release(), 0, 0);
        Assert.Equal("true", peer.Answer());
    }

    [Fact]
    public void It_goes_with_its_last_handle()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        var mine = new NamedSemaphore(2, 2, name);
        peer.Ask($"open sem s {name}");
        mine.WaitOne();
        mine.Dispose();
        using (NamedSemaphore again = NamedSemaphore.OpenExisting(name)) Assert.Equal(1, again.Release());
        peer.Ask("dispose s");
        Assert.Throws<WaitHandleCannotBeOpenedException>(() => NamedSemaphore.OpenExisting(name));
        Assert.False(NamedSemaphore.TryOpenExisting(name, out _));
        Assert.Empty(FilesOf(name));
        using var anew = new NamedSemaphore(1, 2, name, out bool createdNew);
        Assert.True(createdNew);
    }

    [Fact]
    public void Killed_users_leave_nothing_to_open_and_nothing_to_adopt()
    {
        string name = NextName();
        PeerProcess first = Peer(), second = Peer();
        first.Ask($"sem s {name} 5 5");
        second.Ask($"open sem s {name}");
        Wait(first, "s");
        first.Kill();
        using (NamedSemaphore found = NamedSemaphore.OpenExisting(name))
            Assert.Equal(4, found.Release()); // a killed one's permit is gone, as on Windows
        second.Kill();
        Assert.False(NamedSemaphore.TryOpenExisting(name, out _));

        PeerProcess third = Peer();
        third.Ask($"sem s {name} 5 5");
        third.Kill();
        using var anew = new NamedSemaphore(1, 9, name, out bool createdNew);
        Assert.True(createdNew);
        Assert.Equal(1, anew.Release(8));
    }

    [Fact]
    public void Arguments_are_those_of_NET()
    {
        string name = NextName();
        Assert.Throws<ArgumentOutOfRangeException>(() => new NamedSemaphore(-1, 1, name));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NamedSemaphore(0, 0, name));
        Assert.Throws<ArgumentException>(() => new NamedSemaphore(2, 1, name));
        Assert.Throws<ArgumentNullException>(() => NamedSemaphore.OpenExisting(null!));
        Assert.Throws<ArgumentException>(() => NamedSemaphore.OpenExisting(""));
        Assert.Throws<ArgumentNullException>(() => NamedSemaphore.TryOpenExisting(null!, out _));
        using var mine = new NamedSemaphore(0, 1, name);
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.Release(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.WaitOne(-2));
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.WaitOne(TimeSpan.FromMilliseconds(-2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.WaitOne(TimeSpan.MaxValue));
        mine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => mine.WaitOne());
        Assert.Throws<ObjectDisposedException>(() => mine.Release());
    }

    [Fact]
    public void Without_a_name_it_is_the_systems_own()
    {
        foreach (string? name in (string?[])[null, ""])
        {
            using var mine = new NamedSemaphore(1, 2, name, out bool createdNew);
            Assert.True(createdNew);
            Assert.False(mine.SafeWaitHandle.IsInvalid);
            Assert.Equal(0, WaitHandle.WaitAny([mine]));
            Assert.Equal(0, mine.Release());
            Assert.True(mine.WaitOne(0));
            Assert.Equal(0, mine.Release(2));
            Assert.Throws<SemaphoreFullException>(() => mine.Release());
        }
    }

    [Fact]
    [NeedsLinux("On Windows it is the system's own.")]
    public void What_NET_does_with_handles_of_its_own_fails_with_a_documented_exception()
    {
        using var mine = new NamedSemaphore(1, 2, NextName());
        using var local = new ManualResetEvent(true);
        Assert.Throws<PlatformNotSupportedException>(() => mine.SafeWaitHandle);
        Assert.Throws<PlatformNotSupportedException>(() => mine.SafeWaitHandle = null);
        Assert.Throws<ObjectDisposedException>(() => WaitHandle.WaitAny([mine, local]));
        Assert.Throws<ObjectDisposedException>(() => WaitHandle.WaitAll([mine, local]));
        Assert.Throws<ObjectDisposedException>(() => WaitHandle.SignalAndWait(local, mine));
        Assert.Throws<ObjectDisposedException>(() => WaitHandle.SignalAndWait(mine, local));
        Assert.Throws<ObjectDisposedException>(
            () => ThreadPool.RegisterWaitForSingleObject(mine, (_, _) => { }, null, 10, true));
        Assert.True(((WaitHandle)mine).SafeWaitHandle.IsClosed);
        Assert.True(mine.WaitOne(0)); // nothing was taken
    }

    [Fact]
    public void A_dropped_handle_goes_with_a_collection()
    {
        string name = NextName();
        Drop(name);
        Assert.True(SpinWait.SpinUntil(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !NamedSemaphore.TryOpenExisting(name, out NamedSemaphore? found) || Close(found);
        }, Watchdog));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Drop(string name) => _ = new NamedSemaphore(0, 1, name);

        static bool Close(NamedSemaphore found)
        {
            found.Dispose();
            return false;
        }
    }

    [Fact]
    [NeedsLinux("It counts what this thread allocates.")]
    public void Waiting_and_releasing_allocate_nothing()
    {
        using var mine = new NamedSemaphore(1, 2, NextName());
        for (int i = 0; i < 100; i++)
        {
            mine.WaitOne();
            mine.Release();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            mine.WaitOne();
            mine.Release();
            mine.WaitOne(10);
            mine.Release(1);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
