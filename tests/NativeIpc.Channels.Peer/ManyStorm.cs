using System.Globalization;

namespace NativeIpc.Channels.Peer;

/// <summary>What a process of the storm of many writers and readers does (ManyStormTests): it works until it is killed
/// at a step, or has done its share. What all of them know is in the ledger, a segment of 64-bit words and one word of
/// 32 bits for each message, as tests/peers/channels/storm.c has them.</summary>
/// <param name="key">The ring's.</param>
/// <param name="ledgerKey">The ledger's.</param>
/// <param name="self">The number of this writer, or of this reader, from 0.</param>
/// <param name="isGreedy">Whether it has the turn nearly all the time: it writes long messages, or reads slowly, and
/// takes the turn again at once.</param>
public sealed class ManyStorm(string key, string ledgerKey, long self, bool isGreedy) : IDisposable
{
    // AtDeath: killed ones that had taken over and had not noted it. Early: killed where that cannot be seen.
    public const int Stop = 0, Given = 1, ToldWriters = 2, ToldReaders = 3, AtDeathWriters = 4, AtDeathReaders = 5,
        EarlyWriters = 6, EarlyReaders = 7;

    // A writer's row: the number that it is about to show, the one that it has shown, the last one that was given (at
    // least once). A reader's: how many it was given, how many of those again.
    public const int WriterRows = 64, ReaderRows = WriterRows + (4 * Most), Most = 4096;

    // Where the words of messages begin: how often each was given
    public const int MessagesAt = 8 * (ReaderRows + (4 * Most)), MostMessages = 1000, MostInHand = 4;
    public const int Size = MessagesAt + (4 * Most * (MostMessages + 1));

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(300);

    private readonly SharedMemory _ledger = SharedMemory.OpenExisting(NativeIpcKey.Parse(ledgerKey, null));
    private readonly SharedRing _ring = SharedRing.OpenExisting(NativeIpcKey.Parse(key, null));
    private readonly Random _random = new((int)self);
    private SharedRingWriter? _writer;
    private SharedRingReader? _reader;
    private bool _isReader;

    /// <summary>Whether the end has come: nobody is killed any more.</summary>
    public bool IsOver => this[Stop] != 0;

    private ulong this[long at]
    {
        get => Volatile.Read(ref _ledger.GetReference<ulong>(8 * at));
        set => Volatile.Write(ref _ledger.GetReference<ulong>(8 * at), value);
    }

    /// <summary>Right before this process is killed: says what it was told and had not noted.</summary>
    public void Note(string step)
    {
        bool isEarly = (_isReader ? _reader is null : _writer is null) || step is "turn.taken" or "turn.noted";
        if (isEarly) Add(_isReader ? EarlyReaders : EarlyWriters, 1);
        else if (_isReader ? _reader!.TookOver : _writer!.TookOver) Add(_isReader ? AtDeathReaders : AtDeathWriters, 1);
    }

    /// <summary>Writes so many messages, in each way that there is.</summary>
    public async Task Write(ulong end)
    {
        long row = WriterRows + (4 * self);
        byte[] own = new byte[4096];
        _writer = _ring.OpenWriter();
        for (ulong next = 1; next <= end && !IsOver;)
        {
            int batch = (int)Math.Min((ulong)(_random.Next(4) == 0 ? _random.Next(1, 6) : 1), end - next + 1);
            this[row] = next + (ulong)batch - 1;
            for (; batch > 0; batch--, next++)
            {
                Memory<byte> message = own.AsMemory(0, LengthOf());
                Message.Fill(message.Span, (ulong)self, next);
                if (batch > 1)
                {
                    // When there is no room for all of it, what there is is shown.
                    if (!_writer.TryAppend(message.Span)) _writer.Write(message.Span);
                    continue;
                }

                switch (_random.Next(4))
                {
                    case 0: await _writer.WriteAsync(message); break;
                    case 1 when TryInPlace(message.Length, next): break;
                    case 2 when _writer.TryWrite(message.Span, s_longest): break;
                    case 2: throw new TimeoutException();
                    default: _writer.Write(message.Span); break;
                }
            }

            _writer.Flush();
            this[row + 1] = next - 1;
            if (_writer.TookOver)
            {
                Add(ToldWriters, 1);
                _writer.Dispose();
                _writer = null;
                _writer = _ring.OpenWriter();
            }

            Pause(isMine: this[Given] / 512 % 3 == 0);
        }

        _writer.Complete();
    }

