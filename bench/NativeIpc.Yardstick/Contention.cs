namespace NativeIpc.Yardstick;

/// <summary>N processes that contend for one semaphore of value 1.</summary>
internal static class Contention
{
    public static void Run(string name)
    {
        int count = int.Parse(name[(name.LastIndexOf('.') + 1)..]);
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "contended"), 1);
        Many.Run(name, [], [.. Enumerable.Repeat<string[]>(["contend", name], count)]);
    }

    public static void Child(string[] arguments)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(arguments[0], "contended"));
        Many.Child(Pairs.Wait(semaphore));
    }
}
