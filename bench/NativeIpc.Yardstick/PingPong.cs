using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// Round trips between two processes through two semaphores: across two cores (<c>x</c>), on one (<c>1</c>), wherever the system puts them (<c>free</c>).
/// Prints the time of a trip, and the CPU time that both processes used for it.
/// </summary>
internal static class PingPong
{
    private const string ChildRole = "echo";

    public static void Run(string name)
    {
        using Side side = Side.Make(name, "a", "b");
        Process child = Harness.StartChild(ChildRole, name, "a", "b");
        if (CoreOf(name, child: false) is { } core) Native.Pin(core);
        side.Trip(200);
        long warm = Harness.Now() + 300_000_000;
        for (int made = 200; made < 12_000 && Harness.Now() < warm; made += 200) side.Trip(200);

        int trips = name.Contains("spin", StringComparison.Ordinal) ? 20_000 : 500;
        List<double> times = [];
        long cpu = Native.CpuTime(Environment.ProcessId) + Native.CpuTime(child.Id);
        for (int i = 0; i < 20; i++)
        {
            long start = Harness.Now();
            side.Trip(trips);
            times.Add((double)(Harness.Now() - start) / trips);
        }

        cpu = Native.CpuTime(Environment.ProcessId) + Native.CpuTime(child.Id) - cpu;
        Native.Unpin();
        Harness.End(child);
        Harness.Print(name, Harness.Median(times));
        Harness.Print(name + ".cpu", cpu / (20.0 * trips));
    }

    public static void Echo(string[] arguments)
    {
        (string name, string a, string b) = (arguments[0], arguments[1], arguments[2]);
        using SystemSemaphore ping = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, a), Side.Options(name));
        using SystemSemaphore pong = SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, b), Side.Options(name));
        if (CoreOf(name, child: true) is { } core) Native.Pin(core);
        Harness.Ready();
        while (true)
        {
            ping.Acquire();
            pong.Release();
        }
    }

    private static int? CoreOf(string name, bool child) => name.EndsWith(".x", StringComparison.Ordinal) ? child ? 1 : 0 : name.EndsWith(".1", StringComparison.Ordinal) ? 0 : null;

    /// <summary>The side that measures, which owns both semaphores.</summary>
    private sealed class Side(SystemSemaphore ping, SystemSemaphore pong) : IDisposable
    {
        // Used from one side only, undo on both would fail after 32,767 releases.
        public static SystemSemaphoreOptions? Options(string name)
            => Harness.TypeOf(name) == NativeIpcKeyType.SystemV ? new() { Undo = SystemVUndoPolicy.None } : null;

        public static Side Make(string name, string a, string b)
            => new(Harness.Fresh(Harness.SemaphoreKey(name, a), 0, Options(name)), Harness.Fresh(Harness.SemaphoreKey(name, b), 0, Options(name)));

        public void Trip(int trips)
        {
            while (trips-- > 0)
            {
                ping.Release();
                pong.Acquire();
            }
        }

        public void Dispose()
        {
            ping.Dispose();
            pong.Dispose();
        }
    }
}
