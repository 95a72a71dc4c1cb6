using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>The reader of a ring.</summary>
/// <remarks>
/// <para><see cref="TryRead(out ReadOnlySpan{byte})"/> gives the next message, in place; <see cref="Release"/> gives
/// the room of all that were given back to the writer, in one step. Nothing is allocated, and no system call is made
/// but to wake a writer that sleeps. What was not released when the reader ends is given to the next one
/// (<see cref="SharedRingDelivery.AtLeastOnce"/>).</para>
/// <para>A peer can write into the ring while a message is read in place: one that is not trusted may change what was
/// looked at. Copy first, then look.</para>
/// <para>Thread safety: one thread at a time. Only <see cref="Dispose"/> may come from another one, while that one
/// waits: the wait then ends with <see cref="ObjectDisposedException"/>. Where a message may come at that moment,
/// cancel the wait's token instead and dispose of it after that: no memory is kept for a message that was given.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed unsafe partial class SharedRingReader : IDisposable, IAwaiting
{
    // Why the fast path is not gone
    private const int Closed = 1, Copies = 2, Fences = 4, Stops = 8, Turns = 16;

    private readonly ChannelSegment _segment;
    private readonly Role? _role; // of a one-to-one ring
    private readonly Turn? _turn; // of a many-to-many ring
    private readonly Bell _bell;
    private readonly byte* _data;
    private readonly ulong* _headWord;
    private readonly ulong* _tailWord;
    private readonly uint* _writerBell;
    private readonly ulong _capacity;
    private readonly ulong _mask;
    private readonly int _longest;
    private ulong _cursor; // behind what was given
    private ulong _head; // behind what was released
    private ulong _tail; // the writer's, as last seen
    private ulong _limit; // up to where the fast path may go: not over the end, nor over the tail; 0: not at all
    private int _slow;
    private int _gathers; // pauses before a look at the tail by one that may wait
    private uint _looks;
    private byte[] _copy = [];

    internal SharedRingReader(ChannelSegment segment, Role role, SharedRingDelivery delivery, bool tookOver)
        : this(segment, role, turn: null, delivery)
    {
        TookOver = tookOver;
        _cursor = _head = Volatile.Read(ref *_headWord);
        _tail = Volatile.Read(ref *_tailWord);
        segment.CheckPositions(_head, _tail);
        Widen();

        // The one before may have been killed before it rang
        Ring();
    }

    internal SharedRingReader(ChannelSegment segment, Turn turn, SharedRingDelivery delivery)
        : this(segment, role: null, turn, delivery) => BeginTurns();

    private SharedRingReader(ChannelSegment segment, Role? role, Turn? turn, SharedRingDelivery delivery)
    {
        _segment = segment;
        _role = role;
        _turn = turn;
        Delivery = delivery;
        _data = segment.Start + ChannelLayout.HeaderSize;
        _headWord = (ulong*)(segment.Start + ChannelLayout.HeadAt);
        _tailWord = (ulong*)(segment.Start + ChannelLayout.TailAt);
        _writerBell = (uint*)(segment.Start + ChannelLayout.WriterBellAt);
        _capacity = segment.Capacity;
        _mask = _capacity - 1;
        _longest = SharedRing.LongestOf(_capacity);
        _bell = new Bell(segment, ChannelLayout.ReaderBellAt, isShared: turn is not null, this);
        _slow = (Membarrier.IsRegistered ? 0 : Fences) | (ChannelStop.IsOn ? Stops : 0)
            | (delivery == SharedRingDelivery.AtMostOnce ? Copies : 0) | (turn is null ? 0 : Turns);
    }

    /// <summary>What a killed reader's successor finds.</summary>
    public SharedRingDelivery Delivery { get; }

    /// <summary>Whether the reader before this one was killed. With <see cref="SharedRingDelivery.AtLeastOnce"/>, what
    /// it had not released is given again. Many-to-many: whether this one has had the turn of a killed one, up to
    /// now.</summary>
    public bool TookOver { get; private set; }

    /// <summary>The longest message, in bytes.</summary>
    public int LongestMessage => _longest;

    /// <summary>Whether all was given, and the writer has said that nothing more comes
    /// (<see cref="SharedRingWriter.Complete"/>). Many-to-many: whether all was released, by whatever reader.</summary>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool IsCompleted
    {
        get
        {
            CheckOpen();
            return HasEnded() && (_turn is null || _turn.IsMine ? !TryFind(out _) : !IsAnyShown());
        }
    }

    /// <summary>Gives the next message, if there is one.</summary>
    /// <param name="message">Its bytes, in place, until <see cref="Release"/>; or in a copy, until the next one, with
    /// <see cref="SharedRingDelivery.AtMostOnce"/>. Empty when the result is false.</param>
    /// <returns>False when there is none now; many-to-many: also while another reader has the turn.</returns>
    /// <exception cref="SharedChannelException">Damaged: nothing that the peer wrote was used.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(out ReadOnlySpan<byte> message)
    {
        ulong cursor = _cursor;
        if (cursor >= _limit) return TryReadSlow(out message);
        byte* record = _data + (cursor & _mask);

        // R1 Race: a peer that does not keep to the layout changes it meanwhile. Safe because: it is read once, and
        // what was read is checked.
        ulong length = Volatile.Read(ref *(ulong*)record) - ((ulong)ChannelLayout.MessageKind << 32);
        ulong next = cursor + ((length + 15) & ~7UL);
        if (length > (ulong)_longest || next > _limit) return TryReadSlow(out message); // another kind is no length
        Debug.Assert((cursor & _mask) + length + ChannelLayout.RecordHeader <= _capacity);
        _cursor = next;
        message = MemoryMarshal.CreateReadOnlySpan(ref record[ChannelLayout.RecordHeader], (int)length);
        return true;
    }

    /// <summary>Gives the room of all messages that were given back to the writer. Their bytes must not be used after
    /// that. Many-to-many: passes the turn.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    /// <exception cref="SharedChannelException">Damaged, many-to-many only.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Release()
    {
        if ((_slow & ~Copies) != 0 || Volatile.Read(ref *_writerBell) != 0)
        {
            ReleaseSlow();
            return;
        }

        _head = _cursor;

        // R2 Race: the writer goes to sleep at this moment. Safe because: it makes a barrier here (Membarrier) between
        // setting its bell and its last look at the head.
        Volatile.Write(ref *_headWord, _cursor);
        if (Volatile.Read(ref *_writerBell) != 0) Ring();
    }

    /// <summary>Gives the role up; where a call of another thread waits, once that has ended. What was given and not
    /// released is given to the next reader.</summary>
    public void Dispose()
    {
        if ((Interlocked.Or(ref _slow, Closed) & Closed) != 0) return;
        _turn?.Close();
        _bell.Close();
    }

    bool IAwaiting.HasNews()
        => (_turn is null || _turn.IsMine ? Volatile.Read(ref *_tailWord) != _cursor : IsAnyShown()) || HasEnded()
            || (Volatile.Read(ref _slow) & Closed) != 0;

    void IAwaiting.End()
    {
        _limit = 0;
        _place?.Clear();
        _role?.GiveUp();
        _turn?.End();
    }

    private void Widen() => _limit = _slow == 0 ? Math.Min(_tail, (_cursor | _mask) + 1) : 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Ring() => Bell.Ring(_segment, ChannelLayout.WriterBellAt, isShared: false, "ring.read.cleared");

    private bool HasEnded()
    {
        uint word = Volatile.Read(ref _segment.Word(ChannelLayout.EndedAt));
        return (_turn is null ? word : word & ChannelLayout.Ended) != 0;
    }

    /// <summary>Looks at the tail when there is nothing behind the cursor; false when that is still so.</summary>
    private bool HasMore()
    {
        if (_cursor != _tail) return true;
        ulong tail = Volatile.Read(ref *_tailWord);
        if (tail == _cursor) return false;
        if (tail % 8 != 0 || tail - _head > _capacity || tail - _head < _tail - _head)
            throw _segment.Damaged($"tail {tail}, which was {_tail}, head {_head}");
        _tail = tail;
        return true;
    }

    /// <summary>Whether there is a message, of what length; passes padding over. The record is read once, and what was
    /// read is checked.</summary>
    private bool TryFind(out int length)
    {
        length = 0;
        ulong seen = _tail;
        while (HasMore())
        {
            ulong place = _cursor & _mask;
            ulong word = Volatile.Read(ref *(ulong*)(_data + place));
            ulong given = word & uint.MaxValue, kind = word >> 32;
            ulong size = (given + 15) & ~7UL;
            ulong rest = _capacity - place;
            bool isSound = size <= _tail - _cursor && kind switch
            {
                ChannelLayout.MessageKind => size <= rest && given <= (ulong)_longest,
                ChannelLayout.PaddingKind => size == rest && given == rest - ChannelLayout.RecordHeader,
                _ => false,
            };
            if (!isSound)
                throw _segment.Damaged($"the record at {_cursor} has kind {kind} and length {given}, tail {_tail}");
            if (kind == ChannelLayout.MessageKind)
            {
                length = (int)given;
                if (_tail != seen && _turn is null) Pace(isOne: _cursor + size == _tail);
                return true;
            }

            _cursor += size;
        }

        return false;
    }

    /// <summary>After a look at the tail that has brought something.</summary>
    private void Pace(bool isOne)
        => _gathers = isOne ? _gathers / 2 : Math.Min((_gathers * 2) + 1, SpinHabit.MostGathers);

    /// <summary>Before a look by one that may wait. A reader that is as fast as the writer would look at the tail, and
    /// at the record behind it, after each message, and take their lines from the writer each time. While looks bring
    /// several messages, it lets some gather; one that comes alone is had at once. Now and then it tries whether
    /// several would come.</summary>
    private void Gather()
    {
        const int Trial = 7, LooksToTrial = 64;
        if (_turn is not null || !SpinHabit.s_canSpin) return;
        if (_gathers == 0 && ++_looks % LooksToTrial == 0) _gathers = Trial;
        if (_gathers > 0) Thread.SpinWait(_gathers);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReadSlow(out ReadOnlySpan<byte> message)
    {
        CheckOpen();
        if (_turn is not null) return TryReadInTurn(out message);
        message = default;
        if (!TryFind(out int length)) return false;
        message = Give(length);
        if ((_slow & Copies) != 0) ReleaseSlow();
        return true;
    }

    private ReadOnlySpan<byte> Give(int length)
    {
        ChannelStop.At("ring.read.taken");
        var found = new ReadOnlySpan<byte>(_data + (_cursor & _mask) + ChannelLayout.RecordHeader, length);
        ReadOnlySpan<byte> given = (_slow & Copies) == 0 ? found : Copied(found);
        _cursor += ((ulong)(uint)length + 15) & ~7UL;
        Widen();
        return given;
    }

    internal void UseLayout(in SharedLayoutInfo layout)
    {
        CheckOpen();
        _segment.UseLayout(layout);
    }

    internal SharedChannelException OtherLength(int length, int expected)
        => new(SharedChannelError.OtherContent, _segment.Key,
            $"A message of the ring {_segment.Key} has {length} bytes, and a value has {expected}: the writer has "
                + "another layout.");

    private ReadOnlySpan<byte> Copied(ReadOnlySpan<byte> found)
    {
        if (_copy.Length < found.Length)
            _copy = GC.AllocateUninitializedArray<byte>(Math.Max(found.Length, Math.Min(2 * _copy.Length, _longest)));
        found.CopyTo(_copy);
        ChannelStop.At("ring.read.copied");
        return _copy.AsSpan(0, found.Length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow()
    {
        CheckOpen();
        if (_turn is not null)
        {
            if (!_turn.IsMine) return; // it has none that was not released
            _turn.Check();
        }

        ChannelStop.At("ring.read.used");
        _head = _cursor;
        bool isAsleep = Volatile.Read(ref *_writerBell) != 0;
        if (isAsleep) Bell.BeginRinging(_segment, ChannelLayout.WriterBellAt, isShared: false, "ring.read.cleared");
        Volatile.Write(ref *_headWord, _cursor);
        if ((_slow & Fences) != 0) Interlocked.MemoryBarrier();
        ChannelStop.At("ring.read.released");
        if (Volatile.Read(ref *_writerBell) != 0) Ring();
        else if (isAsleep) Bell.EndRinging(_segment, ChannelLayout.WriterBellAt, isShared: false);
        if (_turn is null) return;
        _isInHand = false;
        _turn.Pass();
    }

    private void CheckOpen() => ObjectDisposedException.ThrowIf((Volatile.Read(ref _slow) & Closed) != 0, this);
}
