using System.Globalization;

namespace NativeIpc.Channels.Peer;

/// <summary>What a process of the storm does (ChannelStormTests): it waits for the role, works, and is killed at a
/// step. What all of them know is in the ledger, a segment of 64-bit words, as peer.c and peer.py have it.</summary>
public sealed class Storm : IDisposable
{
    public const int Size = 2 << 20, Most = 16000;
    public const int Stop = 0, Last = 1, Again = 2, Lost = 3, Writers = 4, Readers = 5, ToldWriters = 6,
        ToldReaders = 7, ToldOfNobody = 8, LastReader = 9, WriterRows = 512, ReaderRows = 131072;

    private const ulong Number = uint.MaxValue;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(300);

    private readonly SharedMemory _ledger;
    private readonly SharedRing _ring;

    public Storm(string key, string ledger)
    {
        _ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(ledger, null));
        _ring = SharedRing.OpenExisting(NativeIpcKey.Parse(key, null));
    }

    /// <summary>Whether the end has come: nobody is killed any more.</summary>
    public bool IsOver => this[Stop] != 0;

    private ulong this[long at]
    {
        get => Volatile.Read(ref _ledger.GetReference<ulong>(8 * at));
        set => Volatile.Write(ref _ledger.GetReference<ulong>(8 * at), value);
    }

    /// <summary>Writes until the storm is over, or so many messages.</summary>
    public void Write(ulong end)
    {
        if (!_ring.TryOpenWriter(s_longest, out SharedRingWriter? writer)) throw new TimeoutException();
        using (writer)
        {
            ulong self = Join(Writers, ToldWriters, WriterRows, 4, writer.TookOver), number = 0;
            long row = WriterRows + ((long)self * 4);
            Span<byte> own = stackalloc byte[2048];
            while (number < end && !IsOver)
            {
                ulong batch = number % 7 == 0 ? 5UL : 1;
                this[row + 1] = number + batch;
                for (; batch > 0; batch--)
                {
                    Span<byte> message = own[..LengthOf(++number)];
                    Message.Fill(message, self, number);
                    if (batch == 1) writer.Write(message);
                    else while (!writer.TryAppend(message)) writer.Flush();
                }

                writer.Flush();
                this[row + 2] = number;
            }

            if (IsOver) writer.Complete();
            this[row] |= 4;
        }
    }

    /// <summary>Reads until nothing more comes, or so many messages.</summary>
    public void Read(SharedRingDelivery delivery, ulong end)
    {
        if (!_ring.TryOpenReader(s_longest, out SharedRingReader? reader, delivery)) throw new TimeoutException();
        using (reader)
        {
            bool isOnce = delivery == SharedRingDelivery.AtMostOnce;
            ulong self = Join(Readers, ToldReaders, ReaderRows, 1, reader.TookOver), given = 0;
            while ((given < end || IsOver) && reader.TryRead(s_longest, out ReadOnlySpan<byte> message))
            {
                (ulong writer, ulong number) = Message.Read(message);
                Check(self, writer, number, given++ == 0, isOnce);
                this[LastReader] = self;
                this[Last] = (writer << 32) | number;
                if (!isOnce) reader.Release();
            }

            if (given < end && !reader.IsCompleted) throw new TimeoutException();
            this[ReaderRows + (long)self] |= 4;
        }
    }

    public static int LengthOf(ulong number) => Message.Shortest + (int)(number * 7919 % 1977);

    public void Dispose()
    {
        _ring.Dispose();
        _ledger.Dispose();
    }

    /// <summary>Notes who has the role, and whether it was told of a killed one when there was one.</summary>
    private ulong Join(int count, int toldAt, long rows, long width, bool isTold)
    {
        ulong self = this[count] + 1, before = self > 1 ? this[rows + ((long)(self - 1) * width)] : 4;
        if (self >= Most) throw new InvalidOperationException("The ledger is full.");
        this[count] = self;
        this[rows + ((long)self * width)] = 2 | (isTold ? 1UL : 0);
        if ((before & 4) == 0 && !isTold) throw new InvalidDataException("It was not told of a killed one.");
        if (isTold) this[toldAt]++;
        if (isTold && (before & 4) != 0) this[ToldOfNobody]++; // killed before it was noted here
        return self;
    }

    /// <summary>What was given is what comes next: nothing is lost, but for what killed readers had, one each, when
    /// once.</summary>
    private void Check(ulong self, ulong writer, ulong number, bool isFirst, bool isOnce)
    {
        ulong last = this[Last], before = last >> 32, lost = 0;
        bool isSound = writer >= before;
        if (writer == before)
        {
            isSound = number >= (last & Number);
            if (number == (last & Number))
            {
                this[Again]++;
                isSound = isFirst && !isOnce;
            }
            else
            {
                lost = number - (last & Number) - 1;
            }
        }
        else if (isSound)
        {
            ulong shown = this[WriterRows + ((long)before * 4) + 2];
            if (before != 0 && shown > (last & Number)) lost = shown - (last & Number);
            for (ulong i = before + 1; i < writer; i++) lost += this[WriterRows + ((long)i * 4) + 2];
            lost += number - 1;
        }

        if (!isSound || lost > (isFirst && isOnce ? self - this[LastReader] : 0)
            || number > this[WriterRows + ((long)writer * 4) + 1])
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"{number} of {writer} after {last & Number} of {before}, lost {lost}, first: {isFirst}."));
        }

        this[Lost] += lost;
    }
}
