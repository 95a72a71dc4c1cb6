using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>Events: a Set and a Wait with nobody else there, round trips between two processes on two cores, and the
/// wake-up of a hundred threads.</summary>
internal static class Events
{
    private const int Waiters = 100;

    private static SystemEvent Fresh(string name, EventResetMode mode)
    {
        NativeIpcKey key = KeyOf(name);
        SystemEvent.Remove(key);
        return SystemEvent.CreateNew(key, mode);
    }

    private static NativeIpcKey KeyOf(string name)
        => SystemEvent.PlatformSafeKey("yard_o_" + name, NativeIpcKeyType.PosixRealtime);

    public static void Pair(string name)
    {
        using SystemEvent opened = Fresh("pair", EventResetMode.AutoReset);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                opened.Set();
                opened.Wait();
            }
        }));
    }

    public static void PingPong(string name)
    {
        using SystemEvent ping = Fresh("a", EventResetMode.AutoReset), pong = Fresh("b", EventResetMode.AutoReset);
        Process child = Harness.StartChild("echo-event", "a", "b");
        Native.Pin(0);
        Trip(200);
        long begin = Harness.Now(), warmTrips = 0;
        for (long end = begin + (Harness.Quick ? 0 : 300_000_000); warmTrips == 0 || Harness.Now() < end;
            warmTrips += 200)
            Trip(200);

        // As the ping-pong of semaphores.
        long trip = Math.Max(1, (Harness.Now() - begin) / warmTrips);
        (int rounds, int trips) = Harness.Quick ? (2, 50) : (20, (int)Math.Clamp(10_000_000 / trip, 500, 50_000));
        List<double> times = [];
        for (int i = 0; i < rounds; i++)
        {
            long start = Harness.Now();
            Trip(trips);
            times.Add((double)(Harness.Now() - start) / trips);
        }

        Native.Unpin();
        Harness.End(child);
        Harness.Print(name, Harness.Median(times));

        void Trip(int trips)
        {
            while (trips-- > 0)
            {
                ping.Set();
                pong.Wait();
            }
        }
    }

    public static void Echo(string[] arguments)
    {
        using SystemEvent ping = SystemEvent.OpenExisting(KeyOf(arguments[0]));
        using SystemEvent pong = SystemEvent.OpenExisting(KeyOf(arguments[1]));
        Native.Pin(1);
        Harness.Ready();
        while (true)
        {
            ping.Wait();
            pong.Set();
        }
    }

    /// <summary>From the Set to the last of a hundred threads that slept in the event.</summary>
    public static void Wake(string name)
    {
        int rounds = Harness.Quick ? 3 : 101;
        using SystemEvent even = Fresh("even", EventResetMode.ManualReset);
        using SystemEvent odd = Fresh("odd", EventResetMode.ManualReset);
        int[] up = new int[rounds];
        long last = 0;
        Thread[] threads = [.. Enumerable.Range(0, Waiters).Select(_ => new Thread(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                (round % 2 == 0 ? even : odd).Wait();
                if (Interlocked.Increment(ref up[round]) == Waiters) Volatile.Write(ref last, Harness.Now());
            }
        }, 256 * 1024))];
        foreach (Thread thread in threads) thread.Start();
        List<double> times = [];
        for (int round = 0; round < rounds; round++)
        {
            (SystemEvent now, SystemEvent next) = round % 2 == 0 ? (even, odd) : (odd, even);
            Harness.Pass(5); // until they sleep
            next.Reset();
            Volatile.Write(ref last, 0);
            long start = Harness.Now();
            now.Set();
            long end;
            while ((end = Volatile.Read(ref last)) == 0) Harness.Pass(1);
            times.Add(end - start);
        }

        foreach (Thread thread in threads) thread.Join();
        Harness.Print(name, Harness.Median(times));
    }
}
