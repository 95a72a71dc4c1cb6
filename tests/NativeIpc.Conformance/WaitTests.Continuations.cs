using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Async;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Where an asynchronous wait continues, and what is left of one that ended.</summary>
public abstract partial class WaitTests<TProvider>
{
    private static readonly SystemSemaphoreOptions s_brief = new() { AllowSynchronousContinuations = true };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wait_continues_on_the_thread_pool_unless_it_was_said_to_be_brief(bool isBrief)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0, isBrief ? s_brief : null);
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key);
        for (int i = 0; i < 100; i++)
        {
            Task<Thread> waiting = ContinueAfter(semaphore);
            Assert.False(waiting.IsCompleted);
            other.Release();
            Thread thread = await waiting.WaitAsync(s_watchdog, Cancellation);

            // The registered waits of Windows call back on the pool.
            Assert.True(thread.IsThreadPoolThread == (!isBrief || Backend.Type == NativeIpcKeyType.Windows),
                thread.Name);
            Assert.True(thread.IsThreadPoolThread
                || thread.Name!.StartsWith("NativeIpc wait", StringComparison.Ordinal), thread.Name);
        }
    }

    // Where a release hands its permit on. Elsewhere the system chooses who is next; under Wine 10 the fifty turns
    // below took over a minute.
    [BackendFact(Needs.Posix)]
    public async Task Permits_that_tasks_of_an_instance_pass_on_come_to_a_thread_and_to_tasks_of_another_one()
    {
        const int Tasks = 20, Permits = 2;
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, Permits);
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key);
        bool isOver = false;
        Task[] busy = [.. Enumerable.Range(0, Tasks).Select(_ => Task.Run(PassOn))];
        Task blocked = Start(() => Repeat(other.Acquire, other.Release));
        for (int i = 0; i < 50; i++)
        {
            await other.AcquireAsync(Cancellation).AsTask().WaitAsync(s_watchdog, Cancellation);
            other.Release();
        }

        await blocked.WaitAsync(s_watchdog, Cancellation);
        Volatile.Write(ref isOver, true);
        await Task.WhenAll(busy).WaitAsync(s_watchdog, Cancellation);

        // Not one more, and not one less.
        for (int i = 0; i < Permits; i++) Assert.True(other.TryAcquire());
        Assert.False(other.TryAcquire());

        async Task PassOn()
        {
            while (!Volatile.Read(ref isOver))
            {
                await semaphore.AcquireAsync(Cancellation);
                await Task.Yield();
                semaphore.Release();
            }
        }

        static void Repeat(Action acquire, Action<int> release)
        {
            for (int i = 0; i < 50; i++)
            {
                acquire();
                release(1);
            }
        }
    }

    [Fact]
    public async Task A_wait_that_nobody_serves_never_continues_inside_the_call_that_ends_it()
    {
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0, s_brief);
        using var source = new CancellationTokenSource();
        Task<Thread> cancelled = ContinueAfter(semaphore, source.Token), timedOut = ContinueAfterTimeOut(semaphore),
            disposed = ContinueAfter(semaphore);
        await timedOut.WaitAsync(s_watchdog, Cancellation);
        Thread? ending = null;
        Finish(Start(() =>
        {
            ending = Thread.CurrentThread;
            source.Cancel();
            semaphore.Dispose();
        }));
        foreach (Task<Thread> wait in new[] { cancelled, disposed })
            Assert.NotSame(ending, await wait.WaitAsync(s_watchdog, Cancellation));
        Assert.All(new[] { cancelled, timedOut, disposed }, static wait => Assert.True(wait.Result.IsThreadPoolThread));
    }

    [Fact]
    public async Task A_brief_continuation_may_wait_again_release_and_dispose_its_semaphore()
    {
        NativeIpcKey key = NextKey(), answerKey = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 0),
            answer = SystemSemaphore.CreateNew(answerKey, 0);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key, s_brief);
        Task serving = Serve().ContinueWith(static done => done.GetAwaiter().GetResult(), TaskScheduler.Default);
        Task<Thread> behind = ContinueAfter(semaphore);
        for (int i = 0; i < 6; i++) other.Release(); // every second one is for the wait behind, which takes one
        for (int i = 0; i < 5; i++) Assert.True(answer.TryAcquire(s_watchdog, Cancellation));
        await serving.WaitAsync(s_watchdog, Cancellation);
        await behind.WaitAsync(s_watchdog, Cancellation);
        Assert.Throws<ObjectDisposedException>(() => semaphore.Release());
        other.Release();
        Assert.True(other.TryAcquire());
        Assert.False(other.TryAcquire());

        async Task Serve()
        {
            for (int i = 0; i < 5; i++)
            {
                await semaphore.AcquireAsync(Cancellation).ConfigureAwait(false);
                answer.Release();
            }

            Task<Thread> pending = ContinueAfter(semaphore);
            semaphore.Dispose();
            await pending.ConfigureAwait(false);
        }
    }

    /// <summary>With futex_waitv two dispatchers serve so many: each one's continuation disposes what the other one
    /// watches, at the same time.</summary>
    [BackendFact(Needs.Recovery | Needs.Posix)]
    public async Task Brief_continuations_on_two_dispatchers_may_dispose_what_the_other_one_watches()
    {
        bool areTwo = FutexDispatcher.IsOffered && !FutexDispatcher.UsesRing;
        using var members = new DisposableGroup();
        List<SystemSemaphore> waited = [], givers = [];
        List<Task<Thread>> placed = [], pending = [];
        for (int i = 0; i < Futex.MostWords; i++) // one more than a dispatcher takes
        {
            NativeIpcKey key = NextKey();
            waited.Add(members.Add(SystemSemaphore.CreateNew(key, 0, s_brief)));
            givers.Add(members.Add(SystemSemaphore.OpenExisting(key)));
            placed.Add(ContinueAfter(waited[i]));
            pending.Add(ContinueAfter(waited[i])); // so that it stays where it is when the one before is served
        }

        // Which dispatcher has which depends on the tests beside this one.
        foreach (SystemSemaphore giver in givers) giver.Release();
        Thread[] homes = await Task.WhenAll(placed).WaitAsync(s_watchdog, Cancellation);
        int other = areTwo ? Array.FindIndex(homes, home => home != homes[0]) : homes.Length - 1;
        Assert.True(other > 0, "There is one dispatcher.");

        using var meeting = new Barrier(2);
        Task first = DisposeAfter(waited[0], waited[other]), last = DisposeAfter(waited[other], waited[0]);
        pending.AddRange([ContinueAfter(waited[0]), ContinueAfter(waited[other])]); // so that they are still watched
        givers[0].Release(2); // by others: the first continuation may have disposed the second semaphore by then
        givers[other].Release(2);
        await first.WaitAsync(s_watchdog, Cancellation);
        await last.WaitAsync(s_watchdog, Cancellation);
        foreach (SystemSemaphore semaphore in waited) semaphore.Dispose();
        await Task.WhenAll(pending).WaitAsync(s_watchdog, Cancellation);

        async Task DisposeAfter(SystemSemaphore semaphore, SystemSemaphore other)
        {
            try
            {
                await semaphore.AcquireAsync(Cancellation).ConfigureAwait(false);
                if (areTwo) Assert.True(meeting.SignalAndWait(s_watchdog, Cancellation), "They do not meet.");
            }
            catch (ObjectDisposedException) when (!areTwo)
            {
                // The other one was first, on the same thread.
            }

            other.Dispose();
            await Task.Yield();
        }
    }

    /// <summary>A waiter of the C library sleeps until it is woken: nobody nudges it.</summary>
    [BackendFact(Needs.GlibcSemaphores)]
    public async Task A_wake_up_that_meets_a_wait_which_has_ended_goes_on_to_a_blocked_peer()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0), other = SystemSemaphore.OpenExisting(key);
        nint peer = Libc.sem_open_existing(key.NativeKey, Flags.O_RDWR);
        Assert.NotEqual(Libc.SEM_FAILED, peer);
        int races = Races / 10, taken = 0;
        using var go = new SemaphoreSlim(0);
        using var gone = new SemaphoreSlim(0);
        Task blocking = Start(() =>
        {
            for (int i = 0; i < races; i++)
            {
                go.Wait();
                if (Libc.sem_clockwait(peer, Flags.CLOCK_MONOTONIC,
                    Timespec.After(s_watchdog, Flags.CLOCK_MONOTONIC)) != 0)
                    return;
                gone.Release();
            }
        });
        for (int i = 0; i < races; i++)
        {
            using var source = new CancellationTokenSource();
            Task waiting = semaphore.AcquireAsync(source.Token).AsTask();
            go.Release();
            while (GlibcSemaphore.Look(peer).Waiters < 2) Thread.Yield();
            Thread.SpinWait(i % 5 == 0 ? 3000 : 0); // until it sleeps, too
            source.Cancel();
            Thread.SpinWait(i % 100);
            other.Release();
            try
            {
                await waiting;
                taken++;
                other.Release();
            }
            catch (OperationCanceledException)
            {
                // Then the permit is the peer's.
            }

            Assert.True(await gone.WaitAsync(s_watchdog / 2, Cancellation),
                $"The peer sleeps beside its permit in race {i}.");
        }

        Finish(blocking);
        _ = Libc.sem_close(peer);
        TestContext.Current.TestOutputHelper?.WriteLine($"{races} races, {taken} won by the release");
    }

    // The test itself, and whatever the test framework runs after it, goes on on the pool: on the thread that serves
    // all waits it would wait for itself.
    private static Task<Thread> ContinueAfter(SystemSemaphore semaphore, CancellationToken cancellationToken = default)
        => ContinueThereAfter(semaphore, cancellationToken).ContinueWith(static done => done.Result,
            TaskScheduler.Default);

    private static async Task<Thread> ContinueThereAfter(SystemSemaphore semaphore, CancellationToken cancellationToken)
    {
        try
        {
            await semaphore.AcquireAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception end) when (end is OperationCanceledException or ObjectDisposedException)
        {
            // It has ended.
        }

        return Thread.CurrentThread;
    }

    private static async Task<Thread> ContinueAfterTimeOut(SystemSemaphore semaphore)
    {
        Assert.False(await semaphore.TryAcquireAsync(TimeSpan.FromMilliseconds(5)).ConfigureAwait(false));
        return Thread.CurrentThread;
    }
}
