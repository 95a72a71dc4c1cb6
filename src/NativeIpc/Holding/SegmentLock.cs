using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using NativeIpc.Contracts;
using NativeIpc.Linux;

namespace NativeIpc.Holding;

/// <summary>An open lock of a segment and its holder within this instance: the ticket that the current scope
/// carries.</summary>
/// <remarks>
/// <para>A ticket is ended once, whoever comes: copies of a scope, a second Dispose, the segment's Dispose, on any
/// threads (<see cref="TryEnd"/>). Nearly always that is the thread that took it, and it does so without an interlocked
/// step: it says that it is ending the ticket, looks for strangers, and then ends it. Another thread says that there is
/// a stranger, has the system put a barrier into every thread of the process, and waits until the taker is not in the
/// middle. Strangers come one by one.</para>
/// <para>Only the holder of the semaphore is between the acquire and Take, so what is noted there takes no interlocked
/// steps; after a peer's reset there can be two holders, and each learns of it unless they come in the same
/// nanoseconds. The ticket is ended before the permit is given; a Dispose in between gives it in its place
/// (<see cref="SemaphoreObject.GivesBackAtClose"/>), where it is not counted that somebody is inside.</para>
/// <para>A lock that another one has replaced is closed as soon as no scope holds it (<see cref="Retire"/>); a peer
/// that replaces one in a loop would use up the descriptors otherwise. Threads that sleep in it are woken then and go
/// on at the new one; the descriptor and the page go with the last of those who are counted in, to whom pending
/// asynchronous waits belong.</para>
/// </remarks>
internal sealed class SegmentLock(SemaphoreObject semaphore, INameWatch? watch, bool replacesAnother)
{
    private long _abandonedTicket;

    // The ticket of the holder: odd. Even when nobody of this instance holds it: one more than the last ticket.
    private long _holder;

    private readonly Lock _strangers = new();
    private int _hasStranger;
    private Taker? _taker;

    [ThreadStatic]
    private static Taker? t_taker;

    /// <summary>A thread that takes locks, and the ticket that it is ending.</summary>
    private sealed class Taker
    {
        private readonly bool _fences = ProcessBarrier.IsMissing;

        public long Ending;

        /// <summary>Between a store and a load that must not come before it. As a rule <see cref="ShutOut"/> makes the
        /// barrier for both sides.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Fence()
        {
            if (!X86Base.IsSupported && _fences) Interlocked.MemoryBarrier();
        }
    }

    private volatile bool _isLost;
    private volatile Action<SegmentLock>? _closed; // what is called when a retired lock is closed
    private int _unchangedAt = -1;

    // The last tickets whose holders may not have been alone. The first one of a lock that stands in for another is
    // such a one.
    private long _firstDoubtful = 1;
    private long _lastDoubtful = replacesAnother ? 1 : 0;

    public SemaphoreObject Semaphore { get; } = semaphore;

    /// <summary>Whether the lock's name leads elsewhere by now, where that is noticed.</summary>
    public bool HasChanged => _isLost || IsRetired || watch is { HasChanged: true };

    /// <summary>Whether another lock has replaced this one.</summary>
    public bool IsRetired => _closed is not null;

    /// <summary>An operation has found the lock gone.</summary>
    public void NoteLoss() => _isLost = true;

    /// <summary>Takes the lock in one step on memory and notes it.</summary>
    /// <returns>The ticket; 0 when it was not taken, also when the name may have changed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long TryTakeFast()
        => (_unchangedAt == Volatile.Read(ref NameChanges.s_count) || IsUnchanged()) && Semaphore.TryTakeFast()
            ? Note() : 0;

    private bool IsUnchanged()
    {
        int count = Volatile.Read(ref NameChanges.s_count);
        if (!Semaphore.HasFastPath || HasChanged || watch is { IsTold: false }) return false;
        _unchangedAt = count;
        return true;
    }

