using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// Waiting for any of sixteen semaphores. What each one costs that is passed over, since the last one is ready; and
/// from another process's release of one of them to the thread that slept, in turn with a thread that sleeps on a
/// semaphore of its own (<c>single</c>).
/// </summary>
internal static class AnyWaits
{
    private const int Semaphores = 16;
    private static readonly int s_turns = Harness.Quick ? 10 : 1000;

    public static void Pass(string name)
    {
        SystemSemaphore[] all = [.. Enumerable.Range(0, Semaphores).Select(
            i => Harness.Fresh(Harness.SemaphoreKey(name, $"pass{i}"), 0))];
        SystemSemaphore last = all[^1];
        foreach (SystemSemaphore semaphore in all)
        {
            // As of a program that has used each for a while.
            for (int i = 0; i < 100; i++)
            {
                semaphore.Release();
                semaphore.Acquire();
            }
        }

        SystemWaitTarget[] targets = [.. all];
        last.Release();
        double many = Harness.Measure(n => Take(targets, last, n));
        double one = Harness.Measure(n => Take(targets.AsSpan(Semaphores - 1), last, n));
        Harness.Print(name, (many - one) / (Semaphores - 1));
        Harness.Print(name + ".of_16", many);
        Harness.Print(name + ".of_1", one);
        foreach (SystemSemaphore semaphore in all) semaphore.Dispose();
    }

    private static void Take(ReadOnlySpan<SystemWaitTarget> targets, SystemSemaphore last, long n)
    {
        while (n-- > 0)
        {
            if (SystemWait.Any(targets).Index != targets.Length - 1)
                throw new InvalidOperationException("Another one was taken.");
            last.Release();
        }
    }

    public static void Wake(string name)
    {
        SystemSemaphore[] all = [.. Enumerable.Range(0, Semaphores + 1).Select(
            i => Harness.Fresh(Harness.SemaphoreKey(name, $"wake{i}"), 0))];
        SystemWaitTarget[] targets = [.. all.AsSpan(0, Semaphores)];
        NativeIpcKey key = Harness.SegmentKey(name, "wake");
        SharedMemory.Remove(key);
        using SharedMemory stamps = SharedMemory.CreateNew(key, 2 * s_turns * sizeof(long));
        Process releaser = Harness.StartChild("release-any", name);
        List<double> any = [], single = [];
        Thread[] waiting =
        [
            new(() => Wait(stamps, 0, any, () => SystemWait.Any(targets))),
            new(() => Wait(stamps, s_turns, single, all[Semaphores].Acquire)),
        ];
        foreach (Thread thread in waiting) thread.Start();
        releaser.StandardInput.WriteLine("go");
        releaser.StandardInput.Flush();
        foreach (Thread thread in waiting) thread.Join();
        releaser.StandardInput.Close();
        releaser.WaitForExit();
        releaser.Dispose();
        Harness.Print(name, Harness.Percentile(any, 0.5));
        Harness.Print(name + "_p99", Harness.Percentile(any, 0.99));
        Harness.Print(name + "_single", Harness.Percentile(single, 0.5));
        Harness.Print(name + "_single_p99", Harness.Percentile(single, 0.99));
        foreach (SystemSemaphore semaphore in all) semaphore.Dispose();
    }

    private static void Wait(SharedMemory stamps, int first, List<double> latencies, Action wait)
    {
        for (int i = 0; i < s_turns; i++)
        {
            wait();
            long now = Harness.Now();
            if (i >= s_turns / 10)
                latencies.Add(now - Volatile.Read(ref stamps.GetReference<long>((first + i) * sizeof(long))));
        }
    }

    /// <summary>In a child: releases one of the sixteen and the single one in turn, a millisecond apart.</summary>
    public static void Release(string[] arguments)
    {
        string name = arguments[0];
        SystemSemaphore[] all = [.. Enumerable.Range(0, Semaphores + 1).Select(
            i => SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, $"wake{i}")))];
        using SharedMemory stamps = SharedMemory.OpenExisting(Harness.SegmentKey(name, "wake"));
        Harness.Ready();
        Console.ReadLine();
        for (int i = 0; i < s_turns; i++)
        {
            Let(all[i * 7 % Semaphores], i);
            Let(all[Semaphores], s_turns + i);
        }

        Console.ReadLine();

        void Let(SystemSemaphore semaphore, int stamp)
        {
            Harness.Pass(1);
            Volatile.Write(ref stamps.GetReference<long>(stamp * sizeof(long)), Harness.Now());
            semaphore.Release();
        }
    }
}
