using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A process is killed at each point between two steps of the lock; what the next one finds is what SystemVSemaphore.Lock says.</summary>
public abstract class SystemVDeathPointTests<TProvider> : CrashedHolderTests<TProvider>
    where TProvider : Provider, new()
{
    [BackendTheory(Needs.SystemV | Needs.Recovery)]
    [InlineData("systemv.lock.before", "lock", false)]
    [InlineData("systemv.lock.taken", "lock", true)]
    [InlineData("systemv.unlock.before", "unlock", true)]
    [InlineData("systemv.unlock.after", "unlock", false)]
    public void Killed_while_locking_or_unlocking(string point, string command, bool isTold)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Peer();
        victim.Ask($"shm open a {segment.Key} rw");
        if (command == "unlock") Assert.Equal("", Lock(victim));
        victim.Ask($"stopat {point}");
        victim.Post($"shm {command} a");
        if (command == "lock") victim.Await("locking");
        victim.Await($"stopped {point}");
        victim.Kill();
        AssertTakenOver(segment, isTold);
    }

    [BackendTheory(Needs.SystemV | Needs.Recovery)]
    [InlineData("systemv.lock.before")]
    [InlineData("systemv.lock.taken")]
    [InlineData("systemv.lock.mending")]
    [InlineData("systemv.lock.mended")]
    public void Killed_while_taking_over(string point)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess first = Peer();
        first.Ask($"shm open a {segment.Key} rw");
        Assert.Equal("", Lock(first));
        PeerProcess second = Peer();
        second.Ask($"shm open a {segment.Key} rw");
        second.Ask($"stopat {point}");
        first.Kill();
        second.Post("shm lock a");
        second.Await("locking");
        second.Await($"stopped {point}");
        second.Kill();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.SystemV | Needs.Recovery)]
    public void A_lock_that_a_peer_made_is_given_back_without_telling()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        using SystemSemaphore made = SystemSemaphore.CreateNew(Provider.LockKey(segment.Key), 1, new() { Removal = RemovalPolicy.Keep });
        PeerProcess holder = Peer();
        holder.Ask($"shm open a {segment.Key} rw");
        Assert.Equal("", Lock(holder));
        Assert.False(segment.TryLock(out _));
        Assert.Equal(new LockStatus(LockHolder.Unknown, holder.Id, IsRecoverable: true), segment.GetLockStatus());
        holder.Kill();
        Assert.True(segment.TryLock(s_watchdog, out SharedMemoryLock scope));
        Assert.False(scope.WasAbandoned);
        scope.Dispose();
        Assert.True(segment.TryLock(TimeSpan.FromSeconds(1), out scope));
        scope.Dispose();
        Assert.Equal(LockHolder.Nobody, segment.GetLockStatus().Holder);
    }
}
