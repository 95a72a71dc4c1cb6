using System.Diagnostics;
using System.Globalization;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What crashes leave behind (mission C5).</summary>
public abstract class CrashTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [BackendFact(Needs.Leftovers)]
    public void What_a_killed_maker_leaves_exists_opens_and_can_be_removed()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Ask("shm write a 5 c0de");
        maker.Kill();
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, 100)));
        var keep = new SharedMemoryOptions { Removal = RemovalPolicy.Keep };
        using (SharedMemory opened = SharedMemory.OpenExisting(key, options: keep))
        {
            Assert.Equal(100, opened.Size);
            Assert.Equal([0xC0, 0xDE], opened.GetSpan(5, 2).ToArray());
            opened.Lock().Dispose();
        }

        using (SharedMemory found = SharedMemory.CreateOrOpen(key, 50, keep)) Assert.False(found.CreatedNew);
        Assert.True(SharedMemory.Remove(key));
        Assert.False(Backend.AnythingExists(key));
        using SharedMemory anew = SharedMemory.CreateNew(key, 10);
        Assert.True(anew.CreatedNew);
    }

    [Fact]
    public void A_process_that_is_killed_while_attached_harms_nobody()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100))
        {
            PeerProcess peer = Peer();
            peer.Ask($"shm open a {key} rw");
            peer.Ask("shm write a 0 11");
            peer.Kill();
            Assert.Equal(0x11, segment.Span[0]);
            segment.Lock().Dispose();
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.NoLeftovers)]
    public void Where_the_system_cleans_up_a_killed_maker_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey semaphore = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Ask($"sem create s {semaphore} 1");
        maker.Kill();
        Assert.False(Backend.SegmentExists(key));
        Assert.False(Backend.SemaphoreExists(semaphore));
    }

    [BackendFact(Needs.SystemV)]
    public void A_System_V_leftover_goes_when_the_next_user_lets_go()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Ask("shm add a 0 1");
        maker.Kill();
        using (SharedMemory opened = SharedMemory.OpenExisting(key)) Assert.Equal(1, opened.Span[0]);
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void What_a_killed_maker_of_a_semaphore_leaves_can_be_opened_reset_and_removed()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"sem create s {key} 2 undo=none");
        maker.Ask("sem acquire s");
        maker.Kill();
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateNew(key, 2)));
        using (SystemSemaphore opened = SystemSemaphore.CreateOrOpen(key, 2))
        {
            Assert.True(opened.TryAcquire());
            Assert.False(opened.TryAcquire());
        }

        using (SystemSemaphore reset = SystemSemaphore.CreateOrReset(key, 2, new() { Removal = RemovalPolicy.Keep }))
        {
            Assert.False(reset.CreatedNew);
            Assert.True(reset.TryAcquire());
            Assert.True(reset.TryAcquire());
            Assert.False(reset.TryAcquire());
        }

        Assert.True(SystemSemaphore.Remove(key));
        Assert.False(Backend.AnythingExists(key));
    }

    // ---- Half-created segments

    [BackendTheory(Needs.Leftovers)]
    [InlineData(0)]
    [InlineData(150)]
    public void Opening_a_half_created_segment_waits_the_bound_and_says_NotFound_half_created(int milliseconds)
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        var options = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(milliseconds) };
        long start = Stopwatch.GetTimestamp();
        NativeIpcException failure = Assert.Throws<NativeIpcException>(
            () => SharedMemory.OpenExisting(key, options: options));
        Assert.True(Stopwatch.GetElapsedTime(start) >= options.PeerTimeout);
        Assert.Equal(NativeIpcError.NotFound, failure.Error);
        Assert.Contains("half-created", failure.Message, StringComparison.Ordinal);
        Assert.False(SharedMemory.TryOpenExisting(key, out _, options: options));
        Assert.True(File.Exists(Backend.FileOf(key))); // opening recovers nothing
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("create")]
    [InlineData("createoropen")]
    public void Creating_recovers_a_half_created_segment_in_place(string verb)
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        Assert.Equal(0, Libc.Status(Backend.FileOf(key), followLink: false, out FileStatus before));
        var options = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(100) };
        using SharedMemory segment = verb == "create"
            ? SharedMemory.CreateNew(key, 500, options) : SharedMemory.CreateOrOpen(key, 500, options);
        Assert.True(segment.CreatedNew);
        Assert.Equal(500, segment.Size);
        Assert.False(segment.ReadOnlySpan.ContainsAnyExcept((byte)0));
        Assert.Equal(0, Libc.Status(Backend.FileOf(key), followLink: false, out FileStatus after));
        Assert.Equal(before.Identity, after.Identity);
        PeerProcess peer = Peer();
        Assert.Equal("500 opened", peer.Ask($"shm open a {key} rw"));
        Assert.Equal("AlreadyExists", peer.AskFailing($"shm create b {key} 500"));
    }

    [BackendFact(Needs.Leftovers)]
    public void A_recovered_segment_is_removed_like_one_that_was_made()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        SharedMemory.CreateNew(key, 500, new() { PeerTimeout = TimeSpan.Zero }).Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("create")]
    [InlineData("createoropen")]
    [Slow]
    public void Of_processes_that_recover_together_exactly_one_is_the_maker(string verb)
    {
        // With the default bound: a peer with the file lock may not be scheduled for longer than a short one. Under
        // an emulator it computes for longer.
        int bound = (int)Patience.Seconds(1).TotalMilliseconds;
        PeerProcess[] peers = [Peer(), Peer(), Peer()];
        for (int round = 0; round < Sample.Of(4, 2); round++)
        {
            NativeIpcKey key = NextKey();
            Backend.MakeHalfCreatedSegment(key);
            foreach (PeerProcess peer in peers) peer.Post($"shm {verb} a{round} {key} 500 timeout={bound}");
            int makers = 0;
            foreach (PeerProcess peer in peers)
            {
                peer.Await("opening");
                if (verb == "createoropen")
                {
                    string answer = peer.Answer();
                    if (answer == "500 created") makers++;
                    else Assert.Equal("500 opened", answer);
                }
                else if (peer.CreatedOrExisted()) makers++;
            }

            Assert.Equal(1, makers);
            if (verb == "createoropen") Assert.Single(peers.Select(peer => peer.Ask($"shm id a{round}")).Distinct());
        }
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void A_maker_that_is_only_slow_is_waited_for_when_opening() => IsWaitedFor("open");

    // A System V creating call does not have to wait: its key file is no half of a segment, and shmget lets one win.
    [BackendTheory(Needs.Linux | Needs.Leftovers)]
    [InlineData("createoropen")]
    [InlineData("create")]
    public void A_maker_that_is_only_slow_is_waited_for_when_creating(string verb) => IsWaitedFor(verb);

    private void IsWaitedFor(string verb)
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        using var looks = new OpenWatch(Backend.FileOf(key));
        PeerProcess peer = Peer();
        peer.Post(verb == "open" ? $"shm open a {key} rw timeout=50000" : $"shm {verb} a {key} 500 timeout=50000");
        peer.Await("opening");
        looks.WaitFor(3, s_watchdog);
        Backend.FinishSegment(key, 500);
        if (verb == "create") Assert.Equal("AlreadyExists", peer.Failure());
        else Assert.Equal("500 opened", peer.Answer());
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void A_slow_maker_is_waited_for_by_TryOpenExisting_too()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        using var looks = new OpenWatch(Backend.FileOf(key));
        SharedMemory? segment = null;
        Task opening =
            Start(
                () =>
                    Assert.True(SharedMemory.TryOpenExisting(key, out segment,
                        options: new() { PeerTimeout = s_watchdog })));
        looks.WaitFor(3, s_watchdog);
        Backend.FinishSegment(key, 500);
        Finish(opening);
        using (segment) Assert.Equal(500, segment!.Size);
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void A_half_created_segment_that_is_removed_meanwhile_is_not_found()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        using var looks = new OpenWatch(Backend.FileOf(key));
        PeerProcess peer = Peer();
        peer.Post($"shm open a {key} rw timeout=50000");
        peer.Await("opening");
        looks.WaitFor(3, s_watchdog);
        File.Delete(Backend.FileOf(key));
        Assert.Equal("NotFound", peer.Failure());
    }

    [BackendFact(Needs.Leftovers)]
    public void Remove_removes_a_half_created_segment()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        SharedMemory.Remove(key);
        Assert.False(File.Exists(Backend.FileOf(key)));
    }

    [BackendFact(Needs.Posix | Needs.Linux | Needs.ComparedNames)]
    [NeedsRoot("Needs root, to make another user's file.")]
    public void A_half_created_segment_of_another_user_is_not_recovered()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        Assert.Equal("", Shell.Run("chown", ["65534", Backend.FileOf(key)]).Succeeded);
        Assert.Equal(NativeIpcError.AlreadyExists,
            ErrorOf(() => SharedMemory.CreateNew(key, 10, new() { PeerTimeout = TimeSpan.Zero })));
        Assert.Equal(0, new FileInfo(Backend.FileOf(key)).Length);
    }

    // ---- Half-created semaphores: a key file alone

    [BackendFact(Needs.SystemV)]
    public void A_key_file_without_a_semaphore_is_recovered_by_creating_calls_and_reported_by_opening_ones()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        var options = new SystemSemaphoreOptions { PeerTimeout = TimeSpan.FromMilliseconds(80) };
        long start = Stopwatch.GetTimestamp();
        NativeIpcException failure = Assert.Throws<NativeIpcException>(
            () => SystemSemaphore.OpenExisting(key, options));
        Assert.True(Stopwatch.GetElapsedTime(start) >= options.PeerTimeout);
        Assert.Equal(NativeIpcError.NotFound, failure.Error);
        Assert.Contains("half-created", failure.Message, StringComparison.Ordinal);
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _, options));
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3, options);
        Assert.True(semaphore.CreatedNew);
        Assert.Equal("opened", Peer().Ask($"sem open s {key}"));
    }

    [BackendFact(Needs.SystemV | Needs.Linux)]
    public void A_slow_maker_of_a_semaphore_is_waited_for()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        using var looks = new OpenWatch(Backend.FileOf(key));
        PeerProcess peer = Peer();
        peer.Post($"sem open s {key} timeout=50000");
        peer.Await("opening");
        looks.WaitFor(3, s_watchdog);
        int id = Libc.semget(SystemVProvider.Ftok(key), 1,
            Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600);
        Assert.Equal(0, Libc.semctl(id, 0, Flags.SETVAL, 1));
        Assert.Equal("opened", peer.Answer());
        Assert.Equal(id.ToString(CultureInfo.InvariantCulture), peer.Ask("sem id s"));
        Assert.Equal("true", peer.Ask("sem tryacquire s"));
    }

    [Fact]
    public void A_peer_killed_while_it_waits_for_the_lock_leaves_it_usable()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        using (segment.Lock())
        {
            peer.Post("shm lock a");
            peer.Await("locking");
            peer.Kill();
        }

        segment.Lock().Dispose();
        Assert.True(segment.TryLock(out SharedMemoryLock scope));
        scope.Dispose();
    }
}

internal static class CreatingPeers
{
    /// <summary>Waits for a posted <c>shm create</c>: true when it made the segment, false when that existed.</summary>
    internal static bool CreatedOrExisted(this PeerProcess peer)
    {
        string answer = peer.AnswerOrFailure();
        Assert.True(answer.StartsWith("ok 500 created", StringComparison.Ordinal)
            || answer.StartsWith("error AlreadyExists", StringComparison.Ordinal), answer);
        return answer.StartsWith("ok", StringComparison.Ordinal);
    }
}
