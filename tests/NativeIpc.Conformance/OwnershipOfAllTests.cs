using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Who removes what, also when users are killed (mission F3), and what a peer that shortens a segment can
/// do.</summary>
public abstract class OwnershipOfAllTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly SharedMemoryOptions s_lastOut = new() { Removal = RemovalPolicy.LastOneOut };

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void The_last_one_out_removes_whoever_made_it()
    {
        NativeIpcKey key = NextKey();
        SharedMemory maker = SharedMemory.CreateNew(key, 100, s_lastOut);
        maker.Lock().Dispose();
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw lastout");
        maker.Dispose();
        Assert.True(Backend.SegmentExists(key));
        peer.Ask("shm close a");
        Assert.False(Backend.AnythingExists(key));
        Assert.False(Backend.LockExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void Killed_users_do_not_count()
    {
        NativeIpcKey key = NextKey();
        PeerProcess[] users = [Peer(), Peer(), Peer()];
        users[0].Ask($"shm create a {key} 100 lastout");
        foreach (PeerProcess user in users.Skip(1)) user.Ask($"shm open a {key} rw lastout");
        SharedMemory last = SharedMemory.OpenExisting(key, options: s_lastOut);
        users[1].Kill();
        users[2].Ask("shm close a");
        users[0].Kill();
        Assert.True(Backend.SegmentExists(key));
        last.Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void A_normal_end_of_the_last_one_removes()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 100 lastout");
        peer.Exit();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    [Slow]
    public void Of_users_that_leave_together_one_removes()
    {
        PeerProcess[] users = [Peer(), Peer(), Peer(), Peer()];
        for (int round = 0; round < Sample.Of(25, 10); round++)
        {
            NativeIpcKey key = NextKey();
            foreach (PeerProcess user in users) user.Ask($"shm createoropen a {key} 100 lastout");
            foreach (PeerProcess user in users) user.Post("shm close a");
            foreach (PeerProcess user in users) user.Answer();
            Assert.False(Backend.SegmentExists(key), $"Left in round {round}.");
        }
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_user_that_knows_nothing_of_this_counts()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory.CreateNew(key, 100, s_lastOut))
        {
            using FileStream foreign = File.OpenRead(Backend.FileOf(key));
            SharedMemory.OpenExisting(key, options: s_lastOut).Dispose();
        }

        Assert.False(Backend.SegmentExists(key));
        SharedMemory segment = SharedMemory.CreateNew(key, 100, s_lastOut);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw keep");
        segment.Dispose();
        Assert.True(Backend.SegmentExists(key));
        peer.Ask("shm close a");
        Assert.True(SharedMemory.Remove(key));
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void The_last_one_out_removes_a_semaphore()
    {
        NativeIpcKey key = NextGlibcKey();
        var options = new SystemSemaphoreOptions { Removal = RemovalPolicy.LastOneOut };
        SystemSemaphore first = SystemSemaphore.CreateNew(key, 1, options);
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key} lastout");
        peer.Ask("sem acquire s");
        SystemSemaphore robust = SystemSemaphore.OpenExisting(key, options with { Robust = Backend.Recovers });
        first.Dispose();
        peer.Kill();
        Assert.True(Backend.SemaphoreExists(key));
        robust.Dispose();
        Assert.False(Backend.SemaphoreExists(key));
        peer = Peer();
        peer.Ask($"sem create s {key} 1 lastout");
        peer.Exit();
        Assert.False(Backend.SemaphoreExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void Reclaim_starts_afresh_when_every_user_is_dead_and_only_then()
    {
        NativeIpcKey key = NextKey();
        var reclaim = new SharedMemoryOptions { Reclaim = true };
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Ask("shm write a 0 ff");
        PeerProcess user = Peer();
        user.Ask($"shm open a {key} rw");
        maker.Kill();
        using (SharedMemory found = SharedMemory.CreateOrOpen(key, 50, reclaim with { Removal = RemovalPolicy.Keep }))
        {
            Assert.False(found.CreatedNew);
            Assert.Equal(0xFF, found.Span[0]);
        }

        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, 50, reclaim)));
        user.Kill();
        using SharedMemory fresh = SharedMemory.CreateOrOpen(key, 50, reclaim);
        Assert.True(fresh.CreatedNew);
        Assert.Equal(50, fresh.Size);
        Assert.Equal(0, fresh.Span[0]);
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    [Slow]
    public void Of_many_that_reclaim_together_one_makes_it()
    {
        PeerProcess[] peers = [Peer(), Peer(), Peer(), Peer()];
        for (int round = 0; round < Sample.Of(20, 6); round++)
        {
            NativeIpcKey key = NextKey();
            PeerProcess dead = Peer();
            dead.Ask($"shm create a {key} 100 keep");
            dead.Kill();
            foreach (PeerProcess peer in peers) peer.Post($"shm createoropen a{round} {key} 50 reclaim");
            Assert.Single(peers.Select(peer => peer.Answer()), answer => answer == "50 created");
            Assert.Single(peers.Select(peer => peer.Ask($"shm id a{round}")).Distinct());
            foreach (PeerProcess peer in peers) peer.Ask($"shm close a{round}");
        }
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void Reclaim_of_a_semaphore()
    {
        NativeIpcKey key = NextKey();
        var reclaim = new SystemSemaphoreOptions { Reclaim = true };
        PeerProcess maker = Peer();
        maker.Ask($"sem create s {key} 3");
        using (SystemSemaphore found = SystemSemaphore.CreateOrOpen(key, 1, reclaim))
        {
            Assert.False(found.CreatedNew);
        }

        maker.Kill();
        using SystemSemaphore fresh = SystemSemaphore.CreateNew(key, 1, reclaim);
        Assert.True(fresh.TryAcquire());
        Assert.False(fresh.TryAcquire());
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    [NeedsRoot("Needs root, to give an object to a group of another.")]
    public void The_group_of_a_new_object_is_set()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey semaphoreKey = NextKey();
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
            | UnixFileMode.GroupWrite;
        using SharedMemory segment = SharedMemory.CreateNew(key, 100, new() { Group = "daemon", Mode = mode });
        segment.Lock().Dispose();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(semaphoreKey, 1,
            new() { Group = "1", Mode = mode });
        foreach (string file in new[] { Backend.FileOf(key), PosixProvider.SemaphoreFileOf(Provider.LockKey(key)),
            PosixProvider.SemaphoreFileOf(semaphoreKey) })
        {
            Assert.Equal(0, Libc.Status(file, followLink: false, out FileStatus status));
            Assert.Equal(1u, status.Gid);
            Assert.Equal((uint)mode, status.Permissions);
        }

        Assert.Throws<ArgumentException>(
            () => SharedMemory.CreateNew(NextKey(), 100, new() { Group = "no such group" }));
    }

    [Fact]
    public void The_size_of_a_segment_that_nobody_touched_is_verified()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 5000);
        Assert.True(segment.VerifySize() >= 5000);
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_shortened_segment_gives_errors_to_who_copies()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10_000);
        using Stream stream = segment.OpenStream();
        using (FileStream attacker = File.OpenWrite(Backend.FileOf(key))) attacker.SetLength(100);
        byte[] buffer = new byte[10_000];
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => segment.VerifySize()));
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => segment.Read(0, buffer)));
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => segment.Write(5000, buffer.AsSpan(0, 10))));
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => stream.ReadExactly(buffer)));
        Assert.Equal(100, new FileInfo(Backend.FileOf(key)).Length);
        segment.Read(0, buffer.AsSpan(0, 100)); // what is left can be read
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public async Task An_asynchronous_read_or_write_that_fails_says_so_by_its_task_and_a_wrong_argument_at_once()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10_000);
        using Stream stream = segment.OpenStream();
        using (FileStream attacker = File.OpenWrite(Backend.FileOf(key))) attacker.SetLength(100);
        byte[] buffer = new byte[5_000];
        CancellationToken none = CancellationToken.None;
        ValueTask<int> reading = stream.ReadAsync(buffer, none);
        ValueTask writing = stream.WriteAsync(buffer, CancellationToken.None);
        Task<int> readingBytes = stream.ReadAsync(buffer, 0, 5_000, CancellationToken.None);
        Task writingBytes = stream.WriteAsync(buffer, 0, 5_000, CancellationToken.None);
        Task[] all = [reading.AsTask(), writing.AsTask(), readingBytes, writingBytes];
        foreach (Task task in all)
        {
            NativeIpcException failure = await Assert.ThrowsAsync<NativeIpcException>(() => task);
            Assert.Equal(NativeIpcError.InvalidSize, failure.Error);
        }

        // As .NET's own streams do: what is wrong with the call itself is thrown by the call.
        Assert.Throws<ArgumentNullException>("buffer", () => { _ = stream.ReadAsync(null!, 0, 1, none); });
        Assert.Throws<ArgumentOutOfRangeException>("offset", () => { _ = stream.WriteAsync(buffer, -1, 1, none); });
        Assert.Throws<ArgumentOutOfRangeException>("count", () => { _ = stream.ReadAsync(buffer, 0, 5_001, none); });
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void Copying_survives_a_peer_that_shortens_all_the_time()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100_000);
        using var stop = new CancellationTokenSource();
        Task attacker = Start(() =>
        {
            using FileStream file = File.OpenWrite(Backend.FileOf(key));
            while (!stop.IsCancellationRequested)
            {
                file.SetLength(0);
                file.SetLength(100_000);
            }
        });
        byte[] buffer = new byte[100_000];
        int errors = 0;
        int copies = 0;
        while (errors < 20 || copies < 20)
        {
            Cancellation.ThrowIfCancellationRequested();
            try
            {
                if ((errors + copies) % 2 == 0) segment.Read(0, buffer);
                else segment.Write(0, buffer);
                copies++;
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.InvalidSize)
            {
                errors++;
            }
        }

        stop.Cancel();
        Finish(attacker);
    }
}
