using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>Many asynchronous waits that go on and on: how soon each ends when another process ends a hundred of them
/// a millisecond, and how many permits a hundred tasks of two processes pass on.</summary>
internal static class Loads
{
    private const int Waits = 100, Permits = 10;
    private const int TasksOfEach = 50; // of two processes
    private const long Apart = 10_000; // nanoseconds from one release to the next: a hundred a millisecond

    private static readonly int s_turns = Harness.Quick ? 5 : 1000;

    /// <summary>A hundred tasks wait, each on a semaphore of its own, and a thread that blocks; another process
    /// releases one after the other.</summary>
    public static void Async(string name)
    {
        List<SystemSemaphore> all = [.. Enumerable.Range(0, Waits + 1).Select(
            i => Harness.Fresh(Harness.SemaphoreKey(name, $"load{i}"), 0))];
        NativeIpcKey key = Harness.SegmentKey(name, "load");
        SharedMemory.Remove(key);
        using SharedMemory stamps = SharedMemory.CreateNew(key, (Waits + 1) * s_turns * sizeof(long));
        Process releaser = Harness.StartChild("release-load", name);
        double[] latencies = new double[(Waits + 1) * s_turns];
        Thread blocked = new(() =>
        {
            for (int turn = 0; turn < s_turns; turn++)
            {
                all[Waits].Acquire();
                Note(Waits, turn);
            }
        });
        blocked.Start();
        Task[] tasks = [.. Enumerable.Range(0, Waits).Select(Wait)];
        long cpu = Native.CpuTime(Environment.ProcessId);
        releaser.StandardInput.WriteLine("go");
        releaser.StandardInput.Flush();
        Task.WaitAll(tasks);
        blocked.Join();
        cpu = Native.CpuTime(Environment.ProcessId) - cpu;
        releaser.WaitForExit();
        releaser.Dispose();
        Print("", Waits, 0);
        Print(".blocked", 1, Waits);
        Harness.Print(name + ".cpu", (double)cpu / latencies.Length);
        foreach (SystemSemaphore semaphore in all) semaphore.Dispose();

        async Task Wait(int index)
        {
            for (int turn = 0; turn < s_turns; turn++)
            {
                await all[index].AcquireAsync().ConfigureAwait(false);
                Note(index, turn);
            }
        }

        void Note(int index, int turn)
        {
            long now = Harness.Now();
            int place = Place(index, turn);
            latencies[place] = now - Volatile.Read(ref stamps.GetReference<long>(place * sizeof(long)));
        }

        // Without the first tenth, in which the JIT compiles.
        void Print(string suffix, int count, int first)
        {
            List<double> late = [];
            for (int index = first; index < first + count; index++)
            {
                for (int turn = s_turns / 10; turn < s_turns; turn++) late.Add(latencies[Place(index, turn)]);
            }

            Harness.Print(name + suffix, Harness.Percentile(late, 0.5));
            Harness.Print(name + suffix + "_p99", Harness.Percentile(late, 0.99));
        }
    }

    private static int Place(int index, int turn) => (index * s_turns) + turn;

    /// <summary>In a child: releases all of them again and again, at even times.</summary>
    public static void Release(string[] arguments)
    {
        string name = arguments[0];
        SystemSemaphore[] all = [.. Enumerable.Range(0, Waits + 1).Select(
            i => SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, $"load{i}")))];
        using SharedMemory stamps = SharedMemory.OpenExisting(Harness.SegmentKey(name, "load"));
        Harness.Ready();
        Console.ReadLine();
        long due = Harness.Now();
        for (int turn = 0; turn < s_turns; turn++)
        {
            for (int index = 0; index <= Waits; index++)
            {
                due += Apart;
                long now = Harness.Now();
                while (now < due) now = Harness.Now();
                Volatile.Write(ref stamps.GetReference<long>(Place(index, turn) * sizeof(long)), now);
                all[index].Release();
            }
        }
    }

    /// <summary>The time that passes for each permit that is had and given back, by all tasks of both processes.
    /// </summary>
    public static void Share(string name)
    {
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "shared"), Permits);
        Many.Run(name, [], [["share", name], ["share", name]]);
    }

    /// <summary>In each of two children.</summary>
    public static void Sharing(string[] arguments)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(arguments[0], "shared"));
        _ = Pass(Harness.Now() + (Harness.Quick ? 10_000_000 : 400_000_000)); // until the JIT has settled
        Many.Child(Pass);

        long Pass(long end)
        {
            long count = 0;
            Task.WaitAll([.. Enumerable.Range(0, TasksOfEach).Select(_ => Task.Run(Use))]);
            return count;

            // Each keeps its permit while others run, as one does that reads or writes meanwhile.
            async Task Use()
            {
                long own = 0;
                for (; Harness.Now() < end; own++)
                {
                    await semaphore.AcquireAsync().ConfigureAwait(false);
                    await Task.Yield();
                    semaphore.Release();
                }

                Interlocked.Add(ref count, own);
            }
        }
    }
}
