using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>The writer of a ring.</summary>
/// <remarks>
/// <para>A message is written by <see cref="TryWrite(ReadOnlySpan{byte})"/>, or in place: <see cref="TryReserve"/>,
/// fill, <see cref="Commit()"/>. A batch is what was appended (<see cref="TryAppend"/>, <see cref="Append()"/>) until
/// <see cref="Flush"/>, which shows all of it to the reader in one step. Nothing is allocated, and no system call is
/// made but to wake a reader that sleeps.</para>
/// <para>Thread safety: one thread at a time. Only <see cref="Dispose"/> may come from another one, while that one
/// waits: the wait then ends with <see cref="ObjectDisposedException"/>, or with the message written where room came at
/// that moment.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed unsafe partial class SharedRingWriter : IDisposable, IAwaiting
{
    // Why the fast path is not gone
    private const int Reserved = 1, Fences = 2, Stops = 4, Turns = 8;

    private readonly ChannelSegment _segment;
    private readonly Role? _role; // of a one-to-one ring
    private readonly Turn? _turn; // of a many-to-many ring
    private readonly Bell _bell;
    private readonly byte* _data;
    private readonly ulong* _tailWord;
    private readonly uint* _readerBell;
    private readonly ulong _capacity;
    private readonly ulong _mask;
    private readonly int _longest;
    private ulong _tail; // behind what was appended
    private ulong _shown; // behind what the reader may see
    private ulong _head; // the reader's, as last seen
    private ulong _limit; // up to where the fast path may go: not over the end, nor over the head; 0: not at all
    private ulong _wanted; // room that a wait is for
    private int _reservedLength;
    private int _slow;
    private LargeCopy _large;
    private int _isClosed; // by itself: another thread sets it

    internal SharedRingWriter(ChannelSegment segment, Role role, bool tookOver)
        : this(segment, role, turn: null)
    {
        TookOver = tookOver;

        // Whole: a killed writer moved it in one step, or not at all
        _tail = _shown = Volatile.Read(ref *_tailWord);
        _head = Volatile.Read(ref segment.LongWord(ChannelLayout.HeadAt));
        segment.CheckPositions(_head, _tail);
        Volatile.Write(ref segment.Word(ChannelLayout.EndedAt), 0);

        Widen();

        // The one before may have been killed before it rang
        Ring();
    }

    internal SharedRingWriter(ChannelSegment segment, Turn turn)
        : this(segment, role: null, turn) => BeginTurns();

    private SharedRingWriter(ChannelSegment segment, Role? role, Turn? turn)
    {
        _segment = segment;
        _role = role;
        _turn = turn;
        _data = segment.Start + ChannelLayout.HeaderSize;
        _tailWord = (ulong*)(segment.Start + ChannelLayout.TailAt);
        _readerBell = (uint*)(segment.Start + ChannelLayout.ReaderBellAt);
        _capacity = segment.Capacity;
        _mask = _capacity - 1;
        _longest = SharedRing.LongestOf(_capacity);
        _bell = new Bell(segment, ChannelLayout.WriterBellAt, isShared: false, this);
        _slow = (Membarrier.IsRegistered ? 0 : Fences) | (ChannelStop.IsOn ? Stops : 0) | (turn is null ? 0 : Turns);
    }

    /// <summary>Whether the writer before this one was killed. What it had shown is in the ring; what it had not is
    /// gone. Many-to-many: whether this one has had the turn of a killed one, up to now.</summary>
    public bool TookOver { get; private set; }

    /// <summary>The longest message, in bytes.</summary>
    public int LongestMessage => _longest;

    /// <summary>Writes a message, if there is room.</summary>
    /// <param name="message">The bytes; none will do.</param>
    /// <returns>False when there is no room now; many-to-many: also while another writer has the turn.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved and neither committed nor abandoned;
    /// many-to-many: it is completed.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryWrite(ReadOnlySpan<byte> message)
    {
        ulong tail = _tail;
        ulong next = tail + (((ulong)(uint)message.Length + 15) & ~7UL);
        if (next > _limit || message.Length > _longest || Volatile.Read(ref *_readerBell) != 0)
            return TryWriteSlow(message);
        Debug.Assert(next - _head <= _capacity && (tail & _mask) + (next - tail) <= _capacity);
        byte* record = _data + (tail & _mask);
        *(ulong*)record = (uint)message.Length | ((ulong)ChannelLayout.MessageKind << 32);
        Fill(record + ChannelLayout.RecordHeader, message);
        _tail = _shown = next;

        // R1 Race: the reader goes to sleep at this moment. Safe because: it makes a barrier here (Membarrier) between
        // setting its bell and its last look at the tail.
        Volatile.Write(ref *_tailWord, next);
        if (Volatile.Read(ref *_readerBell) != 0) Ring();
        return true;
    }

    /// <summary>Reserves a place in the ring, to be filled there, if there is room.</summary>
    /// <param name="length">How many bytes; <see cref="Commit(int)"/> may take fewer.</param>
    /// <param name="place">The bytes, with whatever was there before; until the commit. Empty when the result is
    /// false.</param>
    /// <returns>False when there is no room now; many-to-many: also while another writer has the turn.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative, or over
    /// <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved already; many-to-many: it is
    /// completed.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool TryReserve(int length, out Span<byte> place)
    {
        CheckFree();
        CheckLength(length);
        place = default;
        if (_turn is null ? !TryMakeRoom(length) : !TryMakeRoomInTurn(length)) return false;
        ChannelStop.At("ring.write.reserved");
        _reservedLength = length;
        _slow |= Reserved;
        _limit = 0;
        place = new Span<byte>(_data + (_tail & _mask) + ChannelLayout.RecordHeader, length);
        return true;
    }

    /// <summary>Ends the reservation and shows its message, and what was appended before, to the reader.</summary>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Commit() => Commit(_reservedLength);

    /// <summary>Ends the reservation and shows the first bytes of it as a message, and what was appended before, to the
    /// reader.</summary>
    /// <param name="length">How many bytes, no more than were reserved.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or more than was
    /// reserved.</exception>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Commit(int length)
    {
        Append(length);
        Flush();
    }

    /// <summary>Ends the reservation; its message is part of a batch that <see cref="Flush"/> shows.</summary>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Append() => Append(_reservedLength);

    /// <summary>Ends the reservation; the first bytes of it are a message, part of a batch that <see cref="Flush"/>
    /// shows.</summary>
    /// <param name="length">How many bytes, no more than were reserved.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or more than was
    /// reserved.</exception>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Append(int length)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if ((_slow & Reserved) == 0) throw new InvalidOperationException("Nothing is reserved.");
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_reservedLength, nameof(length));
        ChannelStop.At("ring.write.filled");
        _slow &= ~Reserved;
        byte* record = _data + (_tail & _mask);
        *(ulong*)record = (uint)length | ((ulong)ChannelLayout.MessageKind << 32);
        _tail += ((ulong)(uint)length + 15) & ~7UL;
        _hasAppended = true;
        Widen();
        ChannelStop.At("ring.write.appended");
    }

    /// <summary>Gives the reserved place up; without effect when there is none.</summary>
    public void Abandon()
    {
        _slow &= ~Reserved;
        if (_turn is not null) PassUnlessUsed();
        Widen();
    }

    /// <summary>Adds a message to a batch that <see cref="Flush"/> shows, if there is room.</summary>
    /// <param name="message">The bytes; none will do.</param>
    /// <returns>False when there is no room now; many-to-many: also while another writer has the turn.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved and neither committed nor abandoned;
    /// many-to-many: it is completed.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAppend(ReadOnlySpan<byte> message)
    {
        ulong tail = _tail;
        ulong next = tail + (((ulong)(uint)message.Length + 15) & ~7UL);
        if (next > _limit || message.Length > _longest) return TryAppendSlow(message);
        Debug.Assert(next - _head <= _capacity && (tail & _mask) + (next - tail) <= _capacity);
        byte* record = _data + (tail & _mask);
        *(ulong*)record = (uint)message.Length | ((ulong)ChannelLayout.MessageKind << 32);
        Fill(record + ChannelLayout.RecordHeader, message);
        _tail = next;
        return true;
    }

    /// <summary>Shows what was appended to the reader, in one step.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Flush()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if (_shown != _tail) Show();
        if (_turn is { IsMine: true } && (_slow & Reserved) == 0) PassTurn();
    }

    /// <summary>Says that nothing more comes: the reader's waits end once it has read all
    /// (<see cref="SharedRingReader.IsCompleted"/>). The next writer takes that back.</summary>
    /// <remarks>Many-to-many: this one writes no more. That nothing more comes is so when the last writer that is open
    /// says it: one that was disposed without it, or killed, is not waited for. A writer that opens takes it
    /// back.</remarks>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    public void Complete()
    {
        if (_turn is not null)
        {
            CompleteInTurn();
            return;
        }

        Flush();
        Bell.BeginRinging(_segment, ChannelLayout.ReaderBellAt, isShared: false, "ring.write.cleared");
        Volatile.Write(ref _segment.Word(ChannelLayout.EndedAt), 1);
        ChannelStop.At("ring.write.ended");
        Ring();
    }

    /// <summary>Gives the role up; where a call of another thread waits, once that has ended. What was appended and not
    /// flushed is gone.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0) return;
        _turn?.Close();
        _bell.Close();
    }

    bool IAwaiting.HasNews()
    {
        ulong head = Volatile.Read(ref _segment.LongWord(ChannelLayout.HeadAt));
        return (head != _head && (_tail + _wanted - head <= _capacity || !IsPossible(head)))
            || IsClosed;
    }

    void IAwaiting.End()
    {
        _limit = 0;
        _role?.GiveUp();
        if (!_isCompleted) _turn?.End();
    }

    /// <summary>Copies a message. A record begins at a multiple of 8, so that wider stores go over the ends of cache
    /// lines, which the reader has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Fill(byte* place, ReadOnlySpan<byte> message)
    {
        const int Most = 128;
        ref byte from = ref MemoryMarshal.GetReference(message);
        if (message.Length > Most || message.Length % 8 != 0)
        {
            if (message.Length >= LargeCopy.Least) _large.Copy(place, message);
            else Unsafe.CopyBlockUnaligned(ref *place, in from, (uint)message.Length);
            return;
        }

        for (byte* end = place + message.Length; place != end; place += 8, from = ref Unsafe.Add(ref from, 8))
            *(ulong*)place = Unsafe.ReadUnaligned<ulong>(ref from);
    }

    internal void UseLayout(in SharedLayoutInfo layout)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        _segment.UseLayout(layout);
    }

    private void Widen() => _limit = _slow == 0 && !IsClosed ? Math.Min(_head + _capacity, (_tail | _mask) + 1) : 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Show()
    {
        _turn?.Check();
        _shown = _tail;
        _hasAppended = false;
        bool isAsleep = Volatile.Read(ref *_readerBell) != 0;
        if (isAsleep) Bell.BeginRinging(_segment, ChannelLayout.ReaderBellAt, IsMany, "ring.write.cleared");
        Volatile.Write(ref *_tailWord, _tail);
        if ((_slow & Fences) != 0) Interlocked.MemoryBarrier();
        ChannelStop.At("ring.write.shown");
        if (Volatile.Read(ref *_readerBell) != 0) Ring();
        else if (isAsleep) Bell.EndRinging(_segment, ChannelLayout.ReaderBellAt, IsMany);
        ChannelStop.At("ring.write.done");
    }

    private bool IsMany => _turn is not null;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Ring() => Bell.Ring(_segment, ChannelLayout.ReaderBellAt, IsMany, "ring.write.cleared");

    // Not inlined: what the slow paths keep on the stack would be stored for each message, between its bytes and the
    // next one's, and all stores wait in order for the lines that the reader has.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWriteSlow(ReadOnlySpan<byte> message)
    {
        if (!TryAppendSlow(message)) return false;
        Flush();
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryAppendSlow(ReadOnlySpan<byte> message)
    {
        if (!TryReserve(message.Length, out _)) return false;
        Fill(_data + (_tail & _mask) + ChannelLayout.RecordHeader, message);
        Append();
        return true;
    }

    /// <summary>Makes the tail a place where so many bytes fit in one piece; false when there is no room.</summary>
    private bool TryMakeRoom(int length)
    {
        ulong size = ((ulong)(uint)length + 15) & ~7UL;
        ulong rest = _capacity - (_tail & _mask);
        ulong wanted = size <= rest ? size : rest + size;
        Debug.Assert(wanted <= _capacity);
        if (_tail + wanted - _head > _capacity)
        {
            ulong head = Volatile.Read(ref _segment.LongWord(ChannelLayout.HeadAt));
            if (!IsPossible(head)) throw _segment.Damaged($"head {head}, which was {_head}, tail {_shown}");
            _head = head;
            if (_tail + wanted - head > _capacity)
            {
                _wanted = wanted;
                return false;
            }
        }

        if (size > rest)
        {
            *(ulong*)(_data + (_tail & _mask)) = (rest - ChannelLayout.RecordHeader)
                | ((ulong)ChannelLayout.PaddingKind << 32);
            _tail += rest;
        }

        return true;
    }

    /// <summary>Whether a reader that keeps to the layout can have written it.</summary>
    private bool IsPossible(ulong head) => head % 8 == 0 && head - _head <= _shown - _head;

    private void CheckFree()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if ((_slow & Reserved) != 0)
            throw new InvalidOperationException("A place is reserved: commit or abandon it first.");
        if (_isCompleted) throw new InvalidOperationException("It has said that it writes no more: open another one.");
    }

    private void CheckLength(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _longest);
    }
}
