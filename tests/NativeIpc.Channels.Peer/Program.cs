using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using NativeIpc;
using NativeIpc.Channels;
using NativeIpc.Channels.Peer;

// A process that writes to or reads from a ring or a topic until it is killed, by itself (at the Nth time that it
// reaches a named point; "-" for none) or by others.
//   write KEY LEDGER WRITER POINT NTH COUNT         COUNT 0: for ever
//   read KEY LEDGER POINT NTH once|again
//   publish KEY LEDGER WRITER POINT NTH COUNT
//   hold KEY writer|reader                          prints "held", then waits for a line
// LEDGER is a segment of 64-bit words. A writer: word 0 is the number of the message that it is about to show, word 1
// that of the last it has shown. A reader: word 0 counts the words behind it, each the number of a message.
string[] words = args;
string point = words[0] is "write" or "publish" ? words[4] : words[0] == "read" ? words[3] : "-";
if (point != "-")
{
    AppContext.SetSwitch("NativeIpc.StopPoints", true);
    int left = Number(words[0] is "write" or "publish" ? words[5] : words[4]);
    Type stops = typeof(SharedRing).Assembly.GetType("NativeIpc.Channels.Segments.ChannelStop", throwOnError: true)!;
    stops.GetProperty("Reached", BindingFlags.Static | BindingFlags.NonPublic)!.SetValue(null, (Action<string>)(at =>
    {
        if (at == point && Interlocked.Decrement(ref left) == 0) _ = Native.kill(Environment.ProcessId, 9);
    }));
}

NativeIpcKey key = NativeIpcKey.Parse(words[1], null);
switch (words[0])
{
    case "write": Write(); break;
    case "read": Read(); break;
    case "publish": Publish(); break;
    default: Hold(); break;
}

void Write()
{
    using SharedMemory ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(words[2], null));
    using SharedRing ring = SharedRing.OpenExisting(key);
    if (!ring.TryOpenWriter(TimeSpan.FromSeconds(30), out SharedRingWriter? writer)) throw new TimeoutException();
    using (writer)
    {
        Console.WriteLine(writer.TookOver ? "writing after a killed one" : "writing");
        ulong self = ulong.Parse(words[3], CultureInfo.InvariantCulture);
        ulong count = ulong.Parse(words[6], CultureInfo.InvariantCulture);
        var random = new Random((int)self);
        byte[] own = new byte[writer.LongestMessage];
        for (ulong next = 1; count == 0 || next <= count;)
        {
            int batch = random.Next(4) == 0 ? random.Next(1, 6) : 1;
            Volatile.Write(ref ledger.GetReference<ulong>(0), next + (ulong)batch - 1);
            for (int i = 0; i < batch; i++, next++)
            {
                int length = Message.Shortest + random.Next(random.Next(8) == 0 ? own.Length - Message.Shortest : 200);
                if (random.Next(2) == 0)
                {
                    Message.Fill(own.AsSpan(0, length), self, next);
                    if (batch == 1) writer.Write(own.AsSpan(0, length));
                    else while (!writer.TryAppend(own.AsSpan(0, length))) writer.Flush();
                }
                else
                {
                    Span<byte> place;
                    while (!writer.TryReserve(length, out place)) writer.Flush();
                    Message.Fill(place, self, next);
                    if (batch == 1) writer.Commit();
                    else writer.Append();
                }
            }

            writer.Flush();
            Volatile.Write(ref ledger.GetReference<ulong>(8), next - 1);
        }

        writer.Complete();
        Console.WriteLine("done");
    }
}

void Read()
{
    using SharedMemory ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(words[2], null));
    using SharedRing ring = SharedRing.OpenExisting(key);
    SharedRingDelivery delivery = words[5] == "once" ? SharedRingDelivery.AtMostOnce : SharedRingDelivery.AtLeastOnce;
    if (!ring.TryOpenReader(TimeSpan.FromSeconds(30), out SharedRingReader? reader, delivery))
        throw new TimeoutException();
    using (reader)
    {
        Console.WriteLine(reader.TookOver ? "reading after a killed one" : "reading");
        while (reader.TryRead(Timeout.InfiniteTimeSpan, out ReadOnlySpan<byte> message))
        {
            (_, ulong number) = Message.Read(message);
            ref ulong count = ref ledger.GetReference<ulong>(0);
            ledger.GetReference<ulong>(8 * (1 + (long)count)) = number;
            Volatile.Write(ref count, count + 1);
            if (delivery == SharedRingDelivery.AtLeastOnce) reader.Release();
        }

        Console.WriteLine("done");
    }
}

void Publish()
{
    using SharedMemory ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(words[2], null));
    using SharedTopic topic = SharedTopic.OpenExisting(key);
    if (!topic.TryOpenWriter(TimeSpan.FromSeconds(30), out SharedTopicWriter? writer)) throw new TimeoutException();
    using (writer)
    {
        Console.WriteLine(writer.TookOver ? "writing after a killed one" : "writing");
        ulong self = ulong.Parse(words[3], CultureInfo.InvariantCulture);
        ulong count = ulong.Parse(words[6], CultureInfo.InvariantCulture);
        var random = new Random((int)self);
        for (ulong i = 0; count == 0 || i < count; i++)
        {
            ulong number = (ulong)writer.Latest + 1;
            Volatile.Write(ref ledger.GetReference<ulong>(0), number);
            Span<byte> place = writer.Reserve(Message.Shortest + random.Next(writer.LongestMessage - Message.Shortest));
            Message.Fill(place, self, number);
            writer.Commit();
            Volatile.Write(ref ledger.GetReference<ulong>(8), number);
        }

        writer.Complete();
        Console.WriteLine("done");
    }
}

void Hold()
{
    using SharedRing ring = SharedRing.OpenExisting(key);
    using IDisposable role = words[2] == "writer" ? ring.OpenWriter() : ring.OpenReader();
    Console.WriteLine("held");
    Console.ReadLine();
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

internal static partial class Native
{
    [LibraryImport("libc")]
    internal static partial int kill(int processId, int signal);
}
