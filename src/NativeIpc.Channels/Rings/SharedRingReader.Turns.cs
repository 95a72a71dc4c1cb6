using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

// The reader of a many-to-many ring: what it does in the turn, and to get it.
public sealed partial class SharedRingReader
{
    private bool _hasBegun; // positions were seen in a turn
    private bool _isInHand; // messages were given and not released

    /// <summary>Ends the turn of a killed one that had this slot.</summary>
    private void BeginTurns()
    {
        if (!_turn!.Inherit()) return;
        Begin();
        LetGo();
    }

    /// <summary>Sees what the reader before has left, at the beginning of a turn.</summary>
    private unsafe void Begin()
    {
        bool isSeen = false;
        try
        {
            // R3 Race: the one before was killed with messages in hand. Safe because: the head moves in one step, when
            // they are released; until then they are given to who has the turn.
            ulong head = Volatile.Read(ref *_headWord);
            if (!_hasBegun || head % 8 != 0 || _tail - head > _capacity)
            {
                ulong tail = Volatile.Read(ref *_tailWord);
                _segment.CheckPositions(head, tail);
                _tail = tail;
                _hasBegun = true;
            }

            _cursor = _head = head;
            _isInHand = false;
            isSeen = true;
        }
        finally
        {
            if (!isSeen) _turn!.Pass();
        }

        if (!_turn!.WasKilled) return;
        TookOver = true;
        Ring(); // the killed one may not have come to that
    }

    /// <summary>Whether there is something that no reader has released, as it looks without the turn.</summary>
    private unsafe bool IsAnyShown() => Volatile.Read(ref *_headWord) != Volatile.Read(ref *_tailWord);

    private bool TryBegin()
    {
        if (_turn!.IsMine) return true;
        if (!IsAnyShown() || !_turn.TryTake()) return false;
        Begin();
        return true;
    }

    private bool TryReadInTurn(out ReadOnlySpan<byte> message)
    {
        message = default;
        if (!TryBegin()) return false;
        try
        {
            if (!TryFind(out int length)) return false;
            message = Give(length);
            _isInHand = true;
        }
        finally
        {
            LetGo();
        }

        if ((_slow & Copies) != 0) ReleaseSlow();
        return true;
    }

    private bool IsThereInTurn()
    {
        if (!TryBegin()) return false;
        try
        {
            return TryFind(out _);
        }
        finally
        {
            LetGo();
        }
    }

    /// <summary>Passes the turn, unless messages were given and not released.</summary>
    private void LetGo()
    {
        if (_isInHand || !_turn!.IsMine) return;
        if (_cursor != _head)
        {
            // Padding, which is nobody's. It must not look as if there were something.
            ReleaseSlow();
            return;
        }

        _turn.Pass();
    }

    /// <summary>Waits until there is a message; true in the turn, in which it can be had.</summary>
    private bool AwaitTurn(in Until until, CancellationToken cancellationToken)
    {
        // A reader that waits for messages has no turn, unless it has some in hand: it may be stopped, and the others
        // go on.
        while (_bell.Wait(until, cancellationToken))
        {
            if (IsCompleted) return false;
            if (!_turn!.IsMine)
            {
                if (!_turn.Take(until, cancellationToken)) return false;
                Begin();
            }

            if (IsFound()) return true;
        }

        return false;
    }

    /// <summary>The same without a thread.</summary>
    private async ValueTask<bool> AwaitTurnAsync(Until until, CancellationToken cancellationToken)
    {
        while (await _bell.WaitAsync(until, cancellationToken).ConfigureAwait(false))
        {
            if (IsCompleted) return false;
            if (!_turn!.IsMine)
            {
                if (!await _turn.TakeAsync(until, cancellationToken).ConfigureAwait(false)) return false;
                Begin();
            }

            if (IsFound()) return true;
        }

        return false;
    }

    private bool IsFound()
    {
        bool isFound = false;
        try
        {
            return isFound = TryFind(out _);
        }
        finally
        {
            if (!isFound) LetGo();
        }
    }
}
