namespace NativeIpc.Yardstick;

/// <summary>By how much the resident memory of a process grows with N objects that it has open, each used once so that
/// its page is there.</summary>
internal static class Residents
{
    public static void Run(string name)
    {
        int count = int.Parse(name[(name.LastIndexOf('.') + 1)..]);
        if (Harness.Quick) count = Math.Max(50, count / 20);
        bool segments = name.Contains(".shm.", StringComparison.Ordinal);
        NativeIpcKey[] keys = [.. Enumerable.Range(0, count).Select(
            i => segments ? Harness.SegmentKey(name, $"resident_{i}") : Harness.SemaphoreKey(name, $"resident_{i}"))];
        foreach (NativeIpcKey key in keys) _ = segments ? SharedMemory.Remove(key) : SystemSemaphore.Remove(key);
        var objects = new IDisposable[count];
        for (int i = 0; i < 20; i++)
        {
            Open(keys.AsSpan(0, 50), objects, segments);
            Close(objects.AsSpan(0, 50));
        }

        long before = Resident();
        Open(keys, objects, segments);
        Harness.Print(name + ".bytes", Resident() - before);
        Close(objects);
    }

    private static void Open(ReadOnlySpan<NativeIpcKey> keys, IDisposable[] objects, bool segments)
    {
        for (int i = 0; i < keys.Length; i++)
        {
            if (segments)
            {
                SharedMemory segment = SharedMemory.CreateNew(keys[i], 4096);
                objects[i] = segment;
                segment.Span[0] = 1;
            }
            else
            {
                SystemSemaphore semaphore = SystemSemaphore.CreateNew(keys[i], 1);
                objects[i] = semaphore;
                semaphore.Acquire();
                semaphore.Release();
            }
        }
    }

    private static void Close(ReadOnlySpan<IDisposable> objects)
    {
        foreach (IDisposable item in objects) item.Dispose();
    }

    // The counter of /proc/self/status is kept for each processor, and is off by some.
    private static long Resident()
    {
        string line = File.ReadLines("/proc/self/smaps_rollup")
            .First(static line => line.StartsWith("Rss:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
    }
}
