using Xunit;

namespace NativeIpc.NamedObjects.Tests;

public sealed class WaitAnyTests : NamedObjectTests
{
    [Fact]
    public void The_lowest_index_that_can_be_taken_wins_and_nothing_else_is_taken()
    {
        using var first = new NamedSemaphore(0, 5, NextName());
        using var second = new NamedSemaphore(1, 5, NextName());
        using var third = new NamedEvent(true, EventResetMode.AutoReset, NextName());
        using var local = new AutoResetEvent(true);
        WaitHandle[] all = [first, second, third, local];
        for (int expected = 1; expected < 4; expected++)
            Assert.Equal(expected, NamedWaitHandle.WaitAny(all, TimeSpan.FromSeconds(60)));
        Assert.Equal(WaitHandle.WaitTimeout, NamedWaitHandle.WaitAny(all, 0));
        Assert.Equal(WaitHandle.WaitTimeout, NamedWaitHandle.WaitAny(all, 20));
        Assert.Equal(0, second.Release());
        Assert.Equal(0, first.Release());
        Assert.Equal(0, NamedWaitHandle.WaitAny(all));
        Assert.Equal(1, NamedWaitHandle.WaitAny(all));
    }

    [Fact]
    public void Another_process_or_a_token_ends_the_sleep()
    {
        string one = NextName(), two = NextName(), three = NextName();
        PeerProcess peer = Peer();
        using var semaphore = new NamedSemaphore(0, 5, one);
        using var mutex = new NamedMutex(true, two);
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, three);
        peer.Ask($"open sem s {one}");
        peer.Ask($"open mutex m {two}");
        peer.Ask($"open event e {three}");
        Begin("any s,m,e");
        semaphore.Release();
        Assert.Equal("0", peer.Answer());
        Begin("any s,m,e");
        signal.Set();
        Assert.Equal("2", peer.Answer());
        Begin("any e,m,s");
        mutex.ReleaseMutex();
        Assert.Equal("1", peer.Answer());
        Assert.False(mutex.WaitOne(0)); // the peer's thread owns it
        Begin("any s,m"); // its own: at once
        Assert.Equal("1", peer.Answer());
        peer.Ask("release m");
        peer.Ask("release m");
        Assert.True(mutex.WaitOne(Watchdog));

        using var source = new CancellationTokenSource();
        OnAnotherThread(() =>
        {
            source.CancelAfter(20);
            Assert.Equal(1, NamedWaitHandle.WaitAny([semaphore, source.Token.WaitHandle]));
        });
        Assert.Equal(0, semaphore.Release());

