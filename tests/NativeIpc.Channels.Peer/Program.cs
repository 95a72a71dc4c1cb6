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
//   spread KEY LEDGER WRITER POINT NTH COUNT
//   send KEY WRITER COUNT, receive KEY, publish KEY WRITER COUNT, follow KEY [read],
//   hold KEY [topic]                                as tests/peers/channels/peer.c has them
//   put KEY LEDGER ID POINT NTH COUNT [go]          one of many writers: COUNT messages, 0: until word 0 of the ledger
//                                                   says stop; go: waits for a line first. "writing", "done TOOKOVER"
//   take KEY LEDGER AREA POINT NTH once|again       one of many readers, until nothing more comes: "reading", "done"
//   await KEY write|read|follow  waits for room for 2000 bytes, for a message, or for one of a topic: "armed" before
//                                each sleep, "long" behind it where the sleep is a long one, then "done"
//   turn KEY write|read          has the turn: "held", then waits for a line
//   half KEY WRITER [topic]      fills half of a message: "half", then waits for a line and shows all of it: "whole"
//   lapped KEY found|copied|place
//                                reads from a topic: says so between its look at a message and its copy, or behind
//                                that, or before the end of a read in place, and waits for a line: "read N M", its
//                                number and how many were missed, or "overwritten N M"
//   show KEY POINT, show-topic KEY POINT, free KEY POINT, end KEY POINT
//                                write a message, or read one and release it, or say that nothing more comes, once a
//                                line has come: "open" before. "unlisted" behind it: in a thread without a list of
//                                robust futexes, as those of musl are
//   make KEY POINT, make-topic KEY POINT
//                                make one, and are killed at it
//   storm-write KEY LEDGER POINT NTH, storm-read KEY LEDGER POINT NTH once|again
//                                Storm.cs; point "-": ends after NTH messages
//   storm-put KEY LEDGER ID POINT NTH END, storm-take KEY LEDGER ID POINT NTH END once|again
//                                ManyStorm.cs; END: ends after so many messages
//   look KEY taken|lost          says who the writer is: one that takes the role during the look; or, without the
//                                descriptor of the locks, what is thrown
//   roles KEY                    as another user than the maker: whether it becomes the writer, or why not
//   latest KEY                   as another user than the maker, for reading only: prints the next message of a topic
//   close KEY                    disposes a writer in a call that waited: whose the role is then, and after
// LEDGER is a segment of 64-bit words. A writer: word 0 is the number of the message that it is about to show, word 1
// that of the last it has shown. A reader: word 0 counts the words behind it, each the number of a message.
string[] words = args;
bool isOnLine = false; // a line has come
if (words[0] is "storm-put" or "storm-take")
{
    await ManyStormed();
    return;
}

if (words[0] is "show" or "show-topic" or "free" or "end" or "make" or "make-topic" or "storm-write" or "storm-read")
{
    Killed();
    return;
}

// For put and take, word 0 says stop, word 16 + 2 ID is the number that a writer is about to show, the next one that it
// has shown, word 4096 + ID the last one of it that a reader took, word 8192 + 4 AREA how many a reader took.
string point = words[0] is "write" or "spread" or "put" or "take" ? words[4] : words[0] == "read" ? words[3] : "-";
if (point != "-")
{
    int left = Number(words[0] == "read" ? words[4] : words[5]);
    Stop(at =>
    {
        if (at == point && Interlocked.Decrement(ref left) == 0) _ = Native.kill(Environment.ProcessId, 9);
    });
}

if (words[0] == "await")
{
    Stop(static at =>
    {
        if (at is "bell.armed" or "bell.long") Console.WriteLine(at["bell.".Length..]);
    });
}

NativeIpcKey key = NativeIpcKey.Parse(words[1], null);
switch (words[0])
{
    case "write": Write(); break;
    case "read": Read(); break;
    case "spread": Spread(); break;
    case "send": Send(); break;
    case "receive": Receive(); break;
    case "publish": Publish(); break;
    case "follow": Follow(); break;
    case "put": Put(); break;
    case "take": Take(); break;
    case "turn": Turn(); break;
    case "half": Half(); break;
    case "lapped": Lapped(); break;
    case "await": Await(); break;
    case "look": Look(); break;
    case "close": Close(); break;
    case "roles": Roles(); break;
    case "latest": Latest(); break;
    default: Hold(); break;
}

