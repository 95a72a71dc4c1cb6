using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Whoever locks after a holder that was killed gets the lock and is told; a living holder is never robbed
/// (mission F2).</summary>
public abstract class CrashedHolderTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    // Long enough for every look at a dead holder; what is not taken away in this time is not taken away.
    private static readonly TimeSpan s_manySlices = TimeSpan.FromMilliseconds(400);

    [BackendFact(Needs.Recovery)]
    public void The_lock_of_a_killed_holder_is_taken_over_and_the_next_one_alone_is_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        PeerProcess holder = Holder(key);
        Assert.Equal(new LockStatus(LockHolder.Process, holder.Id, IsRecoverable: true), segment.GetLockStatus());
        Assert.False(segment.TryLock(out _));
        holder.Kill();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void A_process_that_waits_when_the_holder_is_killed_gets_the_lock_and_is_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess holder = Holder(key);
        PeerProcess waiter = Peer();
        waiter.Ask($"shm open a {key} rw");
        waiter.Post("shm lock a");
        waiter.Await("locking");
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(120), out _));
        holder.Kill();
        Assert.Equal("abandoned", waiter.Answer());
        waiter.Ask("shm unlock a");
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    }

    [BackendFact(Needs.Recovery)]
    public void Of_many_waiters_one_takes_over_and_all_get_the_lock_in_the_end()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess holder = Holder(key);
        PeerProcess[] waiters = [Peer(), Peer(), Peer()];
        foreach (PeerProcess waiter in waiters)
        {
            waiter.Ask($"shm open a {key} rw");
            waiter.Post("shm add a 0 500");
            waiter.Await("locking");
        }

        holder.Kill();
        foreach (PeerProcess waiter in waiters) waiter.Answer();
        Assert.Equal(1500u, segment.GetReference<uint>(0));
    }

    [BackendFact(Needs.Recovery | Needs.Signals)]
    public void A_stopped_holder_is_not_robbed()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess holder = Holder(key);
        Assert.Equal("", Shell.Run("kill", ["-STOP", $"{holder.Id}"]).Succeeded);
        try
        {
            Assert.False(segment.TryLock(s_manySlices, out _));
            Assert.Equal(LockHolder.Process, segment.GetLockStatus().Holder);
        }
        finally
        {
            Assert.Equal("", Shell.Run("kill", ["-CONT", $"{holder.Id}"]).Succeeded);
        }

        holder.Ask("shm unlock a");
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    }

    [BackendFact(Needs.Recovery | Needs.Linux)]
    [NeedsRoot("Needs root, for another PID namespace.")]
    public void A_holder_in_another_PID_namespace_is_not_robbed_and_its_death_is_noticed()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess holder = Peer("unshare", "--pid", "--fork", "--kill-child", PeerProcess.Program);
        holder.Ask($"shm open a {key} rw");
        Assert.Equal("", Lock(holder));
        Assert.False(segment.TryLock(s_manySlices, out _));
        Assert.Equal(LockHolder.Process, segment.GetLockStatus().Holder);
        holder.Kill();
        Assert.True(segment.TryLock(s_watchdog, out SharedMemoryLock scope));
        Assert.True(scope.WasAbandoned);
        scope.Dispose();
    }

    [BackendFact(Needs.Recovery)]
    public void A_living_holder_that_knows_nothing_of_this_is_not_robbed()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(key)}");
        foreigner.Ask("sem acquire s");
        Assert.False(segment.TryLock(s_manySlices, out _));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        foreigner.Ask("sem release s");
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    }

    [BackendFact(Needs.Recovery | Needs.Posix)]
    public void A_holder_without_a_record_is_not_taken_over_from_where_that_is_switched_off()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100, new() { TakeOverUnknownHolders = false });
        segment.Lock().Dispose();
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(key)}");
        foreigner.Ask("sem acquire s");
        foreigner.Kill();
        Assert.False(segment.TryLock(s_manySlices, out _));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        using (SystemSemaphore itsLock = SystemSemaphore.OpenExisting(Provider.LockKey(key),
            new() { Robust = true, TakeOverUnknownHolders = false }))
            Assert.False(itsLock.TryAcquire(s_manySlices, Cancellation));

        // The others do as ever, and what is recorded is taken over.
        using (SharedMemory other = SharedMemory.OpenExisting(key)) AssertTakenOver(other);
        Holder(key).Kill();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void A_holder_that_ends_normally_without_releasing_counts_as_dead()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        SharedMemory other = SharedMemory.OpenExisting(key);
        Assert.True(other.TryLock(out _));
        other.Dispose(); // releases what it holds: not abandoned
        Assert.True(segment.TryLock(out SharedMemoryLock scope));
        Assert.False(scope.WasAbandoned);
        scope.Dispose();
        PeerProcess holder = Holder(key);
        holder.Exit();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void A_robust_semaphore_survives_its_holder_and_tells()
    {
        NativeIpcKey key = NextGlibcKey();
        var robust = new SystemSemaphoreOptions { Robust = true };
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, robust);
        PeerProcess holder = Peer();
        Assert.Equal("opened", holder.Ask($"sem createoropen s {key} 1 robust"));
        holder.Ask("sem acquire s");
        Assert.False(semaphore.TryAcquire());
        Assert.Equal(LockHolder.Process, semaphore.GetLockStatus().Holder);
        holder.Kill();
        Assert.True(semaphore.TryAcquire(s_watchdog, Cancellation));
        Assert.True(semaphore.WasAbandoned);
        semaphore.Release();
        Assert.Equal(LockHolder.Nobody, semaphore.GetLockStatus().Holder);
        semaphore.Acquire();
        Assert.False(semaphore.WasAbandoned);
        semaphore.Release();
    }

    [BackendFact(Needs.Recovery)]
    public void A_robust_semaphore_is_released_by_its_holder_once()
    {
        NativeIpcKey key = NextGlibcKey();
        var robust = new SystemSemaphoreOptions { Robust = true };
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateNew(key, 2, robust));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateOrOpen(key, -1, robust));
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, robust);
        Assert.Throws<InvalidOperationException>(() => semaphore.Release());
        semaphore.Acquire();
        Assert.Throws<InvalidOperationException>(() => semaphore.Release(2));
        using (SystemSemaphore other = SystemSemaphore.OpenExisting(key, robust))
        {
            Assert.Throws<InvalidOperationException>(() => other.Release());
            Assert.False(other.TryAcquire());
        }

        semaphore.Release();
        Assert.Throws<InvalidOperationException>(() => semaphore.Release());
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
        semaphore.Release();
    }

    // On System V the kernel cannot tell the two apart: the old holder gives back what the new one has.
    [BackendFact(Needs.Recovery | Needs.Posix)]
    public void A_reset_frees_a_robust_semaphore_and_its_old_holder_gives_nothing_back()
    {
        NativeIpcKey key = NextGlibcKey();
        var robust = new SystemSemaphoreOptions { Robust = true };
        using SystemSemaphore first = SystemSemaphore.CreateNew(key, 1, robust with { Removal = RemovalPolicy.Keep });
        first.Acquire();
        using SystemSemaphore second = SystemSemaphore.CreateOrReset(key, 1, robust);
        Assert.True(second.TryAcquire());
        Assert.False(second.WasAbandoned);
        Assert.Throws<InvalidOperationException>(() => first.Release());
        Assert.False(first.TryAcquire());
        second.Release();
        Assert.True(first.TryAcquire());
        first.Release();
    }

    private PeerProcess Holder(in NativeIpcKey key)
    {
        PeerProcess holder = Peer();
        holder.Ask($"shm open a {key} rw");
        Assert.Equal("", Lock(holder));
        return holder;
    }

    internal static string Lock(PeerProcess peer)
    {
        peer.Post("shm lock a");
        peer.Await("locking");
        return peer.Answer();
    }

    internal static void AssertTakenOver(SharedMemory segment, bool isTold = true)
    {
        Assert.True(segment.TryLock(s_watchdog, out SharedMemoryLock scope, Cancellation),
            $"Not taken over: {segment.GetLockStatus()}");
        Assert.Equal(isTold, scope.WasAbandoned);
        Assert.Equal(Environment.ProcessId, segment.GetLockStatus().ProcessId);

        // One permit, no more: another instance stays outside.
        using (SharedMemory other = SharedMemory.OpenExisting(segment.Key)) Assert.False(other.TryLock(out _));
        scope.Dispose();
        Assert.Equal(LockHolder.Nobody, segment.GetLockStatus().Holder);
        using SharedMemoryLock again = segment.Lock();
        Assert.False(again.WasAbandoned);
        Assert.False(segment.TryLock(out _));
    }
}
