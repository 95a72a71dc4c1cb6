using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// A thousand waits pending on a hundred semaphores, which another process releases: one a millisecond for the latencies, then all at once for the CPU time.
/// A thread that blocks on a semaphore of its own is released in turn with them, by the same process.
/// </summary>
internal static class AsyncWaits
{
    private const int Semaphores = 100, Each = 10, Waits = Semaphores * Each;

    // In the segment: when each release began, of the waits and of the blocked thread.
    private const int Bytes = 2 * Waits * sizeof(long);

    public static void Run(string name)
    {
        List<SystemSemaphore> all = [.. Enumerable.Range(0, Semaphores).Select(i => Harness.Fresh(Harness.SemaphoreKey(name, $"async{i}"), 0))];
        using SystemSemaphore alone = Harness.Fresh(Harness.SemaphoreKey(name, "async-thread"), 0);
        NativeIpcKey key = Harness.SegmentKey(name, "async");
        SharedMemory.Remove(key);
        using SharedMemory stamps = SharedMemory.CreateNew(key, Bytes);
        Process releaser = Harness.StartChild("release", name);

        int threads = Directory.GetDirectories("/proc/self/task").Length;
        Round warm = new(all, stamps);
        Harness.Print(name + ".threads", Directory.GetDirectories("/proc/self/task").Length - threads);
        warm.Let(releaser, "burst", alone: null);

        List<double> blocked = [];
        Round paced = new(all, stamps);
        paced.Let(releaser, "paced", () => Blocked(alone, stamps, blocked));
        Harness.Print(name + ".latency", Harness.Percentile(paced.Latencies, 0.5));
        Harness.Print(name + ".latency_p99", Harness.Percentile(paced.Latencies, 0.99));
        Harness.Print(name + ".blocked", Harness.Percentile(blocked, 0.5));
        Harness.Print(name + ".blocked_p99", Harness.Percentile(blocked, 0.99));

        Round burst = new(all, stamps);
        (long start, long cpu) = (Harness.Now(), Native.CpuTime(Environment.ProcessId));
        burst.Let(releaser, "burst", alone: null);
        (long took, long used) = (Harness.Now() - start, Native.CpuTime(Environment.ProcessId) - cpu);
        Harness.Print(name + ".cpu", (double)used / Waits);
        Harness.Print(name + ".cores", (double)used / took);

        Round idle = new(all, stamps);
        int milliseconds = Harness.Quick ? 200 : 3000;
        cpu = Native.CpuTime(Environment.ProcessId);
        Harness.Pass(milliseconds);
        Harness.Print(name + ".idle_cpu_us_s", (Native.CpuTime(Environment.ProcessId) - cpu) / (double)milliseconds);
        idle.Let(releaser, "burst", alone: null);
        releaser.StandardInput.Close();
        releaser.WaitForExit();
        releaser.Dispose();
        all.ForEach(semaphore => semaphore.Dispose());
    }

    private static void Blocked(SystemSemaphore alone, SharedMemory stamps, List<double> latencies)
    {
        for (int i = 0; i < Waits; i++)
        {
            alone.Acquire();
            latencies.Add(Harness.Now() - Volatile.Read(ref stamps.GetReference<long>((Waits + i) * sizeof(long))));
        }
    }

    /// <summary>In a child: releases all of them, in the way that each line of its input says.</summary>
    public static void Release(string[] arguments)
    {
        string name = arguments[0];
        List<SystemSemaphore> all = [.. Enumerable.Range(0, Semaphores).Select(i => SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, $"async{i}")))];
        using SystemSemaphore alone = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, "async-thread"));
        using SharedMemory stamps = SharedMemory.OpenExisting(Harness.SegmentKey(name, "async"));
        Harness.Ready();
        while (Console.ReadLine() is { } how)
        {
            for (int i = 0; i < Waits; i++)
            {
                Let(all[i % Semaphores], i % Semaphores * Each + (i / Semaphores));
                if (how == "burst") continue;
                if (!Harness.Quick) Harness.Pass(1);
                Let(alone, Waits + i);
                if (!Harness.Quick) Harness.Pass(1);
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

        public List<double> Latencies => [.. _latencies];

        public void Let(Process releaser, string how, Action? alone)
        {
            releaser.StandardInput.WriteLine(how);
            releaser.StandardInput.Flush();
            alone?.Invoke();
            Task.WaitAll(_pending);
        }

        // Those of one semaphore end in the order in which they were released; which of them it is does not matter.
        private async Task WaitFor(SystemSemaphore semaphore, int index)
        {
            await semaphore.AcquireAsync();
            long now = Harness.Now();
            int slot = (index * Each) + Interlocked.Increment(ref _done[index]) - 1;
            _latencies[slot] = now - Volatile.Read(ref _stamps.GetReference<long>(slot * sizeof(long)));
        }
    }
}
