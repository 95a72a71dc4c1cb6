using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 6 at the lock of a segment: holders that only stand still are not robbed, and waiters that are
/// killed take nothing with them.</summary>
public sealed class S6LockTests : Scenario
{
    private static readonly TimeSpan s_patience = Patience.Seconds(60);

    // Longer than it takes until the last of the first looks whether an unknown holder is gone for good (0.1, 0.3 and
    // 0.7 s).
    private const int ManyLooks = 900;

    // Threads of this process.
    private const int Waiters = 2;

    protected override int Number => 6;

    // PHP locks only what it has made itself; one like Perl and Python are, as far as the lock goes, C.
    public static TheoryData<string, string, string> QtAndC()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Lock) && kind.Name is "qt6.8" or "c");

    public static TheoryData<string, string, string> C()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Lock) && kind.Name == "c");

    public static TheoryData<string, string, string> Locks()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Lock) && kind.Name != "php");

    [Theory]
    [MemberData(nameof(QtAndC))]
    public void a_stopped_holder_is_not_robbed(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        stage.Peer.Ask("shm lock a");
        stage.Peer.Stop();
        try
        {
            AssertNotRobbed(segment, stage);
        }
        finally
        {
            stage.Peer.Continue();
        }

        stage.Peer.Ask("shm unlock a");
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    });

    [Theory]
    [MemberData(nameof(C))]
    [NeedsRoot("Needs root, for another PID namespace.")]
    public void a_holder_in_another_PID_namespace_is_not_robbed(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        using ForeignPeer holder = ForeignPeer.StartApart(stage.Kind);
        holder.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        stage.Peer.Ask("shm lock a"); // whoever makes the lock
        stage.Peer.Ask("shm unlock a");
        stage.Peer.Quit();
        holder.Ask("shm lock a");
        AssertNotRobbed(segment, stage);
        holder.Ask("shm unlock a");
        using (SharedMemoryLock scope = segment.Lock()) Assert.False(scope.WasAbandoned);
        holder.Quit();
    });

    /// <summary>Waits for the lock in this process and in another one of ours until they have looked many times; then
    /// in this one alone.</summary>
    private static void AssertNotRobbed(SharedMemory segment, Stage stage)
    {
        int time = stage.IsPosix ? ManyLooks : 200; // on System V the kernel alone gives back what a holder had
        using ForeignPeer ours = ForeignPeer.StartOurs();
        ours.Ask($"shm open a {ForeignPeer.Word(segment.Key)} rw keep");
        ours.Post($"shm lock a {time}");
        ours.Await("locking");
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(time), out _));
        Assert.StartsWith("Timeout", ours.Failure(), StringComparison.Ordinal);
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        ours.Ask("shm close a");
        stage.Keys.Note();

        // Alone, so that it is the kernel that has to say that the holder has it open.
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(time), out _));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
    }

    [Theory]
    [MemberData(nameof(QtAndC))]
    public void a_dead_holder_is_unknown_until_the_other_one_of_its_kind_has_ended(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        using ForeignPeer other = stage.StartAnother();
        other.Ask($"shm open b {ForeignPeer.Word(key)} rw");
        stage.Peer.Ask("shm lock a");
        stage.Keys.Note();
        other.Post("shm lock b");
        other.Await("locking");
        Until(() => SystemObjects.WaitersOf(SystemObjects.LockKey(key)) > 0, "their waiter");
        stage.Peer.Kill();
        if (!stage.IsPosix)
        {
            other.Answer(); // the kernel gave it back, and gave it on
            Assert.False(segment.TryLock(out _));
            other.Ask("shm unlock b");
            using SharedMemoryLock free = segment.Lock();
            return;
        }

        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(ManyLooks), out _));
        Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
        Task<bool>[] waiting = [.. Enumerable.Range(0, Waiters).Select(_ => Start(() =>
        {
            using SharedMemoryLock scope = segment.Lock();
            return scope.WasAbandoned;
        }))];
        other.Kill();
        Assert.Single(waiting.Select(Finish), told => told);
        using SharedMemoryLock last = segment.Lock();
        Assert.False(last.WasAbandoned);
        stage.Limit(Limits.PosixLockStays);
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void killed_while_waiting_for_the_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        using ForeignPeer other = stage.StartAnother();
        other.Ask($"shm open b {ForeignPeer.Word(key)} rw");
        SharedMemoryLock scope = segment.Lock();
        stage.Keys.Note();
        stage.Peer.Post("shm lock a");
        stage.Peer.Await("locking");
        Until(() => SystemObjects.WaitersOf(SystemObjects.LockKey(key)) > 0, "their waiter");
        stage.Peer.Kill();
        scope.Dispose();
        using (scope = segment.Lock())
        {
            Assert.False(scope.WasAbandoned);
            other.Post("shm lock b");
            other.Await("locking");
        }

        other.Answer();
        Assert.False(segment.TryLock(out _));
        other.Ask("shm unlock b");
        Assert.True(segment.TryLock(s_patience, out scope));
        scope.Dispose();
        stage.Keys.Note();
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void ours_killed_while_waiting_for_their_lock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        using ForeignPeer ours = ForeignPeer.StartOurs();
        ours.Ask($"shm open a {ForeignPeer.Word(key)} rw keep");
        stage.Peer.Ask("shm lock a");
        stage.Keys.Note();
        ours.Post("shm lock a");
        ours.Await("locking");
        Until(() => SystemObjects.WaitersOf(SystemObjects.LockKey(key)) > 0, "our waiter");
        ours.Kill();
        stage.Peer.Ask("shm unlock a");
        stage.Peer.Ask("shm lock a");
        Assert.False(segment.TryLock(out _));
        stage.Peer.Ask("shm unlock a");
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
        Assert.False(segment.TryLock(out _));
    });
}
