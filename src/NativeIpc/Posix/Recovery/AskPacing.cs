namespace NativeIpc.Posix.Recovery;

/// <summary>
/// When a handle that waits for a holder without a mark asks the kernel, and all other handles of this library, whether
/// that holder can still live (<see cref="SteppingAside"/>). All times in milliseconds of one clock that goes on; under
/// the gate of the handle.
/// </summary>
/// <remarks>
/// <para>It asks when the wait has lasted for <see cref="First"/>, then once in <see cref="Longest"/>: the least that a
/// wait costs the others when the holder lives and keeps the lock for minutes. It asks sooner when somebody has closed
/// the file, as a dying holder does (<see cref="Hint"/>), and when the last request ended before all handles of this
/// library had stepped aside, so that nothing is known yet.</para>
/// <para>Each of the two asks again after <see cref="Shortest"/>, and twice as late each time that it brings nothing.
/// So a peer that opens and closes the lock all the time, beside a holder that lives, or a process that never steps
/// aside, costs some requests more and not one for each time.</para>
/// </remarks>
internal sealed class AskPacing
{
    /// <summary>How long a wait lasts before the first request: a lock that is held for less is waited for and no
    /// more.</summary>
    internal const int First = 50;

    /// <summary>The least time from the end of one request to the next one.</summary>
    internal const int Shortest = 50;

    /// <summary>The time from the end of a request, of whatever process, to the next one when nothing calls for
    /// it.</summary>
    internal const int Longest = 1000;

    // A hint that comes after so long a time without any is as good as the first one.
    private const int Quiet = 2 * Longest;

    // A waiter looks each 50 ms; one that has not looked for so long has got the lock, or does not wait any more.
    private const int LookEvery = 2000;

    private bool _isBegun;
    private bool _isHinted;
    private long _lastLook;
    private long _lastHint = long.MinValue / 2;
    private int _afterHint = Shortest;
    private int _afterUnknown = Shortest;

    /// <summary>When it asks next; meaningful after a look.</summary>
    internal long NextAt { get; private set; }

    /// <summary>For how long the last request of any process has to be over by then.</summary>
    internal int Gap { get; private set; }

    /// <summary>No unknown holder has the lock (any more). Without the gate: at a wrong moment it makes a wait begin
    /// anew, and no more.</summary>
    internal void End() => _isBegun = false;

    /// <summary>A waiter has looked, and an unknown holder has the lock.</summary>
    /// <returns>Whether it is time to ask.</returns>
    internal bool Look(long now)
    {
        _lastLook = now;
        if (!_isBegun)
        {
            _isBegun = true;
            _isHinted = false;
            _afterHint = _afterUnknown = Shortest;
            NextAt = now + First;
            Gap = Longest;
        }

        return now >= NextAt;
    }

    /// <summary>Whether a waiter is here for the news that the holder is dead.</summary>
    internal bool IsAwaited(long now) => _isBegun && now - _lastLook < LookEvery;

    /// <summary>The file was closed somewhere: perhaps because the holder died.</summary>
    /// <returns>Whether it is time to ask.</returns>
    internal bool Hint(long now)
    {
        if (!IsAwaited(now)) return false;
        if (now - _lastHint >= Quiet) _afterHint = Shortest;
        _lastHint = now;
        _isHinted = true;
        Gap = Math.Min(Gap, _afterHint);
        NextAt = Math.Min(NextAt, now); // or later, as the gap says
        return true;
    }

    /// <summary>The handle is about to ask: no other of its threads does meanwhile.</summary>
    internal void Asking(long now) => NextAt = now + Longest;

    /// <summary>The request could not be made, since the last one is too new.</summary>
    internal void Refused(long now, long endedAt) => NextAt = Math.Max(now, endedAt + Gap);

    /// <summary>The request could not be made, since another handle asks, which will find what there is to be found.
    /// <paramref name="overBy"/>: when it is over, even if that process dies.</summary>
    internal void Joined(long overBy)
    {
        _isHinted = false;
        NextAt = overBy;
        Gap = Longest;
    }

    /// <summary>What a request has brought that did not free the lock: when all handles of this library had stepped
    /// aside, another program has it open.</summary>
    internal enum Outcome { Unknown, OthersHaveItOpen }

    /// <summary>The request has brought nothing.</summary>
    internal void Failed(long now, Outcome outcome)
    {
        bool isKnown = outcome == Outcome.OthersHaveItOpen;
        if (_isHinted) _afterHint = Math.Min(_afterHint * 2, Longest);
        _isHinted = false;
        if (isKnown) _afterUnknown = Shortest;
        else _afterUnknown = Math.Min(_afterUnknown * 2, Longest);
        Gap = isKnown ? Longest : _afterUnknown;
        NextAt = now + Gap;
    }
}
