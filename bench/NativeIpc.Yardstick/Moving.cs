using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NativeIpc.Yardstick;

/// <summary>Messages from this process to another one: the counterpart of <c>bench/peers/moving.h</c>, which says what
/// the workloads are. A link is what they go through.</summary>
internal static class Moving
{
    private const int Small = 64, Batch = 32;
    private static long s_sink;

    /// <summary>One direction between two processes. A struct, so that its calls can be inlined.</summary>
    internal interface ILink : IDisposable
    {
        void Send(ReadOnlySpan<byte> message);

        /// <summary>The next one, in place until <see cref="Received"/>.</summary>
        ReadOnlySpan<byte> Receive(int size);

        bool TryReceive(out ReadOnlySpan<byte> message);

        void Received();

        void Append(ReadOnlySpan<byte> message);

        void Flush();

        /// <summary>A place for a message that is filled in place.</summary>
        Span<byte> Place(int size);

        void Show();
    }

    /// <summary>Measures a workload between this process and a child.</summary>
    /// <param name="name">The workload.</param>
    /// <param name="child">Starts the other side in a role: drain or answer.</param>
    /// <param name="there">The way to it, for sending.</param>
    /// <param name="back">The way back.</param>
    public static void Run<T>(string name, Func<string, string[], Process> child, Func<T> there, Func<T> back)
        where T : struct, ILink
    {
        bool isTrip = name.Contains(".trip.", StringComparison.Ordinal);
        int size = SizeOf(name), batch = name.Contains("x32", StringComparison.Ordinal) ? Batch : 1;
        bool isWhole = size == 4096 || name.Contains(".used", StringComparison.Ordinal);
        string core = name.Contains(".trip.1", StringComparison.Ordinal) ? "0" : "1";
        Process other = child(isTrip ? "answer" : "drain", [core, $"{size}", $"{batch}", isWhole ? "1" : "0"]);
        using (T to = there())
        using (T from = back())
        {
            if (other.StandardOutput.ReadLine() != "ready") throw new InvalidOperationException("No other side.");
            Native.Pin(0);
            Memory<byte> message = Aligned(size), last = Aligned(size);
            last.Span.Fill(1);
            Action<long> body = isTrip ? n => Trip(to, from, message, n)
                : size > 65536 ? n => SendInPlace(to, from, message, last, n)
                : batch == 1 ? n => SendEach(to, from, message, last, n)
                : n => SendBatches(to, from, message, last, n);
            Harness.Print(name, name.Contains(".asleep", StringComparison.Ordinal)
                ? Asleep(body) : Harness.Measure(body));
            Native.Unpin();
            Harness.End(other);
        }
    }

    /// <summary>In the child: takes messages, and answers the last one of a round.</summary>
    public static void Drain<T>(T from, T back, string[] how)
        where T : struct, ILink
    {
        Native.Pin(int.Parse(how[0]));
        Harness.Ready();
        while (true) DrainRound(from, back, int.Parse(how[1]), int.Parse(how[2]), how[3] == "1");
    }

    /// <summary>In the child: answers each message.</summary>
    public static void Answer<T>(T from, T back, string[] how)
        where T : struct, ILink
    {
        Native.Pin(int.Parse(how[0]));
        Harness.Ready();
        byte[] answer = new byte[Small];
        while (true) AnswerOne(from, back, answer);
    }

    public static int SizeOf(string name) => name.Contains(".1m", StringComparison.Ordinal) ? 1 << 20
        : name.Contains(".4k", StringComparison.Ordinal) ? 4096 : Small;

    // At the beginning of a page, as C's are, and written to: before that each page is the kernel's one of zeros, and
    // to read one page at 256 addresses costs an EPYC a fifth of the copy.
    public static Memory<byte> Aligned(int size)
    {
        const int Page = 4096;
        byte[] bytes = GC.AllocateArray<byte>(size + Page, pinned: true);
        Memory<byte> aligned = bytes.AsMemory((int)(-Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 0) & (Page - 1)),
            size);
        aligned.Span.Clear();
        return aligned;
    }

    private static void SendEach<T>(T to, T from, ReadOnlyMemory<byte> one, ReadOnlyMemory<byte> last, long n)
        where T : struct, ILink
    {
        ReadOnlySpan<byte> message = one.Span;
        for (long i = 1; i < n; i++) to.Send(message);
        to.Send(last.Span);
        AwaitAnswer(from);
    }

    private static void SendBatches<T>(T to, T from, ReadOnlyMemory<byte> one, ReadOnlyMemory<byte> last, long n)
        where T : struct, ILink
    {
        ReadOnlySpan<byte> message = one.Span;
        for (long i = 1; i < n; i++)
        {
            to.Append(message);
            if (i % Batch == 0) to.Flush();
        }

        to.Append(last.Span);
        to.Flush();
        AwaitAnswer(from);
    }

    private static void SendInPlace<T>(T to, T from, ReadOnlyMemory<byte> message, ReadOnlyMemory<byte> last, long n)
        where T : struct, ILink
    {
        for (long i = 1; i <= n; i++)
        {
            (i == n ? last : message).Span.CopyTo(to.Place(message.Length));
            to.Show();
        }

        AwaitAnswer(from);
    }

    private static void AwaitAnswer<T>(T from)
        where T : struct, ILink
    {
        s_sink += from.Receive(Small)[0];
        from.Received();
    }

    private static void Trip<T>(T to, T from, ReadOnlyMemory<byte> one, long n)
        where T : struct, ILink
    {
        ReadOnlySpan<byte> message = one.Span;
        while (n-- > 0)
        {
            to.Send(message);
            s_sink += from.Receive(Small)[0];
            from.Received();
        }
    }

    private static void AnswerOne<T>(T from, T back, byte[] answer)
        where T : struct, ILink
    {
        s_sink += from.Receive(Small)[0];
        from.Received();
        back.Send(answer);
    }

    private static void DrainRound<T>(T from, T back, int size, int batch, bool isWhole)
        where T : struct, ILink
    {
        long sum = 0;
        bool isLast = false;
        while (!isLast)
        {
            ReadOnlySpan<byte> message = from.Receive(size);
            isLast = message[0] != 0;
            sum += Use(message, isWhole);
            for (int i = 1; i < batch && !isLast && from.TryReceive(out message); i++)
            {
                isLast = message[0] != 0;
                sum += Use(message, isWhole);
            }

            from.Received();
        }

        s_sink += sum;
        back.Send(new byte[Small]);
    }

    private static long Use(ReadOnlySpan<byte> message, bool isWhole)
    {
        long sum = message[^1];
        if (!isWhole) return sum;
        ReadOnlySpan<long> words = MemoryMarshal.Cast<byte, long>(message);
        for (int i = 0; i < words.Length; i += 8) sum += words[i];
        return sum;
    }

    private static double Asleep(Action<long> trip)
    {
        int rounds = Harness.Quick ? 1 : 11, trips = Harness.Quick ? 2 : 20;
        List<double> values = [];
        Harness.WarmUp(trip);
        for (int i = -1; i < rounds; i++)
        {
            long sum = 0;
            for (int j = 0; j < trips; j++)
            {
                Harness.Pass(2);
                long start = Harness.Now();
                trip(1);
                sum += Harness.Now() - start;
            }

            if (i >= 0) values.Add((double)sum / trips);
        }

        return Harness.Median(values);
    }
}
