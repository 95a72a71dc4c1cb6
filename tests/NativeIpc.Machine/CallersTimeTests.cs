using NativeIpc.Interop.Unix;
using Xunit;
using Held = NativeIpc.Machine.ForeignFileLockTests.Held;

namespace NativeIpc.Machine;

/// <summary>A call that has a time or a token of its own waits by that, whoever holds a file lock, and nobody else
/// waits with it.</summary>
/// <remarks>
/// No time shows that a call does not wait: the file is held until the call has come back, and a peer may be waited for
/// without an end. So a call that waited for the peer would never come back, and the watchdog would end the test.
/// </remarks>
// One after the other: a process has few threads that wait for file locks, and these tests look for them.
[NeedsLinux("Uses flock and Linux's files.")]
[Collection("Threads that wait for file locks")]
public class CallersTimeTests
{
    private static readonly TimeSpan s_watchdog = TimeSpan.FromMinutes(1);
    private static readonly SharedMemoryOptions s_patient = new() { PeerTimeout = Timeout.InfiniteTimeSpan,
        Removal = RemovalPolicy.Keep };

    // Not without an end: a key file without an object that is no older is one in the making.
    private static readonly SystemSemaphoreOptions s_kept = new() { PeerTimeout = s_watchdog,
        Removal = RemovalPolicy.Keep };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string FileOf(NativeIpcKey key, Backend backend)
        => backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey;

    private static Task<T> Start<T>(Func<T> call)
        => Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static T Finish<T>(Task<T> call)
    {
        Assert.True(call.Wait(s_watchdog, Cancellation), "It waits for the peer.");
        return call.Result;
    }

    /// <summary>Waits until somebody waits for the file in the system's queue, which takes an open file of its
    /// own.</summary>
    private static void AwaitWaiter(string path, int opened)
        => Assert.True(SpinWait.SpinUntil(() => Opened(path) > opened, s_watchdog), "Nobody waits.");

