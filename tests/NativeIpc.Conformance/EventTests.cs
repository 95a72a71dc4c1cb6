using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Events;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Events: what Windows promises of its own, on every back end.</summary>
public abstract partial class EventTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static bool IsSet(SystemEvent opened)
    {
        Assert.True(opened.TryGetIsSet(out bool isSet));
        return isSet;
    }

    /// <summary>Waits until so many threads sleep in an event, or are about to: of all processes. Where that is not
    /// told (Windows), nothing is waited for.</summary>
    internal static void AwaitSleepers(SystemEvent opened, int count)
    {
        EventObject inner = opened.Opened;
        if (inner is PosixEvent)
        {
            Assert.True(SpinWait.SpinUntil(() => EventWord.WaitersOf(inner.WaitWord) >= count, s_watchdog));
        }
        else if (opened.Key.Type.IsSystemV)
        {
            int id = int.Parse(inner.ObjectIdentity, System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(SpinWait.SpinUntil(() => Libc.semctl(id, 0, Flags.GETNCNT) >= count, s_watchdog));
        }
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public void What_is_made_can_be_opened_and_has_the_mode_and_state_of_its_maker(EventResetMode mode)
    {
        foreach (bool isSet in new[] { false, true })
        {
            NativeIpcKey key = NextKey();
            using SystemEvent made = SystemEvent.CreateNew(key, mode, isSet);
            Assert.True(made.CreatedNew);
            Assert.Equal(mode, made.ResetMode);
            Assert.Equal(key, made.Key);
            using SystemEvent opened = SystemEvent.OpenExisting(key);
            Assert.False(opened.CreatedNew);
            Assert.Equal(mode, opened.ResetMode);
            Assert.Equal(isSet, IsSet(opened));
            Assert.Equal(isSet, opened.Wait(TimeSpan.Zero));
            Assert.Equal(isSet && mode == EventResetMode.ManualReset, IsSet(made));
            Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemEvent.CreateNew(key, mode)));
            Assert.Equal($"SystemEvent {key}", opened.ToString());
        }
    }

    [Fact]
    public async Task What_is_not_there_is_not_found()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SystemEvent.OpenExisting(key)));
        Assert.False(SystemEvent.TryOpenExisting(key, out SystemEvent? none));
        Assert.Null(none);
        Task<SystemEvent> opening = SystemEvent.OpenExistingAsync(key, s_watchdog,
            cancellationToken: Cancellation);
        using SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.ManualReset);
        using SystemEvent opened = await opening;
        Assert.Equal(EventResetMode.ManualReset, opened.ResetMode);
        if (!OperatingSystem.IsWindows()) Assert.False(SystemEvent.Remove(NextKey()));
    }

    [Fact]
    public void An_event_of_the_other_mode_is_refused_by_name_and_stays_as_it_is()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.AutoReset, initiallySet: true);
        foreach (Func<SystemEvent> call in new Func<SystemEvent>[]
        {
            () => SystemEvent.CreateOrOpen(key, EventResetMode.ManualReset),
            () => SystemEvent.CreateOrReset(key, EventResetMode.ManualReset),
        })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(call);
            Assert.Equal(NativeIpcError.KeyError, failure.Error);
            Assert.Contains("auto-reset event has this key", failure.Message, StringComparison.Ordinal);
            Assert.Equal(key, failure.Key);
        }

        Assert.True(IsSet(made));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemEvent.CreateNew(key, (EventResetMode)7));
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public void CreateOrOpen_leaves_the_state_and_CreateOrReset_sets_it(EventResetMode mode)
    {
        NativeIpcKey key = NextKey();
        using SystemEvent made = SystemEvent.CreateOrOpen(key, mode, initiallySet: true);
        Assert.True(made.CreatedNew);
        using SystemEvent opened = SystemEvent.CreateOrOpen(key, mode, initiallySet: false);
        Assert.False(opened.CreatedNew);
        Assert.True(IsSet(opened));
        using (SystemEvent reset = SystemEvent.CreateOrReset(key, mode, initiallySet: false,
            new() { Removal = RemovalPolicy.Keep }))
        {
            Assert.False(reset.CreatedNew);
            Assert.False(IsSet(made));
        }

        using (SystemEvent.CreateOrReset(key, mode, initiallySet: true, new() { Removal = RemovalPolicy.Keep }))
            Assert.True(IsSet(made));
    }

    [Fact]
    public async Task An_auto_reset_event_frees_one_for_each_Set_and_a_Set_of_a_set_one_changes_nothing()
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset);
        Assert.False(opened.Wait(TimeSpan.Zero));
        for (int i = 0; i < 40; i++) // past the promotion to the fast path
        {
            opened.Set();
            opened.Set();
            if (i % 2 == 0) opened.Wait();
            else await opened.WaitAsync(Cancellation);
            Assert.False(opened.Wait(TimeSpan.Zero));
            Assert.False(await opened.WaitAsync(TimeSpan.Zero, Cancellation));
            opened.Set();
            opened.Reset();
            Assert.False(opened.Wait(TimeSpan.Zero));
        }
    }

    [Fact]
    public async Task A_manual_reset_event_frees_all_until_it_is_reset()
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        for (int i = 0; i < 40; i++)
        {
            Assert.False(opened.Wait(TimeSpan.Zero));
            Task asynchronous = opened.WaitAsync(Cancellation).AsTask();
            opened.Set();
            await asynchronous.WaitAsync(s_watchdog, Cancellation);
            opened.Wait();
            Assert.True(await opened.WaitAsync(TimeSpan.Zero, Cancellation));
            opened.Set();
            Assert.True(opened.Wait(TimeSpan.Zero));
            opened.Reset();
            Assert.False(await opened.WaitAsync(TimeSpan.Zero, Cancellation));
        }
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public async Task A_time_out_is_never_early_and_takes_nothing(EventResetMode mode)
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), mode);
        foreach (int milliseconds in new[] { 1, 3, 20, 75 })
        {
            var timeout = TimeSpan.FromMilliseconds(milliseconds);
            long start = Stopwatch.GetTimestamp();
            Assert.False(await opened.WaitAsync(timeout, Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
            start = Stopwatch.GetTimestamp();
            Assert.False(opened.Wait(timeout, Cancellation));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        }

        foreach (TimeSpan bad in new[] { TimeSpan.FromMilliseconds(-2), TimeSpan.FromMilliseconds(int.MaxValue + 1.0) })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => opened.Wait(bad));
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await opened.WaitAsync(bad));
        }

        opened.Set();
        Assert.True(opened.Wait(TimeSpan.Zero));
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public async Task A_cancelled_wait_takes_nothing_and_says_so(EventResetMode mode)
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), mode);
        using var source = new CancellationTokenSource();
        Task[] waits =
        [
            opened.WaitAsync(source.Token).AsTask(), opened.WaitAsync(s_watchdog, source.Token).AsTask(),
            Start(() => opened.Wait(source.Token)), Start(() => opened.Wait(s_watchdog, source.Token)),
        ];
        await source.CancelAsync();
        foreach (Task wait in waits)
        {
            Assert.Equal(source.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => wait.WaitAsync(s_watchdog, Cancellation))).CancellationToken);
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await opened.WaitAsync(source.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => opened.Wait(source.Token));
        opened.Set();
        Assert.True(opened.Wait(TimeSpan.Zero));
        Assert.Equal(mode == EventResetMode.ManualReset, opened.Wait(TimeSpan.Zero));
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public async Task Dispose_ends_every_wait(EventResetMode mode)
    {
        NativeIpcKey key = NextKey();
        using SystemEvent other = SystemEvent.CreateNew(key, mode);
        SystemEvent opened = SystemEvent.OpenExisting(key);
        Task[] waits =
        [
            opened.WaitAsync(Cancellation).AsTask(), opened.WaitAsync(s_watchdog, Cancellation).AsTask(),
            Start(opened.Wait), Start(() => opened.Wait(s_watchdog)),
        ];
        opened.Dispose();
        foreach (Task wait in waits)
            await Assert.ThrowsAsync<ObjectDisposedException>(() => wait.WaitAsync(s_watchdog, Cancellation));
        other.Set();
        Assert.True(other.Wait(TimeSpan.Zero));
        Assert.Throws<ObjectDisposedException>(opened.Set);
        Assert.Throws<ObjectDisposedException>(opened.Reset);
        Assert.Throws<ObjectDisposedException>(opened.Wait);
        Assert.Throws<ObjectDisposedException>(() => opened.TryGetIsSet(out _));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await opened.WaitAsync());
        Assert.Equal(mode, opened.ResetMode);
        Assert.EndsWith("(disposed)", opened.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public void A_used_event_says_that_it_is_disposed(EventResetMode mode)
    {
        SystemEvent opened = SystemEvent.CreateNew(NextKey(), mode, initiallySet: true);
        for (int i = 0; i < 100; i++) opened.Set(); // past the promotion to the fast path
        opened.Dispose();
        Assert.Throws<ObjectDisposedException>(opened.Set);
        Assert.Throws<ObjectDisposedException>(opened.Reset);
        Assert.Throws<ObjectDisposedException>(() => opened.Wait(TimeSpan.Zero));
        Assert.Throws<ObjectDisposedException>(() => opened.TryGetIsSet(out _));
    }

    [Fact]
    public void Another_process_is_freed_and_frees()
    {
        NativeIpcKey key = NextKey(), backKey = NextKey();
        using SystemEvent there = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        using SystemEvent back = SystemEvent.CreateNew(backKey, EventResetMode.AutoReset);
        PeerProcess peer = Peer();
        peer.Ask($"event open a {key}");
        peer.Ask($"event open b {backKey}");
        Assert.Equal("auto", peer.Ask("event mode a"));
        const int Times = 2000;
        peer.Post($"event relay a b {Times}");
        peer.Await("waiting");
        for (int i = 0; i < Times; i++)
        {
            there.Set();
            back.Wait();
            Assert.False(back.Wait(TimeSpan.Zero));
        }

        peer.Answer();
        Assert.False(IsSet(there));
    }

    [Fact]
    public void Each_Set_frees_exactly_one_of_several_processes()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        PeerProcess[] peers = [Peer(), Peer(), Peer()];
        foreach (PeerProcess peer in peers) peer.Ask($"event open e {key}");
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < peers.Length; i++)
            {
                peers[i].Post(i == 1 ? "event await e" : "event wait e");
                peers[i].Await("waiting");
            }

            AwaitSleepers(opened, Backend.IsSystemV ? peers.Length - 1 : peers.Length); // one of them polls
            for (int i = 0; i < peers.Length; i++)
            {
                opened.Set();
                Assert.True(SpinWait.SpinUntil(() => !IsSet(opened), s_watchdog)); // somebody has taken it
            }

            foreach (PeerProcess peer in peers) peer.Answer();
            Assert.False(opened.Wait(TimeSpan.Zero));
        }
    }

    [BackendFact(Needs.Linux)]
    public void Two_Sets_free_two_that_sleep_and_the_one_who_sets_does_not_rob_them()
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset);
        for (int round = 0; round < 50; round++)
        {
            Task[] sleepers = [Start(opened.Wait), Start(opened.Wait)];
            // System V counts who is asleep, and each sleeps for 50 ms at a time: nothing may come between it and Set.
            AwaitSleepers(opened, 2);
            if (OperatingSystem.IsWindows()) Spins(); // from being counted to being asleep
            else if (!Backend.IsSystemV) Sleeping.AwaitHere(opened.Opened.WaitWord, 2);
            opened.Set();
            if (Backend.IsSystemV) Assert.False(opened.Wait(TimeSpan.Zero));
            opened.Set();
            Finish(sleepers);

            // A sleeper that was only about to sleep may have left one of the two to be taken.
            opened.Reset();
        }

        static void Spins()
        {
            for (int i = 0; i < 200; i++) Thread.Yield();
        }
    }

    [Fact]
    public async Task Set_and_Reset_at_once_free_all_that_waited_whoever_they_are()
    {
        const int Each = 8;
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.ManualReset);
        using SystemEvent another = SystemEvent.OpenExisting(key);
        PeerProcess setter = Peer();
        setter.Ask($"event open e {key}");
        PeerProcess waiter = Peer();
        waiter.Ask($"event open e {key}");
        for (int round = 0; round < Sample.Of(200, 20); round++)
        {
            List<Task> waits = [];
            for (int i = 0; i < Each; i++)
            {
                waits.Add(opened.WaitAsync(Cancellation).AsTask());
                waits.Add(another.WaitAsync(s_watchdog, Cancellation).AsTask());
                if (!OperatingSystem.IsWindows()) waits.Add(Start(opened.Wait));
            }

            bool hasPeer = !OperatingSystem.IsWindows();
            if (hasPeer)
            {
                waiter.Post("event wait e");
                waiter.Await("waiting");

                // The dispatcher of asynchronous waits is one waiter for each instance; on System V it polls.
                AwaitSleepers(opened, Each + 1 + (Backend.IsSystemV ? 0 : 2));
            }

            // The pool of Windows begins a registered wait a moment after it was asked to: no pulse there.
            if (round % 2 == 0)
            {
                setter.Ask(hasPeer ? "event pulse e" : "event set e");
            }
            else
            {
                opened.Set();
                if (hasPeer) opened.Reset();
            }

            await Task.WhenAll(waits).WaitAsync(s_watchdog, Cancellation);
            if (hasPeer) waiter.Answer();
            else opened.Reset();
            Assert.False(opened.Wait(TimeSpan.Zero));
        }
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData(RemovalPolicy.Default, true)]
    [InlineData(RemovalPolicy.Creator, true)]
    [InlineData(RemovalPolicy.Keep, false)]
    public void The_maker_removes_it_as_the_policy_says(RemovalPolicy policy, bool isRemoved)
    {
        NativeIpcKey key = NextKey();
        SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: new() { Removal = policy });
        SystemEvent.OpenExisting(key, new() { Removal = policy }).Dispose();
        Assert.True(Exists(key));
        made.Dispose();
        Assert.Equal(!isRemoved, Exists(key));
        if (Backend.IsSystemV) Assert.Equal(!isRemoved, File.Exists(key.NativeKey + ".nativeipc-event"));
        Assert.Equal(!isRemoved, SystemEvent.Remove(key));
        Assert.False(SystemEvent.Remove(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void Who_took_it_over_removes_it()
    {
        NativeIpcKey key = NextKey();
        SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: new() { Removal = RemovalPolicy.Keep }).Dispose();
        SystemEvent.CreateOrOpen(key, EventResetMode.AutoReset).Dispose();
        Assert.True(Exists(key));
        SystemEvent.CreateOrReset(key, EventResetMode.AutoReset).Dispose();
        Assert.False(Exists(key));
    }

    [BackendFact(Needs.Signals)]
    public void A_process_that_ends_without_Dispose_removes_what_it_made()
    {
        foreach (string end in new[] { "exit", "quit" })
        {
            NativeIpcKey key = NextKey();
            PeerProcess peer = Peer();
            Assert.Equal("created", peer.Ask($"event create e {key} manual 1"));
            Assert.True(Exists(key));
            if (end == "exit") peer.Exit();
            else peer.Quit();
            Assert.False(Exists(key));
        }
    }

    [BackendFact(Needs.Leftovers)]
    public void What_a_killed_process_leaves_is_opened_with_its_state_or_started_afresh()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"event create e {key} manual 1");
        peer.Kill();
        using (SystemEvent opened = SystemEvent.OpenExisting(key)) Assert.True(IsSet(opened));
        Assert.Equal(NativeIpcError.AlreadyExists,
            ErrorOf(() => SystemEvent.CreateNew(key, EventResetMode.ManualReset)));
        using (SystemEvent afresh = SystemEvent.CreateOrReset(key, EventResetMode.ManualReset))
            Assert.False(IsSet(afresh));
        Assert.False(Exists(key));
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void The_last_one_out_removes_it_and_a_leftover_is_reclaimed()
    {
        NativeIpcKey key = NextKey();
        var last = new SystemEventOptions { Removal = RemovalPolicy.LastOneOut };
        PeerProcess peer = Peer();
        SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: last);
        peer.Ask($"event open e {key} lastout");
        made.Dispose();
        Assert.True(Exists(key));
        peer.Ask("event close e");
        Assert.False(Exists(key));

        peer.Ask($"event create e {key} manual 1");
        peer.Kill();
        using SystemEvent reclaimed = SystemEvent.CreateNew(key, EventResetMode.AutoReset,
            options: new() { Reclaim = true });
        Assert.Equal(EventResetMode.AutoReset, reclaimed.ResetMode);
        Assert.False(IsSet(reclaimed));
    }

    [Fact]
    public void Waits_and_Sets_do_not_allocate()
    {
        using SystemEvent auto = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset);
        using SystemEvent manual = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        int failed = 0;
        long fewest = long.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                auto.Set();
                auto.Wait();
                auto.Set();
                if (!auto.Wait(TimeSpan.FromSeconds(1))) failed++;
                manual.Set();
                manual.Wait();
                manual.Reset();
                if (manual.Wait(TimeSpan.Zero)) failed++;
            }

            fewest = Math.Min(fewest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, failed);
        Assert.Equal(0, fewest);
    }

    private static bool Exists(in NativeIpcKey key)
    {
        bool exists = SystemEvent.TryOpenExisting(key, out SystemEvent? opened, new() { Removal = RemovalPolicy.Keep });
        opened?.Dispose();
        return exists;
    }
}