        void Begin(string command)
        {
            peer.Post(command);
            peer.Await("acquiring");
        }
    }

    [Fact]
    public void An_abandoned_mutex_is_taken_and_told_with_its_index()
    {
        string one = NextName(), two = NextName();
        PeerProcess victim = Peer(), waiter = Peer();
        waiter.Ask($"event e {one} false auto");
        waiter.Ask($"mutex m {two} false");
        victim.Ask($"open mutex m {two}");
        Wait(victim, "m");
        waiter.Post("any e,m");
        waiter.Await("acquiring");
        victim.Kill();
        Assert.Equal("abandoned 1", waiter.Answer());
        using NamedMutex mine = NamedMutex.OpenExisting(two);
        Assert.False(mine.WaitOne(0));
        waiter.Ask("release m");
        Assert.True(mine.WaitOne(0));
    }

    [Fact]
    [NeedsLinux("Windows has one wait for them, and its own tests.")]
    public void A_mutex_that_was_taken_asleep_is_owned_by_the_thread_which_may_take_it_again()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var mutex = new NamedMutex(false, name);
        using var again = new NamedMutex(false, name);
        peer.Ask($"open mutex m {name}");
        Assert.Equal("true", Wait(peer, "m"));
        using var isTaken = new ManualResetEvent(false);
        using var isSeen = new ManualResetEvent(false);
        Task owner = Start(() =>
        {
            Assert.Equal(1, NamedWaitHandle.WaitAny([signal, mutex]));
            Assert.Equal(1, NamedWaitHandle.WaitAny([signal, mutex], 0));
            Assert.Equal(0, NamedWaitHandle.WaitAny([again, mutex])); // the same mutex
            isTaken.Set();
            Assert.True(isSeen.WaitOne(Watchdog));
            again.ReleaseMutex();
            mutex.ReleaseMutex();
            mutex.ReleaseMutex();
            Assert.Throws<ApplicationException>(mutex.ReleaseMutex);
        });
        peer.Ask("release m");
        Assert.True(isTaken.WaitOne(Watchdog));
        Assert.Throws<ApplicationException>(mutex.ReleaseMutex);
        Assert.Equal(WaitHandle.WaitTimeout, NamedWaitHandle.WaitAny([signal, mutex], 5));
        isSeen.Set();
        Finish(owner);
        Assert.Equal("true", Wait(peer, "m"));
    }

    [Fact]
    public void A_mutex_whose_thread_has_ended_is_taken_and_told()
    {
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var mutex = new NamedMutex(false, NextName());
        OnAnotherThread(() => Assert.Equal(1, NamedWaitHandle.WaitAny([signal, mutex])));
        AbandonedMutexException told = Assert.Throws<AbandonedMutexException>(
            () => NamedWaitHandle.WaitAny([signal, mutex], Watchdog));
        Assert.Equal(1, told.MutexIndex);
        mutex.ReleaseMutex();
        Assert.Equal(1, NamedWaitHandle.WaitAny([signal, mutex]));
        mutex.ReleaseMutex();
    }

    [Fact]
    [NeedsLinux("On Windows a handle must not be closed while it is waited for.")]
    public void A_handle_that_is_disposed_ends_the_sleep()
    {
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var local = new AutoResetEvent(false);
        foreach (WaitHandle[] others in (WaitHandle[][])[[signal], [signal, local]])
        {
            var semaphore = new NamedSemaphore(0, 1, NextName());
            using var begun = new ManualResetEvent(false);
            Task waiter = Start(() =>
            {
                begun.Set();
                Assert.Throws<ObjectDisposedException>(() => NamedWaitHandle.WaitAny([.. others, semaphore]));
            });
            Assert.True(begun.WaitOne(Watchdog));
            semaphore.Dispose();
            Finish(waiter);
        }
    }

    [Fact]
    [NeedsLinux("It counts what this thread allocates.")]
    public void Waiting_for_several_named_ones_allocates_nothing()
    {
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var semaphore = new NamedSemaphore(0, 1000, NextName());
        using var mutex = new NamedMutex(false, NextName());
        using var asked = new SemaphoreSlim(0);
        WaitHandle[] all = [signal, semaphore];
        WaitHandle[] three = [signal, semaphore, mutex];
        const int tries = 6, sleeps = 50;
        var setter = new Thread(() =>
        {
            for (int i = 0; i < tries * sleeps; i++)
            {
                asked.Wait();
                signal.Set();
            }
        });
        setter.Start();
        long fewest = long.MaxValue;
        for (int attempt = 0; attempt < tries; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                semaphore.Release();
                Wait(all);
                Wait(three);
                mutex.ReleaseMutex();
            }

            for (int i = 0; i < 3; i++) NamedWaitHandle.WaitAny(all, 1);
            for (int i = 0; i < sleeps; i++)
            {
                asked.Release();
                Wait(all);
            }

            fewest = Math.Min(fewest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.True(setter.Join(Watchdog));
        Assert.Equal(0, fewest);

        static void Wait(WaitHandle[] handles)
        {
            if (NamedWaitHandle.WaitAny(handles, 60_000) == WaitHandle.WaitTimeout) Assert.Fail("The time is up.");
        }
    }

    [Fact]
    public void Every_signal_is_taken_once_whoever_waits_for_several()
    {
        const int threads = 3, times = 400;
        using var semaphore = new NamedSemaphore(0, int.MaxValue, NextName());
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var local = new Semaphore(0, int.MaxValue);
        using var isOver = new ManualResetEvent(false);
        int[] taken = new int[3];
        WaitHandle[] all = [semaphore, local, signal, isOver];
        var running = new Thread[threads];
        using var answered = new AutoResetEvent(false);
        for (int i = 0; i < threads; i++)
        {
            running[i] = new Thread(() =>
            {
                while (NamedWaitHandle.WaitAny(all) is < 3 and int which)
                {
                    Interlocked.Increment(ref taken[which]);
                    if (which == 2) answered.Set();
                }
            });
            running[i].Start();
        }

        for (int i = 0; i < times; i++)
        {
            semaphore.Release();
            local.Release();
            signal.Set();
            Assert.True(answered.WaitOne(Watchdog)); // each set lets one in
        }

        bool areTaken = SpinWait.SpinUntil(
            () => Volatile.Read(ref taken[0]) == times && Volatile.Read(ref taken[1]) == times, Watchdog);
        Assert.True(areTaken, $"{taken[0]}, {taken[1]} of {times}");
        isOver.Set();
        foreach (Thread one in running) Assert.True(one.Join(Watchdog));
        Assert.Equal([times, times, times], taken);
        Assert.False(semaphore.WaitOne(0) || local.WaitOne(0) || signal.WaitOne(0));
    }

    [Fact]
    public void Arguments_are_those_of_NET()
    {
        using var mine = new NamedSemaphore(0, 1, NextName());
        Assert.Throws<ArgumentNullException>(() => NamedWaitHandle.WaitAny(null!));
        Assert.ThrowsAny<ArgumentException>(() => NamedWaitHandle.WaitAny([]));
        Assert.Throws<ArgumentNullException>(() => NamedWaitHandle.WaitAny([mine, null!]));
        Assert.Throws<ArgumentOutOfRangeException>(() => NamedWaitHandle.WaitAny([mine], -2));
        Assert.Throws<NotSupportedException>(() => NamedWaitHandle.WaitAny([.. Enumerable.Repeat(mine, 65)]));
        using var local = new ManualResetEvent(true);
        Assert.True(NamedWaitHandle.WaitAll([local]));
        Assert.True(NamedWaitHandle.SignalAndWait(local, local, 100, false));
        Assert.Equal(0, NamedWaitHandle.WaitAny([local]));
        mine.Dispose();
        Assert.Throws<ObjectDisposedException>(() => NamedWaitHandle.WaitAny([mine, local]));
    }

    [Fact]
    [NeedsLinux("Windows offers it.")]
    public void Waiting_for_all_says_that_it_is_not_offered()
    {
        using var mine = new NamedSemaphore(1, 1, NextName());
        using var local = new ManualResetEvent(true);
        Assert.Throws<PlatformNotSupportedException>(() => NamedWaitHandle.WaitAll([mine, local]));
        Assert.Throws<PlatformNotSupportedException>(() => NamedWaitHandle.WaitAll([mine], 10));
        Assert.Throws<PlatformNotSupportedException>(() => NamedWaitHandle.WaitAll([mine], TimeSpan.Zero, false));
        Assert.Throws<PlatformNotSupportedException>(() => NamedWaitHandle.SignalAndWait(local, mine));
        Assert.Throws<PlatformNotSupportedException>(
            () => NamedWaitHandle.SignalAndWait(mine, local, TimeSpan.Zero, false));
        Assert.True(mine.WaitOne(0));
    }
}
