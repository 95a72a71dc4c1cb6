using System.Diagnostics;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waiting with timeout, cancellation and without a thread (mission F1).</summary>
public abstract partial class WaitTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static int Races { get; } = int.Parse(
        Environment.GetEnvironmentVariable("NATIVEIPC_CANCEL_RACES") is { Length: > 0 } given ? given : "20000");

    [Fact]
    public async Task A_permit_that_is_there_is_taken_at_once()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 2);
        ValueTask taking = semaphore.AcquireAsync(Cancellation);
        Assert.True(taking.IsCompletedSuccessfully);
        await taking;
        Assert.True(await semaphore.TryAcquireAsync(TimeSpan.Zero, Cancellation));
        Assert.False(await semaphore.TryAcquireAsync(TimeSpan.Zero, Cancellation));
    }

    [Fact]
    public async Task A_time_out_is_never_early_and_takes_nothing()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        foreach (int milliseconds in new[] { 1, 3, 20, 75 })
        {
            var timeout = TimeSpan.FromMilliseconds(milliseconds);
            long start = Stopwatch.GetTimestamp();
            Assert.False(await semaphore.TryAcquireAsync(timeout, Cancellation).AsTask().WaitAsync(s_watchdog,
                Cancellation));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
            start = Stopwatch.GetTimestamp();
            Assert.False(semaphore.TryAcquire(timeout, Cancellation));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        }

        semaphore.Release();
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public async Task Timeouts_that_mean_nothing_are_refused()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        foreach (TimeSpan bad in new[] { TimeSpan.FromMilliseconds(-2), TimeSpan.FromMilliseconds(int.MaxValue + 1.0),
            TimeSpan.MinValue })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.TryAcquire(bad));
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await semaphore.TryAcquireAsync(bad));
        }

        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public async Task A_cancelled_wait_takes_nothing_and_says_so()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        using var source = new CancellationTokenSource();
        Task waiting = semaphore.AcquireAsync(source.Token).AsTask();
        Task<bool> trying = semaphore.TryAcquireAsync(s_watchdog, source.Token).AsTask();
        Task blocked = Start(() => semaphore.Acquire(source.Token));
        await source.CancelAsync();
        Assert.Equal(source.Token,
            (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting)).CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => trying);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => blocked);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await semaphore.AcquireAsync(source.Token));
        semaphore.Release();
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public async Task Dispose_ends_every_wait()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 0);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        Task[] waits =
        [
            semaphore.AcquireAsync(Cancellation).AsTask(),
            semaphore.TryAcquireAsync(s_watchdog, Cancellation).AsTask(),
            Start(semaphore.Acquire),
            Start(() => semaphore.TryAcquire(s_watchdog)),
        ];
        semaphore.Dispose();
        foreach (Task wait in waits)
            await Assert.ThrowsAsync<ObjectDisposedException>(() => wait.WaitAsync(s_watchdog, Cancellation));
        other.Release();
        Assert.True(other.TryAcquire());
        Assert.False(other.TryAcquire());
    }

    [Fact]
    public async Task Waits_are_served_in_the_order_in_which_they_came_by_another_process()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        Task[] waits = new Task[20];
        for (int i = 0; i < waits.Length; i++)
        {
            waits[i] = semaphore.AcquireAsync(Cancellation).AsTask();
        }

        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key}");
        for (int i = 0; i < waits.Length; i++)
        {
            peer.Ask("sem release s");
            await waits[i].WaitAsync(s_watchdog, Cancellation);
            for (int later = i + 1; later < waits.Length; later++) Assert.False(waits[later].IsCompleted);
        }

        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public async Task Cancelling_against_releasing_neither_loses_nor_makes_a_permit()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        int taken = 0;
        int races = IsWine ? Races / 20 : Backend.IsPosix ? Races : Races / 4;
        for (int i = 0; i < races; i++)
        {
            using var source = new CancellationTokenSource();
            Task waiting = semaphore.AcquireAsync(source.Token).AsTask();
            Task releasing = Task.Run(
                () =>
                {
                    if (i % 2 == 0) Thread.SpinWait(i % 64);
                    semaphore.Release();
                },
                Cancellation);
            if (i % 2 == 1) Thread.SpinWait(i % 50 == 1 ? 20_000 : i % 3000);
            source.Cancel();
            await releasing;
            try
            {
                await waiting;
                taken++;
            }
            catch (OperationCanceledException)
            {
                // Then the permit is still there.
                Assert.True(semaphore.TryAcquire(s_watchdog, Cancellation), $"The permit of race {i} is lost.");
            }

            Assert.False(semaphore.TryAcquire(), $"Race {i} made a permit.");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{races} races, {taken} won by the release");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Cancelling_against_a_release_of_another_process_neither_loses_nor_makes_a_permit(bool blocks)
    {
        // The peer gives one permit for each that it gets of the other semaphore. Without undo, which would end after
        // 32,767 releases.
        NativeIpcKey key = NextKey();
        NativeIpcKey goKey = NextKey();
        var options = new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None };
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0, options);
        using SystemSemaphore go = SystemSemaphore.CreateNew(goKey, 0, options);
        PeerProcess peer = Peer();
        foreach ((string name, NativeIpcKey opened) in new[] { ("s", key), ("go", goKey) })
            peer.Ask($"sem open {name} {opened}{(Backend.IsSystemV ? " undo=none" : "")}");
        int races = IsWine ? 20 : Races / (blocks ? 200 : 20);
        int taken = 0;
        peer.Post($"sem relay go s {races}");
        peer.Await("acquiring");
        for (int i = 0; i < races; i++)
        {
            using var source = new CancellationTokenSource();
            Task<bool> waiting = blocks ? Task.Run(() => semaphore.TryAcquire(s_watchdog, source.Token), Cancellation)
                : semaphore.TryAcquireAsync(s_watchdog, source.Token).AsTask();
            go.Release();

            // A permit comes within some 50 microseconds, and is seen at once or, by who polls, within milliseconds.
            long until = Stopwatch.GetTimestamp() + ((i % 8 == 0 ? 3_000 : i % 100) * Stopwatch.Frequency / 1_000_000);
            while (Stopwatch.GetTimestamp() < until) Thread.SpinWait(1);
            await source.CancelAsync();
            try
            {
                Assert.True(await waiting);
                taken++;
            }
            catch (OperationCanceledException)
            {
                Assert.True(semaphore.TryAcquire(s_watchdog, Cancellation), $"The permit of race {i} is lost.");
            }

            Assert.False(semaphore.TryAcquire(), $"Race {i} made a permit.");
        }

        Assert.Equal("", peer.Answer());
        TestContext.Current.TestOutputHelper?.WriteLine($"{races} races, {taken} won by the release");
    }

    [Fact]
    [Slow]
    public void Blocked_threads_that_are_cancelled_against_releases_neither_lose_nor_make_a_permit()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        int races = IsWine ? 20 : Backend.IsPosix ? Math.Min(Races, 2000) : 200;
        for (int i = 0; i < races; i++)
        {
            using var source = new CancellationTokenSource();
            bool got = false;
            Task waiting = Start(() =>
            {
                try
                {
                    semaphore.Acquire(source.Token);
                    got = true;
                }
                catch (OperationCanceledException)
                {
                    got = false;
                }
            });
            Task releasing = Start(() => semaphore.Release());
            source.Cancel();
            Finish(waiting, releasing);
            Assert.Equal(!got, semaphore.TryAcquire());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Timing_out_against_releasing_neither_loses_nor_makes_a_permit(bool blocks)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        int races = IsWine ? 20 : Races / 50;
        int taken = 0;
        for (int i = 0; i < races; i++)
        {
            var timeout = TimeSpan.FromMilliseconds(1 + (i % 2));
            // Timers are late by up to some milliseconds
            TimeSpan untilRelease = timeout + TimeSpan.FromMicroseconds(((i % 60) - 10) * 50);
            long start = Stopwatch.GetTimestamp();
            Task<bool> waiting = blocks ? Start(() => semaphore.TryAcquire(timeout))
                : semaphore.TryAcquireAsync(timeout, Cancellation).AsTask();
            while (Stopwatch.GetElapsedTime(start) < untilRelease) Thread.SpinWait(1);
            semaphore.Release();
            bool got = await waiting.WaitAsync(s_watchdog, Cancellation);
            if (got) taken++;

            // The registered wait of Windows may have taken it for the wait that is over, and is giving it back.
            bool left = got || Backend.Type != NativeIpcKeyType.Windows
                ? semaphore.TryAcquire() : semaphore.TryAcquire(s_watchdog, Cancellation);
            Assert.True(left == !got, $"Race {i} has lost or made a permit.");
            Assert.False(semaphore.TryAcquire(), $"Race {i} made a permit.");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{races} races, {taken} won by the release");
    }

    [Fact]
    public async Task The_lock_is_awaited_in_order_and_given_on()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Post("shm lock a");
        peer.Answer();
        Assert.Null(await segment.TryLockAsync(TimeSpan.FromMilliseconds(30),
            Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation));
        Task<SharedMemoryLock> first = segment.LockAsync(Cancellation).AsTask();
        Task<SharedMemoryLock?> second = segment.TryLockAsync(s_watchdog, Cancellation).AsTask();
        using var source = new CancellationTokenSource();
        Task<SharedMemoryLock> cancelled = segment.LockAsync(source.Token).AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        peer.Ask("shm unlock a");
        SharedMemoryLock scope = await first.WaitAsync(s_watchdog, Cancellation);
        Assert.False(second.IsCompleted);
        scope.Dispose();
        SharedMemoryLock? next = await second.WaitAsync(s_watchdog, Cancellation);
        Assert.NotNull(next);
        Assert.False(segment.TryLock(out _));
        next.Value.Dispose();
        Assert.True(segment.TryLock(out scope));
        Task<SharedMemoryLock> last = segment.LockAsync(Cancellation).AsTask();
        segment.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => last.WaitAsync(s_watchdog, Cancellation));
    }

    [BackendFact(Needs.Recovery)]
    public async Task An_awaited_lock_is_taken_over_from_a_dead_holder()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Post("shm lock a");
        peer.Answer();
        Task<SharedMemoryLock> waiting = segment.LockAsync(Cancellation).AsTask();
        Assert.False(waiting.IsCompleted);
        peer.Kill();
        using SharedMemoryLock scope = await waiting.WaitAsync(s_watchdog, Cancellation);
        Assert.True(scope.WasAbandoned);
    }

    [Fact]
    public async Task Opening_waits_until_a_peer_has_made_it()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey semaphoreKey = NextKey();
        Assert.Equal(NativeIpcError.NotFound,
            (await Assert.ThrowsAsync<NativeIpcException>(
                () => SharedMemory.OpenExistingAsync(key, TimeSpan.FromMilliseconds(30),
                    cancellationToken: Cancellation))).Error);
        Assert.Equal(NativeIpcError.NotFound,
            (await Assert.ThrowsAsync<NativeIpcException>(
                () => SystemSemaphore.OpenExistingAsync(semaphoreKey, TimeSpan.Zero,
                    cancellationToken: Cancellation))).Error);
        using var source = new CancellationTokenSource();
        Task<SharedMemory> cancelled = SharedMemory.OpenExistingAsync(key, Timeout.InfiniteTimeSpan,
            cancellationToken: source.Token);
        Task<SharedMemory> opening = SharedMemory.OpenExistingAsync(key, s_watchdog, cancellationToken: Cancellation);
        Task<SystemSemaphore> openingSemaphore = SystemSemaphore.OpenExistingAsync(semaphoreKey,
            Timeout.InfiniteTimeSpan, cancellationToken: Cancellation);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 100");
        peer.Ask($"sem create s {semaphoreKey} 1");
        using SharedMemory segment = await opening.WaitAsync(s_watchdog, Cancellation);
        Assert.False(segment.CreatedNew);
        Assert.True(segment.Size >= 100);
        using SystemSemaphore semaphore = await openingSemaphore.WaitAsync(s_watchdog, Cancellation);
        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public void Several_permits_are_taken_in_one_step_or_not_at_all()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        Assert.Equal(Backend.IsSystemV, SystemSemaphore.IsMultipleAcquireSupported(Backend.Type));
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Acquire(0, Cancellation));
        Assert.True(semaphore.TryAcquire(1));
        semaphore.Release();
        if (!Backend.IsSystemV)
        {
            Assert.Throws<PlatformNotSupportedException>(() => semaphore.TryAcquire(2));
            Assert.Throws<PlatformNotSupportedException>(() => semaphore.Acquire(2, Cancellation));
            return;
        }

        Assert.False(semaphore.TryAcquire(4));
        Assert.False(semaphore.TryAcquire(4, TimeSpan.FromMilliseconds(20), Cancellation));
        Assert.True(semaphore.TryAcquire(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.TryAcquire(32768));
        Task waiting = Start(() => semaphore.Acquire(5, Cancellation));
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key}");
        peer.Ask("sem release s 4");
        Assert.False(waiting.IsCompleted);
        peer.Ask("sem release s 1");
        Finish(waiting);
        Assert.False(semaphore.TryAcquire());
    }

    [BackendFact(Needs.Linux)]
    public void What_a_blocked_waiter_costs_is_printed()
    {
        NativeIpcKey key = NextKey(), shared = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        using SystemSemaphore never = SystemSemaphore.CreateNew(NextKey(), 0);
        using SharedMemory segment = SharedMemory.CreateNew(shared, 100);
        SharedMemoryLock held = segment.Lock();
        PeerProcess acquiring = Peer(), locking = Peer();
        acquiring.Ask($"sem open s {key}");
        acquiring.Post("sem acquire s");
        acquiring.Await("acquiring");
        locking.Ask($"shm open a {shared} rw");
        locking.Post("shm lock a");
        locking.Await("locking");
        using Process acquirer = Process.GetProcessById(acquiring.Id), locker = Process.GetProcessById(locking.Id);
        // Until they are blocked, and what runs is compiled
        Assert.False(never.TryAcquire(TimeSpan.FromSeconds(1), Cancellation));
        TimeSpan acquirersBefore = acquirer.TotalProcessorTime, lockersBefore = locker.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        Assert.False(never.TryAcquire(TimeSpan.FromSeconds(2), Cancellation)); // the system counts in hundredths
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        acquirer.Refresh();
        locker.Refresh();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"A process that is blocked in Acquire took {(acquirer.TotalProcessorTime - acquirersBefore) / time:P2} "
                + $"of a core, one in Lock {(locker.TotalProcessorTime - lockersBefore) / time:P2}.");
        semaphore.Release();
        held.Dispose();
        Assert.Equal("", acquiring.Answer());
        Assert.Equal("", locking.Answer());
    }

    private static bool IsWine => OperatingSystem.IsWindows();
}