static void Stop(Action<string> reached)
{
    AppContext.SetSwitch("NativeIpc.StopPoints", true);
    Type stops = typeof(SharedRing).Assembly.GetType("NativeIpc.Channels.Segments.ChannelStop", throwOnError: true)!;
    stops.GetProperty("Reached", BindingFlags.Static | BindingFlags.NonPublic)!.SetValue(null, reached);
}

void Roles()
{
    try
    {
        using SharedRing ring = SharedRing.OpenExisting(key, new SharedMemoryOptions { AllowOtherOwners = true });
        bool had = ring.TryOpenWriter(TimeSpan.Zero, out SharedRingWriter? writer);
        writer?.Dispose();
        Console.WriteLine(had ? "True" : "False taken");
    }
    catch (SharedChannelException refused)
    {
        Console.WriteLine($"refused {refused.Error} {refused.Message}");
    }
}

void Latest()
{
    using SharedTopic topic = SharedTopic.OpenExisting(key, SharedMemoryAccess.Read,
        new SharedMemoryOptions { AllowOtherOwners = true });
    using SharedTopicReader reader = topic.OpenReader();
    Console.WriteLine("ready");
    byte[] message = new byte[topic.LongestMessage];
    int length = 0;
    while (!reader.TryRead(message, out length)) _ = reader.WaitToRead(TimeSpan.FromSeconds(30));
    Console.WriteLine(System.Text.Encoding.UTF8.GetString(message.AsSpan(0, length)));
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

void Put()
{
    using SharedMemory ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(words[2], null));
    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRingWriter writer = ring.OpenWriter();
    Console.WriteLine("writing");
    if (words.Length > 7) Console.ReadLine();
    ulong self = ulong.Parse(words[3], CultureInfo.InvariantCulture);
    ulong count = ulong.Parse(words[6], CultureInfo.InvariantCulture);
    long intended = 8 * (16 + (2 * (long)self));
    var random = new Random((int)self);
    byte[] own = new byte[writer.LongestMessage];
    for (ulong next = 1; (count == 0 || next <= count) && Volatile.Read(ref ledger.GetReference<ulong>(0)) == 0;)
    {
        int batch = random.Next(4) == 0 ? random.Next(1, 6) : 1;
        if (count != 0) batch = (int)Math.Min((ulong)batch, count - next + 1);
        Volatile.Write(ref ledger.GetReference<ulong>(intended), next + (ulong)batch - 1);
        for (int i = 0; i < batch; i++, next++)
        {
            int length = Message.Shortest + random.Next(random.Next(8) == 0 ? own.Length - Message.Shortest : 200);
            if (batch == 1 && random.Next(2) == 0 && writer.TryReserve(length, out Span<byte> place))
            {
                Message.Fill(place, self, next);
                writer.Commit();
                continue;
            }

            Message.Fill(own.AsSpan(0, length), self, next);
            if (batch == 1 || !writer.TryAppend(own.AsSpan(0, length))) writer.Write(own.AsSpan(0, length));
        }

        writer.Flush();
        Volatile.Write(ref ledger.GetReference<ulong>(intended + 8), next - 1);
        Pause(random);
    }

    writer.Complete();
    Console.WriteLine($"done {writer.TookOver}");
}

void Take()
{
    using SharedMemory ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(words[2], null));
    using SharedRing ring = SharedRing.OpenExisting(key);
    SharedRingDelivery delivery = words[6] == "once" ? SharedRingDelivery.AtMostOnce : SharedRingDelivery.AtLeastOnce;
    using SharedRingReader reader = ring.OpenReader(delivery);
    Console.WriteLine("reading");
    var random = new Random(Number(words[3]));
    long count = 8 * (8192 + (4 * (long)Number(words[3])));
    ulong[] own = new ulong[4096];
    while (reader.TryRead(Timeout.InfiniteTimeSpan, out ReadOnlySpan<byte> message))
    {
        (ulong writer, ulong number) = Message.Read(message);
        if (delivery == SharedRingDelivery.AtLeastOnce)
        {
            // In the turn, so no other one counts meanwhile.
            ref ulong last = ref ledger.GetReference<ulong>(8 * (4096 + (long)writer));
            if (number == last) ledger.GetReference<ulong>(count + 8)++;
            else if (number == last + 1) Volatile.Write(ref last, number);
            else throw new InvalidDataException($"{number} of {writer} after {last}.");
        }
        else if (number <= own[writer])
        {
            throw new InvalidDataException($"{number} of {writer} after {own[writer]}.");
        }

        own[writer] = number;
        ledger.GetReference<ulong>(count)++;
        if (delivery == SharedRingDelivery.AtLeastOnce) reader.Release();
        Pause(random);
    }

    Console.WriteLine("done");
}

