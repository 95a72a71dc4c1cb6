using System.Diagnostics;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

// The writer of a many-to-many ring: what it does in the turn, and to get it.
public sealed partial class SharedRingWriter
{
    private bool _hasBegun; // positions were seen in a turn
    private bool _hasAppended; // in this turn, and not shown yet
    private bool _isCompleted;

    /// <summary>Says that a writer is there; ends the turn of a killed one that had this slot.</summary>
    private void BeginTurns()
    {
        // R2 Race: another writer says at this moment that nothing more comes. Safe because: it read this word before
        // it looked for slots. Either it saw this one's slot, or its exchange fails now, or this takes it back.
        ref uint ended = ref _segment.Word(ChannelLayout.EndedAt);
        uint seen = Volatile.Read(ref ended);
        while (true)
        {
            uint was = Interlocked.CompareExchange(ref ended, (seen & ~ChannelLayout.Ended) + ChannelLayout.Opening,
                seen);
            if (was == seen) break;
            seen = was;
        }

        if (!_turn!.Inherit()) return;
        Begin();
        PassTurn();
    }

    private void CompleteInTurn()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if (_isCompleted) return;
        Abandon();
        Flush();
        _isCompleted = true;
        ref uint ended = ref _segment.Word(ChannelLayout.EndedAt);
        uint seen = Volatile.Read(ref ended);
        _turn!.End();
        ChannelStop.At("ring.write.left");

        // R3 Race: two say it at once. Safe because: each has given its slot up before it looks, so the later one sees
        // no other.
        bool isRinging = false;
        while ((seen & ChannelLayout.Ended) == 0)
        {
            if (_turn.IsAnyLeft())
            {
                if (isRinging) Bell.EndRinging(_segment, ChannelLayout.ReaderBellAt, IsMany);
                return;
            }

            // Killed from here on, it wakes the readers all the same.
            Bell.BeginRinging(_segment, ChannelLayout.ReaderBellAt, IsMany, "ring.write.ending");
            isRinging = true;
            uint was = Interlocked.CompareExchange(ref ended, seen | ChannelLayout.Ended, seen);
            ChannelStop.At("ring.write.ended");
            if (was == seen) break;
            seen = was;
        }

        Ring();
    }

    /// <summary>Sees what the writer before has left, at the beginning of a turn.</summary>
    private unsafe void Begin()
    {
        bool isSeen = false;
        try
        {
            // R4 Race: the one before was killed at any step. Safe because: what it did not show stands behind the
            // tail, where nobody reads; the tail moved in one step.
            ulong tail = Volatile.Read(ref *_tailWord);
            if (!_hasBegun || tail % 8 != 0 || tail - _head > _capacity)
            {
                // The head after the tail may be ahead of it only if there are writers, and this is the one.
                ulong head = Volatile.Read(ref _segment.LongWord(ChannelLayout.HeadAt));
                _segment.CheckPositions(head, tail);
                _head = head;
                _hasBegun = true;
            }

            _tail = _shown = tail;
            _hasAppended = false;
            isSeen = true;
        }
        finally
        {
            if (!isSeen) PassTurn();
        }

        if (!_turn!.WasKilled) return;
        TookOver = true;
        Ring(); // the killed one may not have come to that
    }

    private bool TryMakeRoomInTurn(int length)
    {
        if (!_turn!.IsMine)
        {
            if (!_turn.TryTake()) return false;
            Begin();
        }

        bool hasRoom = false;
        try
        {
            return hasRoom = TryMakeRoom(length);
        }
        finally
        {
            if (!hasRoom) PassUnlessUsed();
        }
    }

    /// <summary>Passes the turn when nothing was appended in it.</summary>
    private void PassUnlessUsed()
    {
        if (_hasAppended || !_turn!.IsMine) return;
        _tail = _shown; // not over padding that was not shown
        PassTurn();
    }

    private void PassTurn()
    {
        if (_turn!.IsMine) _turn.Pass();
    }

    // A writer that waits for room keeps the turn: otherwise short messages of others would fill what comes, and a long
    // one would wait for ever.
    private bool WriteInTurn(ReadOnlySpan<byte> message, in Until until, CancellationToken cancellationToken)
    {
        if (!_turn!.IsMine)
        {
            if (!_turn.Take(until, cancellationToken)) return false;
            Begin();
        }

        try
        {
            while (!TryMakeRoom(message.Length))
            {
                if (_shown != _tail) Show();
                if (!_bell.Wait(until, cancellationToken)) return false;
                CheckFree();
            }

            Put(message);
            return true;
        }
        finally
        {
            EndTurn();
        }
    }

    private async ValueTask<bool> WriteInTurnAsync(ReadOnlyMemory<byte> message, Until until,
        CancellationToken cancellationToken)
    {
        if (!await AwaitRoomAsync(message.Length, until, cancellationToken).ConfigureAwait(false)) return false;
        try
        {
            Put(message.Span);
            return true;
        }
        finally
        {
            EndTurn();
        }
    }

    private async ValueTask AwaitRoomInTurnAsync(int length, CancellationToken cancellationToken)
    {
        Flush();
        await AwaitRoomAsync(length, new Until(Timeout.InfiniteTimeSpan), cancellationToken).ConfigureAwait(false);
        EndTurn();
    }

    /// <summary>Takes the turn and waits for room in it; when there is none in time, passes it.</summary>
    private async ValueTask<bool> AwaitRoomAsync(int length, Until until, CancellationToken cancellationToken)
    {
        if (!_turn!.IsMine)
        {
            if (!await _turn.TakeAsync(until, cancellationToken).ConfigureAwait(false)) return false;
            Begin();
        }

        bool hasRoom = false;
        try
        {
            while (!(hasRoom = TryMakeRoom(length)))
            {
                if (_shown != _tail) Show();
                if (!await _bell.WaitAsync(until, cancellationToken).ConfigureAwait(false)) return false;
                CheckFree();
            }

            return true;
        }
        finally
        {
            if (!hasRoom) EndTurn();
        }
    }

    private unsafe void Put(ReadOnlySpan<byte> message)
    {
        Debug.Assert(_turn!.IsMine);
        ChannelStop.At("ring.write.reserved");
        _reservedLength = message.Length;
        _slow |= Reserved;
        message.CopyTo(new Span<byte>(_data + (_tail & _mask) + ChannelLayout.RecordHeader, message.Length));
        Append();
        Show();
    }

    /// <summary>Passes the turn; what was not shown in it is gone.</summary>
    private void EndTurn()
    {
        _tail = _shown;
        _hasAppended = false;
        PassTurn();
    }
}
