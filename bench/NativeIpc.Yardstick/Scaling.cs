namespace NativeIpc.Yardstick;

/// <summary>N objects alive at once: creating and removing, per object.</summary>
internal static class Scaling
{
    // As the peers do it: without a lock, memory not reserved.
    private static readonly SharedMemoryOptions s_segment = new() { UseLock = false,
        Allocation = SharedMemoryAllocation.Sparse };

    public static void Run(string name)
    {
        int count = int.Parse(name[(name.LastIndexOf('.') + 1)..]);
        if (Harness.Quick) count = Math.Max(50, count / 20);
        int rounds = count <= 100 ? 9 : count <= 1000 ? 3 : 1;
        bool segments = name.Contains(".shm.", StringComparison.Ordinal);
        NativeIpcKey[] keys = [.. Enumerable.Range(0, count)
            .Select(i => segments ? Harness.SegmentKey(name, $"scale_{i}") : Harness.SemaphoreKey(name, $"scale_{i}"))];
        foreach (NativeIpcKey key in keys) _ = segments ? SharedMemory.Remove(key) : SystemSemaphore.Remove(key);
        for (int i = 0; i < 40; i++) Once(keys[..2], segments);
        Once(keys[..50], segments);
        Harness.Print(name, Harness.Median([.. Enumerable.Range(0, rounds).Select(_ => Once(keys, segments))]));
    }

    private static double Once(NativeIpcKey[] keys, bool segments)
    {
        IDisposable[] objects = new IDisposable[keys.Length];
        long start = Harness.Now();
        for (int i = 0; i < keys.Length; i++)
            objects[i] = segments ? SharedMemory.CreateNew(keys[i], 4096, s_segment)
                : SystemSemaphore.CreateNew(keys[i], 1);
        foreach (IDisposable item in objects) item.Dispose();
        return (double)(Harness.Now() - start) / keys.Length;
    }
}
