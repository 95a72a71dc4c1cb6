using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Counting, opening and setting afresh (mission D1, D4, C2 for semaphores).</summary>
public abstract class SemaphoreTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void A_new_semaphore_has_its_count(int count)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), count);
        Assert.True(semaphore.CreatedNew);
        HasCount(count, semaphore);
        for (int i = 0; i < count; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public void Permits_pass_between_processes()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        PeerProcess peer = Peer();
        Assert.Equal("opened", peer.Ask($"sem open s {key}"));
        peer.Ask("sem release s 3");
        semaphore.Acquire();
        semaphore.Acquire(CancellationToken.None);
        Assert.True(semaphore.TryAcquire(s_watchdog));
        Assert.False(semaphore.TryAcquire());
        semaphore.Release(2);
        peer.Ask("sem acquire s 2");
        Assert.Equal("false", peer.Ask("sem tryacquire s"));
    }

    [Fact]
    public void An_acquire_blocks_until_a_release_and_not_less()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey markKey = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        using SharedMemory mark = SharedMemory.CreateNew(markKey, 10);
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key}");
        peer.Ask($"shm open m {markKey} ro");
        peer.Post("sem acquire s");
        peer.Await("acquiring");
        mark.Span[0] = 0x55;
        semaphore.Release();
        peer.Answer();
        Assert.Equal("55", peer.Ask("shm read m 0 1"));
    }

    [Fact]
    public void As_many_waiters_come_in_as_permits_are_given()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        PeerProcess[] peers = [Peer(), Peer(), Peer()];
        foreach (PeerProcess peer in peers)
        {
            peer.Ask($"sem open s {key}");
            peer.Post("sem acquire s");
            peer.Await("acquiring");
        }

        semaphore.Release(3);
        foreach (PeerProcess peer in peers) peer.Answer();
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public void Two_processes_pass_a_turn_to_and_fro()
    {
        NativeIpcKey pingKey = NextKey();
        NativeIpcKey pongKey = NextKey();
        using SystemSemaphore ping = SystemSemaphore.CreateNew(pingKey, 0);
        using SystemSemaphore pong = SystemSemaphore.CreateNew(pongKey, 0);
        PeerProcess peer = Peer();
        peer.Ask($"sem open i {pingKey}");
        peer.Ask($"sem open o {pongKey}");
        for (int round = 0; round < 100; round++)
        {
            peer.Post("sem acquire i");
            peer.Await("acquiring");
            ping.Release();
            peer.Answer();
            peer.Ask("sem release o");
            pong.Acquire();
        }

        Assert.False(ping.TryAcquire());
        Assert.False(pong.TryAcquire());
    }

    [Fact]
    public void CreateNew_of_what_exists_says_AlreadyExists_and_leaves_its_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateNew(key, 9)));
        Assert.Equal("AlreadyExists", Peer().AskFailing($"sem create s {key} 9"));
        HasCount(2, semaphore);
    }

    [Fact]
    public void Opening_what_does_not_exist_says_NotFound_and_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SystemSemaphore.OpenExisting(key)));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? none));
        Assert.Null(none);
        Assert.Equal("NotFound", Peer().AskFailing($"sem open s {key}"));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void Opening_leaves_the_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        Assert.True(semaphore.TryAcquire());
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key);
        Assert.False(opened.CreatedNew);
        Assert.Equal(key, opened.Key);
        Assert.True(SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? tried));
        using (tried) HasCount(4, tried);
    }

    [Fact]
    public void CreateOrOpen_makes_it_once_and_keeps_the_count_afterwards()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateOrOpen(key, 3);
        Assert.True(made.CreatedNew);
        Assert.True(made.TryAcquire());
        using SystemSemaphore found = SystemSemaphore.CreateOrOpen(key, 10);
        Assert.False(found.CreatedNew);
        Assert.Equal(made.ObjectIdentity, found.ObjectIdentity);
        Assert.Equal("opened", Peer().Ask($"sem createoropen s {key} 10"));
        HasCount(2, made);
    }

    [Fact]
    public void CreateOrReset_makes_what_does_not_exist()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateOrReset(key, 3);
        Assert.True(made.CreatedNew);
        HasCount(3, made);
    }

    [BackendTheory(Needs.SettableCount)]
    [InlineData(7, 2)]
    [InlineData(0, 5)]
    [InlineData(5, 0)]
    public void CreateOrReset_sets_the_count_in_place_and_earlier_instances_see_it(int before, int after)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore early = SystemSemaphore.CreateNew(key, before);
        PeerProcess peer = Peer();
        Assert.Equal("opened", peer.Ask($"sem createorreset s {key} {after}"));
        HasCount(after, early);
        using SystemSemaphore late = SystemSemaphore.OpenExisting(key);
        Assert.Equal(early.ObjectIdentity, late.ObjectIdentity);
        late.Release();
        HasCount(after + 1, early);
        for (int i = 0; i <= after; i++) Assert.True(early.TryAcquire());
        Assert.False(early.TryAcquire());
    }

    [BackendFact(Needs.SettableCount)]
    public void CreateOrReset_wakes_as_many_waiters_as_the_count_allows()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        PeerProcess[] peers = [Peer(), Peer()];
        foreach (PeerProcess peer in peers)
        {
            peer.Ask($"sem open s {key}");
            peer.Post("sem acquire s");
            peer.Await("acquiring");
        }

        using SystemSemaphore reset = SystemSemaphore.CreateOrReset(key, 3);
        foreach (PeerProcess peer in peers) peer.Answer();
        HasCount(1, semaphore);
    }

    [BackendFact(Needs.FixedCount)]
    public void CreateOrReset_of_a_live_semaphore_says_AlreadyExists_where_its_count_cannot_be_set()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateOrReset(key, 5)));
        using SystemSemaphore accepted = SystemSemaphore.CreateOrReset(key, 5, new() { AcceptExistingCount = true });
        Assert.False(accepted.CreatedNew);
        Assert.True(accepted.TryAcquire());
        Assert.False(accepted.TryAcquire());
    }

    [Fact]
    public void CreateOrReset_starts_afresh_after_a_crash()
    {
        NativeIpcKey key = NextKey();
        PeerProcess crashing = Peer();
        crashing.Ask($"sem create s {key} 1 undo=none");
        crashing.Ask("sem acquire s");
        crashing.Kill();
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrReset(key, 1);
        HasCount(1, semaphore);
        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public void A_release_over_the_maximum_says_OutOfResources_and_gives_nothing()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, Backend.MaximumCount - 1);
        semaphore.Release();
        Full(() => semaphore.Release(), 0);
        Assert.True(semaphore.TryAcquire());
        Full(() => semaphore.Release(2), 0);
        Full(() => semaphore.Release(int.MaxValue), 0);
        HasCount(Backend.MaximumCount - 1, semaphore);
        semaphore.Release();
        HasCount(Backend.MaximumCount, semaphore);

        static void Full(Action release, int given)
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(release);
            Assert.Equal(NativeIpcError.OutOfResources, failure.Error);
            Assert.Equal(given, failure.PermitsReleased);
        }
    }

    [BackendFact(Needs.SmallMaximum)]
    public void An_initial_count_over_the_maximum_says_OutOfResources_and_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(NativeIpcError.OutOfResources,
            ErrorOf(() => SystemSemaphore.CreateNew(key, Backend.MaximumCount + 1)));
        Assert.Equal(NativeIpcError.OutOfResources,
            ErrorOf(() => SystemSemaphore.CreateOrOpen(key, Backend.MaximumCount + 1)));
        Assert.Equal(NativeIpcError.OutOfResources,
            ErrorOf(() => SystemSemaphore.CreateOrReset(key, Backend.MaximumCount + 1)));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void The_maximum_is_a_valid_initial_count()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), Backend.MaximumCount);
        HasCount(Backend.MaximumCount, semaphore);
        Assert.True(semaphore.TryAcquire());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void A_negative_initial_count_is_a_wrong_argument(int count)
    {
        NativeIpcKey key = NextKey();
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateNew(key, count));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateOrOpen(key, count));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateOrReset(key, count));
        Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Releasing_fewer_than_one_is_a_wrong_argument(int count)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Release(count));
        HasCount(1, semaphore);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(200)]
    public void A_timeout_never_comes_early_and_takes_nothing(int milliseconds)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        TimeSpan timeout = TimeSpan.FromMilliseconds(milliseconds);
        long start = Stopwatch.GetTimestamp();
        Assert.False(semaphore.TryAcquire(timeout));
        Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        semaphore.Release();
        HasCount(1, semaphore);
        Assert.True(semaphore.TryAcquire(timeout));
    }

    [Fact]
    public void A_cancelled_wait_throws_and_takes_nothing()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => semaphore.Acquire(cancelled.Token));
        Assert.Throws<OperationCanceledException>(() => semaphore.TryAcquire(TimeSpan.Zero, cancelled.Token));
        HasCount(1, semaphore);

        semaphore.Acquire();
        using var source = new CancellationTokenSource();
        Task waiting = Start(() => Assert.Throws<OperationCanceledException>(() => semaphore.Acquire(source.Token)));
        source.CancelAfter(30);
        Finish(waiting);
        semaphore.Release();
        HasCount(1, semaphore);
    }

    [Fact]
    public void No_permit_is_lost_when_releases_meet_timeouts_and_cancellations()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        const int given = 2000;
        int taken = 0;
        using var end = new CancellationTokenSource();
        Task[] takers = [.. Enumerable.Range(0, 3).Select(i => Start(() =>
        {
            try
            {
                while (true)
                {
                    if (i == 0) semaphore.Acquire(end.Token);
                    else if (!semaphore.TryAcquire(TimeSpan.FromMilliseconds(i), end.Token)) continue;
                    Interlocked.Increment(ref taken);
                }
            }
            catch (OperationCanceledException)
            {
                // The end.
            }
        }))];
        for (int i = 0; i < given; i++) semaphore.Release();
        end.Cancel();
        Finish(takers);
        while (semaphore.TryAcquire()) taken++;
        Assert.Equal(given, taken);
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(4294967296.0)]
    public void A_timeout_without_meaning_is_a_wrong_argument(double milliseconds)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.TryAcquire(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [Fact]
    public void A_wait_that_Dispose_interrupts_ends_with_ObjectDisposedException()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 0);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        using var begun = new CountdownEvent(3);
        Task[] waiting = [.. Enumerable.Range(0, 3).Select(i => Start(() =>
        {
            begun.Signal();
            Assert.Throws<ObjectDisposedException>(() => _ = i == 0 ? semaphore.TryAcquire(s_watchdog) : Acquire());
        }))];
        Assert.True(begun.Wait(s_watchdog, Cancellation));
        semaphore.Dispose();
        Finish(waiting);
        other.Release();
        HasCount(1, other);

        bool Acquire()
        {
            semaphore.Acquire();
            return true;
        }
    }

    [Fact]
    public void The_count_is_told_where_the_system_tells_it()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 4);
        Assert.Equal(Backend.CountCanBeRead, semaphore.TryGetCurrentCount(out int count));
        if (Backend.CountCanBeRead) Assert.Equal(4, count);
    }

    [BackendFact(Needs.Linux)]
    [NeedsRoot("Needs root, to start a peer as another user.")]
    public void Another_user_is_told_PermissionDenied()
    {
        File.SetUnixFileMode(TestNames.Folder, FileModes.Mode755);
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess other = Peer(Peers.Require("setpriv", "util-linux"), "--reuid", "65534", "--regid", "65534",
            "--clear-groups", PeerProcess.Program);
        Assert.Equal("PermissionDenied", other.AskFailing($"sem open s {key}"));
        Assert.Equal("PermissionDenied", other.AskFailing($"sem createoropen s {key} 4"));
        Assert.Equal("PermissionDenied", other.AskFailing($"sem createorreset t {key} 4"));
        Assert.Equal("AlreadyExists", other.AskFailing($"sem create t {key} 4"));
        HasCount(1, semaphore);
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void Something_else_under_a_posix_semaphores_name_says_KeyError_instead_of_killing()
    {
        // Only where a semaphore can be looked at before it is mapped. One without bytes is half-made instead.
        NativeIpcKey key = NextKey();
        File.WriteAllText(Names.TrackPath(PosixProvider.SemaphoreFileOf(key)), "no semaphore");
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.OpenExisting(key)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateOrOpen(key, 1)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateOrReset(key, 1)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateNew(key, 1)));

        NativeIpcKey segmentKey = NextKey();
        File.WriteAllText(Names.TrackPath(PosixProvider.LockFileOf(segmentKey)), "no semaphore");
        using SharedMemory segment = SharedMemory.CreateNew(segmentKey, 10);
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => segment.Lock()));
    }

    [Fact]
    public void Options_without_meaning_are_refused()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphoreOptions[] wrong =
        [
            new() { Mode = FileModes.Mode700 },
            new() { Removal = (RemovalPolicy)9 },
            new() { Undo = (SystemVUndoPolicy)9 },
            new() { PeerTimeout = TimeSpan.FromSeconds(-2) },
        ];
        foreach (SystemSemaphoreOptions options in wrong)
        {
            Assert.Throws<ArgumentException>(() => SystemSemaphore.CreateNew(key, 1, options));
            Assert.Throws<ArgumentException>(() => SystemSemaphore.OpenExisting(key, options));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    private void HasCount(int expected, SystemSemaphore semaphore)
    {
        if (!Backend.CountCanBeRead) return; // what can be acquired is asserted beside it
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        Assert.Equal(expected.ToString(CultureInfo.InvariantCulture), count.ToString(CultureInfo.InvariantCulture));
    }
}
