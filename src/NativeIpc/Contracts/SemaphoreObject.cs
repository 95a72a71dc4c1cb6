using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Lifetime;
using NativeIpc.Waiting;

namespace NativeIpc.Contracts;

/// <summary>
/// An open semaphore. What <see cref="IAcquirable"/> has of it is all that the Waiting room needs.
/// </summary>
/// <remarks>
/// Every method may run on any number of threads, also while <see cref="Close"/> runs on another one. An implementation
/// keeps what the system call touches alive until the call has returned; a call that finds the object closed throws
/// <see cref="ObjectDisposedException"/>. A blocked thread is never cut off: it is woken, or comes back after its
/// slice, and finds the object closed.
/// </remarks>
internal abstract class SemaphoreObject : IAcquirable, ICloseable, IDisposable
{
    // The public type is above this room: its name is what callers read.
    private const string PublicName = "NativeIpc." + nameof(SystemSemaphore);

    protected SemaphoreObject(in NativeIpcKey key) => Key = key;

    /// <summary>What a call of a closed object gets.</summary>
    public static ObjectDisposedException ClosedError() => new(PublicName);

    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public static void ThrowIfClosed([DoesNotReturnIf(true)] bool isClosed)
    {
        if (isClosed) throw ClosedError();
    }

    public NativeIpcKey Key { get; }

    /// <inheritdoc/>
    public IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

    /// <summary>Whether this call made the semaphore, rather than finding it.</summary>
    public bool CreatedNew { get; protected init; }

    /// <summary>Which object of the system this is, in a form of the back end's own, to tell objects apart; empty where
    /// the system does not say.</summary>
    public virtual string ObjectIdentity => "";

    /// <summary>Whether the key leads to another object by now, or to none, where that is noticed. The caller has
    /// entered.</summary>
    public virtual bool WasReplaced => false;

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

    /// <summary>Whether the permit is taken over from a holder that left no record, once nobody else has the semaphore
    /// open. For what notices dead holders.</summary>
    public bool TakesOverUnknown { get; set; } = true;

    /// <summary>Says whether any asynchronous wait waits for this object; null when nobody knows.</summary>
    public Func<bool>? HasAsyncWaits { get; set; }

    /// <summary>Whether what is done for asynchronous waits is still wanted.</summary>
    protected bool IsAwaited => HasAsyncWaits?.Invoke() ?? true;

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

    /// <inheritdoc/>
    public virtual bool AreTriesDear => true;

    private SpinState _spin;

    /// <inheritdoc/>
    public ref SpinState Spin => ref _spin;

    /// <summary>Whether closing gives back a permit that a thread of this object took while the closing began: for a
    /// lock, whose holders are noted by its owner, which has given back what it knew of.</summary>
    public bool GivesBackAtClose { get; set; }

    private Action? _givesBackFirst;
    private DropNotice? _notice;
    private SafeHandle? _kept;

    /// <summary>Gives back what users of this object hold by it, as their Dispose would. Called for an object that
    /// nobody disposed, before it is let go of.</summary>
    public Action? GivesBackFirst
    {
        get => _givesBackFirst;
        set
        {
            _givesBackFirst = value;
            if (!NoticesDrop) NoticeDrop();
        }
    }

    /// <summary>Whether this object has a finalizer of its own, or somebody else has one for it.</summary>
    protected virtual bool NoticesDrop => false;

    /// <summary>Has <see cref="WasDropped"/> called when nobody refers to this object any more, unless it was disposed.
    /// Most objects need no such notice, and a finalizer is not free.</summary>
    protected void NoticeDrop()
    {
        var notice = new DropNotice(this);
        if (Interlocked.CompareExchange(ref _notice, notice, null) is not null) notice.Dispose();
    }

    /// <summary>Nobody refers to this object any more. Runs on the thread of the finalizers, which serves the whole
    /// process: waits for nobody.</summary>
    protected virtual void WasDropped() => CloseElsewhere(null);

    /// <summary>Lets go of this object, which nobody disposed, on another thread, since that may have to
    /// wait.</summary>
    /// <param name="kept">A handle that is used for it, and that may be finalized together with this object, since the
    /// finalizers of safe handles come last; null for none.</param>
    protected void CloseElsewhere(SafeHandle? kept)
    {
        bool isKept = false;
        kept?.DangerousAddRef(ref isKept);
        _kept = isKept ? kept : null;
        Afterwards.Do(() =>
        {
            try
            {
                GivesBackFirst?.Invoke();
            }
            finally
            {
                try
                {
                    Dispose();
                }
                finally
                {
                    ReleaseKept();
                }
            }
        });
    }

    /// <summary>For an object that nobody disposed: really closes the handle that was kept for it. At the latest when
    /// this object is closed; earlier for one that looks then whether anybody has the file open.</summary>
    protected void ReleaseKept()
    {
        SafeHandle? kept = _kept;
        _kept = null; // closing is done by one thread
        kept?.DangerousRelease();
    }

    private sealed class DropNotice(SemaphoreObject owner) : IDisposable
    {
        ~DropNotice() => owner.WasDropped();

        public void Dispose() => GC.SuppressFinalize(this);
    }

    private protected FastStep _step;

    /// <summary>Whether an operation may be made without <see cref="TryBeginUse"/>, since what it touches stays as long
    /// as this object is referred to.</summary>
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

    /// <summary>The word that a sleeper can sleep on until there may be a permit, while the object is open; 0 where
    /// there is none, and the object is polled.</summary>
    public virtual nint WaitWord => 0;

    /// <summary>Whether a sleeper has to look now and then all the same, since not everything that lets it in wakes it:
    /// the death of a holder.</summary>
    public virtual bool NeedsLooks => false;

    /// <summary>The handle whose wait takes a permit (Windows); null where there is none.</summary>
    public virtual WaitHandle? WaitHandle => null;

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

    /// <summary>Lets go, and removes what this object owns and its policy says. Called once.</summary>
    protected abstract void Close();

    private int _closed;
    private int _users = 1; // this object itself, until Dispose

    /// <summary>Whether <see cref="Dispose"/> has begun.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>
    /// Keeps the semaphore open over several calls, so that what was acquired can still be given back when a Dispose
    /// comes in between; false when it is closed for good.
    /// </summary>
    public bool TryBeginUse()
    {
        for (int users = Volatile.Read(ref _users); users > 0;)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) return true;
            users = seen;
        }

        return false;
    }

    /// <summary>Ends what <see cref="TryBeginUse"/> began.</summary>
    public void EndUse()
    {
        if (Interlocked.Decrement(ref _users) == 0) Close();
    }

    /// <summary>Closing has begun: no new call comes in. Ends the sleep of those that are inside, where that can be
    /// done.</summary>
    protected virtual void EndWaits()
    {
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0) return;
        EndWaits();
        EndUse();
        GC.SuppressFinalize(this);
        _notice?.Dispose();
    }
}
