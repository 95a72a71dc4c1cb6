using System.Runtime.CompilerServices;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Objects that were used so often that their operations are single steps on memory (MappedSemaphore): they
/// end like all others, and leave nothing.</summary>
[Collection(nameof(Alone))]
public abstract class FastPathTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Many = 100;

    [BackendFact(Needs.Recovery | Needs.Posix | Needs.Finalizers)]
    public void Pages_that_stand_in_for_closed_semaphores_are_bounded_and_go_with_a_collection()
    {
        NativeIpcKey key = NextGlibcKey();
        using SystemSemaphore anchor = SystemSemaphore.CreateNew(key, 1);
        // What the frame of an asynchronous test that has just ended, below this one, still refers to
        int before = Collected();
        int highest = 0;
        for (int i = 0; i < StandInPage.Most + 500; i++)
        {
            UseOftenAndDispose(key);
            highest = Math.Max(highest, StandInPage.Count);
        }

        Assert.True(highest > before, "No object was promoted.");
        // With what earlier tests of this process had open
        Assert.True(highest <= StandInPage.Most + 100, $"{highest} pages wait.");
        Assert.True(SpinWait.SpinUntil(() => Collected() <= before, s_watchdog),
            $"{StandInPage.Count} pages are left, {before} were there before.");
        Assert.True(anchor.TryAcquire());
        Assert.False(anchor.TryAcquire());
    }

    [BackendFact(Needs.Recovery | Needs.Posix)]
    public void A_semaphore_that_was_closed_has_no_user_any_more_for_the_kernel()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.Keep });
        UseOften(semaphore);
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateNew(key, 5)));
        Assert.False(SystemSemaphore.CreateOrOpen(key, 5,
            new() { Reclaim = true, Removal = RemovalPolicy.Keep }).CreatedNew);
        semaphore.Dispose();
        SystemSemaphore last = SystemSemaphore.OpenExisting(key, new() { Removal = RemovalPolicy.LastOneOut });
        UseOften(last);
        GC.Collect(); // the instance that CreateOrOpen gave
        GC.WaitForPendingFinalizers();
        last.Dispose();
        Assert.False(Backend.SemaphoreExists(key));
    }

    [BackendFact(Needs.Recovery)]
    public void What_was_used_often_is_disposed_as_everything_else()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 1);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        UseOften(semaphore);
        semaphore.Dispose();
        Assert.Throws<ObjectDisposedException>(() => semaphore.TryAcquire());
        Assert.Throws<ObjectDisposedException>(() => semaphore.Release());
        Assert.Throws<ObjectDisposedException>(() => semaphore.Acquire());
        Assert.True(other.TryAcquire());
        Assert.False(other.TryAcquire());
    }

    [BackendFact(Needs.Recovery)]
    public void A_lock_that_was_taken_often_is_released_by_Dispose_and_nobody_is_told_of_a_death()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory other = SharedMemory.CreateNew(key, 100);
        SharedMemory segment = SharedMemory.OpenExisting(key);
        for (int i = 0; i < Many; i++) segment.Lock().Dispose();
        SharedMemoryLock held = segment.Lock();
        Assert.False(other.TryLock(out _));
        segment.Dispose();
        Assert.True(other.TryLock(out SharedMemoryLock scope));
        Assert.False(scope.WasAbandoned);
        held.Dispose();
        Assert.False(other.TryLock(out _));
        scope.Dispose();
        Assert.Throws<ObjectDisposedException>(() => segment.Lock());
    }

    [Fact]
    public void Copies_of_a_scope_that_end_on_two_threads_at_once_release_the_lock_once()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        using SharedMemory other = SharedMemory.OpenExisting(segment.Key);
        using var barrier = new Barrier(2);
        const int rounds = 3000;
        SharedMemoryLock current = default;
        Task second = Start(() =>
        {
            for (int i = 0; i < rounds; i++)
            {
                barrier.SignalAndWait(Cancellation);
                current.Dispose();
                barrier.SignalAndWait(Cancellation);
            }
        });
        for (int i = 0; i < rounds; i++)
        {
            current = segment.Lock();
            SharedMemoryLock copy = current;
            barrier.SignalAndWait(Cancellation);
            copy.Dispose();
            if (i % 2 == 0 && segment.TryLock(out SharedMemoryLock next))
            {
                // Taken by a thread of the same instance while the copy may still be on its way: it releases nothing.
                barrier.SignalAndWait(Cancellation);
                Assert.False(other.TryLock(out _), $"Round {i} released what another scope holds.");
                next.Dispose();
                continue;
            }

            barrier.SignalAndWait(Cancellation);
            Assert.True(other.TryLock(out SharedMemoryLock scope), $"Round {i} did not release.");
            Assert.False(segment.TryLock(out _), $"Round {i} released twice.");
            scope.Dispose();
        }

        Finish(second);
    }

    [BackendFact(Needs.Recovery | Needs.Posix)]
    public void Threads_of_one_instance_share_what_a_dead_stranger_has_left()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        LeaveTakenByADeadStranger(segment);
        int abandoned = 0;
        Task[] threads = [.. Enumerable.Range(0, 4).Select(_ => Start(() =>
        {
            for (int i = 0; i < 2000; i++)
            {
                using SharedMemoryLock scope = segment.Lock();
                segment.GetReference<int>(0)++;
                if (scope.WasAbandoned) abandoned++;
            }
        }))];
        Finish(threads);
        Assert.Equal(1, abandoned);
        Assert.Equal(8000, segment.GetReference<int>(0));
        Assert.True(segment.TryLock(out _));
        Assert.False(segment.TryLock(out _));
    }

    [BackendFact(Needs.Recovery | Needs.Posix)]
    public async Task An_awaited_lock_is_freed_of_a_dead_stranger()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        LeaveTakenByADeadStranger(segment);
        using SharedMemoryLock scope = await segment.LockAsync(Cancellation).AsTask().WaitAsync(s_watchdog,
            Cancellation);
        Assert.True(scope.WasAbandoned);
        Assert.False(segment.TryLock(out _));
    }

    [BackendTheory(Needs.Recovery | Needs.Posix)]
    [InlineData(RemovalPolicy.Default)]
    [InlineData(RemovalPolicy.LastOneOut)]
    public async Task A_robust_semaphore_is_freed_of_a_dead_stranger(RemovalPolicy removal)
    {
        NativeIpcKey key = NextGlibcKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Robust = true, Removal = removal });
        for (int i = 0; i < 2; i++)
        {
            PeerProcess stranger = Peer();
            stranger.Ask($"sem open s {key}");
            stranger.Ask("sem acquire s");
            Assert.False(semaphore.TryAcquire());
            stranger.Kill();
            if (i == 0) Assert.True(semaphore.TryAcquire(s_watchdog, Cancellation));
            else await semaphore.AcquireAsync(Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation);
            Assert.True(semaphore.WasAbandoned);
            semaphore.Release();
        }
    }

    private void LeaveTakenByADeadStranger(SharedMemory segment)
    {
        segment.Lock().Dispose(); // which makes the lock
        PeerProcess stranger = Peer();
        stranger.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        stranger.Ask("sem acquire s");
        stranger.Kill();
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
    }

    private static int Collected()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return StandInPage.Count;
    }

    // A method of its own, whose variables do not live on in the caller.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void UseOftenAndDispose(in NativeIpcKey key)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        UseOften(semaphore);
    }

    private static void UseOften(SystemSemaphore semaphore)
    {
        for (int i = 0; i < Many; i++)
        {
            Assert.True(semaphore.TryAcquire());
            semaphore.Release();
        }
    }
}
