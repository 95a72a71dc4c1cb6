using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// A thousand waits pending on a hundred semaphores, which another process releases: one a millisecond for the
/// latencies, then all at once for the CPU time. In turn with them the same process releases a thread that blocks on a
/// semaphore of its own, and one that hands each permit on to the thread pool (<c>pool</c>): what a continuation there
/// costs whoever waits.
/// </summary>
internal static class AsyncWaits
{
    private const int Semaphores = 100, Each = 10, Waits = Semaphores * Each;

    // In the segment: when each release began, of the waits, of the blocked thread and of the one that hands on.
    private const int Bytes = 3 * Waits * sizeof(long);

    private static readonly string[] s_threads = ["async-thread", "async-pool"];

    public static void Run(string name)
    {
        List<SystemSemaphore> all = [.. Enumerable.Range(0,
            Semaphores).Select(i => Harness.Fresh(Harness.SemaphoreKey(name, $"async{i}"), 0))];
        SystemSemaphoreOptions brief = new() { AllowSynchronousContinuations = true };
        List<SystemSemaphore> atOnce = [.. all.Select(semaphore => SystemSemaphore.OpenExisting(semaphore.Key, brief))];
        List<SystemSemaphore> threads =
            [.. s_threads.Select(thread => Harness.Fresh(Harness.SemaphoreKey(name, thread), 0))];
        NativeIpcKey key = Harness.SegmentKey(name, "async");
        SharedMemory.Remove(key);
        using SharedMemory stamps = SharedMemory.CreateNew(key, Bytes);
        Process releaser = Harness.StartChild("release", name);

        int before = Harness.Threads().Own;
        Round warm = new(all, stamps);
        Harness.Print(name + ".threads", Harness.Threads().Own - before);
        warm.Let(releaser, "burst");
        new Round(atOnce, stamps).Let(releaser, "burst");

        List<double> blocked = [], pool = [];
        Thread[] waiting = [new(() => Blocked(threads[0], stamps, blocked)),
            new(() => HandOn(threads[1], stamps, pool))];
        foreach (Thread thread in waiting) thread.Start();
        Print(name + ".latency", new Round(all, stamps).Let(releaser, "paced"));
        Print(name + ".at_once", new Round(atOnce, stamps).Let(releaser, "paced"));
        foreach (Thread thread in waiting) thread.Join();
        Print(name + ".blocked", blocked);
        Print(name + ".pool", pool);

        Round burst = new(all, stamps);
        (long start, long cpu) = (Harness.Now(), Native.CpuTime(Environment.ProcessId));
        burst.Let(releaser, "burst");
        (long took, long used) = (Harness.Now() - start, Native.CpuTime(Environment.ProcessId) - cpu);
        Harness.Print(name + ".cpu", (double)used / Waits);
        Harness.Print(name + ".cores", (double)used / took);

        Round idle = new(all, stamps);
        int milliseconds = Harness.Quick ? 200 : 3000;
        cpu = Native.CpuTime(Environment.ProcessId);
        Harness.Pass(milliseconds);
        Harness.Print(name + ".idle_cpu_us_s", (Native.CpuTime(Environment.ProcessId) - cpu) / (double)milliseconds);
        idle.Let(releaser, "burst");
        releaser.StandardInput.Close();
        releaser.WaitForExit();
        releaser.Dispose();
        foreach (SystemSemaphore semaphore in (SystemSemaphore[])[.. atOnce, .. all, .. threads]) semaphore.Dispose();
    }

    // Those of the library have its name; the runtime starts some of its own whenever it likes.
    private static void Print(string name, List<double> latencies)
    {
        Harness.Print(name, Harness.Percentile(latencies, 0.5));
        Harness.Print(name + "_p99", Harness.Percentile(latencies, 0.99));
    }

    private static void Blocked(SystemSemaphore semaphore, SharedMemory stamps, List<double> latencies)
    {
        for (int i = 0; i < 2 * Waits; i++)
        {
            semaphore.Acquire();
            latencies.Add(
                Harness.Now() - Volatile.Read(ref stamps.GetReference<long>((Waits + (i % Waits)) * sizeof(long))));
        }
    }

    private static void HandOn(SystemSemaphore semaphore, SharedMemory stamps, List<double> latencies)
    {
        for (int i = 0; i < 2 * Waits; i++)
        {
            TaskCompletionSource handOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Task seen = See(handOn.Task, ((2 * Waits) + (i % Waits)) * sizeof(long));
            semaphore.Acquire();
            handOn.SetResult();
            seen.Wait();
        }

        async Task See(Task handedOn, long place)
        {
            await handedOn.ConfigureAwait(false);
            latencies.Add(Harness.Now() - Volatile.Read(ref stamps.GetReference<long>(place)));
        }
    }

    /// <summary>In a child: releases all of them, in the way that each line of its input says.</summary>
    public static void Release(string[] arguments)
    {
        string name = arguments[0];
        List<SystemSemaphore> all = [.. Enumerable.Range(0,
            Semaphores).Select(i => SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, $"async{i}")))];
        List<SystemSemaphore> threads =
            [.. s_threads.Select(thread => SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, thread)))];
        using SharedMemory stamps = SharedMemory.OpenExisting(Harness.SegmentKey(name, "async"));
        Harness.Ready();
        while (Console.ReadLine() is { } how)
        {
            for (int i = 0; i < Waits; i++)
            {
                Let(all[i % Semaphores], i % Semaphores * Each + (i / Semaphores));
                if (how == "burst") continue;
                if (!Harness.Quick) Harness.Pass(1);
                for (int thread = 0; thread < threads.Count; thread++)
                {
                    Let(threads[thread], ((thread + 1) * Waits) + i);
                    if (!Harness.Quick) Harness.Pass(1);
                }
            }
        }

        void Let(SystemSemaphore semaphore, int index)
        {
            Volatile.Write(ref stamps.GetReference<long>(index * sizeof(long)), Harness.Now());
            semaphore.Release();
        }
    }

    /// <summary>The thousand waits, pending from its construction on.</summary>
    private sealed class Round
    {
        private readonly int[] _done = new int[Semaphores];
        private readonly double[] _latencies = new double[Waits];
        private readonly Task[] _pending;
        private readonly SharedMemory _stamps;

        public Round(List<SystemSemaphore> all, SharedMemory stamps)
        {
            _stamps = stamps;
            _pending = [.. Enumerable.Range(0, Waits).Select(i => WaitFor(all[i % Semaphores], i % Semaphores))];
        }

        public List<double> Let(Process releaser, string how)
        {
            releaser.StandardInput.WriteLine(how);
            releaser.StandardInput.Flush();
            Task.WaitAll(_pending);
            return [.. _latencies];
        }

        // Those of one semaphore end in the order in which they were released; which of them it is does not matter.
        private async Task WaitFor(SystemSemaphore semaphore, int index)
        {
            await semaphore.AcquireAsync().ConfigureAwait(false);
            long now = Harness.Now();
            int slot = (index * Each) + Interlocked.Increment(ref _done[index]) - 1;
            _latencies[slot] = now - Volatile.Read(ref _stamps.GetReference<long>(slot * sizeof(long)));
        }
    }
}
