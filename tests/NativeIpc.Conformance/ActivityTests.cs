using System.Collections.Concurrent;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What <see cref="IpcActivity"/> tells of waits, of locks that are taken over and of lost permits.</summary>
/// <remarks>Alone: what listens costs the waits of all tests, also of those that count bytes.</remarks>
[Collection(nameof(Alone))]
public abstract class ActivityTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Fact]
    public async Task Waits_are_told_with_how_they_ended_and_what_is_taken_at_once_is_not()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        var waits = new ConcurrentQueue<IpcWait>();
        void Note(IpcWait wait)
        {
            if (wait.Key == key) waits.Enqueue(wait);
        }

        IpcActivity.Waited += Note;
        try
        {
            semaphore.Acquire();
            Assert.False(semaphore.TryAcquire());
            Assert.Empty(waits);
            Assert.False(semaphore.TryAcquire(TimeSpan.FromMilliseconds(500)));
            Assert.False(await semaphore.TryAcquireAsync(TimeSpan.FromMilliseconds(500)));
            Assert.Equal([false, false], waits.Select(wait => wait.WasAcquired));
            Assert.All(waits, wait => Assert.Equal(IpcObjectKind.SystemSemaphore, wait.Kind));
            waits.Clear();
            PeerProcess peer = Peer();
            peer.Ask($"sem open s {key}");
            ValueTask<bool> pending = semaphore.TryAcquireAsync(s_watchdog);
            peer.Ask("sem release s");
            Assert.True(await pending);
            Assert.True(Assert.Single(waits).WasAcquired);
        }
        finally
        {
            IpcActivity.Waited -= Note;
        }
    }

    [Fact]
    public void Waits_for_the_lock_of_a_segment_are_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 16);
        var waits = new ConcurrentQueue<IpcWait>();
        void Note(IpcWait wait)
        {
            if (wait.Key == key) waits.Enqueue(wait);
        }

        IpcActivity.Waited += Note;
        try
        {
            using SharedMemoryLock held = segment.Lock();
            Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(500), out _));
            IpcWait wait = Assert.Single(waits);
            Assert.Equal((IpcObjectKind.SharedMemory, false), (wait.Kind, wait.WasAcquired));
            Assert.True(wait.Duration > TimeSpan.Zero);
        }
        finally
        {
            IpcActivity.Waited -= Note;
        }
    }

    [Fact]
    public void What_a_handler_throws_reaches_nobody_who_waits_and_keeps_nobody_from_being_told()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        NativeIpcKey key = semaphore.Key;
        void Fail(IpcWait wait)
        {
            if (wait.Key == key) throw new InvalidOperationException("It is the handler's.");
        }

        int told = 0;
        void Note(IpcWait wait)
        {
            if (wait.Key == key) told++;
        }

        IpcActivity.Waited += Fail;
        IpcActivity.Waited += Note;
        try
        {
            Assert.False(semaphore.TryAcquire(TimeSpan.FromMilliseconds(500)));
            Assert.Equal(1, told);
        }
        finally
        {
            IpcActivity.Waited -= Fail;
            IpcActivity.Waited -= Note;
        }
    }

    [BackendFact(Needs.Recovery)]
    public void A_lock_that_is_taken_over_is_told()
    {
        NativeIpcKey key = NextGlibcKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Robust = true });
        PeerProcess victim = Peer();
        victim.Ask($"sem open s {key} robust");
        Assert.Equal("true", victim.Ask("sem tryacquire s"));
        victim.Kill();
        int told = 0;
        using var hasHeard = new ManualResetEventSlim();
        void Note(NativeIpcKey of)
        {
            if (of != key) return;
            Interlocked.Increment(ref told);
            hasHeard.Set();
        }

        IpcActivity.TookOver += Note;
        try
        {
            Assert.True(semaphore.TryAcquire(s_watchdog));
            semaphore.Release();
            Assert.True(semaphore.TryAcquire());
            Assert.True(hasHeard.Wait(s_watchdog), "The takeover was not told.");
        }
        finally
        {
            IpcActivity.TookOver -= Note;
        }

        Assert.Equal(1, told);
    }

    /// <summary>A handler may wait for a thread that uses the same lock: nothing of the library's is held while it
    /// runs.</summary>
    [BackendTheory(Needs.Recovery)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_handler_may_wait_for_a_thread_that_uses_what_was_taken_over(bool isAsync)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 16);
        PeerProcess victim = Peer();
        victim.Ask($"shm open a {key} rw");
        Assert.Equal("", CrashedHolderTests<TProvider>.Lock(victim));
        victim.Kill();
        var heard = new TaskCompletionSource<bool>();
        void Use(NativeIpcKey of)
        {
            var user = new Thread(() =>
            {
                // One passes the gate of the queue of waits, the other one that of the handle.
                _ = segment.TryLockAsync(TimeSpan.Zero).AsTask();
                _ = segment.GetLockStatus();
            });
            user.Start();
            heard.TrySetResult(user.Join(s_watchdog));
        }

        IpcActivity.TookOver += Use;
        try
        {
            using SharedMemoryLock taken = isAsync ? await segment.LockAsync() : segment.Lock();
            Assert.True(taken.WasAbandoned);
            Assert.True(await heard.Task.WaitAsync(s_watchdog), "The other thread was kept out.");
        }
        finally
        {
            IpcActivity.TookOver -= Use;
        }
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void Lost_permits_that_are_given_back_are_told()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphoreOptions recorded = new() { Recording = PermitRecording.Process };
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3, recorded);
        PeerProcess victim = Peer();
        victim.Ask($"sem open s {key} keep recorded");
        victim.Post("sem acquire s 3");
        victim.Answer();
        victim.Kill();
        int told = 0;
        using var hasHeard = new ManualResetEventSlim();
        void Note(NativeIpcKey of, int permits)
        {
            if (of == key && Interlocked.Add(ref told, permits) == 3) hasHeard.Set();
        }

        IpcActivity.LostPermitsReturned += Note;
        try
        {
            Assert.True(semaphore.TryAcquire(s_watchdog));
            Assert.True(hasHeard.Wait(s_watchdog), $"{told} permits were told.");
        }
        finally
        {
            IpcActivity.LostPermitsReturned -= Note;
        }

        Assert.Equal(3, told);
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void A_segment_that_was_removed_says_so()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory kept = SharedMemory.CreateNew(key, 16, new() { Removal = RemovalPolicy.Keep });
        Assert.False(kept.WasReplaced);
        SharedMemory.Remove(key);
        Assert.True(kept.WasReplaced);
        using SharedMemory other = SharedMemory.CreateNew(key, 16);
        Assert.Equal((true, false), (kept.WasReplaced, other.WasReplaced));
    }
}
