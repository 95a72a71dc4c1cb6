using System.Diagnostics;
using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Conformance;

/// <content>Locks and segments that lose their names, or are removed or replaced, while they are in use.</content>
public abstract partial class LockTests<TProvider>
{
    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void A_segment_that_has_lost_its_name_gets_no_lock_and_leaves_none()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size))
        {
            Assert.True(SharedMemory.Remove(key));
            Assert.Equal(NativeIpcError.LockError, ErrorOf(() => segment.Lock()));
            segment.Span[0] = 1;
            Assert.False(Backend.AnythingExists(key));

            // Not that of the segment which has the name now either.
            using SharedMemory next = SharedMemory.CreateNew(key, Size);
            Assert.Equal(NativeIpcError.LockError, ErrorOf(() => segment.Lock()));
            Assert.False(Backend.LockExists(key));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void A_segment_that_has_lost_its_name_leaves_the_lock_of_its_successor_alone()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        using SharedMemory attached = SharedMemory.OpenExisting(key);
        Assert.True(SharedMemory.Remove(key));
        using SharedMemory next = SharedMemory.CreateNew(key, Size);
        using (next.Lock())
        {
            Assert.Equal(NativeIpcError.LockError, ErrorOf(() => attached.TryLock(out _)));
            Assert.Equal(NativeIpcError.LockError, ErrorOf(() => segment.TryLock(out _)));
        }

        LockIsFree(key);
        next.Lock().Dispose();
    }

    [BackendFact(Needs.SystemV)]
    public void A_System_V_segment_removed_under_a_key_file_that_stays_gets_no_lock_and_leaves_none()
    {
        NativeIpcKey key = NextKey();
        File.WriteAllText(key.NativeKey, "data");
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        Assert.True(SharedMemory.Remove(key));
        Assert.Equal(NativeIpcError.LockError, ErrorOf(() => segment.Lock()));
        Assert.False(Backend.LockExists(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void A_lock_that_was_in_use_before_the_segment_lost_its_name_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size))
        {
            segment.Lock().Dispose();
            Assert.True(SharedMemory.Remove(key));
            for (int i = 0; i < 1000; i++)
            {
                try
                {
                    // POSIX users keep the lock that they have; a System V set is gone for all
                    segment.Lock().Dispose();
                    Assert.True(Backend.IsPosix);
                }
                catch (NativeIpcException failure)
                {
                    Assert.Equal(NativeIpcError.LockError, failure.Error);
                }
            }

            Assert.False(Backend.AnythingExists(key));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_replaced_lock_is_noticed_by_who_does_not_hold_it_and_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        segment.Lock().Dispose();
        File.Delete(PosixProvider.LockFileOf(key));
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        peer.Ask("shm lock a"); // makes the new one

        // As long as the change is not noticed, the old lock is taken.
        Until(() =>
        {
            bool old = segment.TryLock(out SharedMemoryLock scope);
            scope.Dispose();
            return !old;
        });
        peer.Ask("shm unlock a");
        using (SharedMemoryLock scope = segment.Lock())
        {
            Assert.True(scope.WasReplaced);
            Assert.Equal("false", peer.Ask("shm trylock a"));
        }

        using (SharedMemoryLock scope = segment.Lock()) Assert.False(scope.WasReplaced);
        LockIsFree(key);
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_holder_is_told_that_its_lock_was_replaced()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasReplaced);
        File.Delete(PosixProvider.LockFileOf(key));
        Until(() => scope.WasReplaced);
        scope.Dispose();
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_waiter_moves_on_to_the_new_lock()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory holder = SharedMemory.CreateNew(key, Size);
        SharedMemoryLock scope = holder.Lock(); // never released before the end
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        // It has opened the old lock: one that opens the new one first has nothing to be told
        Assert.Equal("false", peer.Ask("shm trylock a"));
        peer.Post("shm lock a");
        peer.Await("locking");
        File.Delete(PosixProvider.LockFileOf(key));
        Assert.Equal("replaced", peer.Answer());
        scope.Dispose();
    }

    [BackendTheory(Needs.SystemV)]
    [InlineData(true)]
    [InlineData(false)]
    public void Users_of_a_living_System_V_segment_meet_at_a_new_lock_when_a_peer_removes_the_old_one(bool withKeyFile)
    {
        // What a Qt process that made the lock does when it lets go first.
        NativeIpcKey key = NextKey();
        int segmentId;
        using (SharedMemory segment = SharedMemory.CreateNew(key, Size))
        {
            segmentId = SystemVProvider.SegmentId(key);
            segment.Lock().Dispose();
            PeerProcess peer = Peer();
            peer.Ask($"shm open a {key} rw");
            peer.Ask("shm lock a");
            peer.Ask("shm unlock a");
            int first = SystemVProvider.SemaphoreId(key);
            Assert.Equal(0, Libc.semctl(first, 0, Flags.IPC_RMID));
            if (withKeyFile) File.Delete(key.NativeKey);

            using (SharedMemoryLock scope = segment.Lock())
            {
                Assert.True(scope.WasReplaced);
                Assert.NotEqual(first, SystemVProvider.SemaphoreId(key));
                Assert.Equal("false", peer.Ask("shm trylock a"));
            }

            using (SharedMemoryLock scope = segment.Lock()) Assert.False(scope.WasReplaced);
            Assert.Equal("true", peer.Ask("shm trylock a"));
            Assert.False(segment.TryLock(out _));
            peer.Ask("shm close a");
        }

        Assert.False(Backend.AnythingExists(key));
        Assert.NotEqual(0, SystemVSupport.Status(segmentId, out _));
    }

    [BackendTheory(Needs.SystemV)]
    [InlineData(true)]
    [InlineData(false)]
    public void A_holder_whose_System_V_lock_was_removed_does_not_release_the_new_one(bool bySegment)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        segment.Lock().Dispose();
        SharedMemory holder = SharedMemory.OpenExisting(key);
        SharedMemoryLock scope = holder.Lock();
        Assert.Equal(0, Libc.semctl(SystemVProvider.SemaphoreId(key), 0, Flags.IPC_RMID));
        using SharedMemoryLock next = segment.Lock();
        Assert.True(next.WasReplaced);
        if (bySegment) holder.Dispose();
        scope.Dispose();
        holder.Dispose();
        Assert.False(segment.TryLock(out _));
        next.Dispose();
        LockIsFree(key);
    }

    [BackendFact(Needs.Leftovers)]
    public void A_holder_disposes_in_peace_after_the_segment_was_removed()
    {
        NativeIpcKey key = NextKey();
        SharedMemory segment = SharedMemory.CreateNew(key, Size);
        SharedMemoryLock scope = segment.Lock();
        Assert.True(SharedMemory.Remove(key));
        scope.Dispose();
        segment.Dispose();

        segment = SharedMemory.CreateNew(key, Size);
        _ = segment.Lock();
        Assert.True(SharedMemory.Remove(key));
        segment.Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    public void A_replaced_lock_is_closed_when_its_holder_lets_go_and_not_before()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        MakeLock(peer, key);
        SharedMemoryLock scope = segment.Lock();
        SharedMemoryLock copy = scope;
        Assert.Equal(1, LocksMapped(key));
        MakeLock(peer, key);
        using (SharedMemoryLock next = LockNew(segment)) Assert.Equal(2, LocksMapped(key));
        Assert.True(scope.WasReplaced);
        Finish(Start(scope.Dispose));
        Assert.Equal(1, LocksMapped(key));
        copy.Dispose();
        Assert.True(copy.WasReplaced);

        // One that nobody holds goes at once; one that is held when the segment is disposed goes with it.
        MakeLock(peer, key);
        scope = LockNew(segment);
        Assert.Equal(1, LocksMapped(key));
        MakeLock(peer, key);
        LockNew(segment).Dispose();
        Assert.Equal(2, LocksMapped(key));
        segment.Dispose();
        Assert.Equal(0, LocksMapped(key));
        scope.Dispose();
    }

    [BackendTheory(Needs.Posix | Needs.ComparedNames)]
    [InlineData(false)]
    [InlineData(true)]
    public void A_replaced_lock_is_closed_when_those_who_waited_in_it_have_moved_on(bool awaits)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        MakeLock(peer, key);
        peer.Ask($"shm open holder {key} rw");
        peer.Ask("shm lock holder");
        Task<SharedMemoryLock> waiting = awaits
            ? segment.LockAsync(Cancellation).AsTask() : Start(() => segment.Lock(Cancellation));
        Until(() => IsMapped(key, ""));

        // The new one is taken from the first moment on: that of another segment, under this one's name.
        NativeIpcKey other = NextKey();
        peer.Ask($"shm create other {other} {Size}");
        peer.Ask("shm lock other");
        File.Move(PosixProvider.LockFileOf(other), PosixProvider.LockFileOf(key), overwrite: true);
        Until(() => !segment.TryLock(out _) && IsMapped(key, "") && !IsMapped(key, " (deleted)"));
        Assert.False(waiting.IsCompleted);
        peer.Ask("shm unlock other");
        Finish(waiting);
        Assert.True(waiting.Result.WasReplaced);
        waiting.Result.Dispose();
        peer.Ask("shm close other");
        peer.Ask("shm close holder");
        LockIsFree(key);
    }

    [BackendFact(Needs.Posix | Needs.ComparedNames)]
    [Slow]
    public void Locks_that_a_peer_replaces_in_a_loop_do_not_use_up_the_descriptors()
    {
        int rounds = Sample.Of(5000, 1500);
        NativeIpcKey key = NextKey();
        NativeIpcKey lockKey = Provider.LockKey(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess user = Peer();
        user.Post($"stress replaced {key} {(int)Patience.Minutes(5).TotalMilliseconds}");
        user.Await("locking");
        for (int round = 0; round < rounds; round++)
        {
            int told = Volatile.Read(ref segment.GetReference<int>(4));
            File.Delete(PosixProvider.LockFileOf(key));
            SystemSemaphore.CreateOrOpen(lockKey, 1, new() { Removal = RemovalPolicy.Keep }).Dispose();
            Until(() => Volatile.Read(ref segment.GetReference<int>(4)) != told);
        }

        segment.Write(0, [1]);
        string answer = user.Answer();
        TestContext.Current.TestOutputHelper?.WriteLine(answer);
        Dictionary<string, int> counts = answer.Split(' ').Select(pair => pair.Split('=')).ToDictionary(pair => pair[0],
            pair => int.Parse(pair[1], CultureInfo.InvariantCulture));
        Assert.All(counts, count => Assert.True(count.Value > 0, count.Key));
        Assert.InRange(counts["most"], 1, 200);
        Assert.InRange(counts["last"], 1, 100);
        LockIsFree(key);
    }

    /// <summary>Removes the lock's name, if there is one, and has a peer make a new lock, so that its name shows in the
    /// list of mappings.</summary>
    private static void MakeLock(PeerProcess peer, in NativeIpcKey key)
    {
        File.Delete(PosixProvider.LockFileOf(key));
        peer.Ask($"shm open maker {key} rw");
        peer.Ask("shm lock maker");
        peer.Ask("shm unlock maker");
        peer.Ask("shm close maker");
    }

    /// <summary>Locks until it is a new lock.</summary>
    private static SharedMemoryLock LockNew(SharedMemory segment)
    {
        SharedMemoryLock scope = default;
        Until(() =>
        {
            scope.Dispose();
            return segment.TryLock(out scope) && scope.WasReplaced;
        });
        return scope;
    }

    /// <summary>How many locks of a segment this process has mapped, removed ones included.</summary>
    private static int LocksMapped(in NativeIpcKey key)
    {
        string file = PosixProvider.LockFileOf(key);
        return File.ReadLines("/proc/self/maps").Count(line => line.Contains(file, StringComparison.Ordinal));
    }

    /// <summary>Whether one is mapped that still has the name, or one that has lost it (" (deleted)").</summary>
    private static bool IsMapped(in NativeIpcKey key, string remark)
    {
        string end = PosixProvider.LockFileOf(key) + remark;
        return File.ReadLines("/proc/self/maps").Any(line => line.EndsWith(end, StringComparison.Ordinal));
    }

    /// <summary>Repeats a question until the answer is yes, where a system event needs its moment to arrive.</summary>
    private static void Until(Func<bool> happened)
    {
        long start = Stopwatch.GetTimestamp();
        while (!happened())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < s_watchdog, "The watchdog went off.");
            Thread.Yield();
        }
    }
}
