using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 3: the lock of a segment is one lock for both.</summary>
public sealed class S3LockTests : Scenario
{
    private const int Times = 20_000;

    protected override int Number => 3;

    public static TheoryData<string, string, string> Locks() => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Lock));

    public static TheoryData<string, string, string> NoLocks()
        => PeerKind.EachWay((_, _, has) => !has.HasFlag(Has.Lock));

    public static TheoryData<string, string, string> QtLocks()
        => PeerKind.EachWay((kind, _, has) => kind.IsQt && has.HasFlag(Has.Lock));

    /// <summary>A shared segment whose lock both can open. PHP can open no lock but its own: sem_get() wants a set of
    /// three.</summary>
    private static bool ShareLocked(Stage stage, in NativeIpcKey key, out SharedMemory segment)
    {
        segment = stage.Share(key);
        if (stage.Kind.Name != "php") return true;
        if (!stage.IsOurs)
        {
            Assert.Equal("true", stage.Peer.Ask("shm trylock a"));
            stage.Peer.Ask("shm unlock a");
            return true;
        }

        using (segment.Lock())
        {
        }

        Assert.Equal("Unknown", stage.Peer.AskFailing("shm trylock a"));
        stage.Limit(Limits.PhpFirst, only: true);
        return false;
    }

    [Theory]
    [MemberData(nameof(Locks))]
    public void additions_of_both_under_the_lock_are_all_there(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        if (!ShareLocked(stage, stage.Keys.Segment(backEnd), out SharedMemory segment)) return;

        // It waits for its first turn until we begin.
        SharedMemoryLock start = segment.Lock();
        stage.Peer.Post($"shm add a 0 {Times}");
        stage.Peer.Await("locking");
        start.Dispose();
        for (int i = 0; i < Times; i++)
        {
            using (segment.Lock()) segment.GetReference<uint>(0)++;
        }

        stage.Peer.Answer();
        Assert.Equal(2u * Times, segment.GetReference<uint>(0));
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void a_blocked_lock_of_theirs_goes_on_when_we_release(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        if (!ShareLocked(stage, stage.Keys.Segment(backEnd), out SharedMemory segment)) return;
        SharedMemoryLock scope = segment.Lock();
        stage.Peer.Post("shm lock a");
        stage.Peer.Await("locking");
        segment.Write(0, [1, 2, 3]);
        Assert.False(segment.TryLock(out _));
        scope.Dispose();
        stage.Peer.Answer();
        Assert.Equal("010203", stage.Peer.Ask("shm read a 0 3"));
        Assert.False(segment.TryLock(out _));
        stage.Peer.Ask("shm unlock a");
        Assert.True(segment.TryLock(out scope));
        scope.Dispose();
        Assert.False(scope.WasReplaced);
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void a_blocked_lock_of_ours_goes_on_when_they_release(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        if (!ShareLocked(stage, stage.Keys.Segment(backEnd), out SharedMemory segment)) return;
        stage.Peer.Ask("shm lock a");
        Assert.False(segment.TryLock(out _));
        using var started = new ManualResetEventSlim();
        Task<uint> waiting = Start(() =>
        {
            started.Set();
            using (segment.Lock()) return segment.GetReference<uint>(0);
        });
        Assert.True(started.Wait(Patience.Seconds(60)));
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(60), out _));
        stage.Peer.Ask("shm write a 0 07000000");
        stage.Peer.Ask("shm unlock a");
        Assert.Equal(7u, Finish(waiting));
    });

    [Theory]
    [MemberData(nameof(NoLocks))]
    public void a_peer_without_the_lock_says_so(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        SharedMemory segment = stage.Share(stage.Keys.Segment(backEnd));
        string failure = stage.Kind.IsQt ? "LockError" : "Unsupported";
        stage.Peer.Post("shm lock a");
        if (stage.Kind.IsQt) stage.Peer.Await("locking");
        string answer = Assert.Throws<InvalidOperationException>(stage.Peer.Answer).Message;
        Assert.Contains($"error {failure}", answer, StringComparison.Ordinal);
        if (stage.Kind.Name != "c-musl")
        {
            // Ours works among ourselves.
            using (segment.Lock()) segment.GetReference<uint>(0)++;
        }

        stage.Limit(
            stage.Kind.IsQt ? $"{stage.Kind.Title}: a segment with setNativeKey() has no lock; lock() says LockError."
            : stage.Kind.Name == "c-musl" ? Limits.MuslAndGlibc
            : $"{stage.Kind.Title} has no System V semaphore, so no lock for System V segments.",
            only: true);
    });

    [Theory]
    [MemberData(nameof(QtLocks))]
    public void attach_and_detach_of_qt_wait_while_we_hold_the_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        NativeIpcKey markKey = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        SharedMemory mark = stage.Share(markKey, name: "mark");

        SharedMemoryLock scope = segment.Lock();
        stage.Peer.Post($"shm open b {ForeignPeer.Word(key)} rw watch=mark");
        stage.Peer.Await("opening");
        mark.GetReference<uint>(0) = 1;
        scope.Dispose();
        Assert.Equal("4096 opened seen=1", stage.Peer.Answer());

        scope = segment.Lock();
        stage.Peer.Post("shm close b watch=mark");
        stage.Peer.Await("closing");
        mark.GetReference<uint>(0) = 2;
        scope.Dispose();
        Assert.Equal("seen=2", stage.Peer.Answer());
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void our_attach_and_detach_do_not_wait_for_the_holder(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        if (!ShareLocked(stage, key, out SharedMemory segment)) return;
        segment.GetReference<uint>(0) = 5;
        stage.Peer.Ask("shm lock a");
        using (SharedMemory second = SharedMemory.OpenExisting(key))
        {
            Assert.Equal(5u, second.GetReference<uint>(0));
        }

        using (SharedMemory third = SharedMemory.CreateOrOpen(key, 4096))
        {
            Assert.False(third.CreatedNew);
            Assert.False(third.TryLock(out _));
        }

        Assert.False(segment.TryLock(out _));
        stage.Peer.Ask("shm unlock a");
        Assert.True(segment.TryLock(out SharedMemoryLock scope));
        scope.Dispose();
    });

    public static TheoryData<string, string, string> QtSystemV()
        => PeerKind.EachWay((kind, backEnd, has) => kind.IsQt && backEnd != BackEnd.Posix && has.HasFlag(Has.Lock));

    [Theory]
    [MemberData(nameof(QtSystemV))]
    public void our_last_detach_waits_a_bounded_time_for_a_qt_holder_and_then_leaves_the_removal_to_others(string peer,
        string backEnd, string direction) => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key,
            options: new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(40) });
        using ForeignPeer other = stage.StartAnother();

        // A Qt object that is not attached can hold the lock: after a create() that failed.
        Assert.Equal("AlreadyExists", other.AskFailing($"shm create b {ForeignPeer.Word(key)} 4096"));
        stage.Peer.Exit(); // without a destructor, which would take the lock with it
        stage.Keys.Note();
        other.Ask("shm lock b");
        segment.Dispose();
        Assert.True(SystemObjects.SegmentExists(key));
        other.Ask("shm unlock b");
        SharedMemory.OpenExisting(key).Dispose();
        Assert.False(SystemObjects.SegmentExists(key));
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void a_failed_create_of_ours_does_not_touch_the_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        if (!ShareLocked(stage, key, out SharedMemory segment)) return;
        stage.Peer.Ask("shm lock a");
        Assert.False(segment.TryLock(out _));
        Fails(NativeIpcError.AlreadyExists, () => SharedMemory.CreateNew(key, 4096));
        Fails(NativeIpcError.InvalidSize, () => SharedMemory.CreateOrOpen(key, 8192));
        Assert.False(segment.TryLock(out _));
        stage.Peer.Ask("shm unlock a");

        // It still counts to one.
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(segment.TryLock(out _));
        Assert.False(scope.WasReplaced);
    });

    [Theory]
    [MemberData(nameof(QtLocks))]
    public void a_failed_create_of_qt_breaks_the_lock_and_we_notice(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        SharedMemory second = stage.Keep(SharedMemory.OpenExisting(key));
        using ForeignPeer other = stage.StartAnother();

        SharedMemoryLock scope = segment.Lock();
        Assert.False(second.TryLock(out _));
        Assert.Equal("AlreadyExists", other.AskFailing($"shm create b {ForeignPeer.Word(key)} 4096"));
        if (stage.IsPosix)
        {
            // Its name leads to another semaphore now.
            Until(() => scope.WasReplaced, "the notice that the lock was replaced");
            scope.Dispose();
            stage.Limit(Limits.QtReplacesTheLock);
        }
        else
        {
            // Its count was set to 1 while we held it; releasing would make it 2.
            Assert.Equal(1, SystemObjects.ValueOf(SystemObjects.LockKey(key)));
            scope.Dispose();
            Assert.True(scope.WasReplaced);
            Assert.Equal(1, SystemObjects.ValueOf(SystemObjects.LockKey(key)));
            stage.Limit(Limits.QtSetsTheLock);
        }

        // The newest lock is one that excludes, also Qt.
        scope = segment.Lock();
        Assert.False(second.TryLock(out _));
        other.Post("shm lock b");
        other.Await("locking");
        segment.Write(0, [1]);
        scope.Dispose();
        other.Answer();
        Assert.False(second.TryLock(out _));
        other.Ask("shm unlock b");

        // The failed object removes, when it goes, the lock that it has made or taken over.
        stage.Keys.Note();
        other.Ask("shm close b");
        if (stage.BackEnd == BackEnd.SystemV)
        {
            // With the lock the key file that the segment's own key comes from: the segment has lost its name. The
            // bytes stay.
            Assert.False(File.Exists(key.NativeKey));
            Fails(NativeIpcError.NotFound, () => SharedMemory.OpenExisting(key));

            // An attached process makes the lock anew, and meets the others there.
            scope = segment.Lock();
            Assert.False(second.TryLock(out _));
            stage.Keys.Note();
            stage.Peer.Post("shm lock a");
            stage.Peer.Await("locking");
            segment.Write(0, [2]);
            scope.Dispose();
            stage.Peer.Answer();
            Assert.Equal("02", stage.Peer.Ask("shm read a 0 1"));
            Assert.False(second.TryLock(out _));
            stage.Peer.Ask("shm unlock a");
            stage.Limit(Limits.QtTakesTheName);
            return;
        }

        using SharedMemoryLock last = segment.Lock();
        Assert.False(second.TryLock(out _));
    });
}
