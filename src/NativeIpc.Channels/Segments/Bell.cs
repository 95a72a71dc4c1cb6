using System.Diagnostics;
using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;

namespace NativeIpc.Channels.Segments;

/// <summary>The word on which one side of a channel sleeps, and the use of the segment by that side.</summary>
/// <param name="segment">The segment, of which a use was begun; it ends with the last one inside here.</param>
/// <param name="at">Where the word is.</param>
/// <param name="isShared">Whether others sleep on it, too. Then only the ringer clears it.</param>
/// <param name="owner">Who waits here.</param>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class Bell(ChannelSegment segment, int at, bool isShared, IAwaiting owner)
{
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(5);

    // R5 Race: the other side looks at the bell, this one sets it and sees nothing, the other side shows something and
    // is killed before it looks again. Safe because: no sleep is longer than this unless the bell stayed as it was in
    // the sleep before. Many to many: nor while somebody of the other side has the turn, who may have looked earlier.
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(150);

    // A wake-up can be missed where no barrier reaches the ringer. On Windows every ringer makes one of its own.
    private static readonly TimeSpan s_longestWithoutBarrier = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_shortestLook = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_longestLook = TimeSpan.FromMilliseconds(20);

    private readonly bool _isSilent = segment.IsSilent;

    // Many to many: of the other side
    private readonly int _turnAt = segment.Kind != ChannelLayout.ManyRingKind ? 0 : ChannelLayout.TurnAt
        + (at == ChannelLayout.ReaderBellAt ? ChannelLayout.WriterNoteAt : ChannelLayout.ReaderNoteAt);
    private readonly long _slotsAt = at == ChannelLayout.ReaderBellAt ? ChannelLayout.FirstWriterSlotByte
        : ChannelLayout.FirstReaderSlotByte;

    private SystemEvent? _wake; // Windows, a topic: the event at which to sleep, and its number
    private uint _wakeNumber;
    private SpinHabit _habit;
    private int _inside = 1; // the owner
    private bool _isBarrierRefused;

    /// <summary>Waits until there is something; between <see cref="Enter"/> and <see cref="Leave"/>.</summary>
    /// <returns>False when the time has passed.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public bool Wait(in Until until, CancellationToken cancellationToken)
    {
        if (owner.HasNews()) return true;
        cancellationToken.ThrowIfCancellationRequested();
        if (until.IsOver) return false;
        if (_habit.Begins() && Spin()) return true;
        TimeSpan look = s_shortestLook;
        uint slept = 0;
        while (true)
        {
            if (TryArm(ref slept, ref look, out TimeSpan longest, out uint expected)) return true;
            if (OperatingSystem.IsWindows() && _wake is { } wake)
                wake.Wait(until.Slice(longest), cancellationToken);
            else
                segment.Sleep(SleepAt, expected, until.Slice(longest), cancellationToken);
            if (HasNewsForAll()) return true;
            if (until.IsOver) return false;
        }
    }

    /// <summary>The same without a thread.</summary>
    public async ValueTask<bool> WaitAsync(Until until, CancellationToken cancellationToken)
    {
        if (owner.HasNews()) return true;
        cancellationToken.ThrowIfCancellationRequested();
        if (until.IsOver) return false;
        TimeSpan look = s_shortestLook;
        uint slept = 0;
        while (true)
        {
            if (TryArm(ref slept, ref look, out TimeSpan longest, out uint expected)) return true;
            await SleepAsync(expected, until.Slice(longest), cancellationToken).ConfigureAwait(false);
            if (HasNewsForAll()) return true;
            if (until.IsOver) return false;
        }
    }

    private async ValueTask SleepAsync(uint expected, TimeSpan longest, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsLinux())
            await segment.Memory.WaitOnWordAsync(SleepAt, expected, longest, cancellationToken).ConfigureAwait(false);
        else if (OperatingSystem.IsWindows() && _wake is { } wake)
            await wake.WaitAsync(longest, cancellationToken).ConfigureAwait(false);
        else if (OperatingSystem.IsWindows() && segment.BellAt(SleepAt) is { } bell)
            await bell.WaitAsync(longest, cancellationToken).ConfigureAwait(false);
        else if (Volatile.Read(ref segment.Word(SleepAt)) == expected)
            await Task.Delay(longest, cancellationToken).ConfigureAwait(false); // nobody rings: look again
    }

    /// <summary>Rings another side's bell, whatever it is.</summary>
    public static void Ring(ChannelSegment segment, int at, bool isShared, string point)
    {
        BeginRinging(segment, at, isShared, point);
        EndRinging(segment, at, isShared);
    }

    /// <summary>Before something is shown to one that sleeps: killed from here on, this thread wakes it all the
    /// same.</summary>
    public static unsafe void BeginRinging(ChannelSegment segment, int at, bool isShared, string point)
    {
        // R1 Race: a sleeper has set it and does not sleep yet. Safe because: its sleep begins only while it is what
        // that one has set or found; and another one that sets it meanwhile sets another number.
        // R2 Race: another one sets it behind this. Safe because: the bell is read again behind what is shown, so
        // either it sees that after its barrier, or it is rung once more.
        // The kernel wakes one: who of several is woken while this word is 1 wakes the others.
        if (isShared) Volatile.Write(ref segment.Word(ChannelLayout.WakingAt), 1);
        LastWake.Begin((uint*)(segment.Start + at));
        Volatile.Write(ref segment.Word(at), 0);
        ChannelStop.At(point);
    }

    /// <summary>Behind that.</summary>
    public static void EndRinging(ChannelSegment segment, int at, bool isShared)
    {
        try
        {
            // R7 Race: a wait without a thread has ended, and its process is stopped or killed before the kernel was
            // told: it still stands before the one that sleeps now. Safe because: all are woken, though one sleeps.
            segment.Wake(at, int.MaxValue);
        }
        finally
        {
            LastWake.End();
        }

        if (isShared) Volatile.Write(ref segment.Word(ChannelLayout.WakingAt), 0);
    }

    /// <summary>Ends the waits of the owner, which says by now that it has news: that it is closed.</summary>
    public void Close()
    {
        try
        {
            if (segment.CanWrite)
            {
                Interlocked.MemoryBarrier();
                Volatile.Write(ref segment.Word(at), 0);
            }

            segment.Wake(SleepAt, int.MaxValue);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Begins a call that may wait. Until <see cref="Leave"/>, the owner keeps its role and the memory, though
    /// another thread closes it.</summary>
    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public void Enter()
    {
        for (int inside = Volatile.Read(ref _inside); inside > 0;)
        {
            int seen = Interlocked.CompareExchange(ref _inside, inside + 1, inside);
            if (seen == inside) return;
            inside = seen;
        }

        throw new ObjectDisposedException("SharedChannel");
    }

    public void Leave()
    {
        // R4 Race: the owner is closed while a call writes or reads, which a message has just woken. Safe because: the
        // last one out gives up the role and the memory, whoever that is.
        int inside = Interlocked.Decrement(ref _inside);
        Debug.Assert(inside >= 0);
        if (inside > 0) return;
        try
        {
            owner.End();
        }
        finally
        {
            if (OperatingSystem.IsWindows()) _wake?.Dispose();
            segment.EndUse();
        }
    }

    /// <summary>Whether the sleep has brought something; others that sleep for the same are woken, where their ringer
    /// may have been killed.</summary>
    private bool HasNewsForAll()
    {
        if (!owner.HasNews()) return false;
        bool isLinux = OperatingSystem.IsLinux(); // only there does the kernel wake one
        if (isLinux && isShared && !_isSilent && Volatile.Read(ref segment.Word(ChannelLayout.WakingAt)) != 0)
            segment.Wake(at, int.MaxValue);
        return true;
    }

    private int SleepAt => _isSilent ? ChannelLayout.TailAt : at;

    private bool Spin()
    {
        long end = SpinHabit.End();
        do
        {
            for (int i = 0; i < 32; i++)
            {
                if (owner.HasNews())
                {
                    _habit.Paid();
                    return true;
                }

                Thread.SpinWait(1);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        _habit.DidNotPay();
        return false;
    }

    /// <summary>Says that a sleep comes; true when there is something after all.</summary>
    private bool TryArm(ref uint slept, ref TimeSpan look, out TimeSpan longest, out uint expected)
    {
        if (_isSilent)
        {
            expected = Volatile.Read(ref segment.Word(ChannelLayout.TailAt));
            longest = look;
            look = look * 2 < s_longestLook ? look * 2 : s_longestLook;
            return owner.HasNews();
        }

        // Left as it is where it is set: a ringer that clears it at this moment lets the sleep end at once.
        ref uint bell = ref segment.Word(at);
        expected = Volatile.Read(ref bell);
        bool isSet = expected != 0;
        if (!isSet) expected = isShared ? NewNumber() : 1;
        bool isSame = isSet && expected == slept;
        slept = expected;
        longest = isSame ? s_longest : s_short;
        if (OperatingSystem.IsWindows() && segment.HasWakes(at)) return TryArmNumbered();
        if (!isSet) Volatile.Write(ref bell, expected);
        ChannelStop.At("bell.armed");

        // R3 Race: the other side shows something and reads the bell before it is seen to be set. Safe because:
        // the barrier is made in its process, too: the look after it sees what was shown, or the other side sees it.
        if (!_isBarrierRefused && !Membarrier.TryBarrier()) _isBarrierRefused = true;
        if (isSame && IsOtherAtWork()) longest = s_short;
        if (_isBarrierRefused && !OperatingSystem.IsWindows()) longest = s_longestWithoutBarrier;

        // R9 Race: one that rings has cleared it before, and is killed before it looks again: the kernel sees a bell
        // that is set. Safe because: who has set it wakes the others that sleep, here or behind its short sleep.
        if (!HasNewsForAll())
        {
            if (longest == s_longest) ChannelStop.At("bell.long");
            return false;
        }

        if (!isShared) Volatile.Write(ref bell, 0);
        return true;
    }

    /// <summary>What nobody else sets about now, and no process has as its number: of a killed one that rings, the
    /// kernel takes a bell with its number for a lock of its own.</summary>
    private static uint NewNumber()
    {
        const uint Above = 1u << 29;
        return ((uint)Stopwatch.GetTimestamp() & (Above - 1)) | Above;
    }

    /// <summary>Many to many: whether somebody of the other side who lives has the turn, and so may show something and
    /// have looked at the bell before it was set.</summary>
    private bool IsOtherAtWork()
    {
        // R8 Race: it is killed, or passes the turn, at this moment. Safe because: what it has shown is seen by the
        // look after this. One of this instance, which the kernel does not tell, is not killed without this.
        if (_turnAt == 0) return false;
        uint holder = Volatile.Read(ref segment.Word(_turnAt)) & ~ChannelLayout.TurnWaiters;
        return holder is > 0 and <= ChannelLayout.SlotsOfSide && segment.IsLockedByOther(_slotsAt + holder - 1);
    }

    /// <summary>Says that a sleep comes, at the event of the number that is now.</summary>
    [SupportedOSPlatform("windows")]
    private bool TryArmNumbered()
    {
        ref uint word = ref segment.Word(ChannelLayout.WakesAt);
        while (true)
        {
            uint number = Volatile.Read(ref word);
            if (_wake is null || _wakeNumber != number)
            {
                _wake?.Dispose();
                _wake = null;
                _wake = segment.OpenWake(number);
                _wakeNumber = number;
            }

            Volatile.Write(ref segment.Word(at), 1);
            ChannelStop.At("bell.armed");

            // R6 Race: a writer shows something before the 1 is seen, or wakes those of this number before this one has
            // its event. Safe because: both make a full barrier, so this sees what was shown, or the other side the 1;
            // and whoever wakes raises the number first.
            Interlocked.MemoryBarrier();
            if (owner.HasNews()) return true;
            if (Volatile.Read(ref word) == number) return false;
        }
    }
}