// So that the other side sleeps as well
static void Pause(Random random)
{
    if (random.Next(100) == 0) SpinWait.SpinUntil(() => false, 1);
}

void Turn()
{
    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRingWriter writer = ring.OpenWriter();
    using SharedRingReader reader = ring.OpenReader();
    bool isHeld = words[2] == "write" ? writer.TryReserve(100, out _) : reader.TryRead(out _);
    Console.WriteLine(isHeld ? "held" : "not held");
    Console.ReadLine();
}

void Half()
{
    using SharedTopic? topic = words.Length > 3 ? SharedTopic.OpenExisting(key) : null;
    using SharedTopicWriter? speaker = topic?.OpenWriter();
    using SharedRing? ring = topic is null ? SharedRing.OpenExisting(key) : null;
    using SharedRingWriter? writer = ring?.OpenWriter();
    byte[] message = new byte[1000];
    Message.Fill(message, ulong.Parse(words[2], CultureInfo.InvariantCulture), 1);
    Span<byte> place;
    if (writer is null) place = speaker!.Reserve(message.Length);
    else if (!writer.TryReserve(message.Length, out place)) throw new InvalidOperationException("No room.");
    message.AsSpan(0, message.Length / 2).CopyTo(place);
    Console.WriteLine("half");
    Console.ReadLine();
    message.AsSpan(message.Length / 2).CopyTo(place[(message.Length / 2)..]);
    writer?.Commit();
    speaker?.Commit();
    Console.WriteLine("whole");
}

void Lapped()
{
    using SharedTopic topic = SharedTopic.OpenExisting(key);
    using SharedTopicReader reader = topic.OpenReader();
    reader.Rewind();
    byte[] got = new byte[reader.LongestMessage];
    int left = 1;
    Stop(at =>
    {
        if (at == "topic.read." + words[2] && Interlocked.Decrement(ref left) == 0) Tell(words[2]);
    });
    if (words[2] == "place" && reader.TryBeginRead(out _))
    {
        Tell("place");
        Console.WriteLine($"{(reader.EndRead() ? "read" : "overwritten")} {reader.Position} {reader.Missed}");
    }

    if (!reader.TryRead(got, out int length)) throw new InvalidOperationException("Nothing is left.");
    ulong number = Message.Read(got.AsSpan(0, length)).Number;
    if (number != (ulong)reader.Position) throw new InvalidDataException($"{number}, not {reader.Position}.");
    Console.WriteLine($"read {reader.Position} {reader.Missed}");

    static void Tell(string what)
    {
        Console.WriteLine(what);
        Console.ReadLine();
    }
}

void Await()
{
    if (words[2] == "follow")
    {
        using SharedTopic topic = SharedTopic.OpenExisting(key);
        using SharedTopicReader follower = topic.OpenReader();
        Console.WriteLine(follower.WaitToRead(Timeout.InfiniteTimeSpan) ? "done" : "nothing");
        return;
    }

    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRingWriter? writer = words[2] == "write" ? ring.OpenWriter() : null;
    using SharedRingReader? reader = writer is null ? ring.OpenReader() : null;
    writer?.Write(new byte[2000]);
    _ = reader?.TryRead(Timeout.InfiniteTimeSpan, out _);
    Console.WriteLine("done");
}

void Spread()
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

void Send()
{
    using SharedRing ring = SharedRing.CreateOrOpen(key, 16384);
    if (!ring.TryOpenWriter(TimeSpan.FromSeconds(30), out SharedRingWriter? writer)) throw new TimeoutException();
    using (writer)
    {
        if (writer.TookOver) Console.WriteLine("took over");
        Span<byte> message = stackalloc byte[2048];
        for (ulong number = 1; number <= ulong.Parse(words[3], CultureInfo.InvariantCulture); number++)
        {
            Span<byte> one = message[..LengthOf(number)];
            Message.Fill(one, ulong.Parse(words[2], CultureInfo.InvariantCulture), number);
            if (number % 3 != 0) writer.Write(one);
            else while (!writer.TryAppend(one)) writer.Flush();
        }

        writer.Complete();
    }

    Console.WriteLine("sent");
}

