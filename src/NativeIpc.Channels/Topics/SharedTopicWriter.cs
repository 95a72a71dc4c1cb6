using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>The writer of a topic.</summary>
/// <remarks>
/// <para>Writing never waits. It makes no system call but to wake readers that sleep, and allocates nothing.</para>
/// <para>Thread safety: one thread at a time, also for <see cref="Dispose"/>.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed unsafe class SharedTopicWriter : IDisposable
{
    private readonly ChannelSegment _segment;
    private readonly Role _role;
    private readonly byte* _slots;
    private readonly ulong _mask;
    private readonly ulong _slotSize;
    private ulong _latest;
    private readonly bool _hasBarriers = Membarrier.IsRegistered; // before its first message
    private int _reserved = -1;
    private LargeCopy _large;
    private bool _isClosed;

    internal SharedTopicWriter(ChannelSegment segment, Role role, bool tookOver)
    {
        _segment = segment;
        _role = role;
        TookOver = tookOver;
        _slots = segment.Start + ChannelLayout.HeaderSize;
        _mask = segment.Capacity - 1;
        _slotSize = segment.SlotSize;
        LongestMessage = (int)(_slotSize - ChannelLayout.SlotHeader);
        _latest = Volatile.Read(ref segment.LongWord(ChannelLayout.TailAt));
        // No topic comes to that: a stamp is twice the number
        if (_latest >> 63 != 0) throw segment.Damaged($"the latest message is {_latest}");
        Volatile.Write(ref segment.Word(ChannelLayout.EndedAt), 0);

        // The one before may have been killed before it rang
        Bell.Ring(segment, ChannelLayout.ReaderBellAt, isShared: true, "topic.write.cleared");
    }

    /// <summary>Whether the writer before this one was killed. A message that it had not finished was seen by
    /// nobody.</summary>
    public bool TookOver { get; }

    /// <summary>The longest message, in bytes.</summary>
    public int LongestMessage { get; }

    /// <summary>The number of the latest message, by whichever writer: 1 for the first, 0 when there is none.</summary>
    public long Latest => (long)_latest;

    /// <summary>Writes a message.</summary>
    /// <param name="message">The bytes; none will do.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Write(ReadOnlySpan<byte> message)
    {
        Span<byte> place = Reserve(message.Length);
        if (message.Length >= LargeCopy.Least) _large.Copy(NextSlot() + ChannelLayout.SlotHeader, message);
        else message.CopyTo(place);
        Commit();
    }

    /// <summary>Gives the place of the next message, to be filled there. Readers see it when it is committed.</summary>
    /// <param name="length">How many bytes; <see cref="Commit(int)"/> may take fewer.</param>
    /// <returns>The bytes, with whatever was there before; until the commit.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative, or over
    /// <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved already.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public Span<byte> Reserve(int length)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (_reserved >= 0) throw new InvalidOperationException("A place is reserved: commit it first.");
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)LongestMessage, nameof(length));
        byte* slot = NextSlot();

        // R1 Race: a reader copies what stands here. Safe because: the stamp changes before the first byte does, and it
        // looks at the stamp again behind its copy.
        Volatile.Write(ref *(ulong*)slot, (2 * (_latest + 1)) - 1);
        ChannelStop.At("topic.write.stamped");
        Interlocked.MemoryBarrier();
        _reserved = length;
        return new Span<byte>(slot + ChannelLayout.SlotHeader, length);
    }

    /// <summary>Shows the reserved message to the readers.</summary>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Commit() => Commit(_reserved);

    /// <summary>Shows the first bytes of what was reserved to the readers.</summary>
    /// <param name="length">How many bytes, no more than were reserved.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative or more than was
    /// reserved.</exception>
    /// <exception cref="InvalidOperationException">Nothing is reserved.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Commit(int length)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (_reserved < 0) throw new InvalidOperationException("Nothing is reserved.");
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_reserved, nameof(length));
        _reserved = -1;
        byte* slot = NextSlot();
        *(uint*)(slot + ChannelLayout.LengthInSlot) = (uint)length;
        ChannelStop.At("topic.write.filled");
        _latest++;
        Volatile.Write(ref *(ulong*)slot, 2 * _latest);
        ChannelStop.At("topic.write.whole");

        // R2 Race: a reader goes to sleep at this moment. Safe because: it makes a barrier here (Membarrier) between
        // setting the bell and its last look at the latest number.
        bool isAsleep = Volatile.Read(ref _segment.Word(ChannelLayout.ReaderBellAt)) != 0;
        if (isAsleep)
            Bell.BeginRinging(_segment, ChannelLayout.ReaderBellAt, isShared: true, "topic.write.cleared");
        Volatile.Write(ref _segment.LongWord(ChannelLayout.TailAt), _latest);
        if (!_hasBarriers) Interlocked.MemoryBarrier();
        ChannelStop.At("topic.write.shown");
        if (Volatile.Read(ref _segment.Word(ChannelLayout.ReaderBellAt)) != 0)
            Bell.Ring(_segment, ChannelLayout.ReaderBellAt, isShared: true, "topic.write.cleared");
        else if (isAsleep)
            Bell.EndRinging(_segment, ChannelLayout.ReaderBellAt, isShared: true);
    }

    /// <summary>Says that nothing more comes: waits of readers end once they have read all. The next writer takes that
    /// back.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        Bell.BeginRinging(_segment, ChannelLayout.ReaderBellAt, isShared: true, "topic.write.cleared");
        Volatile.Write(ref _segment.Word(ChannelLayout.EndedAt), 1);
        Bell.Ring(_segment, ChannelLayout.ReaderBellAt, isShared: true, "topic.write.cleared");
    }

    /// <summary>Gives the role up. A place that is reserved is given up, too.</summary>
    public void Dispose()
    {
        if (_isClosed) return;
        _isClosed = true;
        _role.GiveUp();
        _segment.EndUse();
    }

    private byte* NextSlot() => _slots + (((_latest + 1) & _mask) * _slotSize);
}
