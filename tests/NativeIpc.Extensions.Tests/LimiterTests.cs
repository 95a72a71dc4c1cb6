using System.Threading.RateLimiting;
using NativeIpc.Shared;
using Xunit;

namespace NativeIpc.Extensions.Tests;

/// <summary>The limit holds for the machine, all or none, and comes back from the dead.</summary>
public abstract class LimiterTests(NativeIpcKeyType type) : Suite
{
    private MachineConcurrencyLimiter Limiter(string name, int limit, int queueLimit = 100,
        QueueProcessingOrder order = QueueProcessingOrder.OldestFirst)
        => new(new MachineConcurrencyLimiterOptions
        {
            Name = name, KeyType = type, PermitLimit = limit, QueueLimit = queueLimit, QueueProcessingOrder = order,
        });

    [Fact]
    public async Task The_limit_holds_for_two_processes_together()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        PeerProcess peer = Peer(name, type, 2);
        RateLimitLease first = mine.AttemptAcquire();
        Assert.True(first.IsAcquired);
        Assert.Equal("true", peer.Ask("try 1"));
        Assert.False(mine.AttemptAcquire().IsAcquired);
        Assert.Equal("false", peer.Ask("try 1"));
        Task<RateLimitLease> waits = Soon(mine);
        Assert.False(waits.IsCompleted);
        peer.Ask("release");
        using RateLimitLease second = await waits;
        Assert.True(second.IsAcquired);
        Assert.Equal("false", peer.Ask("try 1"));
        first.Dispose();
        Assert.Equal("true", peer.Ask("try 1"));
    }

    [Fact]
    public async Task A_killed_process_gives_its_permits_back()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        PeerProcess victim = Peer(name, type, 3), living = Peer(name, type, 3);
        Assert.Equal("true", victim.Ask("try 2"));
        Assert.Equal("true", living.Ask("try 1"));
        Task<RateLimitLease> waits = Soon(mine, 2);
        victim.Kill();
        using RateLimitLease lease = await waits;
        Assert.True(lease.IsAcquired);
        Assert.False(mine.AttemptAcquire().IsAcquired); // the living one keeps its own
        living.Ask("release");
        using RateLimitLease last = await Soon(mine);
    }

    [Fact]
    public async Task A_process_that_is_killed_while_it_collects_gives_back_what_it_has()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        RateLimitLease held = mine.AttemptAcquire();
        PeerProcess victim = Peer(name, type, 3);
        victim.Ask("wait 3"); // its try at once is over, and has given back: now it waits
        AwaitNoneLeft(mine); // it has the right to collect, and two of three
        victim.Kill();
        held.Dispose();
        using RateLimitLease all = await Soon(mine, 3);
        Assert.True(all.IsAcquired);
    }

    [Fact]
    public async Task Several_permits_are_had_all_or_none()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        RateLimitLease one = mine.AttemptAcquire();
        Assert.False(mine.AttemptAcquire(3).IsAcquired);
        Assert.Equal(2, mine.GetStatistics()!.CurrentAvailablePermits);
        using (RateLimitLease two = mine.AttemptAcquire(2)) Assert.True(two.IsAcquired);
        Task<RateLimitLease> all = Soon(mine, 3);
        Assert.False(all.IsCompleted);
        one.Dispose();
        (await all).Dispose();
        Assert.Equal(3, mine.GetStatistics()!.CurrentAvailablePermits);
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.AttemptAcquire(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => mine.AttemptAcquire(-1));
    }

    [Fact]
    public void Processes_that_want_all_permits_do_not_wait_for_one_another_for_ever()
    {
        string name = NextLimit(type);
        PeerProcess[] peers = [.. Enumerable.Range(0, 3).Select(_ => Peer(name, type, 2))];
        peers[0].Post("turns 50 2");
        peers[1].Post("turns 50 2");
        peers[2].Post("turns 50 1");
        foreach (PeerProcess peer in peers) peer.Answer();
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        Assert.Equal(2, mine.GetStatistics()!.CurrentAvailablePermits);
    }

    [Fact]
    public void A_lease_gives_back_once()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        RateLimitLease first = mine.AttemptAcquire(), second = mine.AttemptAcquire();
        first.Dispose();
        first.Dispose();
        Assert.Equal(1, mine.GetStatistics()!.CurrentAvailablePermits);
        second.Dispose();
        Assert.Equal(2, mine.GetStatistics()!.CurrentAvailablePermits);
    }

    [Fact]
    public async Task The_queue_of_a_process_is_served_in_its_order_and_has_its_limit()
    {
        foreach (QueueProcessingOrder order in Enum.GetValues<QueueProcessingOrder>())
        {
            string name = NextLimit(type);
            using MachineConcurrencyLimiter mine = Limiter(name, 1, queueLimit: 2, order);
            RateLimitLease held = mine.AttemptAcquire();
            Task<RateLimitLease> a = Soon(mine), b = Soon(mine);
            Assert.Equal(2, mine.GetStatistics()!.CurrentQueuedCount);
            Task<RateLimitLease> c = Soon(mine);
            bool isOldest = order == QueueProcessingOrder.OldestFirst;
            RateLimitLease refused = await (isOldest ? c : a);
            Assert.False(refused.IsAcquired);
            Assert.True(refused.TryGetMetadata(MetadataName.ReasonPhrase, out string? why));
            Assert.NotEmpty(why!);
            Task<RateLimitLease>[] expected = isOldest ? [a, b] : [c, b];
            held.Dispose();
            RateLimitLease next = await expected[0];
            Assert.True(next.IsAcquired);
            Assert.False(expected[1].IsCompleted);
            next.Dispose();
            (await expected[1]).Dispose();
        }
    }

    [Fact]
    public async Task Who_cancels_leaves_the_queue_and_takes_nothing()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        RateLimitLease held = mine.AttemptAcquire(2);
        using var cancel = new CancellationTokenSource();
        Task<RateLimitLease> many = mine.AcquireAsync(2, cancel.Token).AsTask();
        Task<RateLimitLease> one = Soon(mine);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => many);
        held.Dispose();
        (await one).Dispose();
        RateLimiterStatistics said = mine.GetStatistics()!;
        Assert.Equal((2L, 0L), (said.CurrentAvailablePermits, said.CurrentQueuedCount));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => mine.AcquireAsync(1, cancel.Token).AsTask());
    }

    /// <summary>Waits until those who collect have all permits that there are.</summary>
    private static void AwaitNoneLeft(MachineConcurrencyLimiter limiter)
        => Assert.True(SpinWait.SpinUntil(() => limiter.GetStatistics()!.CurrentAvailablePermits == 0, s_watchdog));

    [Fact]
    public async Task Who_cancels_between_permits_gives_back_what_was_collected()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3), other = Limiter(name, 3);
        using RateLimitLease held = other.AttemptAcquire();
        using var cancel = new CancellationTokenSource();
        Task<RateLimitLease> all = mine.AcquireAsync(3, cancel.Token).AsTask();
        AwaitNoneLeft(other);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => all);
        using RateLimitLease rest = await Soon(other, 2); // the right to collect is free, too
        Assert.True(rest.IsAcquired);
    }

    [Fact]
    public async Task Dispose_while_it_collects_gives_back_what_was_collected()
    {
        string name = NextLimit(type);
        MachineConcurrencyLimiter mine = Limiter(name, 3);
        using MachineConcurrencyLimiter other = Limiter(name, 3);
        using RateLimitLease held = other.AttemptAcquire();
        Task<RateLimitLease> all = Soon(mine, 3);
        AwaitNoneLeft(other);
        mine.Dispose();
        Assert.False((await all).IsAcquired);
        using RateLimitLease rest = await Soon(other, 2);
        Assert.True(rest.IsAcquired);
    }

    [Fact]
    public void A_lease_of_a_limiter_that_was_removed_is_over_without_an_error()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        RateLimitLease lease = mine.AttemptAcquire(2);
        Assert.True(MachineConcurrencyLimiter.Remove(name, type));
        using MachineConcurrencyLimiter fresh = Limiter(name, 1);
        lease.Dispose();
        Assert.Equal(1, fresh.GetStatistics()!.CurrentAvailablePermits);
    }

    [Fact]
    public void The_removal_of_each_part_is_seen()
    {
        foreach (int part in Enumerable.Range(0, 3))
        {
            string name = NextLimit(type);
            using MachineConcurrencyLimiter mine = Limiter(name, 1);
            Assert.False(mine.WasReplaced);
            Assert.True(part switch
            {
                0 => SystemSemaphore.Remove(mine.Key),
                1 => SystemSemaphore.Remove(mine.CollectingKey),
                _ => SharedMemory.Remove(mine.AgreedKey),
            });
            Assert.True(SpinWait.SpinUntil(() => mine.WasReplaced, s_watchdog), $"Part {part} was removed.");
        }
    }

    [Fact]
    public async Task Dispose_refuses_who_waits_and_leaves_leases_their_permits()
    {
        string name = NextLimit(type);
        MachineConcurrencyLimiter mine = Limiter(name, 1);
        RateLimitLease held = mine.AttemptAcquire();
        Task<RateLimitLease> waits = Soon(mine);
        using MachineConcurrencyLimiter other = Limiter(name, 1);
        mine.Dispose();
        mine.Dispose();
        Assert.False((await waits).IsAcquired);
        Assert.Throws<ObjectDisposedException>(() => mine.AttemptAcquire());
        Assert.False(other.AttemptAcquire().IsAcquired);
        held.Dispose();
        using RateLimitLease next = other.AttemptAcquire();
        Assert.True(next.IsAcquired);
    }

    [Fact]
    public void Another_limit_for_a_name_throws()
    {
        string name = NextLimit(type);
        PeerProcess peer = Peer(name, type, 2);
        peer.Ask("try 1");
        Assert.Throws<InvalidOperationException>(() => Limiter(name, 3));
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
    }

    [Fact]
    public void Where_what_was_agreed_on_is_lost_the_permits_that_are_out_stay_out()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        using RateLimitLease held = mine.AttemptAcquire();
        Assert.True(SharedMemory.Remove(mine.AgreedKey));
        InvalidOperationException failure = Assert.Throws<InvalidOperationException>(() => Limiter(name, 1));
        Assert.Contains($"{mine.Key}", failure.Message, StringComparison.Ordinal);
        using (MachineConcurrencyLimiter other = Limiter(name, 3))
            Assert.Equal((2L, false), (other.GetStatistics()!.CurrentAvailablePermits, other.WasReplaced));
        Assert.Throws<InvalidOperationException>(() => Limiter(name, 2));
    }

    [Fact]
    public void What_somebody_has_not_made_to_the_end_is_made_anew()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        using RateLimitLease held = mine.AttemptAcquire(2);
        using SharedMemory agreed = SharedMemory.OpenExisting(mine.AgreedKey);
        agreed.GetReference<int>(0) = -3;
        using MachineConcurrencyLimiter other = Limiter(name, 4);
        Assert.Equal(4, other.GetStatistics()!.CurrentAvailablePermits);
    }

    [Fact]
    public void Who_agrees_is_waited_for_and_nobody_once_it_is_done()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 2);
        using SharedMemory agreed = SharedMemory.OpenExisting(mine.AgreedKey);
        using SharedMemoryLock alone = agreed.Lock();
        using (Limiter(name, 2)) Assert.Throws<InvalidOperationException>(() => Limiter(name, 3));
        agreed.GetReference<int>(0) = 0;
        var rights = new Rights(UnixFileMode.UserRead | UnixFileMode.UserWrite, null, false);
        TimeoutException failure = Assert.Throws<TimeoutException>(() => CrashSafe.OpenCounting(mine.Key, 2,
            mine.AgreedKey, rights, out _, TimeSpan.FromMilliseconds(20)));
        Assert.Contains($"'nipc show {mine.AgreedKey}'", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Asking_for_none_tells_whether_there_are_any()
    {
        string name = NextLimit(type);
        using MachineConcurrencyLimiter mine = Limiter(name, 1);
        using (RateLimitLease none = mine.AttemptAcquire(0)) Assert.True(none.IsAcquired);
        using RateLimitLease held = mine.AttemptAcquire();
        Assert.True(held.IsAcquired);
        Assert.False(mine.AttemptAcquire(0).IsAcquired);
        RateLimiterStatistics said = mine.GetStatistics()!;
        Assert.Equal((2L, 1L, 0L), (said.TotalSuccessfulLeases, said.TotalFailedLeases, said.CurrentQueuedCount));
        Assert.Null(mine.IdleDuration);
    }

    [Fact]
    public void A_lease_is_all_that_is_allocated()
    {
        using MachineConcurrencyLimiter mine = Limiter(NextLimit(type), 2);
        long Measure(int times)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++) mine.AttemptAcquire().Dispose();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Measure(200);
        Assert.Equal(32 * 1000, Measure(1000)); // header, type, owner, count
    }

    [Fact]
    public void Limiters_whose_names_look_like_parts_of_others_do_not_meet_them()
    {
        string name = NextLimit(type);
        string[] others = ["all." + name, "max." + name, "permits." + name, name + ".all"];
        foreach (string other in others) Track(other, type);
        using MachineConcurrencyLimiter mine = Limiter(name, 3);
        using RateLimitLease held = mine.AttemptAcquire(2);
        foreach (string other in others)
        {
            using MachineConcurrencyLimiter its = Limiter(other, 2);
            using RateLimitLease all = its.AttemptAcquire(2), last = mine.AttemptAcquire();
            Assert.True(all.IsAcquired && last.IsAcquired);
        }
    }

    [Theory]
    [InlineData("", 1, 0)]
    [InlineData("a/b", 1, 0)]
    [InlineData("ok", 0, 0)]
    [InlineData("ok", 1, -1)]
    public void What_cannot_be_is_refused(string name, int limit, int queueLimit)
        => Assert.ThrowsAny<ArgumentException>(() => Limiter(name, limit, queueLimit));
}

public sealed class PosixLimiterTests() : LimiterTests(NativeIpcKeyType.PosixRealtime);

public sealed class SystemVLimiterTests() : LimiterTests(NativeIpcKeyType.SystemV);
