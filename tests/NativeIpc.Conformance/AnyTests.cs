using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waiting for any of several: <see cref="SystemWait"/> takes exactly one, and loses none.</summary>
public abstract class AnyTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static int Races { get; } = int.Parse(
        Environment.GetEnvironmentVariable("NATIVEIPC_ANY_RACES") is { Length: > 0 } given ? given : "4000",
        CultureInfo.InvariantCulture);

    private static readonly TimeSpan s_forEver = Timeout.InfiniteTimeSpan;

    [Fact]
    public async Task The_lowest_one_that_is_ready_is_taken_and_no_other()
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 1, 2);
        SharedMemory segment = group.Add(SharedMemory.CreateNew(NextKey(), 100));
        SystemWaitTarget[] targets = [semaphores[0], semaphores[1], segment, semaphores[2]];
        foreach (bool isAsync in new[] { false, true })
        {
            Assert.Equal(1, (await Any(targets, s_forEver, isAsync)).Index);
            SystemWaitResult locked = await Any(targets, s_forEver, isAsync);
            Assert.Equal((2, false), (locked.Index, locked.TimedOut));
            Assert.False(segment.TryLock(out _));
            Assert.Equal(3, (await Any(targets, s_forEver, isAsync)).Index);
            Assert.Equal(3, (await Any(targets, s_forEver, isAsync)).Index);
            Assert.Equal(default, await Any(targets, TimeSpan.Zero, isAsync));
            locked.Lock.Dispose();
            locked.Lock.Dispose();
            (await Any(targets, s_forEver, isAsync)).Lock.Dispose();
            Assert.True(segment.TryLock(out SharedMemoryLock scope));
            scope.Dispose();
            semaphores[1].Release();
            semaphores[2].Release(2);
        }
    }

    [Fact]
    public void Objects_are_written_as_they_are()
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 1);
        SharedMemory segment = group.Add(SharedMemory.CreateNew(NextKey(), 100));
        Assert.Equal(1, SystemWait.Any(semaphores[0], semaphores[1], segment).Index);
        using SharedMemoryLock scope = SystemWait.Any([semaphores[0], semaphores[1], segment], s_watchdog).Lock;
        Assert.False(segment.TryLock(out _));
    }

    [Fact]
    public async Task Nothing_none_and_times_that_mean_nothing_are_refused()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        foreach (bool isAsync in new[] { false, true })
        {
            await Assert.ThrowsAsync<ArgumentException>("targets", () => Any([], s_forEver, isAsync));
            await Assert.ThrowsAsync<ArgumentException>("targets",
                () => Any([semaphore, default], s_forEver, isAsync));
            foreach (TimeSpan bad in new[] { TimeSpan.FromMilliseconds(-2), TimeSpan.MaxValue })
                await Assert.ThrowsAsync<ArgumentOutOfRangeException>("timeout",
                    () => Any([semaphore], bad, isAsync));
        }

        Assert.Throws<ArgumentNullException>(() => SystemWait.Any((SystemSemaphore)null!));
        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public async Task A_segment_without_a_lock_is_refused()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100, new() { UseLock = false });
        foreach (bool isAsync in new[] { false, true })
            await Assert.ThrowsAsync<InvalidOperationException>(() => Any([segment], s_forEver, isAsync));
    }

    [Fact]
    public async Task The_time_passes_is_never_early_and_nothing_is_taken()
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 0);
        SharedMemory segment = group.Add(SharedMemory.CreateNew(NextKey(), 100));
        SharedMemoryLock scope = segment.Lock();
        foreach (bool isAsync in new[] { false, true })
        {
            foreach (int milliseconds in new[] { 0, 1, 3, 20, 75 })
            {
                var timeout = TimeSpan.FromMilliseconds(milliseconds);
                long start = Stopwatch.GetTimestamp();
                SystemWaitResult result = await Any([.. semaphores, segment], timeout, isAsync);
                Assert.Equal((true, -1), (result.TimedOut, result.Index));
                Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
            }
        }

        scope.Dispose();
        Assert.True(segment.TryLock(out scope));
        scope.Dispose();
        semaphores[0].Release();
        Assert.True(semaphores[0].TryAcquire());
        Assert.False(semaphores[0].TryAcquire());
    }

    [Fact]
    public async Task A_cancelled_wait_takes_nothing_and_says_so()
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 0, 0);
        foreach (bool isAsync in new[] { false, true })
        {
            using var source = new CancellationTokenSource();
            Task<SystemWaitResult> waiting = AnyElsewhere(Targets(semaphores), s_forEver, isAsync, source.Token);
            await source.CancelAsync();
            Assert.Equal(source.Token,
                (await Assert.ThrowsAnyAsync<OperationCanceledException>(
                    () => waiting.WaitAsync(s_watchdog, Cancellation))).CancellationToken);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => Any(Targets(semaphores), s_forEver, isAsync, source.Token));
            foreach (SystemSemaphore semaphore in semaphores)
            {
                semaphore.Release();
                Assert.True(semaphore.TryAcquire());
                Assert.False(semaphore.TryAcquire());
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Dispose_of_one_ends_the_wait(bool isAsync)
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 0);
        SharedMemory held = group.Add(SharedMemory.CreateNew(NextKey(), 100));
        using SharedMemoryLock scope = held.Lock();
        for (int i = 0; i < 20; i++)
        {
            NativeIpcKey key = NextKey(), segmentKey = NextKey(); // a semaphore may be a segment's lock
            using SystemSemaphore owner = SystemSemaphore.CreateNew(key, 0);
            using SharedMemory segment = SharedMemory.CreateNew(segmentKey, 100);
            using SharedMemoryLock taken = segment.Lock();
            IDisposable ended = i % 2 == 0 ? SystemSemaphore.OpenExisting(key)
                : SharedMemory.OpenExisting(segmentKey);
            SystemWaitTarget target = ended is SystemSemaphore semaphore ? semaphore : (SharedMemory)ended;
            Task<SystemWaitResult> waiting =
                AnyElsewhere([semaphores[0], target, held, semaphores[1]], s_forEver, isAsync, Cancellation);
            if (i % 3 != 0) Thread.SpinWait(i * 1000);
            ended.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(s_watchdog, Cancellation));
            await Assert.ThrowsAsync<ObjectDisposedException>(
                () => Any([semaphores[0], target], s_forEver, isAsync));
            owner.Release();
            Assert.True(owner.TryAcquire());
        }

        foreach (SystemSemaphore semaphore in semaphores)
        {
            semaphore.Release();
            Assert.True(semaphore.TryAcquire());
            Assert.False(semaphore.TryAcquire());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_object_may_come_twice(bool isAsync)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key);
        Task<SystemWaitResult> waiting =
            AnyElsewhere([semaphore, other, semaphore], s_forEver, isAsync, Cancellation);
        semaphore.Release();
        Assert.InRange((await waiting.WaitAsync(s_watchdog, Cancellation)).Index, 0, 2);
        Assert.False(semaphore.TryAcquire());
        semaphore.Release(2);
        Assert.Equal(0, (await Any([semaphore, semaphore], s_forEver, isAsync)).Index);
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task More_than_the_system_can_sleep_on_at_once_are_waited_for_all_the_same(bool isAsync)
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, new int[140]);
        foreach (int index in new[] { 139, 0, 127, 62 })
        {
            Task<SystemWaitResult> waiting = AnyElsewhere(Targets(semaphores), s_forEver, isAsync, Cancellation);
            semaphores[index].Release();
            Assert.Equal(index, (await waiting.WaitAsync(s_watchdog, Cancellation)).Index);
        }

        Assert.All(semaphores, semaphore => Assert.False(semaphore.TryAcquire()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_process_gives(bool isAsync)
    {
        using var group = new DisposableGroup();
        NativeIpcKey[] keys = [NextKey(), NextKey(), NextKey()];
        SystemSemaphore[] semaphores = [.. keys.Select(key => group.Add(SystemSemaphore.CreateNew(key, 0)))];
        NativeIpcKey segmentKey = NextKey();
        SharedMemory segment = group.Add(SharedMemory.CreateNew(segmentKey, 100));
        PeerProcess peer = Peer();
        for (int i = 0; i < 3; i++) peer.Ask($"sem open s{i} {keys[i]}");
        peer.Ask($"shm open m {segmentKey} rw");
        peer.Ask("shm lock m");
        SystemWaitTarget[] targets = [.. Targets(semaphores), segment];
        for (int turn = 0; turn < 30; turn++)
        {
            Task<SystemWaitResult> waiting = AnyElsewhere(targets, s_forEver, isAsync, Cancellation);
            int index = turn % 4;
            peer.Ask(index == 3 ? "shm unlock m" : $"sem release s{index}");
            SystemWaitResult result = await waiting.WaitAsync(s_watchdog, Cancellation);
            Assert.Equal(index, result.Index);
            result.Lock.Dispose();
            if (index == 3) peer.Ask("shm lock m");
        }

        peer.Ask("shm unlock m");
        Assert.All(semaphores, semaphore => Assert.False(semaphore.TryAcquire()));
        Assert.True(segment.TryLock(out SharedMemoryLock scope));
        scope.Dispose();
    }

    [BackendTheory(Needs.RichSemaphores)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_killed_holder_had_is_taken_over_and_told(bool isAsync)
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 0);
        NativeIpcKey key = NextKey(), robustKey = NextKey();
        SharedMemory segment = group.Add(SharedMemory.CreateNew(key, 100));
        SystemSemaphore robust = group.Add(SystemSemaphore.CreateNew(robustKey, 1, new() { Robust = true }));
        SystemWaitTarget[] targets = [semaphores[0], segment, semaphores[1], robust];
        foreach (bool killsFirst in new[] { false, true })
        {
            PeerProcess holder = Peer();
            holder.Ask($"shm open m {key} rw");
            holder.Ask("shm lock m");
            PeerProcess other = Peer();
            other.Ask($"sem open s {robustKey} robust");
            other.Ask("sem acquire s");
            if (killsFirst) holder.Kill();
            Task<SystemWaitResult> waiting = AnyElsewhere(targets, s_forEver, isAsync, Cancellation);
            if (!killsFirst) holder.Kill();
            SystemWaitResult taken = await waiting.WaitAsync(s_watchdog, Cancellation);
            Assert.Equal((1, true), (taken.Index, taken.Lock.WasAbandoned));

            waiting = AnyElsewhere(targets, s_forEver, isAsync, Cancellation);
            other.Kill();
            Assert.Equal(3, (await waiting.WaitAsync(s_watchdog, Cancellation)).Index);
            Assert.True(robust.WasAbandoned);
            taken.Lock.Dispose();
            robust.Release();
            taken = await Any(targets, s_forEver, isAsync);
            Assert.Equal((1, false), (taken.Index, taken.Lock.WasAbandoned));
            taken.Lock.Dispose();
        }
    }

    [BackendTheory(Needs.RichSemaphores | Needs.Posix)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Recorded_permits_of_a_killed_holder_come_back(bool isAsync)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore empty = SystemSemaphore.CreateNew(NextKey(), 0);
        using SystemSemaphore recorded =
            SystemSemaphore.CreateNew(key, 2, new() { Recording = PermitRecording.Process });
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key} recorded");
        holder.Ask("sem acquire s 2");
        Task<SystemWaitResult> waiting = AnyElsewhere([empty, recorded], s_forEver, isAsync, Cancellation);
        holder.Kill();
        Assert.Equal(1, (await waiting.WaitAsync(s_watchdog, Cancellation)).Index);
        Assert.True(recorded.TryGetCurrentCount(out int count));
        Assert.Equal(1, count);
        recorded.Release();
    }

    [BackendTheory(Needs.ComparedNames | Needs.Posix)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_lock_that_a_peer_replaces_is_followed(bool isAsync)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using SystemSemaphore empty = SystemSemaphore.CreateNew(NextKey(), 0);
        using SharedMemory other = SharedMemory.OpenExisting(key);
        SharedMemoryLock held = other.Lock();
        Task<SystemWaitResult> waiting = AnyElsewhere([empty, segment], s_forEver, isAsync, Cancellation);
        Assert.True(SystemSemaphore.Remove(Provider.LockKey(key)));
        SystemWaitResult taken = await waiting.WaitAsync(s_watchdog, Cancellation);
        Assert.Equal((1, true), (taken.Index, held.WasReplaced));
        taken.Lock.Dispose();
        held.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_all_that_is_given_each_is_taken_once(bool isAsync)
    {
        const int givers = 2, takers = 3, objects = 5;
        int races = Backend.IsPosix ? Races : Races / 10;
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, new int[objects]);
        int[] given = new int[objects];
        int[] taken = new int[objects];
        int timedOut = 0, cancelled = 0;
        using var end = new CancellationTokenSource();
        Task[] giving = [.. Enumerable.Range(0, givers).Select(giver => Start(
            () =>
            {
                for (int i = 0; i < races / givers; i++)
                {
                    // Few enough that those who take have to wait.
                    while (given.Sum() - taken.Sum() > 2) Thread.Yield();
                    int index = ((i * 7) + giver) % objects;
                    semaphores[index].Release();
                    Interlocked.Increment(ref given[index]);
                    if (i % 5 == 0) Thread.SpinWait(i % 300);
                }
            }))];
        Task[] taking = [.. Enumerable.Range(0, takers).Select(taker => Task.Run(
            async () =>
            {
                SystemWaitTarget[] mine = [.. Targets(semaphores).Skip(taker), .. Targets(semaphores).Take(taker)];
                for (int i = 0; ; i++)
                {
                    using var source = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
                    TimeSpan timeout = i % 4 == 0 ? TimeSpan.FromTicks(i % 3000) : s_forEver;
                    if (i % 4 == 1) _ = Task.Run(source.Cancel);
                    try
                    {
                        SystemWaitResult result = await Any(mine, timeout, isAsync, source.Token);
                        if (result.TimedOut) Interlocked.Increment(ref timedOut);
                        else Interlocked.Increment(ref taken[(result.Index + taker) % objects]);
                    }
                    catch (OperationCanceledException) when (!end.IsCancellationRequested)
                    {
                        Interlocked.Increment(ref cancelled);
                    }
                    catch (OperationCanceledException)
                    {
                        return;
                    }
                }
            }))];
        Finish(giving);
        var watch = Stopwatch.StartNew();
        while (taken.Sum() < given.Sum())
        {
            Assert.True(watch.Elapsed < s_watchdog, $"{given.Sum()} were given, {taken.Sum()} taken.");
            await Task.Yield();
        }

        end.Cancel();
        Finish(taking);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{taken.Sum()} taken, {timedOut} timed out, {cancelled} cancelled");
        Assert.Equal(given, taken);
        Assert.All(semaphores, semaphore => Assert.False(semaphore.TryAcquire()));
    }

    [Fact]
    public void Processes_take_each_permit_once_and_never_hold_a_lock_together()
    {
        const int objects = 3, processes = 3;
        int turns = (Backend.IsPosix ? Races : Races / 10) / processes;
        NativeIpcKey[] semaphoreKeys = [.. Enumerable.Range(0, objects).Select(_ => NextKey())];
        NativeIpcKey[] segmentKeys = [.. Enumerable.Range(0, objects).Select(_ => NextKey())];
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores =
            [.. semaphoreKeys.Select(key => group.Add(SystemSemaphore.CreateNew(key, 0)))];
        SharedMemory[] segments = [.. segmentKeys.Select(key => group.Add(SharedMemory.CreateNew(key, 100)))];
        PeerProcess[] peers = [.. Enumerable.Range(0, processes).Select(_ => Peer())];
        foreach (PeerProcess peer in peers)
        {
            for (int i = 0; i < objects; i++)
            {
                peer.Ask($"sem open o{i} {semaphoreKeys[i]}");
                peer.Ask($"shm open o{i} {segmentKeys[i]} rw");
            }
        }

        foreach (PeerProcess peer in peers) peer.Post($"any add {turns} shm:o0 shm:o1 shm:o2");
        foreach (PeerProcess peer in peers) peer.Answer();
        Assert.Equal(turns * processes, segments.Sum(segment => segment.GetReference<int>(0)));

        foreach (PeerProcess peer in peers)
        {
            peer.Post($"any take {turns} sem:o0 sem:o1 sem:o2");
            peer.Await("acquiring");
        }

        for (int i = 0; i < turns * processes; i++) semaphores[i * 7 % objects].Release();
        foreach (PeerProcess peer in peers) peer.Answer();
        Assert.All(semaphores, semaphore => Assert.False(semaphore.TryAcquire()));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void Killed_waiters_neither_keep_nor_make_anything()
    {
        NativeIpcKey[] locks = [NextKey(), NextKey()];
        NativeIpcKey robustKey = NextKey();
        using var group = new DisposableGroup();
        SharedMemory[] segments = [.. locks.Select(key => group.Add(SharedMemory.CreateNew(key, 100)))];
        SystemSemaphore robust = group.Add(SystemSemaphore.CreateNew(robustKey, 1, new() { Robust = true }));
        int kills = Math.Clamp(Races / 400, 10, 200);
        PeerProcess staying = Turner();
        staying.Post("any turns 1000000000 shm:a shm:b sem:s");
        staying.Await("acquiring");
        for (int i = 0; i < kills; i++)
        {
            PeerProcess killed = Turner();
            killed.Post("any turns 1000000000 sem:s shm:b shm:a");
            killed.Await("acquiring");
            SystemWaitTarget[] all = [segments[0], segments[1], robust];
            for (int turn = 0; turn <= i % 7; turn++)
            {
                SystemWaitResult taken = SystemWait.Any(all, s_watchdog, Cancellation);
                Assert.False(taken.TimedOut);
                if (taken.Index == 2) robust.Release();
                else taken.Lock.Dispose();
            }

            killed.Kill();
        }

        staying.Kill();
        foreach (SharedMemory segment in segments)
        {
            Assert.True(segment.TryLock(s_watchdog, out SharedMemoryLock scope, Cancellation));
            Assert.False(segment.TryLock(out _));
            scope.Dispose();
        }

        Assert.True(robust.TryAcquire(s_watchdog, Cancellation));
        Assert.False(robust.TryAcquire());
        robust.Release();

        PeerProcess Turner()
        {
            PeerProcess peer = Peer();
            peer.Ask($"shm open a {locks[0]} rw");
            peer.Ask($"shm open b {locks[1]} rw");
            peer.Ask($"sem open s {robustKey} robust");
            return peer;
        }
    }

    [Fact]
    public void A_wait_is_told_with_the_key_of_what_was_taken()
    {
        using var group = new DisposableGroup();
        SystemSemaphore[] semaphores = Semaphores(group, 0, 0);
        List<IpcWait> waits = [];
        void Listen(IpcWait wait)
        {
            if (semaphores.Any(semaphore => semaphore.Key == wait.Key))
                lock (waits) waits.Add(wait);
        }

        IpcActivity.Waited += Listen;
        try
        {
            Task<SystemWaitResult> waiting = AnyElsewhere(Targets(semaphores), s_forEver, isAsync: true, Cancellation);
            semaphores[1].Release();
            Finish(waiting);
            // Long enough to be a wait: one whose time has passed before the thread would sleep is none.
            Assert.True(SystemWait.Any(Targets(semaphores), TimeSpan.FromMilliseconds(200), Cancellation).TimedOut);
        }
        finally
        {
            IpcActivity.Waited -= Listen;
        }

        Assert.Equal([(semaphores[1].Key, true), (semaphores[0].Key, false)],
            waits.Select(wait => (wait.Key, wait.WasAcquired)));
    }

    private protected SystemSemaphore[] Semaphores(DisposableGroup group, params int[] counts)
        => [.. counts.Select(count => group.Add(SystemSemaphore.CreateNew(NextKey(), count)))];

    private static SystemWaitTarget[] Targets(SystemSemaphore[] semaphores)
        => [.. semaphores.Select(semaphore => (SystemWaitTarget)semaphore)];

    private static async Task<SystemWaitResult> Any(SystemWaitTarget[] targets, TimeSpan timeout, bool isAsync,
        CancellationToken cancellationToken = default)
        => isAsync ? await SystemWait.AnyAsync(targets, timeout, cancellationToken)
            : SystemWait.Any(targets, timeout, cancellationToken);

    /// <summary>On a thread of its own, unless it needs none.</summary>
    private static Task<SystemWaitResult> AnyElsewhere(SystemWaitTarget[] targets, TimeSpan timeout, bool isAsync,
        CancellationToken cancellationToken)
        => isAsync ? SystemWait.AnyAsync(targets, timeout, cancellationToken).AsTask()
            : Start(() => SystemWait.Any(targets, timeout, cancellationToken));
}
