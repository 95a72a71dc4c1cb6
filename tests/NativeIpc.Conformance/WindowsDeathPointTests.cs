using System.Runtime.InteropServices;
using NativeIpc.Windows;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A process is killed at each point between two steps of the lock; what the next one finds is what
/// WindowsHeldSemaphore says.</summary>
public abstract class WindowsDeathPointTests<TProvider> : CrashedHolderTests<TProvider>
    where TProvider : Provider, new()
{
    // Long enough for several proofs; what is not taken away in this time is not taken away.
    private static readonly TimeSpan s_manyProofs = TimeSpan.FromMilliseconds(500);

    [BackendTheory(Needs.Recovery)]
    [InlineData("claim.before", false, false)]
    [InlineData("claim.owned", false, false)]
    [InlineData("claim.noted", false, false)]
    [InlineData("take.before", false, false)]
    [InlineData("take.announced", false, false)]
    [InlineData("take.taken", false, false)] // it was alone with the lock, which went with it
    [InlineData("take.noted", false, true)]
    [InlineData("take.done", false, true)]
    [InlineData("claim.before", true, false)]
    [InlineData("claim.owned", true, false)]
    [InlineData("claim.noted", true, false)]
    [InlineData("take.before", true, false)]
    [InlineData("take.announced", true, false)]
    [InlineData("take.taken", true, true)]
    [InlineData("take.noted", true, true)]
    [InlineData("take.done", true, true)]
    public void Killed_while_locking(string point, bool othersHaveItOpen, bool isTold)
    {
        using SharedMemory segment = Segment(othersHaveItOpen);
        PeerProcess victim = Stopping(segment.Key, point);
        victim.Post("shm lock a");
        victim.Await("locking");
        KillAt(victim, point);
        AssertTakenOver(segment, isTold);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("unlock.before", false, true)]
    [InlineData("unlock.announced", false, true)]
    [InlineData("unlock.cleared", false, false)]
    [InlineData("unlock.released", false, false)]
    [InlineData("unlock.done", false, false)]
    [InlineData("unlock.before", true, true)]
    [InlineData("unlock.announced", true, true)]
    [InlineData("unlock.cleared", true, true)]
    [InlineData("unlock.released", true, false)]
    [InlineData("unlock.done", true, false)]
    public void Killed_while_unlocking(string point, bool othersHaveItOpen, bool isTold)
    {
        using SharedMemory segment = Segment(othersHaveItOpen);
        PeerProcess victim = Stopping(segment.Key, point);
        Assert.Equal("", Lock(victim));
        victim.Post("shm unlock a");
        KillAt(victim, point);
        AssertTakenOver(segment, isTold);
    }

    [BackendFact(Needs.Recovery)]
    public void Killed_while_waiting()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        PeerProcess victim = Peer();
        victim.Ask("stopat windows.take.announced 3");
        victim.Ask($"shm open a {segment.Key} rw");
        using (segment.Lock())
        {
            victim.Post("shm lock a");
            victim.Await("locking");
            KillAt(victim, "take.announced");
        }

        AssertTakenOver(segment, isTold: false);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("recover.owned")]
    [InlineData("recover.taken")]
    [InlineData("recover.done")]
    public void Killed_while_taking_over(string point)
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess first = Stopping(segment.Key, "take.done");
        PeerProcess second = Stopping(segment.Key, point);
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
    [InlineData("prove.closed")]
    [InlineData("prove.proven")]
    [InlineData("prove.taken")]
    [InlineData("prove.done")]
    public void Killed_while_proving_that_nobody_holds_it(string point)
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess first = Stopping(segment.Key, "take.taken");
        PeerProcess second = Stopping(segment.Key, point.Length > 0 ? point : "nowhere");
        first.Post("shm lock a");
        first.Await("locking");
        KillAt(first, "take.taken");
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        second.Post("shm lock a");
        second.Await("locking");
        if (point.Length > 0)
        {
            KillAt(second, point);
        }
        else
        {
            Assert.Equal("abandoned", second.Answer());
            second.Kill();
        }

        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void Many_who_wait_for_a_lock_whose_taker_died_before_it_was_noted_get_it_in_the_end()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess first = Stopping(segment.Key, "take.taken");
        first.Post("shm lock a");
        first.Await("locking");
        first.Await("stopped windows.take.taken");
        PeerProcess[] waiters = [Peer(), Peer(), Peer()];
        foreach (PeerProcess waiter in waiters)
        {
            waiter.Ask($"shm open a {segment.Key} rw");
            waiter.Post("shm add a 0 300");
            waiter.Await("locking");
        }

        Assert.False(segment.TryLock(s_manyProofs, out _, Cancellation)); // it lives
        first.Kill();
        foreach (PeerProcess waiter in waiters) waiter.Answer();
        Assert.Equal(900u, segment.GetReference<uint>(0));
    }

    [BackendFact(Needs.Recovery)]
    public async Task An_asynchronous_wait_takes_over_what_nobody_holds()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess first = Stopping(segment.Key, "take.taken");
        first.Post("shm lock a");
        first.Await("locking");
        KillAt(first, "take.taken");
        using SharedMemoryLock scope = await segment.LockAsync(Cancellation).AsTask().WaitAsync(s_watchdog,
            Cancellation);
        Assert.True(scope.WasAbandoned);
    }

    [BackendFact(Needs.Recovery)]
    public void A_killed_holder_is_taken_over_from_although_a_program_that_knows_nothing_of_this_has_the_lock_open()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        PeerProcess victim = Stopping(segment.Key, "take.done");
        victim.Post("shm lock a");
        victim.Await("locking");
        KillAt(victim, "take.done");
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void An_unknown_holder_is_taken_over_from_when_no_other_program_has_the_lock_open()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess bystander = Peer();
        bystander.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        PeerProcess victim = Stopping(segment.Key, "take.taken");
        victim.Post("shm lock a");
        victim.Await("locking");
        KillAt(victim, "take.taken");
        Assert.False(segment.TryLock(s_manyProofs, out _, Cancellation)); // the bystander may have it
        Assert.Equal(new LockStatus(LockHolder.Unknown, null, IsRecoverable: true), segment.GetLockStatus());
        bystander.Kill();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void An_unknown_holder_is_not_taken_over_from_where_that_is_switched_off()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        using SharedMemory patient = SharedMemory.OpenExisting(segment.Key,
            options: new() { TakeOverUnknownHolders = false });
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        foreigner.Ask("sem acquire s");
        foreigner.Kill();
        Assert.False(patient.TryLock(s_manyProofs, out _, Cancellation));
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void A_killed_holder_that_knows_nothing_of_this_is_taken_over_from_when_no_other_program_has_the_lock_open()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: true);
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(segment.Key)}");
        foreigner.Ask("sem acquire s");
        Assert.False(segment.TryLock(s_manyProofs, out _, Cancellation));
        foreigner.Kill();
        AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void What_is_known_of_a_lock_that_is_gone_is_not_used_against_the_next_one_of_its_name()
    {
        using SharedMemory segment = Segment(othersHaveItOpen: false);
        PeerProcess victim = Stopping(segment.Key, "take.done");
        victim.Post("shm lock a");
        victim.Await("locking");
        KillAt(victim, "take.done"); // and with it the semaphore
        PeerProcess foreigner = Peer();
        Assert.Equal("created", foreigner.Ask($"sem createoropen s {Provider.LockKey(segment.Key)} 1"));
        foreigner.Ask("sem acquire s");
        Assert.False(segment.TryLock(s_manyProofs, out _, Cancellation));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        foreigner.Ask("sem release s");
        AssertTakenOver(segment); // told of the victim all the same
    }

    [BackendFact(Needs.Recovery)]
    public void A_suspended_holder_and_a_suspended_taker_are_not_robbed()
    {
        foreach (string point in new[] { "take.taken", "take.done" })
        {
            using SharedMemory segment = Segment(othersHaveItOpen: true);
            PeerProcess holder = Stopping(segment.Key, point);
            holder.Post("shm lock a");
            holder.Await("locking");
            holder.Await($"stopped windows.{point}");
            using (var process = System.Diagnostics.Process.GetProcessById(holder.Id))
            {
                Assert.Equal(0, Suspension.NtSuspendProcess(process.SafeHandle));
                Assert.False(segment.TryLock(s_manyProofs, out _, Cancellation));
                Assert.Equal(point == "take.done" ? LockHolder.Process : LockHolder.Unknown,
                    segment.GetLockStatus().Holder);
                Assert.Equal(0, Suspension.NtResumeProcess(process.SafeHandle));
            }

            holder.Kill();
            AssertTakenOver(segment);
        }
    }

    [BackendFact(Needs.Recovery)]
    public void More_handles_than_slots_lock_without_recovery_or_say_so()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        List<SharedMemory> others = [];
        try
        {
            for (int i = 0; i < HolderTable.Slots; i++)
            {
                others.Add(SharedMemory.OpenExisting(key));
                Assert.True(others[^1].GetLockStatus().IsRecoverable);
            }

            Assert.Equal(new LockStatus(LockHolder.CannotTell, null, IsRecoverable: false), segment.GetLockStatus());
            using (segment.Lock()) Assert.False(others[0].TryLock(s_manyProofs, out _, Cancellation));
            using SharedMemory picky = SharedMemory.OpenExisting(key, options: new() { RequireLockRecovery = true });
            Assert.Equal(NativeIpcError.LockError, Assert.Throws<NativeIpcException>(() => picky.TryLock(out _)).Error);
            others[3].Dispose();
            picky.Lock().Dispose();
        }
        finally
        {
            foreach (SharedMemory other in others) other.Dispose();
        }
    }

    private SharedMemory Segment(bool othersHaveItOpen)
    {
        SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        if (othersHaveItOpen) segment.Lock().Dispose();
        return segment;
    }

    private PeerProcess Stopping(in NativeIpcKey key, string point)
    {
        PeerProcess victim = Peer();
        victim.Ask($"stopat windows.{point}");
        victim.Ask($"shm open a {key} rw");
        return victim;
    }

    private static void KillAt(PeerProcess victim, string point)
    {
        victim.Await($"stopped windows.{point}");
        victim.Kill();
    }
}

internal static partial class Suspension
{
    [LibraryImport("ntdll.dll")]
    internal static partial int NtSuspendProcess(SafeHandle process);

    [LibraryImport("ntdll.dll")]
    internal static partial int NtResumeProcess(SafeHandle process);
}
