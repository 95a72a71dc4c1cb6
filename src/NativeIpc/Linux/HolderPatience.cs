namespace NativeIpc.Linux;

/// <summary>What a look at the holder of a file lock showed.</summary>
/// <param name="Holder">Who has it; null for nobody, or one that is not to be seen from here.</param>
/// <param name="IsRunnable">Whether one of its threads runs, would run if it got a processor (R), or waits for a disk
/// (D). False when it sleeps, was stopped, is a zombie, or cannot be looked at.</param>
/// <param name="Processor">How much time on a processor it has had in its life.</param>
internal readonly record struct HolderSight(string? Holder, bool IsRunnable, TimeSpan Processor);

/// <summary>How long the holder of a file lock is waited for: a pure account of what was seen of it, and of the time
/// that passed.</summary>
/// <remarks>
/// <para>A holder that rests has had its chance: the time counts. One that is runnable is perhaps merely not scheduled,
/// on a machine with more to do than it can: then only the time that it had on a processor counts, since holding takes
/// a few system calls. So a starved peer is waited for, and one that computes, or runs in a circle to hold others up,
/// is not.</para>
/// <para>One look stands for no more than two times the pause that was wanted before it: who comes to look late was not
/// scheduled itself, and has not seen the rest.</para>
/// <para>The count begins anew with another holder: the queue of the system is not fair, and who runs takes a lock that
/// has just been given back. But in all no more than <see cref="MostHolders"/> times the bound is counted.</para>
/// <para>Interleavings. (1) The holder gives it back and takes it again between two looks: it counts as one holding, as
/// far as it was seen at rest or computing. (2) The holder ends: the kernel gives the lock to another one, which counts
/// anew. (3) Its number goes to another process: that one has had less time on a processor, which counts as
/// none.</para>
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
    private bool _hasLooked;

    /// <summary>Whether nobody has to look at all.</summary>
    public readonly bool IsInfinite => bound < TimeSpan.Zero;

    /// <summary>How long until the next look.</summary>
    public TimeSpan NextLook { get; } = bound < TimeSpan.Zero || bound / 10 > s_longestPause
        ? s_longestPause : bound / 10 < s_shortestPause ? s_shortestPause : bound / 10;

    /// <summary>Whether it was waited for long enough.</summary>
    public readonly bool IsOver => !IsInfinite && (_counted >= bound || _countedOfAll / MostHolders >= bound);

    /// <summary>Counts what a look showed.</summary>
    /// <param name="seen">What is seen now.</param>
    /// <param name="passed">The time since the look before, or since the wait began.</param>
    public void Note(in HolderSight seen, TimeSpan passed)
    {
        bool isSame = _hasLooked && seen.Holder == _last.Holder;
        if (_hasLooked && !isSame) _counted = TimeSpan.Zero;
        TimeSpan most = NextLook * 2;
        if (passed > most) passed = most;
        if (seen.IsRunnable)
        {
            TimeSpan worked = isSame ? seen.Processor - _last.Processor : TimeSpan.Zero;
            passed = worked < TimeSpan.Zero ? TimeSpan.Zero : worked < passed ? worked : passed;
        }

        _counted += passed;
        _countedOfAll += passed;
        _last = seen;
        _hasLooked = true;
    }
}
