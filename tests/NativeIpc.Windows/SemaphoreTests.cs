using System.Diagnostics;
using Xunit;

namespace NativeIpc.WindowsTests;

public class SemaphoreTests : WindowsTest
{
    [Fact]
    public void Permits_are_counted()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 2);

        Assert.True(semaphore.CreatedNew);
        semaphore.Acquire();
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
        semaphore.Release(3);
        for (int i = 0; i < 3; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public void The_count_cannot_be_read()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 2);

        Assert.False(semaphore.TryGetCurrentCount(out int count));
        Assert.Equal(0, count);
    }

    [Fact]
    public void Each_way_of_opening_has_its_answer()
    {
        NativeIpcKey key = NewKey();
        Fails(NativeIpcError.NotFound, 2, () => SystemSemaphore.OpenExisting(key));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));

        using SystemSemaphore made = SystemSemaphore.CreateOrOpen(key, 1);
        using SystemSemaphore opened = SystemSemaphore.CreateOrOpen(key, 5);
        using SystemSemaphore existing = SystemSemaphore.OpenExisting(key);

        Assert.Equal((true, false, false), (made.CreatedNew, opened.CreatedNew, existing.CreatedNew));
        Fails(NativeIpcError.AlreadyExists, 183, () => SystemSemaphore.CreateNew(key, 1));
        Assert.True(existing.TryAcquire());
        Assert.False(opened.TryAcquire());
    }

    [Fact]
    public void A_live_semaphore_cannot_be_reset_but_its_count_can_be_accepted()
    {
        NativeIpcKey key = NewKey();
        using (SystemSemaphore made = SystemSemaphore.CreateOrReset(key, 1))
        {
            Assert.True(made.CreatedNew);
            Fails(NativeIpcError.AlreadyExists, 183, () => SystemSemaphore.CreateOrReset(key, 5));

            using SystemSemaphore accepted = SystemSemaphore.CreateOrReset(key, 5,
                new() { AcceptExistingCount = true });
            Assert.False(accepted.CreatedNew);
            Assert.True(accepted.TryAcquire());
            Assert.False(accepted.TryAcquire());
        }

        using SystemSemaphore anew = SystemSemaphore.CreateOrReset(key, 0); // it went with its last handle
        Assert.True(anew.CreatedNew);
    }

    [Fact]
    public void A_release_over_the_maximum_gives_none()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), int.MaxValue - 1);

        Assert.Equal(0, Fails(NativeIpcError.OutOfResources, 298, () => semaphore.Release(2)).PermitsReleased);
        semaphore.Release();
        Fails(NativeIpcError.OutOfResources, 298, () => semaphore.Release(int.MaxValue));
        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public void The_maximum_of_a_peer_is_kept()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name, 1, 3));
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(Key(name), 10);

        NativeIpcException failure = Fails(NativeIpcError.OutOfResources, 298, () => semaphore.Release(3));
        Assert.Equal(0, failure.PermitsReleased);
        foreach (string part in new[] { semaphore.Key.ToString(), "release 3 permits", "ReleaseSemaphore",
            "would pass 3,", "MaximumCount" })
            Assert.Contains(part, failure.Message, StringComparison.Ordinal);
        using (SystemSemaphore opened = SystemSemaphore.OpenExisting(Key(name))) // whose handle may not ask
            Assert.Contains("would pass 3,", Fails(NativeIpcError.OutOfResources, 298, () => opened.Release(3)).Message,
                StringComparison.Ordinal);
        semaphore.Release(2);
        Assert.Equal("error ReleaseSemaphore 298", peer.Ask("release", 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(49.3)]
    [InlineData(50)]
    [InlineData(123.4)]
    public void A_timeout_is_never_early(double milliseconds)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 0);
        TimeSpan timeout = TimeSpan.FromMilliseconds(milliseconds);
        for (int round = 0; round < 5; round++)
        {
            long start = Stopwatch.GetTimestamp();
            Assert.False(semaphore.TryAcquire(timeout, TestContext.Current.CancellationToken));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        }
    }

    [Fact]
    public async Task A_cancelled_wait_takes_no_permit()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 0);
        using var cancellation = new CancellationTokenSource();
        var entered = new TaskCompletionSource();
        Task waiting = Start(() =>
        {
            entered.SetResult();
            semaphore.Acquire(cancellation.Token);
        });
        await Soon(entered.Task);
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Soon(waiting));
        semaphore.Release();
        Assert.True(semaphore.TryAcquire());
    }

    [Fact]
    public async Task Dispose_ends_the_waits_of_other_threads()
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore kept = SystemSemaphore.CreateNew(key, 0);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        using var entered = new CountdownEvent(4);
        Task[] waiting = [.. Enumerable.Range(0, 4).Select(_ => Start(() =>
        {
            entered.Signal();
            semaphore.Acquire();
        }))];
        Assert.True(entered.Wait(Patience.Seconds(30), TestContext.Current.CancellationToken));
        semaphore.Dispose();

        foreach (Task wait in waiting) await Assert.ThrowsAsync<ObjectDisposedException>(() => Soon(wait));
        Assert.Throws<ObjectDisposedException>(() => semaphore.Release());
        Assert.Throws<ObjectDisposedException>(() => semaphore.TryAcquire());
        kept.Release(4);
        for (int i = 0; i < 4; i++) Assert.True(kept.TryAcquire());
    }

    [Fact]
    public async Task Interrupt_ends_a_wait()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 0);
        var ended = new TaskCompletionSource<Exception?>();
        var thread = new Thread(() => ended.SetResult(Record.Exception(semaphore.Acquire)));
        thread.Start();
        thread.Interrupt();

        Assert.IsType<ThreadInterruptedException>(
            await ended.Task.WaitAsync(Patience.Seconds(30), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Counts_without_a_meaning_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => SystemSemaphore.CreateNew(NewKey(), -1));
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 0);
        // Windows documents a failure, Wine has none
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Release(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Release(-1));
    }
}
