using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A lock that is given up by a process that lives, and one that is held before anybody can know it
/// (POSIX).</summary>
public abstract class AbandonTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly SystemSemaphoreOptions s_robust = new() { Robust = true };

    [BackendFact(Needs.RichSemaphores)]
    public void The_next_holder_is_told_once()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore mine = SystemSemaphore.CreateNew(key, 1, s_robust);
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key, s_robust);
        for (int use = 0; use < 40; use++) // also after the direct way has opened
        {
            mine.Acquire();
            Assert.False(mine.WasAbandoned);
            mine.Abandon();
            Assert.True(other.TryAcquire());
            Assert.True(other.WasAbandoned);
            other.Release();
        }
    }

    [BackendFact(Needs.RichSemaphores)]
    public void The_same_instance_is_told_too()
    {
        using SystemSemaphore mine = SystemSemaphore.CreateNew(NextKey(), 1, s_robust);
        mine.Acquire();
        mine.Abandon();
        mine.Acquire();
        Assert.True(mine.WasAbandoned);
        mine.Release();
        mine.Acquire();
        Assert.False(mine.WasAbandoned);
    }

    [BackendFact(Needs.RichSemaphores)]
    public void A_waiter_in_another_process_gets_it_and_is_told()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore mine = SystemSemaphore.CreateNew(key, 1, s_robust);
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key} robust");
        mine.Acquire();
        peer.Post("sem acquire s");
        peer.Await("acquiring");
        mine.Abandon();
        peer.Answer();
        Assert.Equal("true", peer.Ask("sem abandoned s"));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void What_is_not_held_is_not_abandoned()
    {
        using SystemSemaphore mine = SystemSemaphore.CreateNew(NextKey(), 1, s_robust);
        Assert.Throws<InvalidOperationException>(mine.Abandon);
        using SystemSemaphore plain = SystemSemaphore.CreateNew(NextKey(), 1);
        Assert.Throws<PlatformNotSupportedException>(plain.Abandon);
        mine.Dispose();
        Assert.Throws<ObjectDisposedException>(mine.Abandon);
    }

    [BackendFact(Needs.RichSemaphores)]
    public void A_count_of_0_makes_a_lock_that_its_maker_holds()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore mine = SystemSemaphore.CreateNew(key, 0, s_robust);
        using SystemSemaphore other = SystemSemaphore.CreateOrOpen(key, 0, s_robust);
        Assert.False(other.CreatedNew);
        Assert.False(other.TryAcquire());
        Assert.True(mine.GetLockStatus().IsHeldByThisInstance);
        mine.Release();
        Assert.True(other.TryAcquire());
        Assert.False(other.WasAbandoned);
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateOrReset(key, 0, s_robust));
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateNew(NextKey(), 2, s_robust));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void The_death_of_such_a_maker_is_told()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"sem create s {key} 0 robust keep");
        using SystemSemaphore next = SystemSemaphore.OpenExisting(key, s_robust);
        Assert.False(next.TryAcquire());
        maker.Kill();
        next.Acquire();
        Assert.True(next.WasAbandoned);
    }
}
