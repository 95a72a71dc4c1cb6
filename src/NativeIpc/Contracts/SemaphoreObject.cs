using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using NativeIpc.Errors;
using NativeIpc.Waiting;

namespace NativeIpc.Contracts;

/// <summary>
/// An open semaphore. What <see cref="IAcquirable"/> has of it is all that the Waiting room needs.
/// </summary>
internal abstract class SemaphoreObject : WaitObject, IAcquirable
{
    // The public type is above this room: its name is what callers read.
    private const string PublicName = "NativeIpc." + nameof(SystemSemaphore);

    protected SemaphoreObject(in NativeIpcKey key)
        : base(key)
    {
    }

    /// <summary>What a call of a closed object gets.</summary>
    public static ObjectDisposedException ClosedError() => new(PublicName);

    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public static void ThrowIfClosed([DoesNotReturnIf(true)] bool isClosed)
    {
        if (isClosed) throw ClosedError();
    }

    /// <inheritdoc/>
    public override IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

    /// <summary>Takes a permit if there is one.</summary>
    public abstract bool TryAcquire();

    /// <inheritdoc/>
    public virtual bool TryAcquireFast() => TryAcquire();

    /// <summary>As <see cref="TryAcquire()"/>, but without any pause: for an asynchronous wait, whose tries run on
    /// threads and inside gates that others need.</summary>
    /// <param name="isHeldUp">Whether something else than the count may have kept the permit from being taken, and
    /// another try after <see cref="AwaitMoment"/> may say more.</param>
    public virtual bool TryAcquire(out bool isHeldUp)
    {
        isHeldUp = false;
        return TryAcquire();
    }

    /// <summary>Has an asynchronous wait of this instance get a permit that is being released, and says whether one
    /// did; null where nobody knows of any.</summary>
    public Func<bool>? HandOn { get; set; }

    /// <summary>Whether the permit is taken over from a holder that left no record, once nobody else has the semaphore
    /// open. For what notices dead holders.</summary>
    public bool TakesOverUnknown { get; set; } = true;

    /// <summary>Lets pass a moment, about 20 ms at most, for what has held up a try. On a thread that may.</summary>
    public virtual void AwaitMoment()
    {
    }

    /// <summary>Takes a permit, waiting for it for about <paramref name="slice"/> at most; false when none came, also
    /// earlier (a signal).</summary>
    public abstract bool Block(TimeSpan slice);

    /// <inheritdoc/>
    /// <remarks>A back end that a <see cref="Wakeup"/> cannot wake blocks for a slice.</remarks>
    public virtual bool Block(TimeSpan longest, Wakeup wakeup)
        => Block(longest < Wakeup.LongestSlice ? longest : Wakeup.LongestSlice);

    /// <summary>Whether closing gives back a permit that a thread of this object took while the closing began: for a
    /// lock, whose holders are noted by its owner, which has given back what it knew of.</summary>
    public bool GivesBackAtClose { get; set; }

    private protected nint _countPlace;

    /// <summary>Whether a look at the count, without entering, has shown that there is no permit: for passing by. False
    /// also where that cannot be seen so cheaply.</summary>
    public unsafe bool IsSeenEmpty
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            nint place = Volatile.Read(ref _countPlace);
            bool isEmpty = place != 0 && Volatile.Read(ref *(uint*)place) == 0;
            GC.KeepAlive(this); // with it stays the memory
            return isEmpty;
        }
    }

    private protected FastStep _step;

    /// <summary>Whether an operation may be made without <see cref="WaitObject.TryBeginUse"/>, since what it touches
    /// stays as long as this object is referred to.</summary>
    public bool HasFastPath => _step.IsOpen;

    /// <summary>Takes the permit of a lock if that takes one step on memory; false also when it would take more, or is
    /// not offered.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeFast()
    {
        bool taken = _step.TryTake();
        GC.KeepAlive(this);
        return taken;
    }

    /// <summary>Gives the permit of a lock back if that takes one step on memory, and nobody waits for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGiveFast()
    {
        bool given = _step.TryGive();
        GC.KeepAlive(this);
        return given;
    }

    /// <summary>Gives <paramref name="count"/> permits, at least one; all of them, or an exception that says how many
    /// were given.</summary>
    public abstract void Release(int count);

    /// <summary>The same, and says how many permits there were before; -1 where the system does not tell. Where it is
    /// not the step that gives which tells, it is a look before.</summary>
    public virtual int ReleaseCounted(int count)
    {
        int before = TryGetCount(out int seen) ? seen : -1;
        Release(count);
        return before;
    }

    /// <summary>Gives back the permit of a lock so that the next holder learns of an end as of a killed one.</summary>
    /// <exception cref="PlatformNotSupportedException">The back end cannot tell it.</exception>
    /// <exception cref="InvalidOperationException">This object does not hold it.</exception>
    public virtual void Abandon()
    {
        ThrowIfClosed(IsClosed);
        throw new PlatformNotSupportedException(
            $"Cannot abandon the permit of {Failure.Describe(Key)}: only Robust semaphores with POSIX keys, on Linux, "
                + "can tell the next holder. Release it, or use such a key.");
    }

    /// <summary>
    /// Gives back the one permit of a lock. False when the lock was removed or reset by a peer meanwhile, where the
    /// system tells: giving a permit then would let two in. The caller has entered, so this works also after Dispose
    /// has begun.
    /// </summary>
    public abstract bool TryUnlock();

    /// <summary>
    /// Gives back one permit that was taken through this object, also when Dispose has begun: the caller has entered,
    /// unless <see cref="ReturnsAfterClose"/>.
    /// </summary>
    public abstract void ReturnPermit();

    /// <summary>Whether a permit can be given back when the object is closed, so that nobody has to enter for
    /// it.</summary>
    public virtual bool ReturnsAfterClose => false;

    /// <summary>The process whose end is a hint that the permit may be taken over, for who has entered; 0 for none, or
    /// where that is not told.</summary>
    public virtual int HolderToWatch => 0;

    /// <summary>Takes several permits in one step, or none; waits for a slice if one is given. Where the system has
    /// that.</summary>
    /// <exception cref="PlatformNotSupportedException">It has not.</exception>
    public virtual bool TryAcquireSeveral(int count, TimeSpan? slice)
        => throw new PlatformNotSupportedException(
            $"Cannot acquire {count} permits of the semaphore {Failure.Describe(Key)} in one step: only System "
                + $"V can do that. One after the other, each of two processes could hold a part and wait for the "
                + $"other's: acquire one at a time only where that cannot happen, or use a System V key.");

    /// <summary>Before a sleep: waits for peers that keep the object from being used at all, as long as the caller has
    /// time; false when it is not ready yet.</summary>
    public virtual bool AwaitReady(TimeSpan longest, Wakeup wakeup) => true;

    /// <summary>Whether the acquire that has just succeeded took over from a holder that died. Asked only by who holds
    /// the lock.</summary>
    public virtual bool TookOver => false;

    /// <summary>Tells that the permit was taken over from a holder that died.</summary>
    /// <returns>True.</returns>
    protected bool TellTakeover()
    {
        IpcActivity.TellTakeover(Key);
        return true;
    }

    /// <summary>The holder of this as a lock, as far as the system can tell; not which thread.</summary>
    public virtual LockStatus GetStatus() => new(LockHolder.CannotTell, null, IsRecoverable: false);

    /// <summary>The current count, where the system can tell.</summary>
    public abstract bool TryGetCount(out int count);
}
