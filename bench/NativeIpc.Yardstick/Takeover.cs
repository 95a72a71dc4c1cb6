using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>From the SIGKILL of the process that holds a segment's lock to the lock in the hands of the one that waits
/// for it.</summary>
internal static class Takeover
{
    public static void Run(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "takeover");
        SharedMemory.Remove(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Lock().Dispose(); // made by us
        int self = Native.ThreadId();
        List<double> latencies = [];
        for (int i = 0; i < (Harness.Quick ? 2 : 55); i++)
        {
            using Process holder = Harness.StartChild("hold", name);
            long killed = 0;
            using ManualResetEventSlim go = new();
            Thread killer = new(() =>
            {
                go.Wait();
                Harness.WaitUntilAsleep(self);
                killed = Harness.Now();
                holder.Kill();
            });
            killer.Start();
            go.Set();
            using SharedMemoryLock scope = segment.Lock();
            long taken = Harness.Now();
            killer.Join();
            holder.WaitForExit();
            if (Harness.TypeOf(name) == NativeIpcKeyType.PosixRealtime && !scope.WasAbandoned)
                throw new InvalidOperationException("The lock came without the news that its holder died.");
            latencies.Add(taken - killed);
        }

        Harness.Print(name + ".median", Harness.Percentile(latencies, 0.5));
        Harness.Print(name + ".max", latencies.Max());
    }

    /// <summary>In a child: holds the lock until it is killed.</summary>
    public static void Hold(string[] arguments)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(Harness.SegmentKey(arguments[0], "takeover"));
        using SharedMemoryLock scope = segment.Lock();
        Harness.Ready();
        Console.In.ReadToEnd();
    }
}
