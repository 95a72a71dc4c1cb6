using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Waiting.Async;

namespace NativeIpc.Holding;

/// <summary>The permits of one instance that are given back by Dispose of a
/// <see cref="SystemSemaphorePermit"/>.</summary>
/// <remarks>A slot is made when none is free, and used again: as many as there were permits and waits at one
/// time.</remarks>
internal sealed class PermitTable(SemaphoreObject semaphore)
{
    private readonly Lock _gate = new();
    private readonly List<PermitSlot> _all = [];
    private PermitSlot? _spare; // the slot that was returned last; the others are in the list
    private PermitSlot? _free;
    private bool _isClosed;

    public SemaphoreObject Semaphore => semaphore;

    /// <summary>Whether the instance is being disposed.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    /// <summary>Gives the caller a slot of its own.</summary>
    public PermitSlot Rent() => Interlocked.Exchange(ref _spare, null) ?? RentAnother();

    private PermitSlot RentAnother()
    {
        lock (_gate)
        {
            if (_free is { } free)
            {
                _free = free.Next;
                return free;
            }

            var made = new PermitSlot(this);
            _all.Add(made);
            return made;
        }
    }

    /// <summary>Takes back a slot that holds no permit.</summary>
    public void Return(PermitSlot slot)
    {
        Debug.Assert(!slot.IsHeld, "A slot that is returned holds no permit.");
        if (Interlocked.CompareExchange(ref _spare, slot, null) is null) return;
        lock (_gate)
        {
            slot.Next = _free;
            _free = slot;
        }
    }

    /// <summary>The instance is being disposed, and takes no more permits for waits: gives back every permit that is
    /// held.</summary>
    /// <remarks>Race: a thread takes a permit meanwhile. Safe because: it notes the permit first, by a full barrier,
    /// and then looks whether the table is closed; here it is the other way round. One of the two sees the other, and
    /// ends the ticket.</remarks>
    public void Close()
    {
        PermitSlot[] slots;
        lock (_gate)
        {
            Volatile.Write(ref _isClosed, true);
            Interlocked.MemoryBarrier();
            slots = [.. _all];
        }

        foreach (PermitSlot slot in slots)
        {
            try
            {
                slot.GiveBackNow();
            }
            catch (Exception failure) when (failure is NativeIpcException or InvalidOperationException)
            {
                NativeIpcEventSource.s_log.NotGivenBack(failure.Message);
            }
        }
    }
}

/// <summary>A place for one permit at a time. Its state counts up: odd is the ticket of the permit's holder, even is
/// none.</summary>
internal sealed class PermitSlot(PermitTable table) : IWaitTicket
{
    private long _state;

    /// <summary>The next one in the list of free slots. Under the table's gate.</summary>
    public PermitSlot? Next { get; set; }

    public NativeIpcKey Key => table.Semaphore.Key;

    public bool IsHeld => (Interlocked.Read(ref _state) & 1) != 0;

    /// <summary>The ticket that <see cref="Begin"/> will make. For the thread that has rented the slot.</summary>
    public long NextTicket => Interlocked.Read(ref _state) + 1;

    /// <summary>Notes that a permit was taken for whoever has rented the slot. A full barrier.</summary>
    public void Begin()
    {
        Debug.Assert(!IsHeld, "A slot holds one permit.");
        Interlocked.Increment(ref _state);
    }

    /// <summary>Whether a ticket holds a permit.</summary>
    public bool Holds(long ticket) => Interlocked.Read(ref _state) == ticket;

    /// <summary>Ends whatever ticket holds the permit, and gives it back.</summary>
    public void GiveBackNow()
    {
        if (IsHeld) GiveBack(Interlocked.Read(ref _state) | 1);
    }

    /// <summary>Ends a ticket, once, and gives its permit back.</summary>
    /// <remarks>Race: several end one ticket, or Dispose of the semaphore does. Safe because: one exchange succeeds,
    /// and its thread has entered the semaphore, which closes only when that has left. A thread that cannot enter comes
    /// after a Dispose that has ended every ticket.</remarks>
    public void GiveBack(long ticket)
    {
        if (!Holds(ticket)) return;
        SemaphoreObject semaphore = table.Semaphore;
        bool enters = !semaphore.ReturnsAfterClose;
        if (enters && !semaphore.TryBeginUse()) return;
        try
        {
            if (Interlocked.CompareExchange(ref _state, ticket + 1, ticket) != ticket) return;
            try
            {
                semaphore.ReturnPermit();
            }
            finally
            {
                table.Return(this);
            }
        }
        finally
        {
            if (enters) semaphore.EndUse();
        }
    }
}
