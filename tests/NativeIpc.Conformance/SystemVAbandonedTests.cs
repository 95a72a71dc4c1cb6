using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>System V on Linux: the next one of ours is told that a holder was killed.</summary>
[NeedsLinux("Elsewhere nobody is told.")]
public abstract class SystemVAbandonedTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : SystemVProvider, new()
{
    private static readonly SystemSemaphoreOptions s_robust = new() { Robust = true };

    /// <summary>A peer that knows the points.</summary>
    private PeerProcess Victim() => Peer(PeerProcess.Program);

    private static void IsTold(SharedMemory segment, bool told)
    {
        using (SharedMemoryLock scope = segment.Lock()) Assert.Equal(told, scope.WasAbandoned);
        using SharedMemoryLock second = segment.Lock();
        Assert.False(second.WasAbandoned);
        Assert.False(second.WasReplaced);
    }

    [Theory]
    [InlineData("systemv.lock.before", false)]
    [InlineData("systemv.lock.taken", true)]
    [InlineData("systemv.unlock.before", true)]
    [InlineData("systemv.unlock.after", false)]
    public void Killed_at_a_point_of_the_lock(string point, bool told)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        PeerProcess victim = Victim();
        victim.Ask($"shm open a {key} rw");
        victim.Ask($"stopat {point}");
        victim.Post("shm lock a");
        victim.Await("locking");
        if (point.StartsWith("systemv.unlock", StringComparison.Ordinal))
        {
            victim.Answer();
            victim.Post("shm unlock a");
        }

        victim.Await($"stopped {point}");
        victim.Kill();
        IsTold(segment, told);
    }

    [Theory]
    [InlineData("systemv.lock.before")]
    [InlineData("systemv.lock.taken")]
    [InlineData("systemv.lock.mending")]
    [InlineData("systemv.lock.mended")]
    public void Killed_while_taking_over_from_one_that_was_killed(string point)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess first = Peer();
        first.Ask($"shm open a {key} rw");
        first.Ask("shm lock a");
        first.Kill();
        PeerProcess second = Victim();
        second.Ask($"shm open a {key} rw");
        second.Ask($"stopat {point}");
        second.Post("shm lock a");
        second.Await("locking");
        second.Await($"stopped {point}");
        if (point != "systemv.lock.before") Assert.False(segment.TryLock(out _));
        second.Kill();
        IsTold(segment, told: true);
    }

    [Fact]
    public void A_waiter_gets_the_lock_of_a_killed_holder_and_is_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess holder = Peer();
        holder.Ask($"shm open a {key} rw");
        holder.Ask("shm lock a");
        PeerProcess waiter = Peer();
        waiter.Ask($"shm open a {key} rw");
        waiter.Post("shm lock a");
        waiter.Await("locking");
        holder.Kill();
        Assert.Equal("abandoned", waiter.Answer());
        waiter.Ask("shm unlock a");
        IsTold(segment, told: false);
    }

    [Fact]
    public void The_status_names_the_holder()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Assert.Equal(new LockStatus(LockHolder.Nobody, null, true), segment.GetLockStatus());
        PeerProcess holder = Peer();
        holder.Ask($"shm open a {key} rw");
        holder.Ask("shm lock a");
        Assert.Equal(new LockStatus(LockHolder.Process, holder.Id, true), segment.GetLockStatus());
        holder.Kill();
        Assert.Equal(LockHolder.Nobody, segment.GetLockStatus().Holder);

        // Number 0 only, as Qt does: a foreign holder, whose death tells nobody, after one whose death is still to be
        // told.
        using (SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key)))
        {
            foreign.Acquire();
            Assert.Equal(new LockStatus(LockHolder.Unknown, Environment.ProcessId, true) { IsHeldByThisProcess = true },
                segment.GetLockStatus());
            Assert.False(segment.TryLock(out _));
            foreign.Release();
        }

        IsTold(segment, told: true);
    }

    [Fact]
    public void A_lock_made_by_others_with_one_semaphore_comes_back_and_tells_nobody()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.Keep });
        using SystemSemaphore foreign = SystemSemaphore.CreateNew(Provider.LockKey(key), 1,
            new() { Removal = RemovalPolicy.Keep });
        PeerProcess holder = Peer();
        holder.Ask($"shm open a {key} rw keep");
        holder.Ask("shm lock a");
        Assert.Equal(new LockStatus(LockHolder.Unknown, holder.Id, true), segment.GetLockStatus());
        holder.Kill();
        IsTold(segment, told: false);
    }

    [Fact]
    public void A_reset_under_a_holder_is_told_and_leaves_no_trace()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        SharedMemoryLock scope = segment.Lock();
        int id = SystemVProvider.SemaphoreId(Provider.LockKey(key));
        Assert.Equal(0, Libc.semctl(id, 0, Flags.SETVAL, 1)); // a failed create() of Qt
        scope.Dispose();
        Assert.True(scope.WasReplaced);
        IsTold(segment, told: false);
    }

    [Fact]
    public void A_robust_semaphore_tells_who_comes_after_a_killed_holder()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, s_robust);
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key} robust");
        Assert.Equal("", holder.Ask("sem acquire s"));
        Assert.Equal(new LockStatus(LockHolder.Process, holder.Id, true), semaphore.GetLockStatus());
        Assert.False(semaphore.TryAcquire());
        holder.Kill();
        Assert.True(semaphore.TryAcquire(s_watchdog));
        Assert.True(semaphore.WasAbandoned);
        semaphore.Release();
        Assert.False(semaphore.WasAbandoned);
        semaphore.Acquire();
        Assert.False(semaphore.WasAbandoned);
        semaphore.Release();
    }

    [Fact]
    public void A_robust_semaphore_is_released_by_its_holder_and_by_one()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, s_robust);
        Assert.Throws<InvalidOperationException>(() => semaphore.Release());
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key, s_robust);
        other.Acquire();
        Assert.Throws<InvalidOperationException>(() => semaphore.Release());
        Assert.Throws<InvalidOperationException>(() => other.Release(2));
        other.Release();
        Assert.Throws<InvalidOperationException>(() => other.Release());
        Assert.True(semaphore.TryGetCurrentCount(out int count) && count == 1);
    }

    [Fact]
    public void A_robust_semaphore_refuses_what_it_cannot_be()
    {
        NativeIpcKey key = NextKey();
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(key, 1, s_robust with { Undo = SystemVUndoPolicy.None }));
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(key, 1, s_robust with { Undo = SystemVUndoPolicy.AcquireOnly }));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateNew(key, 2, s_robust));
        Assert.False(Backend.AnythingExists(key));
    }
}
