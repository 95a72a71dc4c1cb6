using System.Globalization;
using Medallion.Threading;
using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>What every lock of DistributedLock does, whatever stands behind it.</summary>
public abstract class LockTests<TService>(TService service) : SynchronizationTests<TService>(service)
    where TService : Service
{
    private IDistributedLockProvider Locks => Service.Locks;

    [Fact]
    public void One_at_a_time_by_any_lock_of_the_name()
    {
        string name = NextName();
        IDistributedLock mine = Locks.CreateLock(name);
        using (IDistributedSynchronizationHandle held = Soon(mine))
        {
            Assert.Null(mine.TryAcquire());
            Assert.Null(Locks.CreateLock(name).TryAcquire(TimeSpan.FromMilliseconds(20)));
            Assert.Throws<TimeoutException>(() => Locks.CreateLock(name).Acquire(TimeSpan.FromMilliseconds(20)));
            using IDistributedSynchronizationHandle other = Soon(Locks.CreateLock(NextName()));
        }

        using IDistributedSynchronizationHandle? again = Locks.CreateLock(name).TryAcquire(Watchdog);
        Assert.NotNull(again);
    }

    [Fact]
    public async Task One_at_a_time_without_a_thread()
    {
        string name = NextName();
        IDistributedLock mine = Locks.CreateLock(name);
        await using (await mine.AcquireAsync(Watchdog))
        {
            Assert.Null(await mine.TryAcquireAsync());
            Assert.Null(await mine.TryAcquireAsync(TimeSpan.FromMilliseconds(20)));
            await Assert.ThrowsAsync<TimeoutException>(
                async () => await mine.AcquireAsync(TimeSpan.FromMilliseconds(20)));
        }

        await using IDistributedSynchronizationHandle? again = await mine.TryAcquireAsync(Watchdog);
        Assert.NotNull(again);
    }

    [Fact]
    public void One_at_a_time_across_processes_and_a_release_lets_the_waiter_in()
    {
        string name = NextName();
        PeerProcess holder = Service.Peer(), waiter = Service.Peer();
        Take(holder, $"lock h {name}");
        Assert.Null(Locks.CreateLock(name).TryAcquire());
        Begin(waiter, $"lock w {name}");
        holder.Ask("release h");
        Assert.Equal("true", waiter.Answer());
        Assert.Null(Locks.CreateLock(name).TryAcquire());
        waiter.Ask("release w");
        Soon(Locks.CreateLock(name)).Dispose();
    }

    [Fact]
    public void Processes_that_count_under_the_lock_lose_nothing()
    {
        const int processes = 3, times = 20;
        string name = NextName(), file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "0");
            PeerProcess[] peers = [.. Enumerable.Range(0, processes).Select(_ => Service.Peer())];
            foreach (PeerProcess peer in peers) peer.Post($"count {name} {file} {times}");
            foreach (PeerProcess peer in peers) peer.Answer();
            Assert.Equal(processes * times, int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_killed_holder_gives_the_lock_back()
    {
        string name = NextName();
        PeerProcess holder = Service.Peer();
        Take(holder, $"lock h {name}");
        Assert.Null(Locks.CreateLock(name).TryAcquire());
        holder.Kill();
        Soon(Locks.CreateLock(name)).Dispose();
    }

    [Fact]
    public void A_waiter_gets_the_lock_of_a_holder_that_is_killed_meanwhile()
    {
        string name = NextName();
        PeerProcess holder = Service.Peer(), waiter = Service.Peer();
        Take(holder, $"lock h {name}");
        Begin(waiter, $"lock w {name}");
        holder.Kill();
        Assert.Equal("true", waiter.Answer());
    }

    [Fact]
    public void A_second_dispose_releases_nothing()
    {
        string name = NextName();
        IDistributedLock mine = Locks.CreateLock(name);
        IDistributedSynchronizationHandle first = Soon(mine);
        first.Dispose();
        using IDistributedSynchronizationHandle second = Soon(mine);
        first.Dispose();
        Assert.Null(mine.TryAcquire());
    }

    [Fact]
    public async Task A_cancelled_wait_throws_and_takes_nothing()
    {
        string name = NextName();
        IDistributedLock mine = Locks.CreateLock(name);
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

    [Theory]
    [InlineData(-2)]
    [InlineData(int.MaxValue + 1L)]
    public void A_time_that_is_none_is_refused(long milliseconds)
    {
        IDistributedLock mine = Locks.CreateLock(NextName());
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.TryAcquire(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [Theory]
    [InlineData("/a/b")]
    [InlineData(" with spaces and\ttabs ")]
    [InlineData("ünïcode 名前 🔒")]
    [InlineData("%00~..")]
    [InlineData("long")]
    public void Any_text_is_a_name_and_names_are_kept_apart(string end)
    {
        if (end == "long") end = new string('x', 500);
        string name = NextName(end);
        IDistributedLock mine = Locks.CreateLock(name);
        using IDistributedSynchronizationHandle held = Soon(mine);
        Assert.Null(Locks.CreateLock(name).TryAcquire());
        using IDistributedSynchronizationHandle? other = Locks.CreateLock(Track(name + "x")).TryAcquire(Watchdog);
        Assert.NotNull(other);
    }

    [Fact]
    public void A_holder_that_loses_the_lock_is_told()
    {
        string name = NextName();
        IDistributedSynchronizationHandle held = Soon(Locks.CreateLock(name));
        CancellationToken lost = held.HandleLostToken;
        Assert.True(lost.CanBeCanceled);
        Assert.False(lost.IsCancellationRequested);
        Service.LoseLock(name);
        AssertLost(lost);
        Service.DisposeLost(held);
    }

    [Fact]
    public void A_holder_that_lets_go_was_not_robbed()
    {
        string name = NextName();
        IDistributedSynchronizationHandle held = Soon(Locks.CreateLock(name));
        CancellationToken lost = held.HandleLostToken;
        held.Dispose();
        Assert.False(lost.IsCancellationRequested);
        using IDistributedSynchronizationHandle again = Soon(Locks.CreateLock(name));
        Assert.False(again.HandleLostToken.IsCancellationRequested);
    }
}

public sealed class PosixLockTests(PosixService service) : LockTests<PosixService>(service);

public sealed class SystemVLockTests(SystemVService service) : LockTests<SystemVService>(service);
