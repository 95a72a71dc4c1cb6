using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting;

/// <summary>
/// Ends a thread's sleep in a semaphore, for a token that is cancelled, a Dispose, or news of a dead holder. One for
/// each thread, used again for each of its waits.
/// </summary>
/// <remarks>
/// The thread sleeps on the semaphore's own word, as its peers do: to sleep on two words at once costs a quarter more.
/// So a wake-up happens on that word, again and again until the sleeper says that it is up. A bit of its own, chosen by
/// the thread, spares other sleepers of this library; those of the C library look and sleep on. No wake-up takes a
/// permit or gives one.
/// </remarks>
internal sealed unsafe partial class Wakeup : ISleeper
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    [ThreadStatic]
    private static Wakeup? t_current;

    private readonly uint _bit = 1u << (Environment.CurrentManagedThreadId % 31);
    private LookPacing _pacing;
    private int _isSet;
    private nint _place;
    private bool _ignoresNudges;

    private Wakeup() => SleepWatch.Add(this);

    /// <summary>That of the calling thread, for a wait that begins now.</summary>
    public static Wakeup Begin()
    {
        Wakeup current = Begin(ignoresNudges: false);
        SleepWatch.Ensure(); // it has been noted by now
        return current;
    }

    /// <summary>The same for a wait that has nothing to look at now and then, and takes each wake-up for news. It needs
    /// no thread that makes it look.</summary>
    public static Wakeup BeginForNews() => Begin(ignoresNudges: true);

    private static Wakeup Begin(bool ignoresNudges)
    {
        Wakeup current = t_current ??= new Wakeup();
        current._pacing = default;
        current._ignoresNudges = ignoresNudges;
        return current;
    }

    /// <summary>The longest slice of waits that have to look again: how late a cancellation is seen that cannot
    /// wake.</summary>
    public static TimeSpan LongestSlice { get; } = TimeSpan.FromMilliseconds(50);

    public bool IsSet => Volatile.Read(ref _isSet) != 0;

    /// <summary>How long to sleep before the next look at what wakes nobody.</summary>
    public TimeSpan NextSlice() => _pacing.Next();

    /// <summary>The same where nothing wakes at all.</summary>
    public TimeSpan NextPoll() => _pacing.NextPoll();

    /// <summary>Whether the slice is the first of the wait.</summary>
    public bool IsFirstSlice => _pacing.IsFirst;

    /// <summary>Before a look at what may end the wait.</summary>
    public void Reset() => Interlocked.Exchange(ref _isSet, 0);

    /// <inheritdoc/>
    public bool IsAsleep => Volatile.Read(ref _place) != 0;

    /// <inheritdoc/>
    public bool SleepsWithin(nint first, nint end)
        => (Volatile.Read(ref _place) is var place && place >= first && place < end) || HasWordWithin(first, end);

    /// <summary>Sleeps while a shared word of an open object has a value and the wake-up is not set, until a time on
    /// the monotonic clock (null for ever).</summary>
    /// <returns>0, or the error number of futex(2); every one of them means to look again.</returns>
    public int Sleep(ICloseable target, uint* word, Timespec* until, uint value = 0)
    {
        Timespec slice = default;
        Interlocked.Exchange(ref _place, (nint)word);
        if (!_ignoresNudges && !SleepWatch.IsServing)
        {
            // No other thread makes it look again.
            slice = Timespec.After(LongestSlice, Flags.CLOCK_MONOTONIC);
            if (until is null || slice.IsBefore(*until)) until = &slice;
        }

        // R1 Race: it is woken, or the object closed, before it sleeps. Safe because: it says where it will sleep and
        // then looks at both; the other thread sets one first and then looks where it sleeps. So one of the two sees
        // the other.
        int number = IsSet || target.IsClosed ? 0 : Futex.Wait(word, value, until, _bit);
        Volatile.Write(ref _place, 0);
        return number;
    }

    /// <summary>Ends the sleep, or the next one. From any thread; waits until the sleeper is up, a second at
    /// most.</summary>
    public void Wake()
    {
        if (TryWake()) return;
        var backoff = new Backoff(s_patience);
        while (backoff.Pause() && !TryWakeAgain())
        {
        }
    }

    /// <inheritdoc/>
    public bool TryWake()
    {
        Interlocked.Exchange(ref _isSet, 1);
        return TryWakeAgain();
    }

    /// <inheritdoc/>
    public bool TryWakeAgain()
    {
        // R2 Race: the sleeper has looked and is not asleep yet.
        // Safe because: this finds no sleeper and is repeated.
        // R3 Race: it has left, and its page is gone.
        // Safe because: this finds none, or makes another one look once more.
        // Not set: it has looked since, and sleeps in another wait.
        if (!IsSet || Volatile.Read(ref _place) is not (not 0 and var place)) return true;
        Futex.WakeAll((uint*)place, _bit);
        return !IsSet || Volatile.Read(ref _place) == 0;
    }

    /// <summary>Makes the sleeper look once more, should it sleep.</summary>
    public void Nudge()
    {
        if (Volatile.Read(ref _place) is not 0 and nint place && !_ignoresNudges) Futex.WakeAll((uint*)place, _bit);
    }
}

/// <summary>How long a sleep may last before the next look at what wakes nobody: short at first, in case it is seen
/// soon.</summary>
internal struct LookPacing
{
    private static readonly TimeSpan s_shortestPoll = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_longestPoll = TimeSpan.FromMilliseconds(20);

    private TimeSpan _last;
    private TimeSpan _lastPoll;

    /// <summary>The first one.</summary>
    public static TimeSpan Shortest { get; } = TimeSpan.FromMilliseconds(5);

    public readonly bool IsFirst => _last <= Shortest;

    public TimeSpan Next()
    {
        TimeSpan next = _last * 2;
        _last = next < Shortest ? Shortest : next < Wakeup.LongestSlice ? next : Wakeup.LongestSlice;
        return _last;
    }

    /// <summary>The same before the next look at what nothing wakes for.</summary>
    public TimeSpan NextPoll()
    {
        TimeSpan next = _lastPoll * 1.5;
        _lastPoll = next < s_shortestPoll ? s_shortestPoll : next < s_longestPoll ? next : s_longestPoll;
        return _lastPoll;
    }
}
