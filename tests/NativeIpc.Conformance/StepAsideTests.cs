using System.Runtime.InteropServices;
using NativeIpc.Inspection;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Semaphores;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>
/// A dead holder that left no mark, as Qt and C programs do, is found although several processes of this library have
/// the lock open: they let go of it for a moment (SteppingAside). A program that knows nothing of this and has it open,
/// holding or not, is never taken for dead (POSIX).
/// </summary>
public abstract class StepAsideTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [BackendFact(Needs.Recovery)]
    public void A_dead_foreign_holder_is_found_while_many_processes_of_this_library_have_the_lock_open()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SharedMemory idleHere = OpenLock(key);
        Idle(key);
        Idle(key);
        LeaveDeadForeignHolder(key);
        Assert.Equal("abandoned", Waiter(key).Answer());
        Assert.False(idleHere.TryLock(out _));
    }

    [BackendFact(Needs.Recovery)]
    public void Of_many_waiters_behind_a_dead_foreign_holder_all_get_the_lock_in_the_end()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SharedMemory idleHere = OpenLock(key);
        LeaveDeadForeignHolder(key);
        PeerProcess[] waiters = [Waiter(key, "add a 0 500"), Waiter(key, "add a 0 500"), Waiter(key, "add a 0 500")];
        foreach (PeerProcess waiter in waiters) waiter.Answer();
        Assert.Equal(1500u, segment.GetReference<uint>(0));
        Assert.True(idleHere.TryLock(s_watchdog, out SharedMemoryLock scope, Cancellation));
        Assert.False(scope.WasAbandoned);
        scope.Dispose();
    }

    [BackendFact(Needs.Recovery)]
    public async Task An_asynchronous_wait_gets_the_lock_of_a_dead_foreign_holder_as_well()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        Idle(key);
        LeaveDeadForeignHolder(key);
        using SharedMemoryLock scope = await segment.LockAsync(Cancellation).AsTask().WaitAsync(s_watchdog,
            Cancellation);
        Assert.True(scope.WasAbandoned);
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wait_for_any_of_several_gets_the_lock_of_a_dead_foreign_holder_as_well(bool isAsync)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SystemSemaphore empty = SystemSemaphore.CreateNew(NextKey(), 0);
        Idle(key);
        LeaveDeadForeignHolder(key);
        SystemWaitTarget[] targets = [empty, segment];
        SystemWaitResult taken = await (isAsync
            ? SystemWait.AnyAsync(targets, Timeout.InfiniteTimeSpan, Cancellation).AsTask()
            : Start(() => SystemWait.Any(targets, Timeout.InfiniteTimeSpan, Cancellation)))
            .WaitAsync(s_watchdog, Cancellation);
        Assert.Equal((1, true), (taken.Index, taken.Lock.WasAbandoned));
        taken.Lock.Dispose();
    }

    [BackendFact(Needs.Recovery)]
    public void A_foreign_program_that_has_the_lock_open_keeps_a_dead_holder_unknown_until_it_closes_it()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        Idle(key);
        PeerProcess bystander = Foreigner(key);
        LeaveDeadForeignHolder(key);
        PeerProcess waiter = Waiter(key);
        AwaitFailedAsks(key, 2);
        Assert.Equal(new LockStatus(LockHolder.Unknown, null, IsRecoverable: true), segment.GetLockStatus());
        Assert.False(segment.TryLock(out _));
        bystander.Kill();
        Assert.Equal("abandoned", waiter.Answer());
    }

    [BackendFact(Needs.Recovery)]
    public void A_living_foreign_holder_is_not_robbed_however_often_the_others_step_aside_and_its_release_is_not_lost()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        PeerProcess holder = Foreigner(key);
        holder.Ask("sem acquire s");
        PeerProcess[] waiters = [Waiter(key, "add a 0 100"), Waiter(key, "add a 0 100"), Waiter(key, "add a 0 100")];
        AwaitFailedAsks(key, 3);
        Assert.False(segment.TryLock(out _));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        holder.Ask("sem release s");
        foreach (PeerProcess waiter in waiters) waiter.Answer();
        Assert.Equal(300u, segment.GetReference<uint>(0));
        holder.Ask("sem acquire s");
        holder.Ask("sem release s");
    }

    [BackendFact(Needs.Recovery | Needs.Signals)]
    public void A_stopped_process_of_this_library_may_hold_up_the_proof_and_is_no_dead_one()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        PeerProcess stopped = Idle(key);
        LeaveDeadForeignHolder(key);
        Assert.Equal("", Shell.Run("kill", ["-STOP", $"{stopped.Id}"]).Succeeded);
        PeerProcess waiter = Waiter(key);
        try
        {
            AwaitFailedAsks(key, 2);
            Assert.False(segment.TryLock(out _));
            LockStatus status = segment.GetLockStatus();
            Assert.Equal([stopped.Id], status.StoppedProcesses);
            Assert.Equal(new(LockHolder.Unknown, null, IsRecoverable: true), status with { StoppedProcesses = [] });
        }
        finally
        {
            Assert.Equal("", Shell.Run("kill", ["-CONT", $"{stopped.Id}"]).Succeeded);
        }

        Assert.Equal("abandoned", waiter.Answer());
    }

    [BackendFact(Needs.Recovery)]
    [NeedsRoot("Needs root, to make a PID namespace.")]
    public void A_process_in_another_PID_namespace_is_counted_since_its_state_cannot_be_seen()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        string unshare = Peers.Require("unshare", "util-linux");
        using var elsewhere = PeerProcess.Start(unshare, "--pid", "--fork", "--kill-child", PeerProcess.Program);
        elsewhere.Ask($"shm open a {key} rw");
        Assert.Equal("", CrashedHolderTests<TProvider>.Lock(elsewhere));
        elsewhere.Ask("shm unlock a");
        LeaveDeadForeignHolder(key);
        var expected = new LockStatus(LockHolder.Unknown, null, IsRecoverable: true) { UnseenUsers = 1 };
        Assert.Equal(expected, segment.GetLockStatus());
        Assert.Equal("abandoned", Waiter(key).Answer()); // it steps aside all the same
    }

    [BackendTheory(Needs.Recovery)]
    [InlineData("aside.swapped", true)]
    [InlineData("aside.away", true)]
    [InlineData("aside.back", true)]
    [InlineData("ask.published", false)]
    [InlineData("prove.leased", false)]
    [InlineData("prove.repaired", false)]
    public void Killed_while_stepping_aside_or_asking_for_it(string point, bool isIdle)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        PeerProcess victim = Peer();
        victim.Ask($"stopat {point}");
        victim.Ask($"shm open a {key} rw");
        Assert.Equal("", CrashedHolderTests<TProvider>.Lock(victim));
        victim.Ask("shm unlock a");
        LeaveDeadForeignHolder(key);
        PeerProcess waiter = Peer();
        if (isIdle)
        {
            waiter = Waiter(key);
        }
        else
        {
            victim.Post("shm lock a");
            victim.Await("locking");
        }

        victim.Await($"stopped {point}");
        victim.Kill();
        if (isIdle)
        {
            Assert.Equal("abandoned", waiter.Answer());
            waiter.Ask("shm unlock a");
            CrashedHolderTests<TProvider>.AssertTakenOver(segment, isTold: false);
        }
        else
        {
            CrashedHolderTests<TProvider>.AssertTakenOver(segment);
        }
    }

    [BackendFact(Needs.Recovery)]
    public async Task A_waiter_asks_at_once_when_somebody_closes_the_file_as_a_holder_does_that_dies()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        PeerProcess holder = Foreigner(key);
        holder.Ask("sem acquire s");
        PeerProcess waiter = Peer();
        waiter.Ask("stopat ask.hinted");
        waiter.Ask($"shm open a {key} rw");
        waiter.Post("shm lock a");
        waiter.Await("locking");

        // It hears of closings from its first request on. What is closed during one, and a moment after it, is taken
        // for those that step aside; so this goes on until it is heard.
        bool isHeard = false;
        Task closing = Task.Run(() =>
        {
            while (!Volatile.Read(ref isHeard)) OpenFileOfLock(key).Dispose();
        });
        waiter.Await("stopped ask.hinted");
        Volatile.Write(ref isHeard, true);
        await closing;
        waiter.Kill();
        holder.Kill();
        CrashedHolderTests<TProvider>.AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void A_request_lasts_until_all_are_aside_and_then_the_first_look_is_the_proof()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        SteppingAside asking = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        using SharedMemory other = OpenLock(key);
        using SharedMemory third = OpenLock(key);
        List<SteppingAside> others = LockAttendant.OpenOnes(IdentityOfLock(key));
        others.Remove(asking);
        // When a watch begins, a handle looks for a request by itself: that is over before there is one.
        Assert.True(SpinWait.SpinUntil(() => others.TrueForAll(static handle => handle.Watch != -1), s_watchdog));
        LeaveDeadForeignHolder(key);
        Assert.Equal(2, asking.FindUsers()!.Count);
        Assert.True(SpinWait.SpinUntil(asking.TryAsk, s_watchdog));
        try
        {
            others[0].StepAside();
            Assert.Equal(others[1].Slot, Assert.Single(asking.FindUsers()!).Slot);
            Assert.False(segment.TryLock(out _));
            others[1].StepAside();
            Assert.Empty(asking.FindUsers()!);
            Assert.True(asking.TryEndAsking());
        }
        finally
        {
            asking.TryEndAsking();
            foreach (SteppingAside away in others) Assert.True(SpinWait.SpinUntil(away.TryReturn, s_watchdog));
        }

        Assert.Equal(0, HolderSlots.LastRequest(asking.Page)); // answered: the next one to ask need not wait
        CrashedHolderTests<TProvider>.AssertTakenOver(segment);
    }

    [BackendFact(Needs.Recovery)]
    public void Who_is_aside_can_tell_who_else_has_the_lock_open()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        PeerProcess idle = Idle(key);
        using SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key));
        foreign.Acquire(Cancellation);
        handle.StepAside();
        Assert.Equal([idle.Id], handle.FindUsers()!.Select(static user => user.Process));
        Assert.True(SpinWait.SpinUntil(handle.TryReturn, s_watchdog));
        foreign.Release();
    }

    [BackendFact(Needs.Recovery)]
    public void Threads_that_lock_meanwhile_never_notice_that_their_handle_steps_aside()
    {
        const int threads = 3;
        const int rounds = 400;
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key)); // takes without a mark
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        bool isOver = false;
        int inside = 0;
        long counted = 0;
        List<Exception> failures = [];
        List<Thread> all = [];
        for (int i = 0; i < threads; i++) all.Add(new Thread(() => Repeat(segment)));
        all.Add(new Thread(() => Repeat(null)));
        foreach (Thread thread in all) thread.Start();

        int away = 0;
        for (int i = 0; i < rounds || away < 50; i++)
        {
            handle.StepAside();
            if (IsAway(handle)) away++;
            while (!handle.TryReturn())
            {
            }

            Cancellation.ThrowIfCancellationRequested();
        }

        Volatile.Write(ref isOver, true);
        foreach (Thread thread in all) Assert.True(thread.Join(s_watchdog), "A thread hangs: a wake-up was lost.");
        Assert.Empty(failures);
        Assert.Equal(counted, segment.GetReference<uint>(0));
        Assert.True(foreign.TryAcquire());
        Assert.Equal(0u, GlibcSemaphore.Look(handle.Page).Waiters);
        foreign.Release();
        return;

        void Repeat(SharedMemory? marked)
        {
            try
            {
                while (!Volatile.Read(ref isOver))
                {
                    SharedMemoryLock scope = default;
                    if (marked is null) foreign.Acquire(Cancellation);
                    else scope = marked.Lock(Cancellation);
                    if (Interlocked.Increment(ref inside) != 1) throw new InvalidOperationException("Two are inside.");
                    segment.GetReference<uint>(0)++;
                    counted++;
                    Interlocked.Decrement(ref inside);
                    if (marked is null) foreign.Release();
                    else scope.Dispose();
                }
            }
            catch (Exception failure)
            {
                lock (failures) failures.Add(failure);
            }
        }
    }

    [BackendFact(Needs.Recovery)]
    public void A_child_that_has_not_come_to_its_exec_yet_does_not_cost_a_handle_its_place()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key));
        foreign.Acquire(Cancellation);
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        const int duplicate = 0; // F_DUPFD: as in a child, the open file description has one more descriptor
        using var inherited = new UnixDescriptor(Libc.fcntl_number(handle.File, duplicate, 0));
        Assert.False(inherited.IsInvalid);
        handle.StepAside();
        Assert.True(IsAway(handle));
        Assert.True(SpinWait.SpinUntil(handle.TryReturn, s_watchdog), "Its place is gone.");
        foreign.Release();
        segment.Lock(Cancellation).Dispose();
    }

    [BackendFact(Needs.Recovery)]
    public void A_place_that_somebody_has_for_a_moment_is_had_again_afterwards()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key));
        foreign.Acquire(Cancellation);
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        using UnixDescriptor other = OpenFileOfLock(key);
        handle.StepAside();
        Assert.Equal(0, HolderSlots.Lock(other, handle.Slot)); // as one who recovers from its last user
        Assert.False(handle.TryReturn());
        HolderSlots.Unlock(other, handle.Slot);
        Assert.True(handle.TryReturn());
        foreign.Release();
        segment.Lock(Cancellation).Dispose();
    }

    [BackendFact(Needs.Recovery)]
    public void Nobody_claims_the_place_of_a_handle_that_steps_aside_at_this_moment()
    {
        const int rounds = 3000;
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        using SystemSemaphore foreign = SystemSemaphore.OpenExisting(Provider.LockKey(key));
        foreign.Acquire(Cancellation);
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        using UnixDescriptor newcomer = OpenFileOfLock(key);
        nint page = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED, (int)newcomer.DangerousGetHandle(), 0);
        long notedAt = Environment.TickCount64;
        for (int slot = 0; slot < HolderSlots.Count; slot++)
        {
            // So that each claim comes to the one place soon. The notes hold for a minute.
            if (slot != handle.Slot) HolderSlots.NoteAside(page, slot);
        }

        bool isOver = false;
        int claimed = -1;
        var claims = new Thread(() =>
        {
            while (!Volatile.Read(ref isOver) && claimed < 0) claimed = HolderSlots.Claim(key, page, newcomer, out _);
        });
        claims.Start();
        for (int i = 0; i < rounds && Volatile.Read(ref claimed) < 0 && Environment.TickCount64 - notedAt < 30_000; i++)
        {
            handle.StepAside();
            while (!handle.TryReturn() && Volatile.Read(ref claimed) < 0) Cancellation.ThrowIfCancellationRequested();
        }

        Volatile.Write(ref isOver, true);
        claims.Join();
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        Assert.Equal(-1, claimed);
    }

    [BackendFact(Needs.Recovery)]
    public void Who_leaves_the_waiters_while_the_true_page_comes_back_never_changes_the_mark()
    {
        const uint mark = 7;
        ulong[] words = GC.AllocateArray<ulong>(2, pinned: true);
        nint page = Marshal.UnsafeAddrOfPinnedArrayElement(words, 0);
        nint away = Marshal.UnsafeAddrOfPinnedArrayElement(words, 1);
        words[0] = GlibcSemaphore.Free.Value;
        LockWord.WriteAway(away);
        long added = LockWord.BeginReturn(page, away);
        GlibcSemaphore.AddWaiter(away); // now the pages are exchanged
        GlibcSemaphore.RemoveWaiter(page);
        GlibcSemaphore.Word seen = GlibcSemaphore.Look(page);
        Assert.Equal((1u, 0u), (seen.Count, seen.Mark));
        Assert.True(GlibcSemaphore.Exchange(page, seen, seen.With(0, mark)));
        LockWord.EndReturn(page, away, added);
        Assert.Equal(GlibcSemaphore.Free.With(0, mark), GlibcSemaphore.Look(page));
    }

    [BackendFact(Needs.Recovery)]
    public void A_lock_whose_users_are_aside_is_not_removed_as_unused()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = OpenLock(key);
        LeaveDeadForeignHolder(key);
        SteppingAside handle = Assert.Single(LockAttendant.OpenOnes(IdentityOfLock(key)));
        IpcObjectInfo found = Assert.IsType<IpcObjectInfo>(
            IpcObjects.Inspect(Provider.LockKey(key), IpcObjectKind.SystemSemaphore));
        handle.StepAside();
        Assert.False(IpcObjects.TryRemoveUnused(found));
        Assert.True(SpinWait.SpinUntil(handle.TryReturn, s_watchdog));
    }

    private static UnixDescriptor OpenFileOfLock(in NativeIpcKey key)
        => new(SemaphoreFile.Open(Provider.LockKey(key), Flags.O_RDWR | Flags.O_CLOEXEC,
            TimeSpan.FromSeconds(1), out _));

    private static FileIdentity IdentityOfLock(in NativeIpcKey key)
    {
        Assert.Equal(0, Libc.Status(PosixProvider.SemaphoreFileOf(Provider.LockKey(key)), followLink: true,
            out FileStatus status));
        return status.Identity;
    }

    /// <summary>Waits until somebody has asked so often that the others step aside, and has freed nothing.</summary>
    private static void AwaitFailedAsks(in NativeIpcKey key, int count)
    {
        SteppingAside handle = LockAttendant.OpenOnes(IdentityOfLock(key))[0];
        long last = 0;
        Assert.True(SpinWait.SpinUntil(IsNext, s_watchdog), "Nobody asks.");
        return;

        bool IsNext()
        {
            long seen;
            lock (handle.Gate) seen = handle.IsAway ? last : HolderSlots.LastRequest(handle.Page);
            if (seen == last || (ushort)seen != 0) return false;
            last = seen;
            return count-- == 0; // the first one seen may be an old one
        }
    }

    private static bool IsAway(SteppingAside handle)
    {
        lock (handle.Gate) return handle.IsAway;
    }

    /// <summary>A segment whose lock is open here.</summary>
    private static SharedMemory OpenLock(in NativeIpcKey key)
    {
        SharedMemory segment = SharedMemory.CreateOrOpen(key, 100);
        segment.Lock().Dispose();
        return segment;
    }

    private PeerProcess Idle(in NativeIpcKey key)
    {
        PeerProcess idle = Peer();
        idle.Ask($"shm open a {key} rw");
        Assert.Equal("", CrashedHolderTests<TProvider>.Lock(idle));
        idle.Ask("shm unlock a");
        return idle;
    }

    private PeerProcess Waiter(in NativeIpcKey key, string command = "lock a")
    {
        PeerProcess waiter = Peer();
        waiter.Ask($"shm open a {key} rw");
        waiter.Post($"shm {command}");
        waiter.Await("locking");
        return waiter;
    }

    /// <summary>A process that uses the lock as Qt and C do, and leaves no mark.</summary>
    private PeerProcess Foreigner(in NativeIpcKey key)
    {
        PeerProcess foreigner = Peer();
        foreigner.Ask($"sem open s {Provider.LockKey(key)}");
        return foreigner;
    }

    private void LeaveDeadForeignHolder(in NativeIpcKey key)
    {
        PeerProcess foreigner = Foreigner(key);
        foreigner.Ask("sem acquire s");
        foreigner.Kill();
    }
}
