using System.Runtime.CompilerServices;
using Medallion.Threading;
using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>What this library's locks and semaphores do beyond what all do.</summary>
public abstract class NativeTests<TService>(TService service) : SynchronizationTests<TService>(service)
    where TService : NativeService
{
    private NativeIpcDistributedSynchronizationProvider Provider => Service.Provider;

    [Fact]
    public void The_next_holder_is_told_once_that_the_last_one_was_killed()
    {
        string name = NextName();
        PeerProcess victim = Service.Peer(), next = Service.Peer();
        Take(victim, $"lock h {name}");
        Assert.Equal("false", victim.Ask("abandoned h"));
        victim.Kill();
        Take(next, $"lock h {name}");
        Assert.Equal("true", next.Ask("abandoned h"));
        next.Ask("release h");
        using NativeIpcDistributedSynchronizationHandle held = Provider.CreateLock(name).Acquire(Watchdog);
        Assert.False(held.WasAbandoned);
    }

    [Fact]
    public void Another_maximum_for_a_name_throws_in_this_process_and_in_others()
    {
        string name = NextName();
        PeerProcess peer = Service.Peer();
        Take(peer, $"semaphore h {name} 3");
        InvalidOperationException refused =
            Assert.Throws<InvalidOperationException>(() => Provider.CreateSemaphore(name, 2).TryAcquire());
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
        using NativeIpcDistributedSynchronizationHandle held = Provider.CreateSemaphore(name, 3).Acquire(Watchdog);
        Assert.Throws<InvalidOperationException>(() => Provider.CreateSemaphore(name, 4).Acquire());
    }

    [Fact]
    public void The_maximum_stays_when_all_have_gone_until_it_is_removed()
    {
        string name = NextName();
        PeerProcess peer = Service.Peer();
        Take(peer, $"semaphore h {name} 3");
        peer.Kill();
        Assert.Throws<InvalidOperationException>(() => Provider.CreateSemaphore(name, 2).TryAcquire());
        Assert.True(Provider.RemoveSemaphore(name));
        Assert.False(Provider.RemoveSemaphore(name));
        using NativeIpcDistributedSynchronizationHandle held = Provider.CreateSemaphore(name, 1).Acquire(Watchdog);
        Assert.Null(Provider.CreateSemaphore(name, 1).TryAcquire());
    }

    [Fact]
    public void The_maximum_of_this_process_is_not_that_of_a_semaphore_that_another_one_has_removed()
    {
        string name = NextName();
        Provider.CreateSemaphore(name, 3).Acquire(Watchdog).Dispose(); // it stays open here
        NativeIpcKey maximum = NameRule.KeyOf(name, GateKind.Maximum,
            new NativeIpcDistributedLockOptions { KeyType = Service.Type, Prefix = Service.Words[2] });
        SharedMemory.Remove(maximum);
        SystemSemaphore.Remove(Provider.CreateSemaphore(name, 3).Key);
        PeerProcess peer = Service.Peer();
        Take(peer, $"semaphore h {name} 2");
        using NativeIpcDistributedSynchronizationHandle held = Provider.CreateSemaphore(name, 2).Acquire(Watchdog);
        Assert.Null(Provider.CreateSemaphore(name, 2).TryAcquire());
        Assert.Throws<InvalidOperationException>(() => Provider.CreateSemaphore(name, 3).TryAcquire());
    }

    [Fact]
    public void Waiters_go_on_at_the_new_lock_when_the_old_one_was_removed()
    {
        string name = NextName();
        PeerProcess holder = Service.Peer(), waiter = Service.Peer();
        Take(holder, $"lock h {name}");
        Begin(waiter, $"lock w {name}");
        Task<NativeIpcDistributedSynchronizationHandle> waits =
            Provider.CreateLock(name).AcquireAsync(Watchdog).AsTask();
        Assert.True(Provider.RemoveLock(name));
        // One of the two has the new one, and gives it to the other
        Task<string> other = Task.Factory.StartNew(() => waiter.Answer(), CancellationToken.None,
            TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.NotEqual(-1, Task.WaitAny([waits, other], Watchdog));
        if (!other.IsCompleted) waits.Result.Dispose();
        Assert.Equal("true", other.WaitAsync(Watchdog).GetAwaiter().GetResult());
        waiter.Ask("release w");
        waits.WaitAsync(Watchdog).GetAwaiter().GetResult().Dispose();
        holder.Ask("release h"); // lost, and no error
        Soon(Provider.CreateLock(name)).Dispose();
    }

    [Fact]
    public void A_lock_whose_count_was_set_anew_is_lost()
    {
        string name = NextName();
        NativeIpcDistributedLock mine = Provider.CreateLock(name);
        NativeIpcDistributedSynchronizationHandle held = mine.Acquire(Watchdog);
        CancellationToken lost = held.HandleLostToken;
        Reset(mine.Key);
        AssertLost(lost);
        held.Dispose();
        using NativeIpcDistributedSynchronizationHandle next = mine.Acquire(Watchdog);
        Assert.Null(mine.TryAcquire()); // the lost one has given nothing
    }

    [Fact]
    public async Task A_holder_is_told_of_a_reset_also_when_this_process_waits_for_the_lock()
    {
        string name = NextName();
        NativeIpcDistributedLock mine = Provider.CreateLock(name);
        NativeIpcDistributedSynchronizationHandle held = mine.Acquire(Watchdog);
        Task<NativeIpcDistributedSynchronizationHandle> waits = mine.AcquireAsync(Watchdog).AsTask();
        CancellationToken lost = held.HandleLostToken;
        Reset(mine.Key);
        AssertLost(lost);
        await held.DisposeAsync();
        await using NativeIpcDistributedSynchronizationHandle next = await waits;
        PeerProcess peer = Service.Peer();
        Begin(peer, $"lock h {name} 0");
        Assert.Equal("false", peer.Answer()); // the lost one has given nothing of the next one's back
    }

    [Fact]
    public void A_holder_is_told_of_a_reset_when_this_process_has_the_lock_by_other_options()
    {
        string name = NextName();
        NativeIpcDistributedLock mine = Provider.CreateLock(name);
        NativeIpcDistributedSynchronizationHandle held = mine.Acquire(Watchdog);
        Reset(mine.Key);
        var others = new NativeIpcDistributedLock(name, new NativeIpcDistributedLockOptions
        {
            KeyType = Service.Type, Prefix = Service.Words[2], AllowOtherOwners = true,
        });
        Assert.Equal(mine.Key, others.Key);
        using NativeIpcDistributedSynchronizationHandle next = others.Acquire(Watchdog);
        AssertLost(held.HandleLostToken);
        Assert.False(next.HandleLostToken.IsCancellationRequested);
        held.Dispose();
        Assert.False(next.HandleLostToken.IsCancellationRequested);
        Assert.Null(mine.TryAcquire()); // the lost one has given nothing of the next one's back
    }

    [Fact]
    public async Task A_wait_for_a_process_that_sets_the_maximum_ends_with_the_callers_time_and_token()
    {
        string name = NextName();
        NativeIpcDistributedSemaphore mine = Provider.CreateSemaphore(name, 2);
        NativeIpcKey maximum = NameRule.KeyOf(name, GateKind.Maximum,
            new NativeIpcDistributedLockOptions { KeyType = Service.Type, Prefix = Service.Words[2] });
        using SharedMemory agreed = SharedMemory.CreateOrOpen(maximum, sizeof(int),
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
        Task<NativeIpcDistributedSynchronizationHandle?> waits;
        using (agreed.Lock())
        {
            Assert.Null(mine.TryAcquire());
            Assert.Null(await mine.TryAcquireAsync());
            Assert.Null(mine.TryAcquire(TimeSpan.FromMilliseconds(30)));
            Assert.Null(await mine.TryAcquireAsync(TimeSpan.FromMilliseconds(30)));
            using var cancel = new CancellationTokenSource();
            Task<NativeIpcDistributedSynchronizationHandle> cancelled = mine.AcquireAsync(null, cancel.Token).AsTask();
            Task blocked = Task.Factory.StartNew(() => mine.Acquire(null, cancel.Token), CancellationToken.None,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => blocked);
            waits = mine.TryAcquireAsync(Watchdog).AsTask();
            Assert.False(waits.IsCompleted);
        }

        await using NativeIpcDistributedSynchronizationHandle? taken = await waits;
        Assert.NotNull(taken);
    }

    /// <summary>Frees a lock under its holder, as a peer that makes its semaphore anew does.</summary>
    private protected static void Reset(NativeIpcKey key)
    {
        var kept = new SystemSemaphoreOptions { Robust = true, Removal = RemovalPolicy.Keep };
        using SystemSemaphore reset = SystemSemaphore.CreateOrReset(key, 1, kept);
        Assert.False(reset.CreatedNew);
    }

    [Fact]
    public void A_handle_that_nobody_disposes_gives_back_when_it_is_collected()
    {
        string name = NextName();
        Forget(name);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using IDistributedSynchronizationHandle held = Soon(Provider.CreateLock(name));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Forget(string name) => Provider.CreateLock(name).Acquire(Watchdog);

    [Fact]
    public void A_handle_has_no_token_any_more_when_it_is_disposed()
    {
        NativeIpcDistributedSynchronizationHandle held = Provider.CreateLock(NextName()).Acquire(Watchdog);
        held.Dispose();
        Assert.Throws<ObjectDisposedException>(() => held.HandleLostToken);
    }

    [Fact]
    public void Making_one_asks_the_system_nothing_and_few_stay_open()
    {
        _ = Provider.CreateLock(NextName());
        for (int i = 0; i < Gates.MostIdle + 20; i++)
        {
            string name = NextName();
            Soon(Provider.CreateLock(name)).Dispose();
            if (i == 0)
                Assert.NotNull(IpcObjects.Inspect(Provider.CreateLock(name).Key, IpcObjectKind.SystemSemaphore));
        }

        Assert.InRange(Gates.Count, 1, Gates.MostIdle + 30); // other tests run beside this one
    }
}

public sealed class PosixTests(PosixService service) : NativeTests<PosixService>(service)
{
    [Fact]
    public void A_lock_goes_with_the_last_process_that_lets_go()
    {
        string name = NextName();
        NativeIpcKey key = Service.Provider.CreateLock(name).Key;
        PeerProcess peer = Service.Peer();
        Take(peer, $"lock h {name}");
        Soon(Service.Provider.CreateLock(name), peer);
        peer.Exit();
        Assert.NotNull(IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore)); // this process has it open
        Gates.Forget(key);
        Assert.Null(IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore));
    }

    private static void Soon(NativeIpcDistributedLock mine, PeerProcess peer)
    {
        Assert.Null(mine.TryAcquire());
        peer.Ask("release h");
        mine.Acquire(Watchdog).Dispose();
    }
}

public sealed class SystemVTests(SystemVService service) : NativeTests<SystemVService>(service)
{
    [Fact]
    public void A_maximum_that_the_system_cannot_have_is_not_agreed_on()
    {
        const int mostOfSystem = 32_767;
        string name = NextName();
        NativeIpcException refused = Assert.Throws<NativeIpcException>(
            () => Service.Provider.CreateSemaphore(name, mostOfSystem + 1).TryAcquire());
        Assert.Equal(NativeIpcError.OutOfResources, refused.Error);
        NativeIpcDistributedSemaphore mine = Service.Provider.CreateSemaphore(name, 1);
        using NativeIpcDistributedSynchronizationHandle? held = mine.TryAcquire();
        Assert.NotNull(held);
        Assert.Null(mine.TryAcquire());
    }
}
