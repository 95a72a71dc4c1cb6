using System.Runtime.InteropServices;
using NativeIpc.Lifetime;
using NativeIpc.Waiting;

namespace NativeIpc.Contracts;

/// <summary>
/// An open object that threads and asynchronous calls wait for: what semaphores and events share.
/// </summary>
/// <remarks>
/// Every method may run on any number of threads, also while <see cref="Close"/> runs on another one. An implementation
/// keeps what the system call touches alive until the call has returned; a call that finds the object closed throws
/// <see cref="ObjectDisposedException"/>. A blocked thread is never cut off: it is woken, or comes back after its
/// slice, and finds the object closed.
/// </remarks>
internal abstract class WaitObject : ICloseable, IDisposable
{
    protected WaitObject(in NativeIpcKey key) => Key = key;

    public NativeIpcKey Key { get; }

    /// <summary>What it is, for messages.</summary>
    public abstract IpcObjectKind Kind { get; }

    /// <summary>Whether this call made the object, rather than finding it.</summary>
    public bool CreatedNew { get; protected init; }

    /// <summary>Which object of the system this is, in a form of the back end's own, to tell objects apart; empty where
    /// the system does not say.</summary>
    public virtual string ObjectIdentity => "";

    /// <summary>Whether the key leads to another object by now, or to none, where that is noticed. The caller has
    /// entered.</summary>
    public virtual bool WasReplaced => false;

    /// <summary>Says whether any asynchronous wait waits for this object; null when nobody knows.</summary>
    public Func<bool>? HasAsyncWaits { get; set; }

    /// <summary>Whether what is done for asynchronous waits is still wanted.</summary>
    protected bool IsAwaited => HasAsyncWaits?.Invoke() ?? true;

    /// <summary>Whether a try is a system call (<see cref="IAcquirable.AreTriesDear"/>).</summary>
    public virtual bool AreTriesDear => true;

    private SpinState _spin;

    /// <summary>What spinning has brought so far.</summary>
    public ref SpinState Spin => ref _spin;

    /// <summary>The word that a sleeper can sleep on until there may be something to take, while the object is open; 0
    /// where there is none, and the object is polled.</summary>
    public virtual nint WaitWord => 0;

    /// <summary>What a wait that begins now has seen of the object: to be given to its tries, and the value of
    /// <see cref="WaitWord"/> at which there is nothing for it, so that it may sleep. For a semaphore always
    /// 0.</summary>
    public virtual uint Look() => 0;

    /// <summary>Adds the caller, who is counted in, to the waiters of <see cref="WaitWord"/>, so that whoever gives
    /// wakes one. Before the last look ahead of a sleep.</summary>
    public virtual void AddWaiter()
    {
    }

    /// <summary>Removes the caller from the waiters, and passes on a wake-up that was meant for another one.</summary>
    public virtual void RemoveWaiter()
    {
    }

    /// <summary>Whether a sleeper has to look now and then all the same, since not everything that lets it in wakes it:
    /// the death of a holder.</summary>
    public virtual bool NeedsLooks => false;

    /// <summary>The handle whose wait takes what there is (Windows); null where there is none.</summary>
    public virtual WaitHandle? WaitHandle => null;

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

    private sealed class DropNotice(WaitObject owner) : IDisposable
    {
        ~DropNotice() => owner.WasDropped();

        public void Dispose() => GC.SuppressFinalize(this);
    }

    /// <summary>Lets go, and removes what this object owns and its policy says. Called once.</summary>
    protected abstract void Close();

    private int _closed;
    private int _users = 1; // this object itself, until Dispose

    /// <summary>Whether <see cref="Dispose"/> has begun.</summary>
    public bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>
    /// Keeps the object open over several calls, so that what was taken can still be given back when a Dispose comes in
    /// between; false when it is closed for good.
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
