using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>Several processes that repeat something for 300 ms: the wall time, and the CPU time of all of them, for one
/// operation.</summary>
internal static class Many
{
    private static readonly long s_span = Harness.Quick ? 30_000_000 : 300_000_000;

    /// <param name="name">The workload.</param>
    /// <param name="others">Processes whose CPU time counts too.</param>
    /// <param name="roles">A role and its arguments for each process that counts.</param>
    public static void Run(string name, IReadOnlyList<Process> others, IReadOnlyList<string[]> roles)
    {
        List<Process> children = [.. roles.Select(role => Harness.StartChild(role[0], role[1..]))];
        long cpu = -children.Concat(others).Sum(process => Native.CpuTime(process.Id));
        long start = Harness.Now() + 50_000_000;
        foreach (Process child in children)
        {
            child.StandardInput.WriteLine(start);
            child.StandardInput.Flush();
        }

        long total = Math.Max(1, children.Sum(child => long.Parse(child.StandardOutput.ReadLine()!)));
        cpu += children.Concat(others).Sum(process => Native.CpuTime(process.Id));
        children.ForEach(Harness.End);
        Harness.Print(name, (double)s_span / total);
        Harness.Print(name + ".cpu", (double)cpu / total);
    }

    public static void Child(Action<long> body)
    {
        Harness.WarmUp(body);
        Child(end =>
        {
            long count = 0;
            for (; Harness.Now() < end; count += 16) body(16);
            return count;
        });
    }

    /// <summary>In a child that is warm.</summary>
    /// <param name="repeat">Repeats the operation until that time, and says how often.</param>
    public static void Child(Func<long, long> repeat)
    {
        Harness.Ready();
        long start = long.Parse(Console.ReadLine()!), left = (start - Harness.Now()) / 1_000_000;
        if (left > 1) Harness.Pass((int)left - 1); // asleep, as in C: others are still in their warm-up
        while (Harness.Now() < start) Thread.Yield();
        Console.WriteLine(repeat(start + s_span));
        Console.Out.Flush();
        Console.In.ReadToEnd(); // until the end: its CPU time is read by then
    }
}
