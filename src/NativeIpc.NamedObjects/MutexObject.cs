using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace NativeIpc.NamedObjects;

/// <summary>A mutex of Linux, as this process has it open: one for all <see cref="NamedMutex"/> of the name, since a
/// thread owns the mutex and not the instance by which it took it.</summary>
/// <remarks>Between processes it is a <see cref="SystemSemaphore"/> with Robust, whose holder is the process; which
/// thread of it, and how often, is known here alone. The owner's end is seen by <see cref="OwnerWatch"/>.</remarks>
internal sealed class MutexObject
{
    private readonly SystemSemaphore _semaphore;

    /// <summary>The thread that has taken it last, which owns it while <see cref="_depth"/> is not 0: to clear it with
    /// each release would cost a barrier of the collector.</summary>
    private Thread? _owner;

    /// <summary>How often the owner has taken it; 0: nobody owns it.</summary>
    private int _depth;

    private MutexObject(SystemSemaphore semaphore) => _semaphore = semaphore;

    /// <summary>The key by which it was opened, and is found in <see cref="MutexTable"/>.</summary>
    public NativeIpcKey Key => _semaphore.Key;

    /// <summary>How many instances use it. Under the gate of its name.</summary>
    public int Users { get; set; } = 1;

    /// <summary>Whether any thread owns it.</summary>
    public bool IsOwned => Volatile.Read(ref _depth) != 0;

    /// <summary>Whether its name leads to another mutex by now.</summary>
    public bool WasReplaced => _semaphore.WasReplaced;

    /// <summary>Makes it, or opens what another process has made.</summary>
    public static MutexObject Create(in ObjectName name, bool isOwned, out bool createdNew)
    {
        Leftovers.RemoveSemaphore(name);

        // Held before anybody can know it: 0 permits.
        var made = new MutexObject(SystemSemaphore.CreateOrOpen(name.Key, isOwned ? 0 : 1, OptionsFor(name)));
        createdNew = made._semaphore.CreatedNew;
        if (createdNew && isOwned) made.Note(Thread.CurrentThread);
        return made;
    }

    /// <summary>Opens what another process has made; null when there is none.</summary>
    public static MutexObject? Open(in ObjectName name)
    {
        Leftovers.RemoveSemaphore(name);
        return SystemSemaphore.TryOpenExisting(name.Key, out SystemSemaphore? opened, OptionsFor(name))
            ? new(opened) : null;
    }

    /// <summary>Takes it for the calling thread, if it is free or that thread owns it.</summary>
    /// <exception cref="AbandonedMutexException">As <see cref="Wait"/>.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // into WaitOne: the calls took a third of the time
    public bool TryTake()
    {
        Thread current = Thread.CurrentThread;
        if (IsOwnedBy(current))
        {
            _depth = checked(_depth + 1);
            return true;
        }

        if (!_semaphore.TryAcquire()) return false;
        Note(current);
        if (_semaphore.WasAbandoned) ThrowAbandoned();
        return true;
    }

    /// <summary>Takes it for the calling thread.</summary>
    /// <exception cref="AbandonedMutexException">It was taken, from an owner that has ended.</exception>
    public bool Wait(TimeSpan timeout)
    {
        if (TryTake()) return true;
        if (timeout == TimeSpan.Zero || !_semaphore.TryAcquire(timeout)) return false;
        Note(Thread.CurrentThread);
        if (_semaphore.WasAbandoned) ThrowAbandoned();
        return true;
    }

    /// <summary>What a wait for several takes, for the process; <see cref="Keep"/> or <see cref="GiveBack"/>
    /// follows.</summary>
    public SystemWaitTarget Target => _semaphore;

    /// <summary>What the process has taken is the calling thread's; whether it was abandoned.</summary>
    public bool Keep()
    {
        bool wasAbandoned = _semaphore.WasAbandoned;
        Note(Thread.CurrentThread);
        return wasAbandoned;
    }

    /// <summary>What the process has taken is nobody's: if it was abandoned, the next owner is told.</summary>
    public void GiveBack()
    {
        if (_semaphore.WasAbandoned) _semaphore.Abandon();
        else _semaphore.Release();
    }

    /// <summary>Gives it back, once for each time that the thread has taken it.</summary>
    /// <exception cref="ApplicationException">The calling thread does not own it.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // as TryTake
    public void Release()
    {
        if (!IsOwnedBy(Thread.CurrentThread)) throw NotOwned();
        if (--_depth == 0) ReleasePermit();
    }

    /// <summary>Gives it up if its owner is a thread that has ended: the next owner is told. By one thread at a
    /// time.</summary>
    public void AbandonIfOwnerEnded()
    {
        // R1 Race: the thread releases it and ends between the two looks, or another one takes it. Safe because: a
        // thread that has ended writes no more, so the depth is read after that is known; and one that takes it notes
        // itself before the depth, so a depth with the dead one still noted is the dead one's. As long as that is so,
        // nobody else can take it, and only this method ends that.
        if (Volatile.Read(ref _owner) is not { IsAlive: false } owner) return;
        Interlocked.MemoryBarrier(); // no document says that a look at a thread comes before the next look at memory
        if (Volatile.Read(ref _depth) == 0 || !ReferenceEquals(Volatile.Read(ref _owner), owner)) return;
        Volatile.Write(ref _depth, 0);
        try
        {
            _semaphore.Abandon();
        }
        catch (InvalidOperationException)
        {
            // It is closed, and so another process finds that it was abandoned; or a peer has reset it.
        }
    }

    /// <summary>Lets go of it. What a thread still owns counts as abandoned from now on.</summary>
    public void Close() => _semaphore.Dispose();

    // R2 Race: another thread takes it during the look. Safe because: that one notes itself before the depth, which is
    // read first here; so its depth is never seen beside the calling thread. That thread's own depth is as it left it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsOwnedBy(Thread current) => Volatile.Read(ref _depth) != 0 && ReferenceEquals(_owner, current);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Note(Thread owner)
    {
        if (!ReferenceEquals(_owner, owner)) Volatile.Write(ref _owner, owner);
        Volatile.Write(ref _depth, 1);
        OwnerWatch.Ensure();
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // what catches is not inlined
    private void ReleasePermit()
    {
        try
        {
            _semaphore.Release();
        }
        catch (InvalidOperationException failure) when (failure is not ObjectDisposedException)
        {
            throw NotOwned(failure); // a peer has reset it
        }
    }

    [DoesNotReturn]
    private static void ThrowAbandoned() => throw new AbandonedMutexException();

    private static SystemSemaphoreOptions OptionsFor(in ObjectName name)
    {
        SystemSemaphoreOptions options = Leftovers.OptionsFor(name);
        if (!OperatingSystem.IsMacOS()) options.Robust = true;
        return options;
    }

#pragma warning disable CA2201 // what .NET's Mutex throws
    private static ApplicationException NotOwned(Exception? why = null)
        => new("The calling thread does not own the mutex: the thread that took it releases it.", why);
#pragma warning restore CA2201
}
