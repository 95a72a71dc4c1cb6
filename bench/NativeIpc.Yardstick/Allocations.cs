namespace NativeIpc.Yardstick;

/// <summary>Bytes that each repeated operation allocates, a row for each.</summary>
internal static class Allocations
{
    public static void Run(string name)
    {
        (NativeIpcKey semaphore, NativeIpcKey empty, NativeIpcKey segment) = (Harness.SemaphoreKey(name, "full"),
            Harness.SemaphoreKey(name, "empty"), Harness.SegmentKey(name, "bytes"));
        SystemSemaphore.Remove(semaphore);
        SystemSemaphore.Remove(empty);
        SharedMemory.Remove(segment);
        SystemEvent.Remove(semaphore);
        SystemEvent.Remove(empty);
        using Operations operations = new(semaphore, empty, segment);
        int times = Harness.Quick ? 20 : 300;
        foreach ((string operation, Action body) in operations.All)
            Harness.Print($"{name}.{operation}", Operations.BytesOf(body, times));
        foreach ((string operation, Action body) in operations.Making)
            Harness.Print($"{name.Replace("alloc", "object", StringComparison.Ordinal)}.{operation}",
                Operations.BytesOf(body, times));
    }
}
