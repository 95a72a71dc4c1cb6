using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>N processes that each repeat a pair for 300 ms: wall time per completed pair over all of them.</summary>
internal static class Contention
{
    private const long Span = 300_000_000;

    public static void Run(string name)
    {
        int count = int.Parse(name[(name.LastIndexOf('.') + 1)..]);
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "contended"), 1);
        List<Process> children = [.. Enumerable.Range(0, count).Select(_ => Harness.StartChild("contend", name))];
        long start = Harness.Now() + 50_000_000;
        foreach (Process child in children)
        {
            child.StandardInput.WriteLine(start);
            child.StandardInput.Flush();
        }

        long total = children.Sum(child => long.Parse(child.StandardOutput.ReadLine()!));
        foreach (Process child in children)
        {
            child.WaitForExit();
            child.Dispose();
        }

        Harness.Print(name, (double)Span / Math.Max(1, total));
    }

    public static void Child(string[] arguments)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(arguments[0], "contended"));
        Action<long> pair = Pairs.Wait(semaphore);
        Harness.WarmUp(pair);
        Harness.Ready();
        long start = long.Parse(Console.ReadLine()!), end = start + Span, pairs = 0;
        while (Harness.Now() < start) Thread.Yield();
        while (Harness.Now() < end)
        {
            pair(16);
            pairs += 16;
        }

        Console.WriteLine(pairs);
    }
}
