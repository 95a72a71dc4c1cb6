using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>A reader of a topic: it has a place of its own among the messages, and the writer knows nothing of
/// it.</summary>
/// <remarks>
/// <para><see cref="TryRead(Span{byte}, out int)"/> gives the next message in a copy, <see cref="TryReadLatest"/> the
/// latest; both only whole. <see cref="TryBeginRead"/> gives the next one in place, and <see cref="EndRead"/> says
/// whether it was overwritten meanwhile: what was made of it is to be thrown away then.</para>
/// <para>Thread safety: one thread at a time. Only <see cref="Dispose"/> may come from another one, while that one
/// waits: the wait then ends with <see cref="ObjectDisposedException"/>. Where a message may come at that moment,
/// cancel the wait's token instead and dispose of it after that: the wait may have ended.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed unsafe class SharedTopicReader : IDisposable, IAwaiting
{
    private readonly ChannelSegment _segment;
    private readonly Bell _bell;
    private readonly byte* _slots;
    private readonly ulong* _latestWord;
    private readonly ulong _mask;
    private readonly ulong _slotSize;
    private ulong _given; // the number of the last message that was given or missed
    private ulong _inPlace; // the number of the message that is read in place; 0: none
    private int _isClosed;

    internal SharedTopicReader(ChannelSegment segment)
    {
        _segment = segment;
        _bell = new Bell(segment, ChannelLayout.ReaderBellAt, isShared: true, this);
        _slots = segment.Start + ChannelLayout.HeaderSize;
        _latestWord = (ulong*)(segment.Start + ChannelLayout.TailAt);
        _mask = segment.Capacity - 1;
        _slotSize = segment.SlotSize;
        LongestMessage = (int)(_slotSize - ChannelLayout.SlotHeader);
        _given = Volatile.Read(ref *_latestWord);
    }

    /// <summary>The longest message, in bytes.</summary>
    public int LongestMessage { get; }

    /// <summary>The number of the message that was given last, or that the next one follows: 1 for the first of the
    /// topic.</summary>
    public long Position => (long)_given;

    /// <summary>How many messages were overwritten before this reader came to them, in all.
    /// <see cref="TryReadLatest"/> passes messages over on purpose: these do not count.</summary>
    public long Missed { get; private set; }

    /// <summary>Whether all was given, and the writer has said that nothing more comes
    /// (<see cref="SharedTopicWriter.Complete"/>).</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool IsCompleted
    {
        get
        {
            CheckOpen();
            return HasEnded() && Volatile.Read(ref *_latestWord) == _given;
        }
    }

    /// <summary>Goes back to the oldest message that is there.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public void Rewind()
    {
        CheckOpen();
        _given = Oldest(Volatile.Read(ref *_latestWord)) - 1;
    }

    /// <summary>Gives a copy of the next message, if there is one.</summary>
    /// <param name="destination">Where it goes; <see cref="LongestMessage"/> bytes are always enough.</param>
    /// <param name="length">How many bytes it has.</param>
    /// <returns>False when there is none now.</returns>
    /// <exception cref="ArgumentException">The destination is too short for it; it is still the next one.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool TryRead(Span<byte> destination, out int length)
    {
        CheckOpen();
        length = 0;
        while (TryFindNext(out ulong number))
        {
            if (!TryCopy(number, destination, out length)) continue; // overwritten meanwhile
            _given = number;
            return true;
        }

        return false;
    }

    /// <summary>Gives a copy of the latest message, if it was not given yet; those before it are passed over.</summary>
    /// <param name="destination">Where it goes; <see cref="LongestMessage"/> bytes are always enough.</param>
    /// <param name="length">How many bytes it has.</param>
    /// <returns>False when there is none that is new.</returns>
    /// <exception cref="ArgumentException">The destination is too short for it.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool TryReadLatest(Span<byte> destination, out int length)
    {
        CheckOpen();
        length = 0;
        while (true)
        {
            ulong latest = Volatile.Read(ref *_latestWord);
            if (latest == _given) return false;
            if (latest < _given) throw LessThanGiven(latest);
            if (!TryCopy(latest, destination, out length)) continue; // the writer has been round since
            _given = latest;
            return true;
        }
    }

    /// <summary>Gives the next message in place, if there is one. The writer may overwrite it meanwhile:
    /// <see cref="EndRead"/> says whether it did.</summary>
    /// <param name="message">Its bytes, until <see cref="EndRead"/>.</param>
    /// <returns>False when there is none now.</returns>
    /// <exception cref="InvalidOperationException">A message is read in place already.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool TryBeginRead(out ReadOnlySpan<byte> message)
    {
        CheckOpen();
        if (_inPlace != 0) throw new InvalidOperationException("A message is read in place: end that first.");
        message = default;
        while (TryFindNext(out ulong number))
        {
            byte* slot = SlotOf(number);
            if (!TryLook(slot, number, out int length)) continue;
            _inPlace = _given = number;
            message = new ReadOnlySpan<byte>(slot + ChannelLayout.SlotHeader, length);
            return true;
        }

        return false;
    }

    /// <summary>Ends a read in place.</summary>
    /// <returns>False when the message was overwritten, or began to be, since <see cref="TryBeginRead"/>: what was read
    /// may be torn, and counts as missed.</returns>
    /// <exception cref="InvalidOperationException">Nothing is read in place.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public bool EndRead()
    {
        CheckOpen();
        if (_inPlace == 0) throw new InvalidOperationException("Nothing is read in place.");
        ulong number = _inPlace;
        _inPlace = 0;
        Interlocked.MemoryBarrier();
        if (IsWhole(SlotOf(number), number)) return true;
        Missed++;
        return false;
    }

    /// <summary>Waits until there is a message that was not given yet, at most for a time, on the monotonic
    /// clock.</summary>
    /// <param name="timeout">The longest wait; zero looks once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the time passed, or nothing more comes (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
    public bool WaitToRead(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var until = new Until(timeout);
        _bell.Enter();
        try
        {
            return _bell.Wait(until, cancellationToken) && HasNext();
        }
        finally
        {
            _bell.Leave();
        }
    }

    /// <summary>Waits without a thread until there is a message that was not given yet.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that says whether there is one; false when nothing more comes
    /// (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
#pragma warning disable RS0026 // the other one begins with a timeout, of another type
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
#pragma warning restore RS0026
        => WaitToReadAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Waits without a thread until there is a message that was not given yet, at most for a time.</summary>
    /// <param name="timeout">The longest wait; zero looks once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that says whether there is one; false when the time passed, or nothing more comes
    /// (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
#pragma warning disable RS0026 // the other one has no timeout
    public ValueTask<bool> WaitToReadAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0026
    {
        var until = new Until(timeout);
        CheckOpen();
        return SharedTopicWaiting.WaitAsync(this, _bell, until, cancellationToken);
    }

    /// <summary>Ends the reader.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) != 0) return;
        _bell.Close();
    }

    bool IAwaiting.HasNews()
        => Volatile.Read(ref *_latestWord) != _given || HasEnded() || Volatile.Read(ref _isClosed) != 0;

    void IAwaiting.End()
    {
        // It has no role.
    }

    internal bool HasNext()
    {
        CheckOpen();
        return Volatile.Read(ref *_latestWord) != _given;
    }

    private bool HasEnded() => Volatile.Read(ref _segment.Word(ChannelLayout.EndedAt)) != 0;

    private byte* SlotOf(ulong number) => _slots + ((number & _mask) * _slotSize);

    // While the latest is L, the writer may be in the slot of L + 1, which was that of L + 1 - slots.
    private ulong Oldest(ulong latest) => latest <= _mask ? 1 : latest - _mask + 1;

    /// <summary>Finds the number of the next message that can be there, and counts those that were missed.</summary>
    private bool TryFindNext(out ulong number)
    {
        ulong latest = Volatile.Read(ref *_latestWord);
        number = _given + 1;
        if (latest == _given) return false;
        if (latest < _given) throw LessThanGiven(latest);
        ulong oldest = Oldest(latest);
        if (number >= oldest) return true;
        Missed += (long)(oldest - number);
        number = oldest;
        _given = oldest - 1;
        return true;
    }

    private SharedChannelException LessThanGiven(ulong latest)
        => _segment.Damaged($"the latest message is {latest}, which was {_given}");

    /// <summary>Whether the message stands there whole; its length, read once and checked.</summary>
    private bool TryLook(byte* slot, ulong number, out int length)
    {
        length = 0;
        if (!IsWhole(slot, number)) return IsStillNext(number);
        uint there = Volatile.Read(ref *(uint*)(slot + ChannelLayout.LengthInSlot));
        if (there > (uint)LongestMessage)
        {
            // R1 Race: the writer has begun the next one here. Safe because: the stamp tells, and only then.
            Interlocked.MemoryBarrier();
            return IsWhole(slot, number) ? throw _segment.Damaged($"message {number} has length {there}") : false;
        }

        length = (int)there;
        return true;
    }

    // A message that is said to be there, and was not overwritten by a later one, has its stamp, or a peer lies.
    private bool IsStillNext(ulong number)
    {
        ulong latest = Volatile.Read(ref *_latestWord);
        return number >= Oldest(latest)
            ? throw _segment.Damaged($"message {number} is not where it belongs, although the latest is {latest}")
            : false;
    }

    private bool TryCopy(ulong number, Span<byte> destination, out int length)
    {
        byte* slot = SlotOf(number);
        if (!TryLook(slot, number, out length)) return false;
        ChannelStop.At("topic.read.found");
        bool fits = length <= destination.Length;
        if (fits) new ReadOnlySpan<byte>(slot + ChannelLayout.SlotHeader, length).CopyTo(destination);
        ChannelStop.At("topic.read.copied");

        // R2 Race: the writer comes into the slot during the copy. Safe because: it changes the stamp first, and this
        // looks at it once more behind the copy.
        Interlocked.MemoryBarrier();
        if (!IsWhole(slot, number)) return false;
        if (!fits) throw new ArgumentException($"The message has {length} bytes.", nameof(destination));
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWhole(byte* slot, ulong number) => Volatile.Read(ref *(ulong*)slot) == 2 * number;

    private void CheckOpen() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _isClosed) != 0, this);
}

/// <summary>Waits without a thread, which unsafe code may not have.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal static class SharedTopicWaiting
{
    public static async ValueTask<bool> WaitAsync(SharedTopicReader reader, Bell bell, Until until,
        CancellationToken cancellationToken)
    {
        bell.Enter();
        try
        {
            return await bell.WaitAsync(until, cancellationToken).ConfigureAwait(false) && reader.HasNext();
        }
        finally
        {
            bell.Leave();
        }
    }
}
