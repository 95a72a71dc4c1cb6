using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 4, without a thread that waits: what they release completes what we await.</summary>
public sealed class S4AsyncTests : Scenario
{
    private const int Races = 60;

    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    protected override int Number => 4;

    public static TheoryData<string, string, string> Semaphores()
        => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Semaphore));

    public static TheoryData<string, string, string> Locks()
        => PeerKind.EachWay((kind, _, has) => has.HasFlag(Has.Lock) && kind.Name != "php");

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void an_awaited_acquire_is_completed_by_them_and_a_cancelled_one_takes_nothing(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 0);
        using var source = new CancellationTokenSource();
        Task first = semaphore.AcquireAsync().AsTask();
        Task cancelled = semaphore.AcquireAsync(source.Token).AsTask();
        Task<bool> last = semaphore.TryAcquireAsync(s_watchdog).AsTask();
        source.Cancel();
        Until(() => cancelled.IsCompleted, "the end of the cancelled wait");
        Assert.True(cancelled.IsCanceled);
        Assert.False(first.IsCompleted);
        stage.Peer.Ask("sem release s");
        Until(() => first.IsCompletedSuccessfully, "the end of the first wait");
        Assert.False(last.IsCompleted);
        stage.Peer.Ask("sem release s");
        Assert.True(Finish(last));
        Assert.False(semaphore.TryAcquire());
    });

    [Theory]
    [MemberData(nameof(Semaphores))]
    public void cancelling_against_their_release_neither_loses_nor_makes_a_permit(string peer, string backEnd,
        string direction) => Run(peer, backEnd, direction, stage =>
    {
        SystemSemaphore semaphore = stage.ShareSemaphore(stage.Keys.Semaphore(backEnd), 0);
        for (int i = 0; i < Races; i++)
        {
            using var source = new CancellationTokenSource();
            Task waiting = semaphore.AcquireAsync(source.Token).AsTask();
            stage.Peer.Post("sem release s");
            if (i % 2 == 0) Thread.SpinWait(i * 500);
            else stage.Peer.Answer();
            source.Cancel();
            if (i % 2 == 0) stage.Peer.Answer();
            Until(() => waiting.IsCompleted, "the end of the wait");
            Assert.True(waiting.IsCompletedSuccessfully || (waiting.IsCanceled && semaphore.TryAcquire(s_watchdog)),
                $"The permit of race {i} is lost.");
            Assert.False(semaphore.TryAcquire(), $"Race {i} made a permit.");
        }
    });

    [Theory]
    [MemberData(nameof(Locks))]
    public void an_awaited_lock_is_completed_by_their_unlock(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        SharedMemory segment = stage.Share(stage.Keys.Segment(backEnd));
        stage.Peer.Ask("shm lock a");
        using var source = new CancellationTokenSource();
        Task<SharedMemoryLock> cancelled = segment.LockAsync(source.Token).AsTask();
        Task<SharedMemoryLock> waiting = segment.LockAsync().AsTask();
        source.Cancel();
        Until(() => cancelled.IsCompleted, "the end of the cancelled wait");
        Assert.True(cancelled.IsCanceled);
        Assert.False(waiting.IsCompleted);
        stage.Peer.Ask("shm unlock a");
        using (SharedMemoryLock scope = Finish(waiting))
        {
            Assert.False(scope.WasAbandoned);
            stage.Peer.Post("shm lock a");
            stage.Peer.Await("locking");
            segment.Write(0, [0x2a]);
        }

        stage.Peer.Answer();
        Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
        Assert.False(segment.TryLock(out _));
        stage.Peer.Ask("shm unlock a");
    });
}
