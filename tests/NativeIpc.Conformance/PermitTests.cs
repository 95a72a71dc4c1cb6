using NativeIpc.Yardstick;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Permits that are given back by Dispose: <c>using (semaphore.Enter())</c>.</summary>
public abstract class PermitTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(20);

    /// <summary>How many permits there are, found by taking them all and giving them back.</summary>
    private static int PermitsOf(SystemSemaphore semaphore)
    {
        int count = 0;
        while (semaphore.TryAcquire()) count++;
        if (count > 0) semaphore.Release(count);
        return count;
    }

    [Fact]
    public void A_permit_is_given_back_at_the_end_of_its_scope()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        using (SystemSemaphorePermit permit = semaphore.Enter(s_watchdog, Cancellation))
        {
            Assert.True(permit.IsHeld);
            Assert.Equal($"SystemSemaphorePermit {key} (held)", permit.ToString());
            Assert.True(semaphore.TryEnter(out SystemSemaphorePermit second));
            Assert.False(semaphore.TryEnter(out SystemSemaphorePermit third));
            Assert.False(third.IsHeld);
            Assert.Equal(default, third);
            Assert.NotEqual(permit, second);
            second.Dispose();
            Assert.False(second.IsHeld);
            Assert.Equal($"SystemSemaphorePermit {key} (given back)", second.ToString());
        }

        Assert.Equal(2, PermitsOf(semaphore));
        Assert.Equal("SystemSemaphorePermit (none)", default(SystemSemaphorePermit).ToString());
        default(SystemSemaphorePermit).Dispose();
    }

    [Fact]
    public void Enter_throws_TimeoutException_when_no_permit_comes()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        Assert.Contains(key.ToString(), Assert.Throws<TimeoutException>(() => semaphore.Enter(s_moment)).Message,
            StringComparison.Ordinal);
        Assert.Throws<TimeoutException>(() => semaphore.Enter(TimeSpan.Zero));
        Assert.False(semaphore.TryEnter(s_moment, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Enter(TimeSpan.FromSeconds(-5)));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => semaphore.Enter(cancelled.Token));

        semaphore.Release();
        Assert.Throws<OperationCanceledException>(() => semaphore.Enter(s_watchdog, cancelled.Token));
        using (semaphore.Enter(s_watchdog)) Assert.Equal(0, PermitsOf(semaphore));
        Assert.Equal(1, PermitsOf(semaphore));
    }

    [Fact]
    public async Task Asynchronous_forms_give_a_permit_or_say_that_none_came()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        SystemSemaphorePermit permit = await semaphore.EnterAsync(Cancellation);
        Assert.True(permit.IsHeld);
        Assert.Null(await semaphore.TryEnterAsync(TimeSpan.Zero, Cancellation));
        Assert.Null(await semaphore.TryEnterAsync(s_moment, Cancellation));
        await Assert.ThrowsAsync<TimeoutException>(async () => await semaphore.EnterAsync(s_moment, Cancellation));
        using var source = new CancellationTokenSource();
        ValueTask<SystemSemaphorePermit> cancelled = semaphore.EnterAsync(source.Token);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await cancelled);

        Task<SystemSemaphorePermit> pending = semaphore.EnterAsync(s_watchdog, Cancellation).AsTask();
        permit.Dispose();
        using (SystemSemaphorePermit next = await pending)
        {
            Assert.True(next.IsHeld);
            Assert.False(permit.IsHeld);
            permit.Dispose(); // not the one that has the slot by now
            Assert.Equal(0, PermitsOf(semaphore));
        }

        using (SystemSemaphorePermit? last = await semaphore.TryEnterAsync(s_watchdog, Cancellation))
            Assert.NotNull(last);
        Assert.Equal(1, PermitsOf(semaphore));
    }

    [Fact]
    public void Copies_that_many_threads_dispose_at_once_give_one_permit_back()
    {
        const int threads = 64;
        const int rounds = 200;
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 3);
        using var start = new Barrier(threads);
        var permits = new SystemSemaphorePermit[3];
        Finish([.. Enumerable.Range(0, threads).Select(thread => Start(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                // One of them takes all three; then everybody disposes copies of all.
                if (round % threads == thread)
                {
                    for (int i = 0; i < permits.Length; i++) permits[i] = semaphore.Enter(s_watchdog);
                }

                start.SignalAndWait(s_watchdog);
                foreach (SystemSemaphorePermit copy in permits) copy.Dispose();
                start.SignalAndWait(s_watchdog);
            }
        }))]);
        Assert.Equal(3, PermitsOf(semaphore));
    }

    [Fact]
    public void Permits_add_up_when_64_threads_enter_and_leave()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 5);
        int inside = 0;
        int most = 0;
        Finish([.. Enumerable.Range(0, 64).Select(thread => Start(() =>
        {
            for (int round = 0; round < 50; round++)
            {
                using SystemSemaphorePermit permit = semaphore.Enter(s_watchdog);
                int now = Interlocked.Increment(ref inside);
                int seen = most;
                while (now > seen && Interlocked.CompareExchange(ref most, now, seen) != seen) seen = most;

                Interlocked.Decrement(ref inside);
                permit.Dispose();
            }
        }))]);
        Assert.InRange(most, 1, 5);
        Assert.Equal(5, PermitsOf(semaphore));
    }

    [Fact]
    public void A_permit_may_be_given_back_on_another_thread()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        SystemSemaphorePermit permit = semaphore.Enter();
        Finish(Start(permit.Dispose));
        Assert.False(permit.IsHeld);
        permit.Dispose();
        Assert.Equal(1, PermitsOf(semaphore));
    }

    [Fact]
    public void Dispose_of_the_semaphore_gives_its_permits_back_and_their_own_does_nothing_then()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 3);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        SystemSemaphorePermit one = semaphore.Enter();
        SystemSemaphorePermit two = semaphore.EnterAsync(Cancellation).AsTask().GetAwaiter().GetResult();
        semaphore.Acquire(); // without a scope: stays taken
        Assert.Equal(0, PermitsOf(other));
        semaphore.Dispose();
        Assert.False(one.IsHeld || two.IsHeld);
        Assert.Equal(2, PermitsOf(other));
        one.Dispose();
        two.Dispose();
        Assert.Equal(2, PermitsOf(other));
        Assert.Throws<ObjectDisposedException>(() => semaphore.TryEnter(out _));
    }

    [Fact]
    public void Permits_add_up_when_the_semaphore_is_disposed_meanwhile()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 4);
        for (int round = 0; round < 100; round++)
        {
            SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
            using var start = new Barrier(5);
            Task[] users = [.. Enumerable.Range(0, 4).Select(user => Start(() =>
            {
                start.SignalAndWait(s_watchdog);
                try
                {
                    for (int i = 0; ; i++)
                    {
                        using SystemSemaphorePermit permit = (i + user) % 2 == 0 ? semaphore.Enter()
                            : semaphore.EnterAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
                        if (i % 3 == 0) Thread.Yield();
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            }))];
            start.SignalAndWait(s_watchdog);
            for (int i = round % 20; i > 0; i--) Thread.Yield();
            semaphore.Dispose();
            Finish(users);
            Assert.Equal(4, PermitsOf(other));
        }
    }

    [Fact]
    public async Task Dispose_ends_a_pending_asynchronous_Enter()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        Task<SystemSemaphorePermit> pending = semaphore.EnterAsync(CancellationToken.None).AsTask();
        Task blocked = Start(() => semaphore.Enter());
        semaphore.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => pending);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => blocked);
    }

    [Fact]
    public void Entering_and_leaving_allocates_nothing_where_nothing_waits()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 10);
        (string Name, Action Operation)[] operations =
        [
            ("Enter", () => semaphore.Enter().Dispose()),
            ("Enter(timeout, token)", () => semaphore.Enter(s_watchdog, Cancellation).Dispose()),
            ("TryEnter", () =>
            {
                if (semaphore.TryEnter(out SystemSemaphorePermit permit)) permit.Dispose();
            }),
            ("EnterAsync", () =>
            {
                ValueTask<SystemSemaphorePermit> entering = semaphore.EnterAsync(CancellationToken.None);
                if (entering.IsCompletedSuccessfully) entering.Result.Dispose();
            }),
            ("TryEnterAsync", () =>
            {
                ValueTask<SystemSemaphorePermit?> entering =
                    semaphore.TryEnterAsync(s_watchdog, CancellationToken.None);
                if (entering.IsCompletedSuccessfully) entering.Result?.Dispose();
            }),
            ("three at once", () =>
            {
                using (semaphore.Enter())
                using (semaphore.Enter())
                using (semaphore.Enter())
                {
                }
            }),
        ];
        string[] allocating = [.. from operation in operations
                                  let bytes = Enumerable.Range(0, 3).Min(_ => BytesOf(operation.Operation))
                                  where bytes > 0
                                  select $"{operation.Name}: {bytes} bytes"];
        Assert.Empty(allocating);
        Assert.Equal(10, PermitsOf(semaphore));
    }

    private static double BytesOf(Action operation) => Operations.BytesOf(operation, times: 100);

    [BackendFact(Needs.Recovery)]
    public void A_permit_of_a_robust_semaphore_can_be_given_back_on_another_thread_and_by_Dispose_of_the_semaphore()
    {
        NativeIpcKey key = NextGlibcKey();
        var robust = new SystemSemaphoreOptions { Robust = true };
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, robust);
        SystemSemaphore other = SystemSemaphore.OpenExisting(key, robust);
        SystemSemaphorePermit permit = semaphore.Enter();
        Assert.False(other.TryEnter(out _));
        Finish(Start(permit.Dispose));
        SystemSemaphorePermit theirs = other.Enter(s_watchdog);
        Assert.False(semaphore.TryEnter(out _));
        other.Dispose();
        theirs.Dispose();

        // It was given back, and not lost with the instance.
        using (semaphore.Enter(s_watchdog)) Assert.False(semaphore.WasAbandoned);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_recorded_permit_is_given_back_once_and_none_counts_as_lost_then()
    {
        NativeIpcKey key = NextKey();
        if (!SystemSemaphore.IsPermitRecordingSupported(key.Type)) Assert.Skip("No permits are recorded here.");
        using SystemSemaphore plain = SystemSemaphore.CreateNew(key, 3);
        SystemSemaphore recording = SystemSemaphore.OpenExisting(key, new() { Recording = PermitRecording.Process });
        SystemSemaphorePermit first = recording.Enter();
        SystemSemaphorePermit second = recording.Enter();
        Finish(Start(first.Dispose));
        Assert.Equal(2, PermitsOf(plain));
        recording.Dispose();
        second.Dispose();
        Assert.Equal(0, SystemSemaphore.ReturnLostPermits(key));
        Assert.Equal(3, PermitsOf(plain));
    }

    [BackendFact(Needs.SystemV)]
    public void The_kernel_does_not_give_a_permit_back_again_that_another_thread_gave_back()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        foreach (SystemVUndoPolicy undo in Enum.GetValues<SystemVUndoPolicy>())
        {
            using SystemSemaphore instance = SystemSemaphore.OpenExisting(key, new() { Undo = undo });
            SystemSemaphorePermit permit = default;
            Task taker = Start(() => permit = instance.Enter());
            Finish(taker);
            Finish(Start(permit.Dispose));
            Assert.Equal(2, PermitsOf(semaphore));
        }
    }
}