    // By the file itself: one that was made without a name shows no name.
    private static int Opened(string path)
    {
        Assert.Equal(0, Libc.Status(path, followLink: true, out FileStatus file));
        return Directory.GetFiles("/proc/self/fd")
            .Count(link => Libc.Status(link, followLink: true, out FileStatus one) == 0
                && one.Identity == file.Identity);
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_try_to_lock_and_a_timed_one_give_false_while_another_process_holds_the_file(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
        {
            using (new Held(FileOf(key, backend)))
            {
                Assert.False(Finish(Start(() => segment.TryLock(out _))));
                Assert.False(Finish(Start(() => segment.TryLock(TimeSpan.FromMilliseconds(100), out _))));
            }

            // Not a try: the thread that was left behind in the system's queue takes the file for a moment.
            Assert.True(segment.TryLock(s_watchdog, out SharedMemoryLock scope, Cancellation));
            scope.Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_cancelled_token_ends_the_wait_for_a_file_that_is_held(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
        using (new Held(FileOf(key, backend)))
        {
            using var source = new CancellationTokenSource();
            int before = Opened(FileOf(key, backend));
            Task<bool> locking = Start(() => segment.TryLock(Timeout.InfiniteTimeSpan, out _, source.Token));
            AwaitWaiter(FileOf(key, backend), before);
            source.Cancel();
            Assert.IsAssignableFrom<OperationCanceledException>(
                Assert.Throws<AggregateException>(() => Finish(locking)).InnerException);
        }

        Assert.True(SharedMemory.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void One_thread_that_waits_for_the_file_keeps_neither_another_one_nor_Dispose_waiting(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient);
        using (new Held(FileOf(key, backend)))
        {
            int before = Opened(FileOf(key, backend));
            Task<bool> locking = Start(() => segment.TryLock(Timeout.InfiniteTimeSpan, out _));
            AwaitWaiter(FileOf(key, backend), before);
            Assert.False(Finish(Start(() => segment.TryLock(out _))));
            Assert.True(Finish(Start(() =>
            {
                segment.Dispose();
                return true;
            })));
            Assert.IsType<ObjectDisposedException>(
                Assert.Throws<AggregateException>(() => Finish(locking)).InnerException);
        }

        Assert.True(SharedMemory.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public async Task An_asynchronous_lock_gives_its_task_while_the_file_is_held_and_goes_on_when_it_comes_free(
        Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
        {
            Task<SharedMemoryLock> locking;
            using (new Held(FileOf(key, backend)))
            {
                locking = Finish(Start(() => segment.LockAsync().AsTask()));
                Assert.Null(await segment.TryLockAsync(TimeSpan.Zero, Cancellation).AsTask().WaitAsync(s_watchdog,
                    Cancellation));
                Assert.Null(await segment.TryLockAsync(TimeSpan.FromMilliseconds(50),
                    Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation));
                using var source = new CancellationTokenSource();
                Task<SharedMemoryLock> cancelled = segment.LockAsync(source.Token).AsTask();
                await source.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(
                    () => cancelled.WaitAsync(s_watchdog, Cancellation));
                Assert.False(locking.IsCompleted);
            }

            (await locking.WaitAsync(s_watchdog, Cancellation)).Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }

    /// <summary>The lock's name goes, so another lock has to be opened; the thread that serves all asynchronous waits
    /// must not do that.</summary>
    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public async Task A_lock_that_cannot_be_opened_does_not_hold_up_waits_for_other_objects(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend), otherKey = TestRun.NewKey(backend);
        using (SharedMemory holder = SharedMemory.CreateNew(key, 4096, s_patient),
            segment = SharedMemory.OpenExisting(key, options: s_patient))
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(otherKey, 0),
            other = SystemSemaphore.OpenExisting(otherKey))
        {
            SharedMemoryLock held = holder.Lock(Cancellation);
            Task<SharedMemoryLock> locking = segment.LockAsync(Cancellation).AsTask();
            using (new Held(FileOf(key, backend)))
            {
                int before = Opened(FileOf(key, backend));
                RemoveLock(key, backend);
                AwaitWaiter(FileOf(key, backend), before); // it has begun to open the next one
                for (int i = 0; i < 20; i++)
                {
                    Task waiting = semaphore.AcquireAsync(Cancellation).AsTask();
                    other.Release();
                    await waiting.WaitAsync(s_watchdog, Cancellation);
                }

                Assert.False(locking.IsCompleted);
            }

            SharedMemoryLock scope = await locking.WaitAsync(s_watchdog, Cancellation);
            Assert.True(scope.WasReplaced);
            scope.Dispose();
            held.Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }

    private static void RemoveLock(NativeIpcKey key, Backend backend)
    {
        if (backend == Backend.Posix) File.Delete(TestRun.SemaphoreFile(key));
        else
            Assert.Equal(0, Libc.semctl(
                Libc.semget(Libc.ftok(key.NativeKey, (int)key.Type), 0, 0), 0, Flags.IPC_RMID));
    }

    [Fact]
    public async Task A_set_that_cannot_be_made_anew_does_not_hold_up_waits_for_other_objects()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV), otherKey = TestRun.NewKey(Backend.SystemV);
        using (SystemSemaphore gone = SystemSemaphore.CreateNew(key, 1, s_kept))
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(otherKey, 0),
            other = SystemSemaphore.OpenExisting(otherKey))
        {
            Assert.True(gone.TryAcquire());
            Task waitingForGone = gone.AcquireAsync(Cancellation).AsTask();
            using (new Held(key.NativeKey))
            {
                File.SetLastWriteTimeUtc(key.NativeKey, DateTime.UnixEpoch);
                RemoveLock(key, Backend.SystemV);
                Assert.False(Finish(Start(() => gone.TryAcquire())));
                Assert.False(Finish(Start(() => gone.TryAcquire(TimeSpan.FromMilliseconds(100)))));
                Assert.False(Finish(Start(() => gone.TryAcquire(2, TimeSpan.FromMilliseconds(100), Cancellation))));
                for (int i = 0; i < 5; i++)
                {
                    Task waiting = semaphore.AcquireAsync(Cancellation).AsTask();
                    other.Release();
                    await waiting.WaitAsync(s_watchdog, Cancellation);
                }

                Assert.False(waitingForGone.IsCompleted);
            }

            await waitingForGone.WaitAsync(s_watchdog, Cancellation); // made anew with its count of 1
        }

        Assert.True(SystemSemaphore.Remove(key));
    }

    /// <summary>A wait without a time of its own ends with the peer's, as a blocked thread's does.</summary>
    [Fact]
    public async Task Who_waits_for_a_set_whose_key_file_a_peer_keeps_is_told_so_after_PeerTimeout()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using (SystemSemaphore gone = SystemSemaphore.CreateNew(key, 2,
            new SystemSemaphoreOptions { PeerTimeout = TimeSpan.FromMilliseconds(50), Removal = RemovalPolicy.Keep }))
        {
            using (new Held(key.NativeKey))
            {
                RemoveLock(key, Backend.SystemV);
                Task<bool> blocked = Start(() =>
                {
                    gone.Acquire(Cancellation);
                    return true;
                });
                Task first = gone.AcquireAsync(Cancellation).AsTask();
                Task second = gone.AcquireAsync(Cancellation).AsTask();
                foreach (Task waiting in (Task[])[blocked, first, second])
                {
                    Assert.Equal(NativeIpcError.LockError, (await Assert.ThrowsAsync<NativeIpcException>(
                        () => waiting.WaitAsync(s_watchdog, Cancellation))).Error);
                }

                // The caller's time is over first
                Assert.False(await gone.TryAcquireAsync(TimeSpan.Zero, Cancellation));
            }

            await gone.AcquireAsync(Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation);
        }

        Assert.True(SystemSemaphore.Remove(key));
    }

    /// <summary>What the last wait had waited for is not waited for any more.</summary>
    [Fact]
    public async Task When_nobody_waits_for_a_set_any_more_nobody_waits_for_its_key_file()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using SystemSemaphore gone = SystemSemaphore.CreateNew(key, 1,
            new SystemSemaphoreOptions { PeerTimeout = Timeout.InfiniteTimeSpan, Removal = RemovalPolicy.Keep });
        using (new Held(key.NativeKey))
        {
            RemoveLock(key, Backend.SystemV);
            await AssertEndsWithItsWait(key.NativeKey, token => gone.AcquireAsync(token).AsTask());
        }

        File.Delete(key.NativeKey);
    }

    /// <inheritdoc cref="When_nobody_waits_for_a_set_any_more_nobody_waits_for_its_key_file"/>
    [Fact]
    public async Task When_nobody_waits_for_a_lock_any_more_nobody_waits_for_its_key_file()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
        {
            (await segment.LockAsync(Cancellation)).Dispose();
            using SharedMemory holder = SharedMemory.OpenExisting(key, options: s_patient);
            SharedMemoryLock held = holder.Lock(Cancellation);
            await AssertEndsWithItsWait(key.NativeKey, token => segment.LockAsync(token).AsTask(), () =>
            {
                var file = new Held(key.NativeKey);
                RemoveLock(key, Backend.SystemV);
                return file;
            });
            held.Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }

    /// <summary>Cancels a wait when somebody waits for the file on its behalf, in the system's queue; the thread in
    /// that queue cannot be ended, but has an open file of its own.</summary>
    private static async Task AssertEndsWithItsWait(string path, Func<CancellationToken, Task> wait,
        Func<IDisposable>? holdFile = null)
    {
        using var source = new CancellationTokenSource();
        int before = Opened(path);
        Task waiting = wait(source.Token);
        using IDisposable? file = holdFile?.Invoke();
        if (file is not null) before++;
        AwaitWaiter(path, before + 1);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(s_watchdog, Cancellation));
        Assert.True(SpinWait.SpinUntil(() => Opened(path) <= before + 1, s_watchdog), "Somebody waits for the file.");
    }

    [Fact]
    public async Task Opening_asynchronously_gives_its_task_while_the_key_file_is_held_and_waits_by_its_own_time()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        var atOnce = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero, Removal = RemovalPolicy.Keep };
        using (SharedMemory.CreateNew(key, 4096, s_patient))
        {
            Task<SharedMemory> opening, short_;
            using (new Held(key.NativeKey))
            {
                opening =
                    Finish(Start(() => SharedMemory.OpenExistingAsync(key, Timeout.InfiniteTimeSpan, options: atOnce)));
                short_ =
                    Finish(
                        Start(
                            () => SharedMemory.OpenExistingAsync(key, TimeSpan.FromMilliseconds(60),
                                options: s_patient)));
                Assert.Equal(NativeIpcError.LockError,
                    (await Assert.ThrowsAsync<NativeIpcException>(
                        () => short_.WaitAsync(s_watchdog, Cancellation))).Error);
                Assert.False(opening.IsCompleted);
            }

            (await opening.WaitAsync(s_watchdog, Cancellation)).Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }
}
