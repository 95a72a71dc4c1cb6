namespace NativeIpc.Yardstick;

/// <summary>An acquire and a release with nobody else there, of a semaphore and of a segment's lock.</summary>
internal static class Pairs
{
    public static void Semaphore(string name)
    {
        SystemSemaphoreOptions? options = name == "sysv.pair" ? new() { Undo = SystemVUndoPolicy.None } : null;
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "pair"), 1, options);
        Harness.Print(name, Harness.Measure(name == "posix.try_pair" ? Try(semaphore) : Wait(semaphore)));
    }

    public static void Lock(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "lock");
        SharedMemory.Remove(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        Harness.Print(name, Harness.Measure(Lock(segment)));
    }

    public static Action<long> Wait(SystemSemaphore semaphore) => n =>
    {
        while (n-- > 0)
        {
            semaphore.Acquire();
            semaphore.Release();
        }
    };

    public static Action<long> Try(SystemSemaphore semaphore) => n =>
    {
        while (n-- > 0)
        {
            semaphore.TryAcquire();
            semaphore.Release();
        }
    };

    public static Action<long> Lock(SharedMemory segment) => n =>
    {
        while (n-- > 0) segment.Lock().Dispose();
    };
}
