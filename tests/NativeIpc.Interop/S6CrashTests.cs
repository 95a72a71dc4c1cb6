using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 6: the peer is killed.</summary>
public sealed class S6CrashTests : Scenario
{
    private static readonly TimeSpan s_patience = Patience.Seconds(60);

    protected override int Number => 6;

    public static TheoryData<string, string, string> Segments()
        => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Segment));

    public static TheoryData<string, string, string> Locks()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Lock));

    // PHP opens no set of two.
    public static TheoryData<string, string, string> SystemVLocks()
        => PeerKind.EachWay((kind, backEnd, has) =>
            has.HasFlag(Has.Lock) && backEnd != BackEnd.Posix && kind.Name != "php");

    public static TheoryData<string, string, string> Semaphores()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Semaphore));

    public static TheoryData<string, string> HalfCreators()
        => PeerKind.Each((kind, _, _) => kind.Name is "c" or "c-musl");

    [Theory]
    [MemberData(nameof(Segments))]
    public void killed_while_attached(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        segment.Write(0, [0x2a]);
        if (!stage.IsOurs) segment.Dispose();
        var seen = new Seen(key);
        string all = seen.State;
        stage.Peer.Kill();
        Assert.Equal(all, seen.State);

        // The leftover: there for those who create, found by those who open.
        Fails(NativeIpcError.AlreadyExists, () => SharedMemory.CreateNew(key, 4096));
        using (SharedMemory found = SharedMemory.CreateOrOpen(key, 4096,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep }))
        {
            Assert.False(found.CreatedNew);
            byte[] read = new byte[1];
            found.Read(0, read);
            Assert.Equal(0x2a, read[0]);
            using SharedMemoryLock scope = stage.Kind.Name == "c-musl" && stage.IsPosix ? default : found.Lock();
        }

        segment.Dispose();
        if (stage.IsOurs)
        {
            Assert.Equal("", seen.State);
            return;
        }

        // System V: the next one to detach is the last one. POSIX: its maker is dead, so it is there until it is
        // removed.
        using (SharedMemory last = SharedMemory.OpenExisting(key))
        {
        }

        if (stage.IsPosix) Assert.True(SharedMemory.Remove(key));
        Assert.Equal("", seen.State);
        using SharedMemory anew = SharedMemory.CreateNew(key, 4096);
        Assert.True(anew.CreatedNew);
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void killed_while_holding_the_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        if (stage.Kind.Name == "php" && stage.IsOurs)
        {
            stage.Limit(Limits.PhpFirst, only: true);
            return;
        }

        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        stage.Peer.Ask("shm lock a");
        if (!stage.IsPosix)
        {
            // The kernel gives it back, and wakes the waiters.
            using var started = new ManualResetEventSlim();
            Task<bool> waiting = Start(() =>
            {
                started.Set();
                bool taken = segment.TryLock(s_patience, out SharedMemoryLock scope);
                scope.Dispose();
                return taken;
            });
            Assert.True(started.Wait(s_patience));
            Assert.False(segment.TryLock(out _));
            stage.Peer.Kill();
            Assert.True(Finish(waiting));
            using SharedMemoryLock last = segment.Lock();
            Assert.False(segment.TryLock(out _));
            return;
        }

        stage.Peer.Kill();
        stage.Limit(Limits.PosixLockStays);
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        using ForeignPeer other = ForeignPeer.StartOurs();
        other.Ask($"shm open a {ForeignPeer.Word(key)} rw keep");
        // Which opens the lock in one more process of ours, and is too soon for a proof
        Assert.Equal("false", other.Ask("shm trylock a"));
        Assert.True(segment.TryLock(s_patience, out SharedMemoryLock scope));
        Assert.True(scope.WasAbandoned);
        Assert.Equal("false", other.Ask("shm trylock a"));
        scope.Dispose();
        Assert.Equal("true", other.Ask("shm trylock a"));
        other.Ask("shm unlock a");
    });

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void killed_while_holding_a_permit(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Semaphore(backEnd);
        SystemSemaphore semaphore = stage.ShareSemaphore(key, 1);
        stage.Peer.Ask("sem acquire s");
        Assert.False(semaphore.TryAcquire());
        stage.Peer.Kill();
        if (!stage.IsPosix)
        {
            Assert.True(semaphore.TryAcquire(s_patience));
            Assert.False(semaphore.TryAcquire());
            return;
        }

        Assert.False(semaphore.TryAcquire(TimeSpan.FromMilliseconds(60)));
        using (SystemSemaphore afresh = SystemSemaphore.CreateOrReset(InteropKeys.Ours(key), 1))
        {
            Assert.False(afresh.CreatedNew);
            Assert.True(semaphore.TryAcquire());
            Assert.False(afresh.TryAcquire());
        }

        stage.Limit(Limits.PosixPermitIsGone);
    });

    [Theory]
    [MemberData(nameof(HalfCreators))]
    public void killed_after_creating_and_before_sizing(string peer, string backEnd)
        => Run(peer, backEnd, Direction.Theirs, stage =>
    {
        var soon = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(20) };
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096 stop-before-size");
        stage.Keys.Note();
        stage.Peer.Kill();

        NativeIpcException failure = Fails(NativeIpcError.NotFound,
            () => SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, soon));
        Assert.Contains("half-created", failure.Message, StringComparison.Ordinal);
        Assert.False(SharedMemory.TryOpenExisting(key, out _, SharedMemoryAccess.ReadWrite, soon));

        // Finished in place: the file is still the same one.
        using SharedMemory recovered = SharedMemory.CreateNew(key, 5000, soon);
        Assert.True(recovered.CreatedNew);
        recovered.Write(0, [0x2a]);
        using ForeignPeer next = stage.StartAnother();
        Assert.Equal("5000 opened", next.Ask($"shm open a {ForeignPeer.Word(key)} rw"));
        Assert.Equal("2a", next.Ask("shm read a 0 1"));
        next.Ask("shm close a");
        var seen = new Seen(key);
        recovered.Dispose();
        Assert.Equal("", seen.State);
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void ours_killed_while_holding_the_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        if (stage.Kind.Name == "php" && stage.IsOurs)
        {
            stage.Limit(Limits.PhpFirst, only: true);
            return;
        }

        NativeIpcKey key = stage.Keys.Segment(backEnd);
        using ForeignPeer ours = ForeignPeer.StartOurs();
        if (stage.IsOurs)
        {
            ours.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        }
        else
        {
            stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            ours.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        }

        stage.Keys.Note();
        if (stage.Kind.Name == "php")
        {
            stage.Peer.Ask("shm trylock a");
            stage.Peer.Ask("shm unlock a");
        }

        ours.Ask("shm lock a");
        stage.Keys.Note();
        stage.Peer.Post("shm lock a");
        stage.Peer.Await("locking");
        ours.Ask("shm write a 0 2a");
        ours.Kill();
        if (stage.IsPosix)
        {
            // The kernel gives nothing back; the next one of ours takes over, and releases to whoever waits.
            stage.Limit(Limits.PosixNeedsOneOfOurs);
            using SharedMemory third = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite,
                new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
            Assert.True(third.TryLock(s_patience, out SharedMemoryLock scope));
            Assert.True(scope.WasAbandoned);
            scope.Dispose();
        }

        stage.Peer.Answer();
        Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
        stage.Peer.Ask("shm unlock a");
    });

    [Theory]
    [MemberData(nameof(SystemVLocks))]
    public void ours_killed_under_a_lock_that_we_made_is_told_after_their_turn(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        using ForeignPeer ours = ForeignPeer.StartOurs();
        if (stage.IsOurs)
        {
            ours.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            ours.Ask("shm lock a");
            ours.Ask("shm unlock a");
            stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        }
        else
        {
            stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            ours.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        }

        stage.Keys.Note();
        ours.Ask("shm lock a");
        using SharedMemory third = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep });

        // A set that they have made cannot tell; it shows a holder of ours as any other.
        bool tells = third.GetLockStatus() == new LockStatus(LockHolder.Process, ours.Id, IsRecoverable: true);
        Assert.True(tells || !stage.IsOurs);
        stage.Keys.Note();
        stage.Peer.Post("shm lock a");
        stage.Peer.Await("locking");
        ours.Ask("shm write a 0 2a");
        ours.Kill();
        stage.Peer.Answer();
        Assert.Equal(LockHolder.Unknown, third.GetLockStatus().Holder);
        Assert.False(third.TryLock(out _));
        stage.Peer.Ask("shm unlock a");
        using (SharedMemoryLock told = third.Lock()) Assert.Equal(tells, told.WasAbandoned);
        using SharedMemoryLock again = third.Lock();
        Assert.False(again.WasAbandoned);
    });

    [Theory]
    [MemberData(nameof(Segments))]
    public void ours_killed_while_attached(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        using ForeignPeer ours = ForeignPeer.StartOurs();
        if (stage.IsOurs)
        {
            ours.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            ours.Ask("shm write a 0 2a");
            stage.Keys.Note();
            ours.Kill();

            // The leftover can be attached to by the peer.
            stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        }
        else
        {
            stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
            ours.Ask($"shm open a {ForeignPeer.Word(key)} rw");
            ours.Ask("shm write a 0 2a");
            stage.Keys.Note();
            ours.Kill();
        }

        Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
        Assert.True(SharedMemory.Remove(key));
        Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
    });
}
