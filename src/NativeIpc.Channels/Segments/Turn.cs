using System.Diagnostics;
using System.Runtime.Versioning;

namespace NativeIpc.Channels.Segments;

/// <summary>The turn of one side of a many-to-many ring, as one of its writers or readers sees it: a word that names
/// the slot of whose turn it is. Who does not get it sleeps on the word, and asks the kernel whether that one lives.
/// Of one thread at a time, as its owner.</summary>
/// <param name="segment">The segment.</param>
/// <param name="slots">The side.</param>
/// <param name="slot">The owner's slot there; it is this one's from now on.</param>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class Turn(ChannelSegment segment, Slots slots, int slot)
{
    private const uint Waiters = ChannelLayout.TurnWaiters;

    // How often one passes the turn to a sleeper and is faster than that, until it leaves it to one
    private const int MostInARow = 16;

    // How late a death is seen by one that waits
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(50);

    private readonly int _at = slots.NoteAt + ChannelLayout.TurnAt;
    private readonly uint _me = (uint)slot + 1;
    private SpinHabit _habit;
    private int _inARow;
    private long _keptSince; // when a turn that is kept for sleepers was seen first; 0: it is not
    private bool _isNoted;
    private int _isClosing;

    /// <summary>Whether the owner has it.</summary>
    public bool IsMine { get; private set; }

    /// <summary>Whether the one that had it before was killed.</summary>
    public bool WasKilled { get; private set; }

    private ref uint Word => ref segment.Word(_at);

    /// <summary>Takes the turn of a killed one whose slot the owner has got; false when it was no such slot.</summary>
    public bool Inherit()
    {
        // R1 Race: another one takes it over at this moment. Safe because: it would need the slot's lock, which the
        // owner has.
        return (Volatile.Read(ref Word) & ~Waiters) == _me && Taken(wasKilled: true);
    }

    /// <summary>Takes it if it is free, will be in a moment, or is a killed one's.</summary>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    public bool TryTake()
    {
        Debug.Assert(!IsMine);
        if (Interlocked.CompareExchange(ref Word, _me, 0) == 0) return Taken(wasKilled: false);
        if (_habit.Begins()) Spin();
        return TryOnce(hasSlept: false, out _);
    }

    /// <summary>Takes it, waiting.</summary>
    /// <returns>False when another one had it for as long.</returns>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The owner is closed meanwhile.</exception>
    public bool Take(in Until until, CancellationToken cancellationToken)
    {
        bool hasSlept = false;
        while (!TryOnce(hasSlept, out uint seen))
        {
            if (!GoesOn(until, hasSlept, seen, cancellationToken)) return false;
            if (!TryMark(ref seen)) continue;
            hasSlept |= Slept(seen, until.Slice(s_slice), cancellationToken);
        }

        return true;
    }

    /// <summary>The same without a thread.</summary>
    public async ValueTask<bool> TakeAsync(Until until, CancellationToken cancellationToken)
    {
        bool hasSlept = false;
        while (!TryOnce(hasSlept, out uint seen))
        {
            if (!GoesOn(until, hasSlept, seen, cancellationToken)) return false;
            if (!TryMark(ref seen)) continue;
            hasSlept |= await SleptAsync(seen, until.Slice(s_slice), cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Proves, before something is shown, that no peer has written over the turn.</summary>
    /// <exception cref="SharedChannelException">Damaged; the owner has it no more.</exception>
    public void Check()
    {
        Debug.Assert(IsMine);
        uint seen = Volatile.Read(ref Word);
        if ((seen & ~Waiters) == _me) return;
        IsMine = false;
        throw segment.Damaged($"the turn of slot {slot} was given to {seen}");
    }

    /// <summary>Passes it to whoever comes.</summary>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    public void Pass()
    {
        Debug.Assert(IsMine);
        uint seen = Interlocked.CompareExchange(ref Word, 0, _me);
        if (seen == _me)
        {
            IsMine = false;
            return;
        }

        Check();
        IsMine = false;

        // R2 Race: it is killed between the exchange and the wake-up. Safe because: who sleeps looks every 50 ms.
        // R3 Race: a sleeper comes or goes meanwhile. Safe because: only the holder takes the mark away, and a sleep
        // begins only while the word is as it was seen.
        if (++_inARow < MostInARow)
        {
            Interlocked.Exchange(ref Word, 0);
            ChannelStop.At("turn.passed");
            Wake();
            return;
        }

        // Free, but for who has slept: otherwise this one, which runs, could be faster than any sleeper for ever.
        _inARow = 0;
        Interlocked.Exchange(ref Word, Waiters);
        ChannelStop.At("turn.kept");
        if (Wake() > 0) return;

        // R4 Race: one begins to sleep on the kept turn after that. Safe because: it is woken, or the word is another.
        if (Interlocked.CompareExchange(ref Word, 0, Waiters) == Waiters) Wake();
    }

    /// <summary>Ends the waits of the owner, within 50 ms.</summary>
    public void Close() => Volatile.Write(ref _isClosing, 1);

    /// <summary>Gives turn and slot up.</summary>
    public void End()
    {
        try
        {
            if (IsMine && (Volatile.Read(ref Word) & ~Waiters) == _me) Pass();
        }
        finally
        {
            IsMine = false;
            slots.GiveUp(slot);
        }
    }

    /// <summary>Whether others have slots of this side.</summary>
    public bool IsAnyLeft() => slots.IsAnyTaken();

    // Rings of many are there on Linux only, while other channels are there on Windows, too.
    private bool Slept(uint seen, TimeSpan longest, CancellationToken cancellationToken)
        => OperatingSystem.IsLinux()
            && segment.Memory.WaitOnWord(_at, seen, longest, cancellationToken) != WordWaitResult.Changed;

    private async ValueTask<bool> SleptAsync(uint seen, TimeSpan longest, CancellationToken cancellationToken)
        => OperatingSystem.IsLinux()
            && await segment.Memory.WaitOnWordAsync(_at, seen, longest, cancellationToken).ConfigureAwait(false)
                != WordWaitResult.Changed;

    private int Wake() => OperatingSystem.IsLinux() ? segment.Memory.WakeWord(_at) : 0;

    private bool Taken(bool wasKilled)
    {
        IsMine = true;
        WasKilled = wasKilled;
        _keptSince = 0;
        ChannelStop.At("turn.taken");
        if (_isNoted && segment.Word(slots.NoteAt + ChannelLayout.IsHeldAt) == _me) return true;

        // R5 Race: it is killed among these. Safe because: they are for people, and name nobody until the last one.
        Volatile.Write(ref segment.Word(slots.NoteAt + ChannelLayout.IsHeldAt), 0);
        Interlocked.MemoryBarrier();
        Role.WriteNote(segment, slots.NoteAt, _me);
        _isNoted = true;
        _inARow = 0; // another one has had it
        ChannelStop.At("turn.noted");
        return true;
    }

    /// <summary>Looks once.</summary>
    /// <param name="hasSlept">Whether the owner has slept for it: then it may have one that is kept.</param>
    /// <param name="seen">The word, at which to sleep.</param>
    private bool TryOnce(bool hasSlept, out uint seen)
    {
        while (true)
        {
            seen = Volatile.Read(ref Word);
            uint holder = seen & ~Waiters;
            if (holder > ChannelLayout.SlotsOfSide || holder == _me)
                throw segment.Damaged($"the turn is {seen}, for slot {slot}");
            if (holder != 0) return TryTakeOver(holder);
            if (seen != 0 && !hasSlept && !IsKeptTooLong()) return false;

            // Others may sleep: the mark stays until one that has it finds nobody to wake.
            uint next = hasSlept ? _me | Waiters : _me | seen;
            if (Interlocked.CompareExchange(ref Word, next, seen) == seen) return Taken(wasKilled: false);
        }
    }

    /// <summary>Takes it from one whose slot nobody has any more. One that is only stopped has its slot.</summary>
    private bool TryTakeOver(uint holder)
    {
        int theirs = (int)holder - 1;
        if (slots.IsTaken(theirs) || !slots.TryClaim(theirs)) return false;
        try
        {
            ChannelStop.At("turn.claimed");

            // R6 Race: the slot is a newcomer's by now, and the turn, too. Safe because: whoever has that slot's turn
            // has its lock, which this one has; so what the word says now is a dead one's, or another slot's.
            while (true)
            {
                uint seen = Volatile.Read(ref Word);
                if ((seen & ~Waiters) != holder) return false;
                if (Interlocked.CompareExchange(ref Word, _me | Waiters, seen) == seen) break;
            }

            // R7 Race: it is killed here. Safe because: the word names its own slot, which is free then.
            return Taken(wasKilled: true);
        }
        finally
        {
            slots.GiveUp(theirs);
        }
    }

    private bool GoesOn(in Until until, bool hasSlept, uint seen, CancellationToken cancellationToken)
    {
        bool isClosing = Volatile.Read(ref _isClosing) != 0;
        if (!until.IsOver && !isClosing && !cancellationToken.IsCancellationRequested) return true;

        // R8 Race: it was woken for a turn that another one got, and others still sleep. Safe because: it says so in
        // the word, or looks once more where that has changed; then they are woken next.
        if (hasSlept && !TryMark(ref seen)) return true;
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(isClosing, typeof(SharedRing));
        return false;
    }

    private bool TryMark(ref uint seen)
    {
        if ((seen & Waiters) != 0) return true;
        if (Interlocked.CompareExchange(ref Word, seen | Waiters, seen) != seen) return false;
        seen |= Waiters;
        ChannelStop.At("turn.marked");
        return true;
    }

    /// <summary>Whether the sleeper for which the turn is kept has had time enough: it may have been killed.</summary>
    private bool IsKeptTooLong()
    {
        if (_keptSince == 0) _keptSince = Stopwatch.GetTimestamp();
        return Stopwatch.GetElapsedTime(_keptSince) > s_slice;
    }

    private void Spin()
    {
        long end = SpinHabit.End();
        do
        {
            for (int i = 0; i < 32; i++)
            {
                if (Volatile.Read(ref Word) == 0)
                {
                    _habit.Paid();
                    return;
                }

                Thread.SpinWait(1);
            }
        }
        while (Stopwatch.GetTimestamp() < end);
        _habit.DidNotPay();
    }
}
