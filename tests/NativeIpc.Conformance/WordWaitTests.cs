using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using NativeIpc.Waiting.Async;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waiting on a word of a segment: <see cref="SharedMemory.WaitOnWord(long, uint)"/>. Linux.</summary>
public abstract class WordWaitTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Offset = 64;

    private static readonly string s_program = Path.Combine(TestNames.Folder, TestNames.NextName() + ".word");

    private static int Races { get; } = int.Parse(
        Environment.GetEnvironmentVariable("NATIVEIPC_WORD_RACES") is { Length: > 0 } given ? given : "2000",
        CultureInfo.InvariantCulture);

    [BackendFact(Needs.Linux)]
    public void Another_value_ends_a_wait_at_once()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        segment.GetReference<uint>(Offset) = uint.MaxValue;
        Assert.Equal(WordWaitResult.Changed, segment.WaitOnWord(Offset, 0));
        Assert.Equal(WordWaitResult.Changed, segment.WaitOnWord(Offset, 0, TimeSpan.Zero, Cancellation));
        Assert.Equal(WordWaitResult.TimedOut, segment.WaitOnWord(Offset, uint.MaxValue, TimeSpan.Zero, Cancellation));
    }

    [BackendFact(Needs.Linux)]
    public void The_time_passes_and_is_never_early()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        foreach (int milliseconds in new[] { 1, 3, 20, 75 })
        {
            var timeout = TimeSpan.FromMilliseconds(milliseconds);
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(WordWaitResult.TimedOut, segment.WaitOnWord(Offset, 0, timeout, Cancellation));
            Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        }
    }

    [BackendFact(Needs.Linux)]
    public void What_is_outside_or_not_aligned_is_refused()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        foreach (long offset in new long[] { -4, 97, 100, 104, long.MaxValue, long.MinValue })
        {
            Assert.Throws<ArgumentOutOfRangeException>("offset", () => segment.WaitOnWord(offset, 0));
            Assert.Throws<ArgumentOutOfRangeException>("offset", () => segment.WakeWord(offset));
        }

        foreach (long offset in new long[] { 1, 2, 3, 95 })
        {
            Assert.Throws<ArgumentException>("offset", () => segment.WaitOnWord(offset, 0));
            Assert.Throws<ArgumentException>("offset", () => segment.WakeWord(offset));
        }

        Assert.Throws<ArgumentOutOfRangeException>("count", () => segment.WakeWord(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>("timeout",
            () => segment.WaitOnWord(0, 0, TimeSpan.FromMilliseconds(-2)));
        Assert.Equal(WordWaitResult.TimedOut, segment.WaitOnWord(96, 0, TimeSpan.Zero, Cancellation));
    }

    [BackendFact(Needs.Linux)]
    public void One_is_woken_or_as_many_as_were_asked_for_or_all()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
        Assert.Equal(0, segment.WakeWord(Offset, int.MaxValue));
        Task<WordWaitResult>[] waits = [.. Enumerable.Range(0, 6).Select(
            _ => Start(() => reader.WaitOnWord(Offset, 0)))];
        int woken = 0;
        while (woken < 1) woken += segment.WakeWord(Offset);
        while (woken < 3) woken += segment.WakeWord(Offset, 3 - woken);
        Assert.Equal(3, woken);
        while (woken < 6) woken += reader.WakeWord(Offset, int.MaxValue);
        Assert.Equal(6, woken);
        Finish(waits);
        Assert.All(waits, wait => Assert.Equal(WordWaitResult.Woken, wait.Result));
    }

    [BackendFact(Needs.Linux)]
    public async Task A_cancelled_wait_says_so_and_leaves_nothing()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        using var source = new CancellationTokenSource();
        Task waiting = Start(() => segment.WaitOnWord(Offset, 0, Timeout.InfiniteTimeSpan, source.Token));
        await source.CancelAsync();
        Assert.Equal(source.Token,
            (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(s_watchdog,
                Cancellation))).CancellationToken);
        Assert.ThrowsAny<OperationCanceledException>(
            () => segment.WaitOnWord(Offset, 0, Timeout.InfiniteTimeSpan, source.Token));
        Assert.Equal(0, segment.WakeWord(Offset, int.MaxValue));
    }

    [BackendFact(Needs.Linux)]
    public async Task Dispose_ends_the_waits_of_its_instance_and_no_others()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory other = SharedMemory.CreateNew(key, 4096);
        for (int i = 0; i < 50; i++)
        {
            SharedMemory segment = SharedMemory.OpenExisting(key);
            Task<WordWaitResult>[] waits =
            [
                Start(() => segment.WaitOnWord(Offset, 0)),
                Start(() => segment.WaitOnWord(4092, 0, s_watchdog, Cancellation)),
            ];
            Task<WordWaitResult> staying = Start(() => other.WaitOnWord(Offset, 0));
            if (i % 2 == 0) Thread.SpinWait(i * 100);
            segment.Dispose();
            foreach (Task wait in waits)
                await Assert.ThrowsAsync<ObjectDisposedException>(() => wait.WaitAsync(s_watchdog, Cancellation));
            Assert.Throws<ObjectDisposedException>(() => segment.WakeWord(Offset));
            Assert.Throws<ObjectDisposedException>(() => segment.WaitOnWord(Offset, 0));

            // The end of the others may have woken it for nothing.
            while (!staying.IsCompleted) other.WakeWord(Offset);
            Assert.Equal(WordWaitResult.Woken, await staying);
        }
    }

    [BackendFact(Needs.Linux)]
    public async Task A_wake_up_of_one_that_meets_a_cancellation_reaches_another_sleeper()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        int cancelled = 0;
        for (int i = 0; i < Races / 10; i++)
        {
            using var source = new CancellationTokenSource();
            var place = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            Task<WordWaitResult> second = Start(() =>
            {
                place.SetResult(new FileInfo("/proc/thread-self").LinkTarget!);
                return segment.WaitOnWord(Offset, 0, Timeout.InfiniteTimeSpan, CancellationToken.None);
            });
            Sleeping.Await($"/proc/{await place.Task}", Offset); // who sleeps later hears nothing of an earlier wake-up
            Task<WordWaitResult> first = Task.Run(
                () => segment.WaitOnWord(Offset, 0, Timeout.InfiniteTimeSpan, source.Token), Cancellation);
            Task waking = Task.Run(
                () =>
                {
                    // Both are over where the cancellation has woken the second.
                    while (segment.WakeWord(Offset) == 0 && !(first.IsCompleted && second.IsCompleted))
                    {
                    }
                },
                Cancellation);
            Thread.SpinWait(i % 500 * 10);
            source.Cancel();
            await waking.WaitAsync(s_watchdog, Cancellation);
            try
            {
                await first.WaitAsync(s_watchdog, Cancellation);
                while (!second.IsCompleted) segment.WakeWord(Offset);
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }

            Assert.Equal(WordWaitResult.Woken, await second.WaitAsync(s_watchdog, Cancellation));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{cancelled} of {Races / 10} were cancelled.");
    }

    [BackendFact(Needs.Linux)]
    public void Another_process_is_woken_and_wakes()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        PeerProcess peer = Peer();
        peer.Ask($"shm open s {key} rw");
        peer.Post($"shm waitword s {Offset} 0");
        peer.Await("locking");
        while (segment.WakeWord(Offset) == 0)
        {
        }

        Assert.Equal("Woken", peer.Answer());
        Assert.Equal("TimedOut", peer.Ask($"shm waitword s {Offset} 0 1"));
        Assert.Equal("Changed", peer.Ask($"shm waitword s {Offset} 1"));
        Task<WordWaitResult> waiting = Start(() => segment.WaitOnWord(Offset, 0));
        while (peer.Ask($"shm wakeword s {Offset} 1") == "0")
        {
        }

        Finish(waiting);
        Assert.Equal(WordWaitResult.Woken, waiting.Result);
    }

    [BackendFact(Needs.Linux)]
    public void A_program_in_C_meets_it_by_futex()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        PeerProcess peer = InC(key);
        peer.Post($"wait {Offset} 0");
        peer.Await("locking");
        while (segment.WakeWord(Offset) == 0)
        {
        }

        Assert.Equal("woken", peer.Answer());
        Assert.Equal("changed", peer.Ask($"wait {Offset} 7"));
        Task<WordWaitResult> waiting = Start(() => segment.WaitOnWord(Offset, 0));
        while (peer.Ask($"wake {Offset} 1") == "0")
        {
        }

        Finish(waiting);
        Assert.Equal(WordWaitResult.Woken, waiting.Result);
        _ = peer.Ask($"set {Offset} 4294967295");
        Assert.Equal(WordWaitResult.Changed, segment.WaitOnWord(Offset, 0));

        // One is woken, of those in C and those here.
        _ = peer.Ask($"set {Offset} 0");
        peer.Post($"wait {Offset} 0");
        peer.Await("locking");
        waiting = Start(() => segment.WaitOnWord(Offset, 0));
        for (int woken = 0; woken < 2;)
        {
            int now = segment.WakeWord(Offset);
            Assert.InRange(now, 0, 1);
            woken += now;
        }

        Assert.Equal("woken", peer.Answer());
        Finish(waiting);
    }

    [BackendFact(Needs.Linux)]
    public void Turns_with_a_program_in_C_never_lose_a_wake_up()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        PeerProcess peer = InC(key);
        peer.Post($"turns {Offset} 1 {Races}");
        Task turns = Start(
            () =>
            {
                ref uint word = ref segment.GetReference<uint>(Offset);
                for (int i = 0; i < Races; i++)
                {
                    while (Volatile.Read(ref word) != 0) segment.WaitOnWord(Offset, 1);
                    Volatile.Write(ref word, 1);
                    segment.WakeWord(Offset);
                }
            });
        Finish(turns);
        Assert.Equal("", peer.Answer());
        Assert.Equal(0u, segment.GetReference<uint>(Offset));
    }

    [BackendFact(Needs.Linux)]
    public void A_killed_waiter_leaves_nothing_and_a_killed_waker_leaves_the_word()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        PeerProcess killed = Peer();
        killed.Ask($"shm open s {key} rw");
        killed.Post($"shm waitword s {Offset} 0");
        killed.Await("locking");
        killed.Kill();
        Assert.Equal(0, segment.WakeWord(Offset, int.MaxValue));

        // It changes the word and dies before it wakes: who comes now sees the change, who sleeps is woken by the next.
        Task<WordWaitResult> waiting = Start(() => segment.WaitOnWord(Offset, 0));
        PeerProcess waker = Peer();
        waker.Ask($"shm open s {key} rw");
        waker.Ask($"shm write s {Offset} 01000000");
        waker.Kill();
        Assert.Equal(WordWaitResult.Changed, segment.WaitOnWord(Offset, 0));
        while (!waiting.IsCompleted) segment.WakeWord(Offset);
        Assert.Contains(waiting.Result, new[] { WordWaitResult.Woken, WordWaitResult.Changed });
    }

    [BackendFact(Needs.Linux | Needs.Posix)]
    public void A_word_that_a_peer_has_cut_off_is_told()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 3 * 4096);
        using (FileStream file = File.OpenWrite(Backend.FileOf(key))) file.SetLength(4096);
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => segment.WaitOnWord(2 * 4096, 0)));
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => segment.WakeWord(2 * 4096)));
        Assert.Equal(WordWaitResult.TimedOut, segment.WaitOnWord(0, 0, TimeSpan.Zero, Cancellation));
    }

    [BackendFact(Needs.Linux)]
    public async Task Waits_without_a_thread_tell_the_same()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        Assert.Equal(WordWaitResult.Changed, await segment.WaitOnWordAsync(Offset, 1, s_watchdog, Cancellation));
        Assert.Equal(WordWaitResult.TimedOut,
            await segment.WaitOnWordAsync(Offset, 0, TimeSpan.Zero, Cancellation));
        long start = Stopwatch.GetTimestamp();
        var timeout = TimeSpan.FromMilliseconds(20);
        Assert.Equal(WordWaitResult.TimedOut, await segment.WaitOnWordAsync(Offset, 0, timeout, Cancellation));
        Assert.True(Stopwatch.GetElapsedTime(start) >= timeout);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("offset",
            async () => await segment.WaitOnWordAsync(4096, 0, timeout, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>("offset",
            async () => await segment.WaitOnWordAsync(2, 0, timeout, Cancellation));

        // The change is seen in any case, a wake-up without one where the kernel tells of it.
        PeerProcess peer = Peer();
        peer.Ask($"shm open s {key} rw");
        Task<WordWaitResult>[] waits = [.. Enumerable.Range(0, 300).Select(
            _ => segment.WaitOnWordAsync(Offset, 0, Timeout.InfiniteTimeSpan, Cancellation).AsTask())];
        peer.Ask($"shm write s {Offset} 01000000");
        peer.Ask($"shm wakeword s {Offset} {int.MaxValue}");
        foreach (Task<WordWaitResult> wait in waits)
            Assert.NotEqual(WordWaitResult.TimedOut, await wait.WaitAsync(s_watchdog, Cancellation));
    }

    [BackendFact(Needs.Linux)]
    public async Task A_wake_up_of_one_reaches_one_that_waits_without_a_thread()
    {
        Assert.SkipUnless(FutexDispatcher.UsesRing, "Without io_uring a wake-up is told by a change.");
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        for (int i = 0; i < Races / 10; i++)
        {
            using var source = new CancellationTokenSource();
            Task<WordWaitResult> first =
                segment.WaitOnWordAsync(Offset, 0, Timeout.InfiniteTimeSpan, source.Token).AsTask();
            Task<WordWaitResult> second =
                segment.WaitOnWordAsync(Offset, 0, Timeout.InfiniteTimeSpan, Cancellation).AsTask();
            if (i % 2 == 0) _ = Task.Run(source.Cancel, Cancellation);
            int woken = 0;
            while (woken == 0 && !(first.IsCompleted && second.IsCompleted)) woken = segment.WakeWord(Offset);

            // A wake-up that met the cancellation was passed on.
            await Task.WhenAny(first, second).WaitAsync(s_watchdog, Cancellation);
            if (first.IsCanceled && woken > 0)
                Assert.Equal(WordWaitResult.Woken, await second.WaitAsync(s_watchdog, Cancellation));
            while (!first.IsCompleted || !second.IsCompleted) segment.WakeWord(Offset, int.MaxValue);
            Assert.True(first.IsCanceled || first.Result == WordWaitResult.Woken);
            Assert.Equal(WordWaitResult.Woken, await second);
            if (i % 2 == 0) await source.CancelAsync();
        }
    }

    /// <summary>The thread that serves waits is held in continuations, so that it has heard of the wake-up, and not yet
    /// of the end of that wait and of the beginning of the other one.</summary>
    [BackendFact(Needs.Linux | Needs.Posix)]
    public async Task A_wake_up_that_meets_a_cancellation_reaches_a_wait_without_a_thread_that_has_just_begun()
    {
        Assert.SkipUnless(FutexDispatcher.UsesRing, "Without io_uring a wake-up is told by a change.");
        using News early = new(NextKey()), late = new(NextKey());
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        bool hasMet = false;
        for (int tries = 0; tries < 20 && !hasMet; tries++)
        {
            using ManualResetEventSlim isInEarly = new(), isInLate = new(), leaveEarly = new(), leaveLate = new();
            using var source = new CancellationTokenSource();
            Task<WordWaitResult> first =
                segment.WaitOnWordAsync(Offset, 0, Timeout.InfiniteTimeSpan, source.Token).AsTask();
            Task[] holds = [HoldAsync(late, isInLate, leaveLate), HoldAsync(early, isInEarly, leaveEarly)];
            early.Set();
            Assert.True(isInEarly.Wait(s_watchdog, Cancellation));
            late.Set();
            Assert.Equal(1, segment.WakeWord(Offset));
            leaveEarly.Set();
            Assert.True(isInLate.Wait(s_watchdog, Cancellation));
            Task<WordWaitResult> second =
                segment.WaitOnWordAsync(Offset, 0, Timeout.InfiniteTimeSpan, Cancellation).AsTask();
            await source.CancelAsync();
            leaveLate.Set();
            await Task.WhenAll(holds).ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // off that thread
            await Task.WhenAny(first).WaitAsync(s_watchdog, Cancellation);
            hasMet = first.IsCanceled; // otherwise it was told before the one that held the thread
            while (!hasMet && !second.IsCompleted) segment.WakeWord(Offset);
            Assert.Equal(WordWaitResult.Woken, await second.WaitAsync(s_watchdog, Cancellation));
        }

        Assert.True(hasMet);

        static async Task HoldAsync(News news, ManualResetEventSlim isIn, ManualResetEventSlim leave)
        {
            await news.WaitAsync().ConfigureAwait(false);
            isIn.Set();
            leave.Wait(s_watchdog, Cancellation);
        }
    }

    /// <summary>The thread that serves waits disposes, in a continuation, of a segment whose word was woken just
    /// before.</summary>
    [BackendFact(Needs.Linux | Needs.Posix)]
    public async Task A_wake_up_that_meets_a_Dispose_by_the_thread_that_serves_waits_reaches_another_sleeper()
    {
        Assert.SkipUnless(FutexDispatcher.UsesRing, "Without io_uring a wake-up is told by a change.");
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        SharedMemory closing = SharedMemory.OpenExisting(key);
        using var news = new News(NextKey());
        Task<WordWaitResult> ended = closing.WaitOnWordAsync(Offset, 0, s_watchdog, Cancellation).AsTask();
        Task watched = news.WaitAsync(); // behind it, so that the kernel has both
        news.Set();
        await watched.WaitAsync(s_watchdog, Cancellation);
        var place = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<WordWaitResult> staying = Start(() =>
        {
            place.SetResult(new FileInfo("/proc/thread-self").LinkTarget!);
            return segment.WaitOnWord(Offset, 0, s_watchdog, Cancellation);
        });
        Sleeping.Await($"/proc/{await place.Task}", Offset);
        Task disposed = DisposeAsync();
        news.Set();
        await disposed.WaitAsync(s_watchdog, Cancellation);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => ended.WaitAsync(s_watchdog, Cancellation));
        Assert.Equal(WordWaitResult.Woken, await staying.WaitAsync(s_watchdog, Cancellation));

        async Task DisposeAsync()
        {
            await news.WaitAsync().ConfigureAwait(false);
            Assert.Equal(1, segment.WakeWord(Offset));
            closing.Dispose();
        }
    }

    [BackendFact(Needs.Linux)]
    public async Task Dispose_and_tokens_end_waits_without_a_thread()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory owner = SharedMemory.CreateNew(key, 4096);
        for (int i = 0; i < 50; i++)
        {
            SharedMemory segment = SharedMemory.OpenExisting(key);
            using var source = new CancellationTokenSource();
            Task<WordWaitResult> cancelled =
                segment.WaitOnWordAsync(Offset, 0, s_watchdog, source.Token).AsTask();
            Task<WordWaitResult> ended = segment.WaitOnWordAsync(Offset, 0, s_watchdog, Cancellation).AsTask();
            await source.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => cancelled.WaitAsync(s_watchdog, Cancellation));
            segment.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => ended.WaitAsync(s_watchdog, Cancellation));
            await Assert.ThrowsAsync<ObjectDisposedException>(
                async () => await segment.WaitOnWordAsync(Offset, 0, s_watchdog, Cancellation));
        }
    }

    [BackendFact(Needs.Linux)]
    public void Repeated_waits_allocate_nothing()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 4096);
        using var source = new CancellationTokenSource();
        long least = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int j = 0; j < 100; j++)
            {
                segment.WaitOnWord(Offset, 1);
                segment.WaitOnWord(Offset, 0, TimeSpan.FromTicks(100), source.Token);
                segment.WakeWord(Offset);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    private PeerProcess InC(NativeIpcKey key)
    {
        if (!File.Exists(s_program))
        {
            string source = Path.Combine(
                typeof(ConformanceTests<>).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
                    .First(data => data.Key == "PeerSources").Value!, "c", "word.c");
            string building = s_program + ".new";
            _ = Shell.Run(Peers.Require("gcc", "gcc"),
                ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", building, source]).Succeeded;
            File.Move(building, s_program, overwrite: true);
        }

        return Backend.IsSystemV
            ? Peer(s_program, "systemv", key.NativeKey, ((int)key.Type).ToString(CultureInfo.InvariantCulture))
            : Peer(s_program, "posix", Backend.FileOf(key));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        File.Delete(s_program);
    }
}