    /// <summary>Reads until nothing more comes, or so many messages.</summary>
    public async Task Read(SharedRingDelivery delivery, ulong end)
    {
        ulong[] last = new ulong[Most];
        _isReader = true;
        _reader = _ring.OpenReader(delivery);
        for (ulong given = 0; given < end || IsOver;)
        {
            if (_random.Next(4) == 0 && !await _reader.WaitToReadAsync(s_longest)) break;
            if (!Take(delivery == SharedRingDelivery.AtMostOnce, last, s_longest)) break;
            given++;
            if (delivery == SharedRingDelivery.AtLeastOnce)
            {
                if (isGreedy) SpinWait.SpinUntil(() => false, 1);
                for (int more = _random.Next(8); more is > 0 and < MostInHand; more--)
                {
                    if (!Take(isOnce: false, last, timeout: default)) break;
                    given++;
                }

                _reader.Release();
            }

            if (_reader.TookOver)
            {
                Add(ToldReaders, 1);
                _reader.Dispose();
                _reader = null;
                _reader = _ring.OpenReader(delivery);
            }

            Pause(isMine: this[Given] / 512 % 3 == 1);
        }

        if (IsOver && !_reader.IsCompleted) throw new TimeoutException("No message comes, and no end.");
    }

    public void Dispose()
    {
        _writer?.Dispose();
        _reader?.Dispose();
        _ring.Dispose();
        _ledger.Dispose();
    }

    private bool TryInPlace(int length, ulong number)
    {
        if (!_writer!.TryReserve(length, out Span<byte> place)) return false;
        Message.Fill(place, (ulong)self, number);
        _writer.Commit();
        return true;
    }

    /// <summary>Reads a message and enters it in the ledger; false when none comes in time.</summary>
    private bool Take(bool isOnce, ulong[] own, TimeSpan timeout)
    {
        if (!_reader!.TryRead(timeout, out ReadOnlySpan<byte> message)) return false;
        (ulong writer, ulong number) = Message.Read(message);
        int before = Interlocked.Increment(ref _ledger.GetReference<int>(MessagesAt
            + (4 * (((long)writer * (MostMessages + 1)) + (long)number)))) - 1;
        bool isSound;
        if (isOnce)
        {
            isSound = before == 0 && number > own[writer];
            own[writer] = number;
        }
        else
        {
            // In the turn, so no other one counts meanwhile: it is the next one of its writer, or was given before.
            ulong last = this[WriterRows + (4 * (long)writer) + 2];
            isSound = before > 0 ? number <= last : number == last + 1;
            if (before == 0) this[WriterRows + (4 * (long)writer) + 2] = number;
            else this[ReaderRows + (4 * self) + 1]++;
        }

        if (!isSound || number > this[WriterRows + (4 * (long)writer)])
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"{number} of {writer}, given {before} times before, last {own[writer]}."));
        this[ReaderRows + (4 * self)]++;
        Add(Given, 1);
        return true;
    }

    private int LengthOf() => isGreedy ? 4000
        : Message.Shortest + _random.Next(_random.Next(8) == 0 ? 4000 - Message.Shortest : 200);

    private void Add(long at, ulong count) => Interlocked.Add(ref _ledger.GetReference<ulong>(8 * at), count);

    // So that now one side sleeps, now the other one
    private void Pause(bool isMine)
    {
        if (!isGreedy && _random.Next(isMine ? 10 : 100) == 0) SpinWait.SpinUntil(() => false, 1);
    }
}
