using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// Round trips between two processes through two semaphores: across two cores (<c>x</c>), on one (<c>1</c>), wherever
/// the system puts them (<c>free</c>). Prints the time of a trip, and the CPU time that both processes used for it.
/// </summary>
internal static class PingPong
{
    public static void Run(string name)
    {
        using Side side = Side.Make(name, "a", "b");
        Process child = Harness.StartChild("echo", name, "a", "b");
        if (CoreOf(name, child: false) is { } core) Native.Pin(core);
        side.Trip(200);
        (long begin, long warmTrips) = (Harness.Now(), 0);
        for (long end = begin + (Harness.Quick ? 0 : 300_000_000); warmTrips == 0
            || Harness.Now() < end; warmTrips += 200)
            side.Trip(200);

        // As many as last 10 ms: where both sides spin, 500 would be over before a virtual machine has changed its
        // pace.
        long trip = Math.Max(1, (Harness.Now() - begin) / warmTrips);
        (int rounds, int trips) = Harness.Quick ? (2, 50) : (20, (int)Math.Clamp(10_000_000 / trip, 500, 50_000));
        List<double> times = [];
        long cpu = Native.CpuTime(Environment.ProcessId) + Native.CpuTime(child.Id);
        for (int i = 0; i < rounds; i++)
        {
            long start = Harness.Now();
            side.Trip(trips);
            times.Add((double)(Harness.Now() - start) / trips);
        }

        cpu = Native.CpuTime(Environment.ProcessId) + Native.CpuTime(child.Id) - cpu;
        Native.Unpin();
        Harness.End(child);
        Harness.Print(name, Harness.Median(times));
        Harness.Print(name + ".cpu", cpu / ((double)rounds * trips));
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

    /// <summary>As many ping-pongs at once as the name says, with no core of their own.</summary>
    public static void Crowd(string name)
    {
        int count = int.Parse(name[(name.LastIndexOf('.') + 1)..]);
        List<Side> sides = [.. Enumerable.Range(0, count).Select(i => Side.Make(name, $"a{i}", $"b{i}"))];
        List<Process> echoes = [.. Enumerable.Range(0,
            count).Select(i => Harness.StartChild("echo", name, $"a{i}", $"b{i}"))];
        Many.Run(name, echoes,
            [.. Enumerable.Range(0, count).Select(i => (string[])["trips", name, $"a{i}", $"b{i}"])]);
        echoes.ForEach(Harness.End);
        sides.ForEach(side => side.Dispose());
    }

    public static void Trips(string[] arguments)
    {
        (string name, string a, string b) = (arguments[0], arguments[1], arguments[2]);
        using Side side = Side.Open(name, a, b);
        Many.Child(n => side.Trip((int)n));
    }

    private static int? CoreOf(string name, bool child) => name.EndsWith(".x", StringComparison.Ordinal)
        ? child ? 1 : 0 : name.EndsWith(".1", StringComparison.Ordinal) ? 0 : null;

    /// <summary>The side that measures, which owns both semaphores.</summary>
    private sealed class Side(SystemSemaphore ping, SystemSemaphore pong) : IDisposable
    {
        // Used from one side only, undo on both would fail after 32,767 releases.
        public static SystemSemaphoreOptions? Options(string name)
            => Harness.TypeOf(name) == NativeIpcKeyType.SystemV ? new() { Undo = SystemVUndoPolicy.None } : null;

        public static Side Make(string name, string a, string b)
            => new(Harness.Fresh(Harness.SemaphoreKey(name, a), 0, Options(name)),
                Harness.Fresh(Harness.SemaphoreKey(name, b), 0, Options(name)));

        public static Side Open(string name, string a, string b)
            => new(SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, a), Options(name)),
                SystemSemaphore.OpenExisting(Harness.SemaphoreKey(name, b), Options(name)));

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