void Receive()
{
    using SharedRing ring = SharedRing.CreateOrOpen(key, 16384);
    using SharedRingReader reader = ring.OpenReader();
    Console.WriteLine("ready");
    ulong last = 0;
    while (reader.TryRead(Timeout.InfiniteTimeSpan, out ReadOnlySpan<byte> message))
    {
        if (Message.Read(message).Number != ++last) throw new InvalidDataException($"Not {last}.");
        reader.Release();
    }

    Console.WriteLine($"received {last}");
}

void Publish()
{
    using SharedTopic topic = SharedTopic.CreateOrOpen(key, 2048, 7);
    if (!topic.TryOpenWriter(TimeSpan.FromSeconds(30), out SharedTopicWriter? writer)) throw new TimeoutException();
    using (writer)
    {
        if (writer.TookOver) Console.WriteLine("took over");
        for (ulong number = 1; number <= ulong.Parse(words[3], CultureInfo.InvariantCulture); number++)
        {
            Message.Fill(writer.Reserve(LengthOf(number)), ulong.Parse(words[2], CultureInfo.InvariantCulture), number);
            writer.Commit();
        }

        writer.Complete();
    }

    Console.WriteLine("sent");
}

void Follow()
{
    using SharedTopic topic = words.Length > 2 ? SharedTopic.OpenExisting(key, SharedMemoryAccess.Read)
        : SharedTopic.CreateOrOpen(key, 2048, 7);
    using SharedTopicReader reader = topic.OpenReader();
    Console.WriteLine("ready");
    byte[] got = new byte[reader.LongestMessage];
    long given = 0;
    while (reader.WaitToRead(Timeout.InfiniteTimeSpan))
    {
        if (!reader.TryRead(got, out int length)) continue;
        ulong number = Message.Read(got.AsSpan(0, length)).Number;
        if (number != (ulong)reader.Position) throw new InvalidDataException($"{number}, not {reader.Position}.");
        given++;
    }

    Console.WriteLine($"followed {given} {reader.Missed}");
}

void Hold()
{
    if (words.Length > 2)
    {
        using SharedTopic topic = SharedTopic.OpenExisting(key);
        using SharedTopicWriter holder = topic.OpenWriter();
        holder.Reserve(100)[..50].Fill(1);
        Console.WriteLine("held");
        Console.ReadLine();
        return;
    }

    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRingWriter writer = ring.OpenWriter();
    Console.WriteLine("held");
    Console.ReadLine();
}

void Killed()
{
    bool isStorm = words[0].StartsWith("storm", StringComparison.Ordinal);
    string at = isStorm ? words[3] : words[2];
    int times = isStorm ? Number(words[4]) : int.MaxValue;
    if (words[^1] == "unlisted")
    {
        const int SizeOfHead = 24;
        bool isArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
        if (Native.syscall(isArm ? 99 : 273, 0, SizeOfHead) != 0) throw new NotSupportedException("set_robust_list");
    }

    using Storm? storm = isStorm ? new Storm(words[1], words[2]) : null;
    if (at != "-")
    {
        Stop(reached =>
        {
            if (reached == at && (Interlocked.Decrement(ref times) == 0 || isOnLine) && storm is not { IsOver: true })
                _ = Native.kill(Environment.ProcessId, 9);
        });
    }

    ulong end = at == "-" ? (ulong)times : ulong.MaxValue;
    switch (words[0])
    {
        case "show": Show(); break;
        case "show-topic": ShowTopic(); break;
        case "free": Free(); break;
        case "end": End(); break;
        case "make" or "make-topic": Make(); break;
        case "storm-write": storm!.Write(end); break;
        default:
            storm!.Read(words[5] == "once" ? SharedRingDelivery.AtMostOnce : SharedRingDelivery.AtLeastOnce, end);
            break;
    }
}

async Task ManyStormed()
{
    int times = Number(words[5]);
    using var storm = new ManyStorm(words[1], words[2], Number(words[3]), isGreedy: words[4] == "turn.kept");
    Stop(reached =>
    {
        if (reached != words[4] || Interlocked.Decrement(ref times) > 0 || storm.IsOver) return;
        storm.Note(reached);
        _ = Native.kill(Environment.ProcessId, 9);
    });
    if (words[0] == "storm-put")
    {
        await storm.Write((ulong)Number(words[6]));
        return;
    }

    await storm.Read(words[7] == "once" ? SharedRingDelivery.AtMostOnce : SharedRingDelivery.AtLeastOnce,
        (ulong)Number(words[6]));
}

