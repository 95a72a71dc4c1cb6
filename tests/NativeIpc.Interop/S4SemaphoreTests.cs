using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 4: permits that one gives the other takes.</summary>
public sealed class S4SemaphoreTests : Scenario
{
    protected override int Number => 4;

    public static TheoryData<string, string, string> Semaphores()
        => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Semaphore));

    public static TheoryData<string, string> MuslPosix()
        => PeerKind.Each((kind, backEnd, _) => kind.Name == "c-musl" && backEnd == BackEnd.Posix);

    public static TheoryData<string, string> Php() => PeerKind.Each((kind, _, _) => kind.Name == "php");

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void counts_add_up_between_producer_and_consumer(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        const int many = 500;
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 3);
        if (semaphore.TryGetCurrentCount(out int count)) Assert.Equal(3, count);
        for (int i = 0; i < 3; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());

        // They produce, we consume.
        stage.Peer.Post($"sem produce s {many}");
        for (int i = 0; i < many; i++) semaphore.Acquire();
        stage.Peer.Answer();
        Assert.False(semaphore.TryAcquire());

        // We produce, they consume; a part of it one by one.
        stage.Peer.Post($"sem acquire s {many}");
        stage.Peer.Await("acquiring");
        for (int i = 0; i < many - 40; i++) semaphore.Release();
        semaphore.Release(40);
        stage.Peer.Answer();
        Assert.False(semaphore.TryAcquire());

        // Several at once.
        stage.Peer.Ask("sem release s 4");
        for (int i = 0; i < 4; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    });

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void a_blocked_acquire_of_theirs_is_woken_by_us(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 0);
        stage.Peer.Post("sem acquire s 2");
        stage.Peer.Await("acquiring");
        semaphore.Release();
        semaphore.Release();
        stage.Peer.Answer();

        // Had it not waited, a permit would be left.
        Assert.False(semaphore.TryAcquire());
    });

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void a_blocked_acquire_of_ours_is_woken_by_them(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 0);
        using var started = new ManualResetEventSlim();
        Task<bool> waiting = Start(() =>
        {
            started.Set();
            semaphore.Acquire();
            return true;
        });
        Assert.True(started.Wait(Patience.Seconds(60)));
        Assert.False(semaphore.TryAcquire(TimeSpan.FromMilliseconds(60)));
        stage.Peer.Ask("sem release s");
        Assert.True(Finish(waiting));
        Assert.False(semaphore.TryAcquire());
    });

    public static TheoryData<string, string, string> QtSystemV()
        => PeerKind.EachWay((kind, backEnd, has) =>
            kind.IsQt && backEnd != BackEnd.Posix && has.HasFlag(Has.Semaphore));

    [Theory]
    [MemberData(nameof(QtSystemV))]
    public void a_qt_producer_ends_at_the_limit_of_its_undo_record_and_ours_need_not(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        const int share = 8000;
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 0,
            new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None });
        for (int i = 0; i < 4; i++)
        {
            stage.Peer.Ask($"sem produce s {share}");
            for (int taken = 0; taken < share; taken++) Assert.True(semaphore.TryAcquire());
        }

        Assert.Equal("OutOfResources", stage.Peer.AskFailing($"sem produce s {share}"));
        int last = 0;
        while (semaphore.TryAcquire()) last++;
        Assert.InRange((4 * share) + last, 32767, 32768);
        stage.Limit(Limits.QtUndoesReleases);

        // Without undo there is no such limit.
        for (int i = 0; i < 5 * share; i++)
        {
            semaphore.Release();
            Assert.True(semaphore.TryAcquire());
        }
    });

    [Theory]
    [MemberData(nameof(MuslPosix))]
    public void musl_and_glibc_do_not_find_each_others_posix_semaphores(string peer, string backEnd)
    {
        if (InteropKeys.IsMusl)
        {
            // Here they are two on musl.
            Run(peer, backEnd, Direction.Ours, stage =>
            {
                NativeIpcKey key = stage.Keys.Semaphore(backEnd);
                using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
                stage.Peer.Ask($"sem open s {ForeignPeer.Word(key)}");
                stage.Peer.Ask("sem acquire s");
                Assert.False(semaphore.TryAcquire());
            });
            return;
        }

        Run(peer, backEnd, Direction.Ours, stage =>
        {
            NativeIpcKey key = stage.Keys.Semaphore(backEnd);
            using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
            Assert.Equal("NotFound", stage.Peer.AskFailing($"sem open s {ForeignPeer.Word(key)}"));
            stage.Limit(Limits.MuslAndGlibc, only: true);
        });
        Run(peer, backEnd, Direction.Theirs, stage =>
        {
            NativeIpcKey key = stage.Keys.Semaphore(backEnd);
            stage.Peer.Ask($"sem create s {ForeignPeer.Word(key)} 1");
            Fails(NativeIpcError.NotFound, () => SystemSemaphore.OpenExisting(key));

            // Theirs is a file of 32 bytes under the name that a segment would have: what is opened as a segment is
            // that, and creating refuses.
            Assert.Equal(32, new FileInfo(SystemObjects.SegmentFile(key)).Length);
            Fails(NativeIpcError.AlreadyExists, () => SharedMemory.CreateNew(key, 4096));
            stage.Limit(Limits.MuslAndGlibc, only: true);
        });
    }

    [Theory]
    [MemberData(nameof(Php))]
    public void php_takes_and_returns_permits_of_its_own_semaphore_only(string peer, string backEnd)
    {
        Run(peer, backEnd, Direction.Ours, stage =>
        {
            NativeIpcKey key = stage.Keys.Semaphore(backEnd);
            using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
            Assert.Equal("Unknown", stage.Peer.AskFailing($"sem open s {ForeignPeer.Word(key)}"));
            Assert.True(semaphore.TryAcquire());
            Assert.False(semaphore.TryAcquire());
            stage.Limit(Limits.PhpFirst, only: true);
        });
        Run(peer, backEnd, Direction.Theirs, stage =>
        {
            NativeIpcKey key = stage.Keys.Semaphore(backEnd);
            using SystemSemaphore semaphore = stage.ShareSemaphore(key, 2);
            Assert.True(semaphore.TryGetCurrentCount(out int count));
            Assert.Equal(2, count);

            // We take both; its acquire waits until we give one back.
            semaphore.Acquire();
            semaphore.Acquire();
            stage.Peer.Post("sem acquire s");
            stage.Peer.Await("acquiring");
            semaphore.Release();
            stage.Peer.Answer();
            Assert.False(semaphore.TryAcquire());

            // Ours waits until it gives back.
            Task<bool> waiting = Start(() => semaphore.TryAcquire(TimeSpan.FromSeconds(60)));
            stage.Peer.Ask("sem release s");
            Assert.True(Finish(waiting));

            Assert.Equal("Unknown", stage.Peer.AskFailing("sem release s"));
            stage.Limit(Limits.PhpConsumes);
        });
    }
}
