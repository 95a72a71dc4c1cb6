using Medallion.Threading;
using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>What every semaphore of DistributedLock does, whatever stands behind it.</summary>
public abstract class SemaphoreTests<TService>(TService service) : SynchronizationTests<TService>(service)
    where TService : Service
{
    private IDistributedSemaphoreProvider Semaphores => Service.Semaphores;

    [Fact]
    public void So_many_at_a_time_by_any_semaphore_of_the_name()
    {
        string name = NextName();
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(name, 2);
        Assert.Equal(2, mine.MaxCount);
        using IDistributedSynchronizationHandle first = Soon(mine);
        using (IDistributedSynchronizationHandle second = Soon(Semaphores.CreateSemaphore(name, 2)))
        {
            Assert.Null(mine.TryAcquire());
            Assert.Null(mine.TryAcquire(TimeSpan.FromMilliseconds(20)));
            Assert.Throws<TimeoutException>(() => mine.Acquire(TimeSpan.FromMilliseconds(20)));
        }

        using IDistributedSynchronizationHandle? again = mine.TryAcquire(Watchdog);
        Assert.NotNull(again);
        Assert.Null(mine.TryAcquire());
    }

    [Fact]
    public async Task So_many_at_a_time_without_a_thread()
    {
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(NextName(), 2);
        await using IDistributedSynchronizationHandle first = await mine.AcquireAsync(Watchdog);
        await using (await mine.AcquireAsync(Watchdog))
        {
            Assert.Null(await mine.TryAcquireAsync());
            await Assert.ThrowsAsync<TimeoutException>(
                async () => await mine.AcquireAsync(TimeSpan.FromMilliseconds(20)));
        }

        await using IDistributedSynchronizationHandle? again = await mine.TryAcquireAsync(Watchdog);
        Assert.NotNull(again);
    }

    [Fact]
    public void So_many_at_a_time_across_processes_and_a_release_lets_the_waiter_in()
    {
        string name = NextName();
        PeerProcess first = Service.Peer(), second = Service.Peer(), waiter = Service.Peer();
        Take(first, $"semaphore h {name} 2");
        Take(second, $"semaphore h {name} 2");
        Assert.Null(Semaphores.CreateSemaphore(name, 2).TryAcquire());
        Begin(waiter, $"semaphore w {name} 2");
        first.Ask("release h");
        Assert.Equal("true", waiter.Answer());
        Assert.Null(Semaphores.CreateSemaphore(name, 2).TryAcquire());
    }

    [Fact]
    public void A_killed_holder_gives_its_permits_back_and_no_others()
    {
        string name = NextName();
        PeerProcess victim = Service.Peer(), living = Service.Peer();
        Take(victim, $"semaphore a {name} 3");
        Take(victim, $"semaphore b {name} 3");
        Take(living, $"semaphore c {name} 3");
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(name, 3);
        Assert.Null(mine.TryAcquire());
        victim.Kill();
        using IDistributedSynchronizationHandle first = Soon(mine), second = Soon(mine);
        Assert.Null(mine.TryAcquire());
        living.Ask("release c");
        using IDistributedSynchronizationHandle third = Soon(mine);
        Assert.Null(mine.TryAcquire());
    }

    [Fact]
    public void A_second_dispose_releases_nothing()
    {
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(NextName(), 2);
        IDistributedSynchronizationHandle first = Soon(mine);
        first.Dispose();
        using IDistributedSynchronizationHandle second = Soon(mine), third = Soon(mine);
        first.Dispose();
        Assert.Null(mine.TryAcquire());
    }

    [Fact]
    public async Task A_cancelled_wait_throws_and_takes_nothing()
    {
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(NextName(), 1);
        using (IDistributedSynchronizationHandle held = Soon(mine))
        {
            using var cancel = new CancellationTokenSource();
            Task<IDistributedSynchronizationHandle?> waits = mine.TryAcquireAsync(Watchdog, cancel.Token).AsTask();
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits.WaitAsync(Watchdog));
            Assert.ThrowsAny<OperationCanceledException>(() => mine.Acquire(Watchdog, cancel.Token));
        }

        using IDistributedSynchronizationHandle? again = mine.TryAcquire(Watchdog);
        Assert.NotNull(again);
    }

    [Fact]
    public void None_at_a_time_is_refused()
        => Assert.Throws<ArgumentOutOfRangeException>(() => Semaphores.CreateSemaphore(NextName(), 0));

    [Theory]
    [InlineData("/a b/ü🔒")]
    [InlineData("~")]
    public void Any_text_is_a_name_and_names_are_kept_apart(string end)
    {
        string name = NextName(end);
        IDistributedSemaphore mine = Semaphores.CreateSemaphore(name, 1);
        using IDistributedSynchronizationHandle held = Soon(mine);
        Assert.Null(Semaphores.CreateSemaphore(name, 1).TryAcquire());
        using IDistributedSynchronizationHandle? other =
            Semaphores.CreateSemaphore(Track(name + "x"), 1).TryAcquire(Watchdog);
        Assert.NotNull(other);
    }

    [Fact]
    public void A_holder_that_loses_its_permit_is_told()
    {
        string name = NextName();
        using IDistributedSynchronizationHandle held = Soon(Semaphores.CreateSemaphore(name, 2));
        CancellationToken lost = held.HandleLostToken;
        Assert.True(lost.CanBeCanceled);
        Assert.False(lost.IsCancellationRequested);
        Service.LoseSemaphore(name);
        AssertLost(lost);
    }
}

public sealed class PosixSemaphoreTests(PosixService service) : SemaphoreTests<PosixService>(service);

public sealed class SystemVSemaphoreTests(SystemVService service) : SemaphoreTests<SystemVService>(service);