void Show()
{
    using SharedRing ring = SharedRing.OpenExisting(NativeIpcKey.Parse(words[1], null));
    using SharedRingWriter writer = ring.OpenWriter();
    AwaitLine();
    writer.Write("one"u8);
    Console.WriteLine("shown");
}

void ShowTopic()
{
    using SharedTopic topic = SharedTopic.OpenExisting(NativeIpcKey.Parse(words[1], null));
    using SharedTopicWriter writer = topic.OpenWriter();
    AwaitLine();
    writer.Write("one"u8);
    Console.WriteLine("shown");
}

void Free()
{
    using SharedRing ring = SharedRing.OpenExisting(NativeIpcKey.Parse(words[1], null));
    using SharedRingReader reader = ring.OpenReader();
    AwaitLine();
    reader.TryRead(out _);
    reader.Release();
    Console.WriteLine("freed");
}

void Make()
{
    NativeIpcKey made = NativeIpcKey.Parse(words[1], null);
    isOnLine = true;
    if (words[0] == "make") SharedRing.CreateOrOpen(made, 4096).Dispose();
    else SharedTopic.CreateOrOpen(made, 100).Dispose();
}

void End()
{
    using SharedRing ring = SharedRing.OpenExisting(NativeIpcKey.Parse(words[1], null));
    using SharedRingWriter writer = ring.OpenWriter();
    AwaitLine();
    writer.Complete();
    Console.WriteLine("ended");
}

void AwaitLine()
{
    Console.WriteLine("open");
    Console.ReadLine();
    isOnLine = true;
}

void Look()
{
    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRing other = SharedRing.OpenExisting(key);
    SharedRingWriter? taken = null;
    if (words[2] == "taken")
    {
        Stop(at =>
        {
            if (at == "role.looked") taken ??= other.OpenWriter();
        });
        Console.WriteLine($"{ring.Writer.State} {ring.Writer.ProcessId == Environment.ProcessId}");
        taken?.Dispose();
        return;
    }

    using SharedRingWriter writer = other.OpenWriter();
    string name = (key.Type.IsSystemV ? "" : "/dev/shm") + key.NativeKey;
    foreach (string path in Directory.GetFiles("/proc/self/fd"))
    {
        if (new FileInfo(path).LinkTarget == name) _ = Native.close(Number(Path.GetFileName(path)));
    }

    try
    {
        Console.WriteLine(ring.Writer);
    }
    catch (SharedChannelException told)
    {
        Console.WriteLine(told.Error);
    }

    Environment.Exit(0); // what is open here cannot be closed in order any more
}

void Close()
{
    string told = "";
    SharedRingReader? reader = null;
    SharedRingWriter? writer = null;
    using SharedRing ring = SharedRing.OpenExisting(key);
    using SharedRing other = SharedRing.OpenExisting(key);
    Stop(at =>
    {
        if (at == "bell.armed")
        {
            while (reader!.TryRead(out _)) reader.Release();
        }
        else if (at == "ring.write.filled" && reader is not null)
        {
            writer!.Dispose();
            told += other.TryOpenWriter(TimeSpan.Zero, out _) ? "robbed" : "kept";
        }
    });
    writer = ring.OpenWriter();
    while (writer.TryWrite(new byte[1000]))
    {
    }

    reader = other.OpenReader();
    try
    {
        writer.Write(new byte[1000]);
    }
    catch (ObjectDisposedException)
    {
        told += " disposed";
    }

    using SharedRingWriter next = other.OpenWriter();
    Console.WriteLine($"{told} {next.TookOver} {reader.TryRead(out _)}");
    reader.Dispose();
}

static int LengthOf(ulong number) => Message.Shortest + (int)(number * 7919 % 1977);

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

internal static partial class Native
{
    [LibraryImport("libc")]
    internal static partial int kill(int processId, int signal);

    [LibraryImport("libc")]
    internal static partial int close(int descriptor);

    [LibraryImport("libc")]
    internal static partial nint syscall(nint number, nint list, nint size);
}