    /// <summary>Notes that the semaphore was acquired.</summary>
    public long Take()
    {
        long ticket = Note();
        if (Semaphore.TookOver) Volatile.Write(ref _abandonedTicket, ticket);
        return ticket;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Note()
    {
        long last = _holder;

        // Two holders within this instance: a peer has reset the lock. Both learn of it.
        if (IsHeld(last)) NoteDoubt(last, ++last + 1);
        Taker taker = t_taker ?? MakeTaker();
        if (_taker != taker) _taker = taker;
        Volatile.Write(ref _holder, ++last);
        taker.Fence();
        return last;
    }

    /// <summary>Releases the semaphore, if the ticket still holds it.</summary>
    public void Release(long ticket)
    {
        if (ticket == 0) return;
        if (Semaphore.HasFastPath)
        {
            GiveBack(ticket);
            return;
        }

        if (!Semaphore.TryBeginUse()) return;
        try
        {
            GiveBack(ticket);
        }
        finally
        {
            Semaphore.EndUse();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void GiveBack(long ticket)
    {
        if (TryEnd(ticket) && !Semaphore.TryGiveFast()) GiveBackSlowly(ticket);
    }

    private void GiveBackSlowly(long ticket)
    {
        if (!Semaphore.TryUnlock()) NoteDoubt(ticket, ticket);
    }

    /// <summary>Ends a ticket, once: true when the caller has to give the permit back then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryEnd(long ticket)
    {
        if (t_taker is { } taker && taker == _taker)
        {
            Volatile.Write(ref taker.Ending, ticket);
            taker.Fence();
            if (Volatile.Read(ref _hasStranger) == 0)
            {
                bool ends = _holder == ticket;
                if (ends) Volatile.Write(ref _holder, ticket + 1);
                Volatile.Write(ref taker.Ending, 0);
                return ends;
            }

            Volatile.Write(ref taker.Ending, 0);
        }

        return TryEndAsStranger(ticket);
    }

    private bool TryEndAsStranger(long ticket)
    {
        if (Interlocked.Read(ref _holder) != ticket) return false; // ended, and tickets do not come again
        lock (_strangers)
        {
            bool ends = ShutOut(ticket) == ticket;
            if (ends) Volatile.Write(ref _holder, ticket + 1);
            if (!IsRetired)
            {
                Volatile.Write(ref _hasStranger, 0);
                return ends;
            }

            if (!ends) return false;
        }

        try
        {
            GiveBackSlowly(ticket);
        }
        finally
        {
            Close();
        }

        return false;
    }

    /// <summary>Makes whoever ends a ticket come by the gate of the strangers, and waits until nobody is ending this
    /// one without having seen that. The ticket that holds then.</summary>
    private long ShutOut(long ticket)
    {
        // R1 Race: the taker is ending the ticket. Safe because: either it said so before the barrier, and this waits
        // for it; or it looks for strangers after the barrier, sees one, and comes by their gate itself.
        Volatile.Write(ref _hasStranger, 1);
        Interlocked.MemoryBarrierProcessWide();
        if (ticket == 0) ticket = Volatile.Read(ref _holder);
        Taker? taker = Volatile.Read(ref _taker);
        SpinWait spinner = default;
        while (taker is not null && Volatile.Read(ref taker.Ending) == ticket) spinner.SpinOnce();
        return Volatile.Read(ref _holder);
    }

    /// <summary>Another lock has replaced this one: closes it, now or when its holder has let go.</summary>
    /// <param name="closed">Told then, once or twice.</param>
    public void Retire(Action<SegmentLock> closed)
    {
        lock (_strangers)
        {
            _closed = closed;

            // R2 Race: a scope holds it. Safe because: there is a stranger now, for good, so whoever ends the ticket
            // comes by this gate, finds the lock retired, and closes it after giving the permit back.
            if (IsHeld(ShutOut(0))) return;
        }

        // R3 Race: a thread takes it after all, or Dispose comes. Safe because: SharedMemory.Keeps has it given back;
        // closing twice closes once.
        Close();
    }

    /// <summary>Whether a scope of this instance holds the lock, as far as this instance knows.</summary>
    public bool IsHeldHere => IsHeld(Interlocked.Read(ref _holder));

    /// <summary>Whether the calling thread took it last.</summary>
    public bool WasTakenByThisThread => t_taker is { } taker && Volatile.Read(ref _taker) == taker;

    /// <summary>Whether a ticket holds the lock.</summary>
    public bool Holds(long ticket) => ticket != 0 && Interlocked.Read(ref _holder) == ticket;

    private static bool IsHeld(long holder) => (holder & 1) != 0;

    private static Taker MakeTaker() => t_taker = new Taker();

    /// <summary>Whether the holder of a ticket may have been inside together with others, at the old lock and the new
    /// one.</summary>
    public bool WasReplaced(long ticket)
        => HasChanged || (ticket >= Volatile.Read(ref _firstDoubtful) && ticket <= Volatile.Read(ref _lastDoubtful));

    /// <summary>Whether the holder of a ticket took over from one that died.</summary>
    public bool WasAbandoned(long ticket) => ticket != 0 && Volatile.Read(ref _abandonedTicket) == ticket;

    private void NoteDoubt(long first, long last)
    {
        Volatile.Write(ref _lastDoubtful, last);
        Volatile.Write(ref _firstDoubtful, first);
    }

    public void Close()
    {
        // The holder's own Release finds the ticket gone then.
        long holder = Interlocked.Read(ref _holder);
        if (IsHeld(holder)) Release(holder);
        Semaphore.Dispose();
        watch?.Dispose();
        _closed?.Invoke(this);
    }
}
