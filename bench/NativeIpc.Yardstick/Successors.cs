using System.Diagnostics;
using NativeIpc.Channels;

namespace NativeIpc.Yardstick;

/// <summary>From the SIGKILL of a writer of a ring or a topic to the next one's first message in the hands of a reader
/// that waits; of a reader (<c>.reader</c>), to the message that it had in those of the next one.</summary>
internal static class Successors
{
    private const int Size = 1000;
    private const byte Half = 1, Whole = 2, Next = 3; // what stands in a message: half written, whole; the next one's

    public static void Ring(string name)
    {
        bool isMany = name.Contains(".many", StringComparison.Ordinal);
        NativeIpcKey key = Key();
        using SharedRing ring = SharedRing.CreateNew(key, 1 << 16,
            isMany ? SharedRingForm.ManyToMany : SharedRingForm.OneToOne);
        if (name.EndsWith(".reader", StringComparison.Ordinal))
        {
            using SharedRingWriter writer = ring.OpenWriter();
            Measure(name, ["reader"], how =>
            {
                writer.Write([Next]);
                return Harness.StartChild("hold-ring", $"{key}", how);
            }, ReadAsNext, reading: null);
            return;
        }

        // Of many, others would write among what a busy one does.
        using SharedRingReader reader = ring.OpenReader();
        Measure(name, isMany ? ["writer"] : ["writer", "busy"], how => Harness.StartChild("hold-ring", $"{key}", how),
            WriteAsNext, () => ReadUntilNext(reader));

        void WriteAsNext()
        {
            if (!ring.TryOpenWriter(Timeout.InfiniteTimeSpan, out SharedRingWriter? next)) throw new TimeoutException();
            using (next)
            {
                next.Write([Next]);
                CheckTold(next.TookOver);
            }
        }

        void ReadAsNext()
        {
            if (!ring.TryOpenReader(Timeout.InfiniteTimeSpan, out SharedRingReader? next)) throw new TimeoutException();
            using (next)
            {
                ReadUntilNext(next);
                CheckTold(next.TookOver);
            }
        }

        static void ReadUntilNext(SharedRingReader reader)
        {
            bool isNext = false;
            while (!isNext && reader.TryRead(Timeout.InfiniteTimeSpan, out ReadOnlySpan<byte> message))
            {
                isNext = IsNext(message);
                reader.Release();
            }
        }
    }

    public static void Topic(string name)
    {
        NativeIpcKey key = Key();
        using SharedTopic topic = SharedTopic.CreateNew(key, Size);
        using SharedTopicReader reader = topic.OpenReader();
        byte[] message = new byte[reader.LongestMessage];
        Measure(name, ["writer", "busy"], how => Harness.StartChild("hold-topic", $"{key}", how), WriteAsNext, () =>
        {
            int length;
            do reader.WaitToRead(Timeout.InfiniteTimeSpan);
            while (!reader.TryRead(message, out length) || !IsNext(message.AsSpan(0, length)));
        });

        void WriteAsNext()
        {
            if (!topic.TryOpenWriter(Timeout.InfiniteTimeSpan, out SharedTopicWriter? next))
                throw new TimeoutException();
            using (next)
            {
                next.Write([Next]);
                CheckTold(next.TookOver);
            }
        }
    }

    /// <summary>In a child, until it is killed: a writer that has filled half of a place, one that writes without end
    /// (busy), or a reader that has a message.</summary>
    public static void HoldRing(string[] arguments)
    {
        using SharedRing ring = SharedRing.OpenExisting(NativeIpcKey.Parse(arguments[0], null));
        using SharedRingReader? reader = arguments[1] == "reader" ? ring.OpenReader() : null;
        using SharedRingWriter? writer = reader is null ? ring.OpenWriter() : null;
        if (reader is not null) reader.TryRead(Timeout.InfiniteTimeSpan, out _);
        else if (arguments[1] == "writer" && writer!.TryReserve(Size, out Span<byte> place)) FillHalf(place);
        Harness.Ready();
        byte[] message = [.. Enumerable.Repeat(Whole, Size)];
        while (arguments[1] == "busy") writer!.Write(message);
        Console.In.ReadToEnd();
    }

    /// <summary>The same of a topic.</summary>
    public static void HoldTopic(string[] arguments)
    {
        using SharedTopic topic = SharedTopic.OpenExisting(NativeIpcKey.Parse(arguments[0], null));
        using SharedTopicWriter writer = topic.OpenWriter();
        if (arguments[1] == "writer") FillHalf(writer.Reserve(Size));
        Harness.Ready();
        byte[] message = [.. Enumerable.Repeat(Whole, Size)];
        while (arguments[1] == "busy") writer.Write(message);
        Console.In.ReadToEnd();
    }

    /// <summary>Kills one victim after the other.</summary>
    /// <param name="name">The workload.</param>
    /// <param name="hows">What the victims do, in turn.</param>
    /// <param name="start">Starts a victim that does this.</param>
    /// <param name="going">What the next one does, on a thread of its own: it begins before the kill.</param>
    /// <param name="reading">What ends when the next one's message was read; null: what the next one does.</param>
    private static void Measure(string name, string[] hows, Func<string, Process> start, Action going, Action? reading)
    {
        List<double> latencies = [];
        for (int i = 0; i < (Harness.Quick ? 2 : 20); i++)
        {
            string how = hows[i % hows.Length];
            using Process victim = start(how);
            Waiter next = new(going);
            Waiter? reader = reading is null ? null : new Waiter(reading);
            next.WaitUntilAsleep();
            if (how != "busy") reader?.WaitUntilAsleep();
            long killed = Harness.Now();
            victim.Kill();
            latencies.Add((reader ?? next).End() - killed);
            next.End();
            victim.WaitForExit();
        }

        Harness.Print(name + ".median", Harness.Percentile(latencies, 0.5));
        Harness.Print(name + ".max", latencies.Max());
    }

    private static NativeIpcKey Key()
    {
        NativeIpcKey key = SharedMemory.PlatformSafeKey("yard_r_next", NativeIpcKeyType.PosixRealtime);
        SharedMemory.Remove(key);
        return key;
    }

    private static void FillHalf(Span<byte> place) => place[..(Size / 2)].Fill(Half);

    private static bool IsNext(ReadOnlySpan<byte> message) => message[0] switch
    {
        Next => true,
        Whole when !message.ContainsAnyExcept(Whole) => false,
        _ => throw new InvalidOperationException("A message is torn."),
    };

    private static void CheckTold(bool wasTold)
    {
        if (!wasTold) throw new InvalidOperationException("The next one was not told that the one before was killed.");
    }

    /// <summary>A thread that does something, and when it has done it.</summary>
    private sealed class Waiter
    {
        private readonly Thread _thread;
        private int _id;
        private long _end;

        public Waiter(Action what)
        {
            _thread = new Thread(() =>
            {
                Volatile.Write(ref _id, Native.ThreadId());
                what();
                _end = Harness.Now();
            });
            _thread.Start();
            while (Volatile.Read(ref _id) == 0) Thread.Yield();
        }

        public void WaitUntilAsleep() => Harness.WaitUntilAsleep(_id);

        public long End()
        {
            _thread.Join();
            return _end;
        }
    }
}
