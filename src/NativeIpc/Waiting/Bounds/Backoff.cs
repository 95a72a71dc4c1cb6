using System.Diagnostics;

namespace NativeIpc.Waiting.Bounds;

/// <summary>
/// Polls, with growing pauses and a monotonic bound, for a change that a peer makes and that the system has no event
/// for: a creator that has yet to size its segment, a lease.
/// </summary>
/// <param name="bound">When to give up, counted from the first look at it; infinite for never, zero does not wait at
/// all.</param>
/// <param name="longestMicroseconds">The longest pause. Short, since what is polled for is held briefly, and a thread
/// that pauses longer loses to the others.</param>
/// <param name="fewestPauses">How many pauses there are at least: on a machine so loaded that this thread comes to look
/// only a few times within the bound, the time says little about the peer.</param>
internal struct Backoff(in PeerBound bound, int longestMicroseconds = 1000, int fewestPauses = 0)
{
    private const int ShortestMicroseconds = 50;

    private readonly PeerBound _bound = bound;
    private readonly int _longestMicroseconds = longestMicroseconds;
    private long _start; // 0 until it is needed: most calls never wait
    private int _pauses;
    private int _microseconds = ShortestMicroseconds;

    /// <summary>Whether the bound has passed. An infinite bound never does.</summary>
    public bool IsOver => _pauses >= fewestPauses && _bound.PeerTimeout >= TimeSpan.Zero
        && Elapsed >= _bound.PeerTimeout;

    /// <summary>How many pauses there were.</summary>
    public int Pauses => _pauses;

    /// <summary>The time since the first look at it.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            if (_start == 0) _start = Stopwatch.GetTimestamp();
            return Stopwatch.GetElapsedTime(_start);
        }
    }

    /// <summary>Waits a little; false, at once, when the bound has passed. Throws when the caller does not wait any
    /// more (<see cref="PeerBound.ThrowIfCallerIsGone"/>).</summary>
    public bool Pause()
    {
        if (_start == 0) _start = Stopwatch.GetTimestamp();
        if (IsOver) return false;
        Rest();
        return true;
    }

    /// <summary>As <see cref="Pause"/>, for a peer that is in the middle of a few system calls: the bound is of a
    /// machine that has a processor for each thread, and as many times as long on one that has not
    /// (<see cref="Crowd"/>).</summary>
    public bool PauseInCrowd()
    {
        if (Pause()) return true;
        if (!IsWithinCrowd(_bound.PeerTimeout)) return false;
        Rest();
        return true;
    }

    /// <summary>Whether a time has not passed yet on a machine as crowded as this one.</summary>
    public bool IsWithinCrowd(TimeSpan time) => Elapsed < time || Elapsed < time * Crowd.Times;

    private void Rest()
    {
        _bound.ThrowIfCallerIsGone();
        Interop.Pause.Microseconds(_microseconds);
        _microseconds = Math.Min(_microseconds * 2, _longestMicroseconds);
        _pauses++;
    }
}
