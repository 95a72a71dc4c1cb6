using System.Diagnostics;

namespace NativeIpc.Linux;

/// <summary>What a look at the holder of a file lock showed.</summary>
/// <param name="Holder">The holder; null for nobody, or one that is not to be seen from here.</param>
/// <param name="IsRunnable">Whether one of its threads runs, would run if it got a processor (R), or waits for a disk
/// (D). False when it sleeps, was stopped, is a zombie, or cannot be looked at.</param>
/// <param name="Processor">How much time on a processor it has had in its life.</param>
internal readonly record struct HolderSight(string? Holder, bool IsRunnable, TimeSpan Processor);

/// <summary>How long the holder of a file lock is waited for: a pure account of what was seen of it, and of the time
/// that passed.</summary>
/// <remarks>
/// <para>Of a holder that rests the time counts. One that is runnable may merely not be scheduled, on a loaded machine:
/// then only the time that it had on a processor counts, since holding takes a few system calls. So a starved peer is
/// waited for, and one that computes, or runs in a circle to hold others up, is not.</para>
/// <para>The count begins anew with another holder: the queue of the system is not fair, and a running process takes a
/// lock that was released just now. But in all no more than <see cref="MostHolders"/> times the bound is
/// counted.</para>
/// <para>Which process holds it is read seldom (<see cref="LockTable"/>), how that is doing, often. What is counted of
/// a holder between two readings counts only if the second one shows the same one.</para>
/// </remarks>
/// <param name="bound">What one holder is given; infinite for ever.</param>
internal struct HolderPatience(TimeSpan bound)
{
    internal const int MostHolders = 10;
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_shortestPause = TimeSpan.FromMilliseconds(2);

    private HolderSight _last;
    private TimeSpan _counted;
    private TimeSpan _countedOfAll;
    private TimeSpan _unconfirmed; // of that, since the last reading
    private bool _hasLooked;

    /// <summary>Whether no look is needed at all.</summary>
    public readonly bool IsInfinite => bound < TimeSpan.Zero;

    /// <summary>How long until the next look.</summary>
    public TimeSpan NextLook { get; } = bound < TimeSpan.Zero || bound / 10 > s_longestPause
        ? s_longestPause : bound / 10 < s_shortestPause ? s_shortestPause : bound / 10;

    /// <summary>Whether it was waited for long enough, if it still is the holder.</summary>
    public readonly bool IsOver => !IsInfinite && (_counted >= bound || _countedOfAll / MostHolders >= bound);

    /// <summary>Counts what a look showed.</summary>
    /// <param name="seen">What is seen now.</param>
    /// <param name="passed">The time since the look before, or since the wait began.</param>
    /// <param name="isRead">Whether it was read who the holder is, and not taken from the reading before.</param>
    public void Note(in HolderSight seen, TimeSpan passed, bool isRead)
    {
        // R1 Race: the holder releases the lock and takes it again between two looks.
        // Safe because: it counts as one holding, as far as it was seen at rest or computing.
        bool isSame = _hasLooked && seen.Holder == _last.Holder;
        Debug.Assert(isSame || isRead);
        if (_hasLooked && !isSame)
        {
            _counted = TimeSpan.Zero;
            _countedOfAll -= _unconfirmed;
        }

        if (isRead) _unconfirmed = TimeSpan.Zero;

        // A thread that comes to look late was not scheduled itself, and has not seen the rest.
        TimeSpan most = NextLook * 2;
        if (passed > most) passed = most;
        if (seen.IsRunnable)
        {
            // R2 Race: the holder ends, and its number goes to another process.
            // Safe because: that one has had less time on a processor, which counts as none.
            TimeSpan worked = isSame ? seen.Processor - _last.Processor : TimeSpan.Zero;
            passed = worked < TimeSpan.Zero ? TimeSpan.Zero : worked < passed ? worked : passed;
        }

        Debug.Assert(passed >= TimeSpan.Zero && passed <= most);
        _counted += passed;
        _countedOfAll += passed;
        if (!isRead) _unconfirmed += passed;
        _last = seen;
        _hasLooked = true;
    }
}
