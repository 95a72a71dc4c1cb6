using System.Globalization;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Events among what is waited for: <see cref="SystemWait"/> takes one Set for one wait.</summary>
public abstract class AnyEventTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly TimeSpan s_forEver = Timeout.InfiniteTimeSpan;

    private static int Races { get; } = int.Parse(
        Environment.GetEnvironmentVariable("NATIVEIPC_ANY_RACES") is { Length: > 0 } given ? given : "4000",
        CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_event_that_resets_itself_is_taken_once_and_another_one_stays(bool isAsync)
    {
        using SystemEvent auto = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset, initiallySet: true);
        using SystemEvent manual = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        SystemWaitTarget[] targets = [semaphore, auto, manual];
        Assert.Equal(1, (await Any(targets, s_forEver, isAsync)).Index);
        Assert.True((await Any(targets, TimeSpan.Zero, isAsync)).TimedOut);
        Assert.True((await Any(targets, TimeSpan.FromMilliseconds(3), isAsync)).TimedOut);
        manual.Set();
        Assert.Equal(2, (await Any(targets, s_forEver, isAsync)).Index);
        Assert.Equal(2, (await Any(targets, s_forEver, isAsync)).Index);
        auto.Set();
        semaphore.Release();
        Assert.Equal(0, (await Any(targets, s_forEver, isAsync)).Index);
        Assert.Equal(1, (await Any(targets, s_forEver, isAsync)).Index);
        manual.Reset();
        Assert.True((await Any(targets, TimeSpan.Zero, isAsync)).TimedOut);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_process_sets(bool isAsync)
    {
        NativeIpcKey autoKey = NextKey(), manualKey = NextKey();
        using SystemEvent auto = SystemEvent.CreateNew(autoKey, EventResetMode.AutoReset);
        using SystemEvent manual = SystemEvent.CreateNew(manualKey, EventResetMode.ManualReset);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        PeerProcess peer = Peer();
        peer.Ask($"event open a {autoKey}");
        peer.Ask($"event open m {manualKey}");
        for (int turn = 0; turn < 20; turn++)
        {
            Task<SystemWaitResult> waiting =
                AnyElsewhere([semaphore, auto, manual], s_forEver, isAsync, Cancellation);
            peer.Ask(turn % 2 == 0 ? "event set a" : "event set m");
            Assert.Equal(1 + (turn % 2), (await waiting.WaitAsync(s_watchdog, Cancellation)).Index);
            manual.Reset();
        }

        Assert.True(SystemWait.Any([auto, manual], TimeSpan.Zero, Cancellation).TimedOut);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_Set_frees_one_of_those_that_wait_for_several(bool isAsync)
    {
        using SystemEvent auto = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        Task<SystemWaitResult>[] waits = [.. Enumerable.Range(0, 4).Select(
            _ => AnyElsewhere([semaphore, auto], s_forEver, isAsync, Cancellation))];
        for (int i = 0; i < waits.Length; i++)
        {
            auto.Set();
            Task<SystemWaitResult> first = await Task.WhenAny(waits.Where(wait => !Seen(wait)))
                .WaitAsync(s_watchdog, Cancellation);
            Assert.Equal(1, (await first).Index);
            Assert.Equal(i + 1, waits.Count(wait => wait.IsCompleted));
            _seen.Add(first);
        }

        Assert.True(SystemWait.Any([auto], TimeSpan.Zero, Cancellation).TimedOut);
    }

    private readonly HashSet<Task> _seen = [];

    private bool Seen(Task wait) => _seen.Contains(wait);

    [BackendTheory(Needs.Posix | Needs.Linux)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_Set_that_a_Reset_follows_at_once_frees_who_waited_before(bool isAsync)
    {
        using SystemEvent manual = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        using SystemEvent other = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        for (int i = 0; i < 100; i++)
        {
            Task<SystemWaitResult>[] waits = [.. Enumerable.Range(0, 3).Select(
                _ => AnyElsewhere([other, manual], s_forEver, isAsync, Cancellation))];
            if (!isAsync)
            {
                while (EventWord.WaitersOf(manual.Opened.WaitWord) < 3) await Task.Yield();
            }

            manual.Set();
            manual.Reset();
            foreach (Task<SystemWaitResult> wait in waits)
                Assert.Equal(1, (await wait.WaitAsync(s_watchdog, Cancellation)).Index);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Dispose_of_an_event_ends_the_wait(bool isAsync)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        for (int i = 0; i < 10; i++)
        {
            NativeIpcKey key = NextKey();
            using SystemEvent owner = SystemEvent.CreateNew(key,
                i % 2 == 0 ? EventResetMode.AutoReset : EventResetMode.ManualReset);
            SystemEvent ended = SystemEvent.OpenExisting(key);
            Task<SystemWaitResult> waiting = AnyElsewhere([semaphore, ended], s_forEver, isAsync, Cancellation);
            if (i % 3 != 0) Thread.SpinWait(i * 1000);
            ended.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.WaitAsync(s_watchdog, Cancellation));
            await Assert.ThrowsAsync<ObjectDisposedException>(() => Any([semaphore, ended], s_forEver, isAsync));
            owner.Set();
            Assert.True(owner.Wait(s_watchdog, Cancellation));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_all_Sets_each_is_taken_once(bool isAsync)
    {
        const int events = 3, takers = 3;
        int races = Backend.IsPosix ? Races / events : Races / events / 10;
        using var group = new DisposableGroup();
        SystemEvent[] all = [.. Enumerable.Range(0, events).Select(
            _ => group.Add(SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset)))];
        SemaphoreSlim[] taken = [.. Enumerable.Range(0, events).Select(_ => group.Add(new SemaphoreSlim(0)))];
        using var end = new CancellationTokenSource();
        int[] counts = new int[events];
        int timedOut = 0, cancelled = 0;

        // The next Set of an event comes when the last one was taken: a Set of a set event would change nothing.
        Task[] setting = [.. Enumerable.Range(0, events).Select(index => Start(
            () =>
            {
                for (int i = 0; i < races; i++)
                {
                    all[index].Set();
                    Assert.True(taken[index].Wait(s_watchdog), $"Set {i} of event {index} is lost.");
                }
            }))];
        Task[] taking = [.. Enumerable.Range(0, takers).Select(taker => Task.Run(
            async () =>
            {
                SystemWaitTarget[] mine = [.. Enumerable.Range(0, events).Select(
                    i => (SystemWaitTarget)all[(i + taker) % events])];
                for (int i = 0; ; i++)
                {
                    using var source = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
                    TimeSpan timeout = i % 4 == 0 ? TimeSpan.FromTicks(i % 3000) : s_forEver;
                    if (i % 4 == 1) _ = Task.Run(source.Cancel);
                    try
                    {
                        SystemWaitResult result = await Any(mine, timeout, isAsync, source.Token);
                        if (result.TimedOut)
                        {
                            Interlocked.Increment(ref timedOut);
                            continue;
                        }

                        int index = (result.Index + taker) % events;
                        Interlocked.Increment(ref counts[index]);
                        taken[index].Release();
                    }
                    catch (OperationCanceledException) when (!end.IsCancellationRequested)
                    {
                        Interlocked.Increment(ref cancelled);
                    }
                    catch (OperationCanceledException)
                    {
                        return;
                    }
                }
            }))];
        Finish(setting);
        end.Cancel();
        Finish(taking);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{counts.Sum()} taken, {timedOut} timed out, {cancelled} cancelled");
        Assert.All(counts, count => Assert.Equal(races, count));
        Assert.All(all, one => Assert.False(one.Wait(TimeSpan.Zero)));
    }

    [BackendFact(Needs.Signals)]
    public void What_was_set_for_a_killed_waiter_goes_to_the_next_one()
    {
        NativeIpcKey key = NextKey(), semaphoreKey = NextKey();
        using SystemEvent auto = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(semaphoreKey, 0);
        for (int i = 0; i < 10; i++)
        {
            PeerProcess killed = Peer();
            killed.Ask($"event open e {key}");
            killed.Ask($"sem open s {semaphoreKey}");
            killed.Post("any wait -1 sem:s event:e");
            killed.Await("acquiring");
            killed.Kill();
            auto.Set();
            Assert.Equal(0, SystemWait.Any([auto, semaphore], s_watchdog, Cancellation).Index);
            Assert.True(SystemWait.Any([semaphore, auto], TimeSpan.Zero, Cancellation).TimedOut);
        }
    }

    private static async Task<SystemWaitResult> Any(SystemWaitTarget[] targets, TimeSpan timeout, bool isAsync,
        CancellationToken cancellationToken = default)
        => isAsync ? await SystemWait.AnyAsync(targets, timeout, cancellationToken)
            : SystemWait.Any(targets, timeout, cancellationToken);

    private static Task<SystemWaitResult> AnyElsewhere(SystemWaitTarget[] targets, TimeSpan timeout, bool isAsync,
        CancellationToken cancellationToken)
        => isAsync ? SystemWait.AnyAsync(targets, timeout, cancellationToken).AsTask()
            : Start(() => SystemWait.Any(targets, timeout, cancellationToken));
}
