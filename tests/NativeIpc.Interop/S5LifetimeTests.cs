using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 5: who removes what, in every order of letting go. States are those of
/// <see cref="Seen"/>.</summary>
public sealed class S5LifetimeTests : Scenario
{
    private const string WeFirst = "we first";
    private const string TheyFirst = "they first";

    protected override int Number => 5;

    public static TheoryData<string, string, string, string> Segments()
        => Ordered((_, _, has) => has.HasFlag(Has.Segment));

    public static TheoryData<string, string, string, string> Semaphores()
        => Ordered((kind, _, has) => has.HasFlag(Has.Semaphore) || kind.Name == "php");

    public static TheoryData<string, string, string> QtLocks()
        => PeerKind.EachWay((kind, _, has) => kind.IsQt && has.HasFlag(Has.Lock));

    public static TheoryData<string, string> QtLocksOfOurs()
        => PeerKind.Each((kind, _, has) => kind.IsQt && has.HasFlag(Has.Lock));

    public static TheoryData<string, string, string> EachSegment()
        => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Segment));

    private static TheoryData<string, string, string, string> Ordered(Func<PeerKind, string, Has, bool> matches)
    {
        var data = new TheoryData<string, string, string, string>();
        foreach (TheoryDataRow<string, string, string> row in PeerKind.EachWay(matches))
        {
            data.Add(row.Data.Item1, row.Data.Item2, row.Data.Item3, WeFirst);
            data.Add(row.Data.Item1, row.Data.Item2, row.Data.Item3, TheyFirst);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Segments))]
    public void a_segment_is_removed_by_whose_duty_it_is(string peer, string backEnd, string direction, string order)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        segment.Write(0, [0x2a]);
        bool locks = stage.Kind.On(backEnd).HasFlag(Has.Lock) && !(stage.Kind.Name == "php" && stage.IsOurs);
        if (locks)
        {
            // The peer is the first to use the lock; Qt is so by attaching.
            stage.Peer.Ask("shm lock a");
            stage.Peer.Ask("shm unlock a");
            segment.Lock().Dispose();
        }

        string all = "S" + (locks ? "L" : "") + (stage.IsPosix ? "" : "F")
            + (stage.BackEnd == BackEnd.Legacy ? "f" : "");
        var seen = new Seen(key);
        Assert.Equal(all, seen.State);
        bool weFirst = order == WeFirst;
        if (weFirst)
        {
            segment.Dispose();
            Assert.Equal(stage.IsPosix && stage.IsOurs ? "" : all, seen.State);
            Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
            stage.Peer.Ask("shm close a");
        }
        else
        {
            stage.Peer.Ask("shm close a");
            string left = !(stage.Kind.IsQt && locks) ? all : backEnd == BackEnd.Legacy ? "SF" : "S";
            Assert.Equal(left, seen.State);
            if (left != all)
            {
                stage.Limit(Limits.QtTakesTheLock);
                stage.Keys.TakeFreedNumbers();
            }

            byte[] read = new byte[1];
            segment.Read(0, read);
            Assert.Equal(0x2a, read[0]);
            segment.Dispose();
        }

        // POSIX: its maker removes it. System V: the last one to detach does, if it is one who removes at all.
        bool removed = stage.IsPosix ? stage.IsOurs : !weFirst || stage.Kind.IsQt;
        if (removed)
        {
            Assert.Equal("", seen.State);
            return;
        }

        Assert.Equal(stage.Kind.IsQt ? "S" : all, seen.State);
        if (stage.Kind.IsQt) stage.Limit(Limits.QtNeverUnlinks);

        // What is left can be removed by key, by either side.
        if (stage.IsOurs || stage.Kind.IsQt) Assert.True(SharedMemory.Remove(key));
        else Assert.Equal("true", stage.Peer.Ask($"shm remove {ForeignPeer.Word(key)}"));
        Assert.Equal("", seen.State);
    });

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void a_semaphore_is_removed_by_its_maker(string peer, string backEnd, string direction, string order)
        => Run(peer, backEnd, direction, stage =>
    {
        if (stage.Kind.Name == "php" && stage.IsOurs)
        {
            stage.Limit(Limits.PhpFirst, only: true);
            return;
        }

        NativeIpcKey key = stage.Keys.Semaphore(backEnd);
        SystemSemaphore semaphore = stage.ShareSemaphore(key, 1);
        var seen = new Seen(key);
        string all = stage.IsPosix ? "L" : "LF";
        Assert.Equal(all, seen.State);
        if (order == WeFirst)
        {
            semaphore.Dispose();
            Assert.Equal(stage.IsOurs ? "" : all, seen.State);
            stage.Peer.Ask("sem close s");
        }
        else
        {
            stage.Peer.Ask("sem close s");
            Assert.Equal(!stage.IsOurs && stage.Kind.IsQt ? "" : all, seen.State);
            semaphore.Dispose();
        }

        if (stage.IsOurs || stage.Kind.IsQt)
        {
            Assert.Equal("", seen.State);
            return;
        }

        Assert.Equal(all, seen.State);
        Assert.True(SystemSemaphore.Remove(InteropKeys.Ours(key)));
        Assert.Equal("", seen.State);
    });

    [Theory]
    [MemberData(nameof(QtLocksOfOurs))]
    public void a_lock_that_we_made_survives_qt_visitors(string peer, string backEnd)
        => Run(peer, backEnd, Direction.Ours, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Keep(SharedMemory.CreateNew(key, 4096));
        segment.Lock().Dispose();
        stage.Keys.Note();
        var seen = new Seen(key);
        string all = seen.State;
        stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        stage.Peer.Ask("shm close a");
        Assert.Equal(all, seen.State);
        using (SharedMemoryLock scope = segment.Lock()) Assert.False(scope.WasReplaced);

        // Qt as the last one.
        stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw");
        segment.Dispose();
        stage.Peer.Ask("shm close a");
        Assert.Equal(stage.IsPosix ? "" : backEnd == BackEnd.Legacy ? "Lf" : "L", seen.State);
        if (!stage.IsPosix) stage.Limit(Limits.QtLeavesTheLock);
    });

    public static TheoryData<string, string> QtSystemV()
        => PeerKind.Each((kind, backEnd, has) => kind.IsQt && backEnd == BackEnd.SystemV && has.HasFlag(Has.Lock));

    [Theory]
    [MemberData(nameof(QtSystemV))]
    public void letting_go_of_a_segment_that_has_lost_its_name_spares_the_one_that_has_it_now(string peer,
        string backEnd) => Run(peer, backEnd, Direction.Ours, stage =>
    {
        foreach (bool isHeld in new[] { true, false })
        {
            NativeIpcKey key = stage.Keys.Segment(backEnd);
            SharedMemory old = stage.Share(key);
            old.Lock().Dispose();
            int oldNumber = SystemObjects.Ftok(key);
            stage.Peer.Ask("shm close a");
            Assert.False(File.Exists(key.NativeKey));
            stage.Keys.TakeFreedNumbers();

            using SharedMemory newcomer = SharedMemory.CreateNew(key, 4096);
            SharedMemoryLock scope = newcomer.Lock();
            stage.Keys.Note();
            if (!isHeld) scope.Dispose();
            old.Dispose();
            Assert.False(SystemObjects.SegmentExists(oldNumber));
            if (!isHeld) scope = newcomer.Lock();
            Assert.False(newcomer.TryLock(out _));
            Assert.False(scope.WasReplaced);
            scope.Dispose();
            Assert.False(scope.WasReplaced);
            stage.Peer.Ask($"shm open b {ForeignPeer.Word(key)} rw");
            stage.Peer.Ask("shm close b");
        }
    });

    [Theory]
    [MemberData(nameof(EachSegment))]
    public void a_process_that_ends_without_letting_go_leaves_it_to_the_other(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        segment.Write(0, [0x2a]);
        var seen = new Seen(key);
        string all = seen.State;
        stage.Peer.Exit();
        Assert.Equal(all, seen.State);
        using (SharedMemory again = SharedMemory.OpenExisting(key))
        {
            byte[] read = new byte[1];
            again.Read(0, read);
            Assert.Equal(0x2a, read[0]);
        }

        segment.Dispose();
        Assert.Equal(stage.IsPosix && !stage.IsOurs ? all : "", seen.State);
        if (stage.IsPosix && !stage.IsOurs) Assert.True(SharedMemory.Remove(key));
    });

    [Theory]
    [MemberData(nameof(QtLocks))]
    public void a_qt_process_that_ends_last_removes_what_qt_removes(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        SharedMemory segment = stage.Share(key);
        segment.Write(0, [0x2a]);
        var seen = new Seen(key);
        segment.Dispose();
        if (stage.IsPosix && stage.IsOurs) Assert.Equal("", seen.State);
        else Assert.Contains("S", seen.State, StringComparison.Ordinal);
        stage.Peer.Quit();
        Assert.Equal(stage.IsPosix && !stage.IsOurs ? "S" : "", seen.State);
    });

    [Theory]
    [MemberData(nameof(SystemVSemaphores))]
    public void what_a_process_that_ended_has_released_is_taken_back_only_where_it_asked_for_it(string peer,
        string backEnd, string direction) => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Semaphore(backEnd);
        SystemSemaphore semaphore = stage.ShareSemaphore(key, 0);
        stage.Peer.Ask("sem release s 3");
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        Assert.Equal(3, count);
        stage.Peer.Exit();
        Assert.True(semaphore.TryGetCurrentCount(out count));
        Assert.Equal(stage.Kind.IsQt ? 0 : 3, count);
        if (stage.Kind.IsQt) stage.Limit(Limits.QtUndoesReleases);
    });

    public static TheoryData<string, string, string> SystemVSemaphores()
        => PeerKind.EachWay((_, backEnd, has) => has.HasFlag(Has.Semaphore) && backEnd != BackEnd.Posix);
}
