using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A process is killed at each point between two steps of the lock; what the next one finds is what
/// HeldSemaphore says (POSIX).</summary>
public abstract class DeathPointTests<TProvider> : CrashedHolderTests<TProvider>
    where TProvider : Provider, new()
{
    // Past the looks at a dead holder and the first proofs.
    private static readonly TimeSpan s_aWhile = TimeSpan.FromMilliseconds(400);

    [BackendFact(Needs.Recovery)]
    public void One_handle_more_than_can_be_told_apart_locks_without_recovery_and_is_refused_where_that_is_asked()
    {
        NativeIpcKey key = NextKey(), itsLock = Provider.LockKey(key);
        var robust = new SystemSemaphoreOptions { Robust = true };
        List<SystemSemaphore> handles = [];
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        try
        {
            while (handles.Count < 499) handles.Add(SystemSemaphore.OpenExisting(itsLock, robust));
            Assert.True(segment.GetLockStatus().IsRecoverable);
            Assert.Equal(NativeIpcError.LockError,
                Assert.Throws<NativeIpcException>(() => SystemSemaphore.OpenExisting(itsLock, robust)).Error);
            using SharedMemory demanding = SharedMemory.OpenExisting(key,
                options: new() { RequireLockRecovery = true });
            Assert.Equal(NativeIpcError.LockError, Assert.Throws<NativeIpcException>(() => demanding.Lock()).Error);
            using SharedMemory plain = SharedMemory.OpenExisting(key);
            using (plain.Lock())
            {
                Assert.Equal(new LockStatus(LockHolder.Unknown, null, IsRecoverable: false), plain.GetLockStatus());
                Assert.False(segment.TryLock(s_aWhile, out _));
            }

            segment.Lock().Dispose();
        }
        finally
        {
            foreach (SystemSemaphore handle in handles) handle.Dispose();
        }
    }

    [BackendFact(Needs.Recovery)]
    public void A_handle_that_cannot_be_told_apart_does_not_take_its_own_holding_for_a_dead_stranger_s()
    {
        NativeIpcKey key = NextKey();
        List<SystemSemaphore> handles = [];
        using SharedMemory plain = SharedMemory.CreateNew(key, 100);
        SystemSemaphore.CreateNew(Provider.LockKey(key), 1,
            new() { Removal = RemovalPolicy.Keep, Robust = true }).Dispose();
        try
        {
            while (handles.Count < HolderSlots.Count)
                handles.Add(SystemSemaphore.OpenExisting(Provider.LockKey(key), new() { Robust = true }));
            _ = plain.GetLockStatus(); // opens the lock
        }
        finally
        {
            foreach (SystemSemaphore handle in handles) handle.Dispose();
        }

        // Nobody else has the lock open now, which is the proof that a stranger is dead.
        using (plain.Lock())
        {
            Assert.False(plain.TryLock(s_aWhile, out _));
            Assert.False(plain.TryLock(s_aWhile, out _));
        }

        plain.Lock().Dispose();
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("claim.before", false)]
    [InlineData("claim.locked", false)]
    [InlineData("claim.noted", false)]
    [InlineData("take.before", false)]
    [InlineData("take.done", true)]
    public void Killed_while_locking(string point, bool isTold)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Stopping(segment.Key, point);
        victim.Post("shm lock a");
        victim.Await("locking");
        KillAt(victim, point);
        AssertTakenOver(segment, isTold);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("unlock.before", true)]
    [InlineData("unlock.done", false)]
    [InlineData("unlock.woken", false)]
    public void Killed_while_unlocking(string point, bool isTold)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Stopping(segment.Key, point);
        Assert.Equal("", Lock(victim));
        victim.Post("shm unlock a");
        KillAt(victim, point);
        AssertTakenOver(segment, isTold);
    }

    [BackendFact(Needs.Recovery)]
    public void Killed_between_giving_the_permit_and_waking_a_waiter_that_knows_nothing_of_this()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Stopping(segment.Key, "unlock.done");
        Assert.Equal("", Lock(victim));
        PeerProcess sleeper = Peer();
        sleeper.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        sleeper.Post("sem acquire s");
        sleeper.Await("acquiring");
        victim.Post("shm unlock a");
        KillAt(victim, "unlock.done");
        sleeper.Answer(); // by its own slices, or by the next one of ours
        sleeper.Ask("sem release s");
        AssertTakenOver(segment, isTold: false);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("wait.joined")]
    [InlineData("wait.woken")]
    [InlineData("wait.left")]
    public void Killed_while_waiting(string point)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Stopping(segment.Key, point);
        using (segment.Lock())
        {
            victim.Post("shm lock a");
            victim.Await("locking");
            KillAt(victim, point);
        }

        AssertTakenOver(segment, isTold: false);
    }

    [BackendFact(Needs.Recovery)]
    public void Killed_when_it_has_just_got_what_it_waited_for()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Stopping(segment.Key, "wait.taken");
        string said;
        int rounds = 0;
        do
        {
            // A waiter whom the release meets between two sleeps takes the lock elsewhere, and tries again.
            if (rounds++ > 0) victim.Ask("shm unlock a");
            using (segment.Lock())
            {
                victim.Post("shm lock a");
                victim.Await("locking");
                Assert.True(SpinWait.SpinUntil(() => Word(segment).Waiters > 0, s_watchdog));
            }

            said = victim.AnswerOrFailure();
        }
        while (said == "ok" && rounds < 20);
        Assert.Equal("stopped wait.taken", said);
        victim.Kill();
        AssertTakenOver(segment);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("recover.locked")]
    [InlineData("recover.taken")]
    [InlineData("recover.done")]
    public void Killed_while_taking_over(string point)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess first = Stopping(segment.Key, "take.done");
        PeerProcess second = Stopping(segment.Key, point);
        // Has a slot of its own now, and cannot get that of the first one, which it would repair
        second.Ask("shm status a");
        first.Post("shm lock a");
        first.Await("locking");
        KillAt(first, "take.done");
        second.Post("shm lock a");
        second.Await("locking");
        KillAt(second, point);
        AssertTakenOver(segment);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("")]
    [InlineData("repair.before")]
    [InlineData("repair.done")]
    public void Killed_while_repairing_what_the_last_user_of_its_slot_left(string point)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        PeerProcess first = Stopping(key, "take.done");
        first.Post("shm lock a");
        first.Await("locking");
        first.Await("stopped take.done");
        List<SharedMemory> others = [];
        try
        {
            // Every slot but that of the first one.
            for (int i = 0; i < HolderSlots.Count - 1; i++)
            {
                others.Add(SharedMemory.OpenExisting(key));
                others[^1].GetLockStatus();
            }

            first.Kill();
            PeerProcess second = Stopping(key, point.Length > 0 ? point : "nowhere");
            second.Post("shm lock a");
            second.Await("locking");
            if (point.Length > 0) KillAt(second, point);
            else
            {
                Assert.Equal("abandoned", second.Answer());
                second.Kill();
            }
        }
        finally
        {
            foreach (SharedMemory other in others) other.Dispose();
        }

        AssertTakenOver(segment);
    }

    private PeerProcess Stopping(in NativeIpcKey key, string point)
    {
        PeerProcess victim = Peer();
        victim.Ask($"stopat {point}");
        victim.Ask($"shm open a {key} rw");
        return victim;
    }

    private static void KillAt(PeerProcess victim, string point)
    {
        victim.Await($"stopped {point}");
        victim.Kill();
    }

    private static unsafe GlibcSemaphore.Word Word(SharedMemory segment)
    {
        byte[] bytes = File.ReadAllBytes(PosixProvider.SemaphoreFileOf(Provider.LockKey(segment.Key)));
        return new(BitConverter.ToUInt64(bytes));
    }
}
