using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>The lock of a segment (mission C3).</summary>
public abstract partial class LockTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Size = 100;

    [Fact]
    public void Two_processes_never_are_inside_together()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess one = Peer();
        PeerProcess two = Peer();
        one.Ask($"shm open a {key} rw");
        two.Ask($"shm open a {key} rw");
        one.Post("shm add a 8 20000");
        two.Post("shm add a 8 20000");
        one.Answer();
        two.Answer();
        Assert.Equal(40_000, segment.GetReference<int>(8));
        LockIsFree(key);
    }

    [Fact]
    public void Threads_with_one_instance_and_with_their_own_never_are_inside_together()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory shared = SharedMemory.CreateNew(key, Size);
        Task[] threads = [.. Enumerable.Range(0, 4).Select(i => Start(() =>
        {
            using SharedMemory own = SharedMemory.OpenExisting(key);
            SharedMemory used = i % 2 == 0 ? own : shared;
            for (int round = 0; round < 2000; round++)
            {
                using (used.Lock()) used.GetReference<int>(4)++;
            }
        }))];
        Finish(threads);
        Assert.Equal(8000, shared.GetReference<int>(4));
        LockIsFree(key);
    }

    [Fact]
    public void Threads_that_open_the_lock_of_one_instance_together_all_get_it()
    {
        for (int round = 0; round < Sample.Of(500, 100); round++)
        {
            using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
            using var together = new Barrier(4);
            Finish([.. Enumerable.Range(0, 4).Select(_ => Start(() =>
            {
                together.SignalAndWait();
                using (segment.Lock()) segment.GetReference<int>(4)++;
            }))]);
            Assert.Equal(4, segment.GetReference<int>(4));
        }
    }

    [Fact]
    public void A_waiter_comes_in_when_the_holder_lets_go_and_not_before()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        using (segment.Lock())
        {
            Assert.Equal("false", peer.Ask("shm trylock a"));
            peer.Post("shm lock a");
            peer.Await("locking");
            segment.Span[0] = 0x77; // still inside: the peer must find this
        }

        Assert.Equal("", peer.Answer());
        Assert.Equal("77", peer.Ask("shm read a 0 1"));
        Assert.False(segment.TryLock(out _));
        peer.Ask("shm unlock a");
        using (segment.Lock()) Assert.Equal("false", peer.Ask("shm trylock a"));
    }

    [Fact]
    public void TryLock_takes_a_free_lock_and_reports_a_taken_one()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory one = SharedMemory.CreateNew(key, Size);
        using SharedMemory other = SharedMemory.OpenExisting(key);
        Assert.True(one.TryLock(out SharedMemoryLock scope));
        Assert.False(other.TryLock(out SharedMemoryLock none));
        Assert.Equal(default, none);
        Assert.NotEqual(default, scope);
        Assert.False(one.TryLock(out _)); // not re-entrant
        none.Dispose();
        Assert.False(other.TryLock(out _));
        scope.Dispose();
        Assert.True(other.TryLock(out scope));
        scope.Dispose();
        LockIsFree(key);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(200)]
    public void A_timeout_never_comes_early_and_takes_nothing(int milliseconds)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Ask("shm lock a");
        TimeSpan timeout = TimeSpan.FromMilliseconds(milliseconds);
        long start = Stopwatch.GetTimestamp();
        Assert.False(segment.TryLock(timeout, out _));
        Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        peer.Ask("shm unlock a");
        LockIsFree(key);
    }

    [Fact]
    public void A_wait_with_time_left_gets_the_lock()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        SharedMemoryLock scope = segment.Lock();
        peer.Post("shm lock a 50000");
        peer.Await("locking");
        scope.Dispose();
        Assert.Equal("", peer.Answer());
    }

    [Fact]
    public void A_cancelled_wait_throws_and_takes_nothing()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        using SharedMemory holder = SharedMemory.OpenExisting(key);
        using (var cancelled = new CancellationTokenSource())
        {
            cancelled.Cancel();
            Assert.Throws<OperationCanceledException>(() => segment.Lock(cancelled.Token));
            Assert.Throws<OperationCanceledException>(() => segment.TryLock(TimeSpan.Zero, out _, cancelled.Token));
        }

        SharedMemoryLock scope = holder.Lock();
        using var source = new CancellationTokenSource();
        Task waiting =
            Start(
                () => Assert.Equal(source.Token,
                    Assert.Throws<OperationCanceledException>(() => segment.Lock(source.Token)).CancellationToken));
        source.CancelAfter(30);
        Finish(waiting);
        scope.Dispose();
        LockIsFree(key);
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(4294967296.0)]
    public void A_timeout_without_meaning_is_a_wrong_argument(double milliseconds)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => segment.TryLock(TimeSpan.FromMilliseconds(milliseconds), out _));
    }

    [Fact]
    public void A_copied_scope_that_is_disposed_twice_unlocks_once()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        SharedMemoryLock scope = segment.Lock();
        SharedMemoryLock copy = scope;
        Assert.True(scope == copy);
        scope.Dispose();
        copy.Dispose();
        scope.Dispose();
        LockIsFree(key);

        // A stale copy does not end a later scope either.
        SharedMemoryLock later = segment.Lock();
        Assert.True(later != scope);
        copy.Dispose();
        Assert.False(segment.TryLock(out _));
        later.Dispose();
        LockIsFree(key);
    }

    [Fact]
    public void Copies_that_are_disposed_on_many_threads_at_once_unlock_once()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        using var together = new Barrier(3);
        SharedMemoryLock scope = default;
        Task[] threads = [.. Enumerable.Range(0, 2).Select(_ => Start(() =>
        {
            for (int round = 0; round < 500; round++)
            {
                together.SignalAndWait(Cancellation);
                scope.Dispose();
                together.SignalAndWait(Cancellation);
            }
        }))];
        for (int round = 0; round < 500; round++)
        {
            scope = segment.Lock();
            together.SignalAndWait(Cancellation);
            together.SignalAndWait(Cancellation);
            Assert.True(segment.TryLock(out SharedMemoryLock next));
            Assert.False(segment.TryLock(out _));
            next.Dispose();
        }

        Finish(threads);
        LockIsFree(key);
    }

    [Fact]
    public void A_scope_may_end_on_another_thread()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        SharedMemoryLock scope = segment.Lock();
        Finish(Start(scope.Dispose));
        LockIsFree(key);
    }

    [Fact]
    public void Disposing_the_segment_releases_its_lock_once()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory other = SharedMemory.CreateNew(key, Size);
        SharedMemory holder = SharedMemory.OpenExisting(key);
        SharedMemoryLock scope = holder.Lock();
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Post("shm lock a");
        peer.Await("locking");
        holder.Dispose();
        Assert.Equal("", peer.Answer());
        scope.Dispose(); // must not release the lock that the peer holds by now
        Assert.False(other.TryLock(out _));
        peer.Ask("shm unlock a");
        LockIsFree(key);
    }

    [Fact]
    public void A_wait_that_Dispose_interrupts_ends_with_ObjectDisposedException_and_takes_nothing()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory holder = SharedMemory.CreateNew(key, Size);
        SharedMemory waiter = SharedMemory.OpenExisting(key);
        SharedMemoryLock scope = holder.Lock();
        using var begun = new ManualResetEventSlim();
        Task waiting = Start(() =>
        {
            begun.Set();
            Assert.Throws<ObjectDisposedException>(() => waiter.Lock());
        });
        Assert.True(begun.Wait(s_watchdog, Cancellation));
        waiter.Dispose();
        Finish(waiting);
        scope.Dispose();
        LockIsFree(key);
    }

    [Fact]
    public void The_lock_is_not_made_before_it_is_needed()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        segment.Span[0] = 1;
        Assert.False(Backend.LockExists(key));
        segment.Lock().Dispose();
        Assert.True(Backend.LockExists(key));
    }

    [Fact]
    public void Failed_creates_and_opens_leave_no_lock()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.False(Backend.LockExists(key));
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, Size)));
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => SharedMemory.CreateOrOpen(key, 1_000_000)));
        Assert.False(Backend.LockExists(key));
    }

    [Fact]
    public void Failed_creates_do_not_touch_a_lock_that_is_held()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        using SharedMemoryLock scope = segment.Lock();
        PeerProcess peer = Peer();
        Assert.Equal("AlreadyExists", peer.AskFailing($"shm create a {key} 100"));
        Assert.Equal("InvalidSize", peer.AskFailing($"shm createoropen a {key} 1000000"));
        peer.Ask($"shm open b {key} rw");
        Assert.Equal("false", peer.Ask("shm trylock b"));
        peer.Ask("shm close b");
        peer.Ask($"shm open b {key} rw");
        Assert.Equal("false", peer.Ask("shm trylock b"));
        Assert.False(scope.WasReplaced);
    }

    [Fact]
    public void Opening_and_creating_do_not_wait_for_the_lock()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        using SharedMemoryLock scope = segment.Lock();
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Ask($"shm createoropen b {key} 10");
        peer.Ask("shm close a");
        peer.Ask("shm close b");
    }

    [Fact]
    public void The_lock_goes_with_the_segment()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size)) segment.Lock().Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void Remove_removes_the_lock_too()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size, new() { Removal = RemovalPolicy.Keep }))
            segment.Lock().Dispose();
        Assert.True(Backend.LockExists(key));
        Assert.True(SharedMemory.Remove(key));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void Who_made_the_lock_does_not_remove_it_under_the_others()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Ask("shm lock a"); // makes it
        peer.Ask("shm unlock a");
        using (segment.Lock())
        {
            peer.Quit();
            if (Backend.OutlivesProcesses) Assert.True(Backend.LockExists(key));
            using SharedMemory third = SharedMemory.OpenExisting(key);
            Assert.False(third.TryLock(out _));
        }
    }

    [Fact]
    public void Without_UseLock_there_is_no_lock_and_Lock_says_so()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size, new() { UseLock = false }))
        {
            Assert.Throws<InvalidOperationException>(() => segment.Lock());
            Assert.Throws<InvalidOperationException>(() => segment.TryLock(out _));
            Assert.False(Backend.LockExists(key));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void The_lock_of_a_legacy_key_has_the_legacy_semaphores_name()
    {
        string name = TestNames.NextName();
        NativeIpcKey key = Names.Track(SharedMemory.LegacyNativeKey(name, Backend.Type));
        NativeIpcKey lockKey = Names.Track(Provider.LockKey(key));
        Assert.NotEqual(key.NativeKey, lockKey.NativeKey);
        Assert.EndsWith(Path.GetFileName(SystemSemaphore.LegacyNativeKey(name, Backend.Type).NativeKey),
            lockKey.NativeKey, StringComparison.Ordinal); // with musl after "sem."
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size))
        {
            using (segment.Lock())
            {
                using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(lockKey);
                Assert.False(semaphore.TryAcquire());
            }

            PeerProcess peer = Peer();
            peer.Ask($"shm open a {key} rw");
            peer.Ask("shm lock a");
            Assert.False(segment.TryLock(out _));
            peer.Ask("shm unlock a");
            peer.Ask("shm close a");
        }

        Assert.False(Backend.AnythingExists(key));
        Assert.False(Backend.AnythingExists(lockKey));
    }

    [BackendFact(Needs.SystemV)]
    public void A_killed_holder_gives_the_lock_back_on_System_V()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Ask("shm lock a");
        Assert.False(segment.TryLock(out _));
        peer.Kill();
        segment.Lock().Dispose();
        LockIsFree(key);
    }

    [BackendFact(Needs.Linux | Needs.LockModeBeyondUmask)]
    [NeedsRoot("Needs root, to start a peer as another user.")]
    public void Everyone_who_may_read_the_segment_may_lock_it()
    {
        File.SetUnixFileMode(TestNames.Folder, FileModes.Mode755);
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size,
            new() { Mode = FileModes.Mode644 });
        using SharedMemoryLock scope = segment.Lock();
        PeerProcess other = Peer(Peers.Require("setpriv", "util-linux"), "--reuid", "65534", "--regid", "65534",
            "--clear-groups", PeerProcess.Program);
        other.Ask($"shm open a {key} ro");
        Assert.Equal("false", other.Ask("shm trylock a"));
        scope.Dispose();
        Assert.Equal("true", other.Ask("shm trylock a"));
    }

    /// <summary>The semaphore behind the lock has the value 1 again.</summary>
    private void LockIsFree(in NativeIpcKey key)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Provider.LockKey(key));
        if (Backend.CountCanBeRead)
        {
            Assert.True(semaphore.TryGetCurrentCount(out int count));
            Assert.Equal("1", count.ToString(CultureInfo.InvariantCulture));
            return;
        }

        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
        semaphore.Release();
    }
}
