using System.Diagnostics;
using System.Globalization;
using NativeIpc.Channels;

namespace NativeIpc.Yardstick;

/// <summary>Rings of the package, with another process of .NET or (<c>@c</c>) of C on the other side.</summary>
internal static class Rings
{
    public static void Run(string name)
    {
        string? peer = Harness.PeerOf(name);
        if (peer is null) return; // C was not asked for
        NativeIpcKey there = Key("there"), back = Key("back");
        SharedMemory.Remove(there);
        SharedMemory.Remove(back);
        using SharedRing toRing = SharedRing.CreateNew(there, Moving.SizeOf(name) > 65536 ? 4 << 20 : 1 << 20);
        using SharedRing fromRing = SharedRing.CreateNew(back, 1 << 20);
        Moving.Run(name, (role, how) => Start(peer, role, there, back, how), () => new Link(toRing, null),
            () => new Link(null, fromRing));
    }

    /// <summary>In the child: role, the keys, and how.</summary>
    public static void Child(string role, string[] arguments)
    {
        using SharedRing from = SharedRing.OpenExisting(NativeIpcKey.Parse(arguments[0], null));
        using SharedRing back = SharedRing.OpenExisting(NativeIpcKey.Parse(arguments[1], null));
        using Link receiver = new(null, from), sender = new(back, null);
        if (role == "answer") Moving.Answer(receiver, sender, arguments[2..]);
        else Moving.Drain(receiver, sender, arguments[2..]);
    }

    /// <summary>A reader that waits for nothing: its wake-ups and its processor time in a second; the mappings of its
    /// ring, and the threads that came with it and with the wait, this library's and the runtime's.</summary>
    public static void Idle(string name)
    {
        NativeIpcKey key = Key("idle");
        SharedMemory.Remove(key);
        (int own, int others) = Harness.Threads();
        using SharedRing made = SharedRing.CreateNew(key, 1 << 20); // its mapping has no name
        using SharedRing ring = SharedRing.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        int waiter = 0;
        Thread waiting = new(() =>
        {
            Volatile.Write(ref waiter, Native.ThreadId());
            while (reader.TryRead(Timeout.InfiniteTimeSpan, out _)) reader.Release();
        });
        waiting.Start();
        while (Volatile.Read(ref waiter) == 0) Thread.Yield();
        int milliseconds = Harness.Quick ? 500 : 10_000;
        Harness.Pass(milliseconds / 10); // it tries for a moment before it sleeps
        Harness.WaitUntilAsleep(waiter);
        (int ownNow, int othersNow) = Harness.Threads();
        (long wakeups, long time) = (Switches(waiter), Native.ThreadTime(waiter));
        Harness.Pass(milliseconds);
        Harness.Print(name + ".idle_wakeups_s", (Switches(waiter) - wakeups) * 1000.0 / milliseconds);
        Harness.Print(name + ".idle_cpu_us_s", (Native.ThreadTime(waiter) - time) / (double)milliseconds);
        Harness.Print(name + ".threads", ownNow - own);
        Harness.Print(name + ".runtime.threads", othersNow - others - 1); // one is the workload's: it waits
        string file = "/dev/shm/" + key.NativeKey.TrimStart('/');
        Harness.Print(name + ".maps", File.ReadLines("/proc/self/maps")
            .Count(line => line.EndsWith(file, StringComparison.Ordinal)));
        writer.Complete();
        waiting.Join();
    }

    /// <summary>Bytes that each operation allocates, a row for each.</summary>
    public static void Allocations(string name)
    {
        NativeIpcKey key = Key("alloc");
        SharedMemory.Remove(key);
        using SharedRing ring = SharedRing.CreateNew(key, 1 << 16);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        byte[] message = new byte[64];
        int times = Harness.Quick ? 20 : 300;
        Print("write_read", () =>
        {
            writer.Write(message);
            reader.TryRead(Timeout.InfiniteTimeSpan, out _);
            reader.Release();
        });
        Print("in_place", () =>
        {
            writer.TryReserve(64, out Span<byte> place);
            place.Clear();
            writer.Commit();
            reader.TryRead(out _);
            reader.Release();
        });
        Print("wait", () => reader.TryRead(TimeSpan.FromTicks(1), out _));

        void Print(string operation, Action body)
            => Harness.Print($"{name}.{operation}", Operations.BytesOf(body, times));
    }

    private static NativeIpcKey Key(string what) => SharedMemory.PlatformSafeKey("yard_r_" + what,
        NativeIpcKeyType.PosixRealtime);

    private static Process Start(string peer, string role, NativeIpcKey there, NativeIpcKey back, string[] how)
    {
        ProcessStartInfo start = peer.Length != 0
            ? new ProcessStartInfo(peer, ["--" + role, there.NativeKey, back.NativeKey, .. how])
            : new ProcessStartInfo(Environment.ProcessPath!,
                ["--child", "ring-" + role, $"{there}", $"{back}", .. how]);
        start.RedirectStandardOutput = true;
        return Process.Start(start)!;
    }

    private static long Switches(int thread)
    {
        const string Label = "voluntary_ctxt_switches:";
        string line = File.ReadLines($"/proc/self/task/{thread}/status")
            .First(line => line.StartsWith(Label, StringComparison.Ordinal));
        return long.Parse(line.AsSpan(Label.Length), NumberStyles.Integer, CultureInfo.InvariantCulture);
    }

    private readonly struct Link(SharedRing? to, SharedRing? from) : Moving.ILink
    {
        private readonly SharedRingWriter _writer = to?.OpenWriter()!;
        private readonly SharedRingReader _reader = from?.OpenReader()!;

        public void Send(ReadOnlySpan<byte> message) => _writer.Write(message);

        public ReadOnlySpan<byte> Receive(int size)
        {
            _reader.TryRead(Timeout.InfiniteTimeSpan, out ReadOnlySpan<byte> message);
            return message;
        }

        public bool TryReceive(out ReadOnlySpan<byte> message) => _reader.TryRead(out message);

        public void Received() => _reader.Release();

        public void Append(ReadOnlySpan<byte> message)
        {
            while (!_writer.TryAppend(message)) _writer.Flush();
        }

        public void Flush() => _writer.Flush();

        public Span<byte> Place(int size)
        {
            Span<byte> place;
            while (!_writer.TryReserve(size, out place)) Thread.SpinWait(1);
            return place;
        }

        public void Show() => _writer.Commit();

        public void Dispose()
        {
            _writer?.Dispose();
            _reader?.Dispose();
        }
    }
}
