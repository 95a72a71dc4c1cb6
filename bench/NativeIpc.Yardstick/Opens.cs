namespace NativeIpc.Yardstick;

/// <summary>Opening, creating and letting go of a semaphore, and what is still mapped and open at the end.</summary>
internal static class Opens
{
    private static readonly SystemSemaphoreOptions s_keep = new() { Removal = RemovalPolicy.Keep };

    public static void Open(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "open");
        Harness.Fresh(key, 1, s_keep).Dispose(); // nobody has it open meanwhile, as with the other peers
        Leftovers.Measure(name, OpenAndClose(key));
        SystemSemaphore.Remove(key);
    }

    public static void Create(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "open");
        SystemSemaphore.Remove(key);
        Leftovers.Measure(name, CreateAndRemove(key));
    }

    private static Action<long> OpenAndClose(NativeIpcKey key) => n =>
    {
        while (n-- > 0) SystemSemaphore.OpenExisting(key).Dispose();
    };

    private static Action<long> CreateAndRemove(NativeIpcKey key) => n =>
    {
        while (n-- > 0) SystemSemaphore.CreateNew(key, 1).Dispose();
    };
}
