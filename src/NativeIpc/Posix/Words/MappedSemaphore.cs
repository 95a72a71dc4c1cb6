using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Waiting;

namespace NativeIpc.Posix.Words;

/// <summary>What both kinds of POSIX semaphores share: the page, who is inside, sleeping on the word, and letting go of
/// the page under threads that may still touch it.</summary>
/// <remarks>
/// <para>An operation counts itself in and out, so that Close comes after the last one
/// (<see cref="SemaphoreObject.TryEnter"/>). That costs more than the operation itself. So after some uses the object
/// is <i>promoted</i> (Linux with glibc): <see cref="Direct"/> (for a lock: its <see cref="DirectStep"/>) has the
/// page's address from then on, and operations that take one step use it without counting. Dispose sets it back to 0. A
/// thread that has read it before may come late; it finds either the true page, which is then still open and where its
/// step is one that came before the closing, or a page that says <see cref="GlibcSemaphore.Gone"/>, where it does
/// nothing and goes the counted way, which says that the object is disposed. The kernel exchanges the two pages in one
/// step. The page that stands in is unmapped when no thread can know the address any more, which the garbage collector
/// tells: a caller keeps this object alive, and with it the owner of that page.</para>
/// <para>Interleavings. (1) A permit is given directly only while nobody waits, so that a late thread never has
/// anything to wake; a waiter that joins after that sees the permit. (2) Promoting and Dispose together: each writes,
/// then reads what the other writes, and the address is taken back. (3) A never promoted object is unmapped at its
/// Dispose, since nobody is inside. (4) The finalizer closes: nobody refers to the object. (5) The pages that stand in
/// grow in number: while there are <see cref="MostDeferred"/>, nothing is promoted, so a process never has more
/// mappings than that beyond what it had open at once.</para>
/// </remarks>
internal abstract unsafe class MappedSemaphore : SemaphoreObject
{
    /// <summary>How many pages may wait for the garbage collector while further objects are promoted.</summary>
    internal const int MostDeferred = 1000;

    private const int UsesBeforePromotion = 16;

    private static int s_deferred;

    private readonly PosixSemaphoreHandle _handle;
    private nint _direct;
    private int _uses;
    private volatile bool _isPromoted;
    private StandIn? _standIn;

    private protected MappedSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, bool hasWord)
        : base(key)
    {
        _handle = handle;
        HasWord = hasWord;
    }

    /// <summary>Whether its page begins with glibc's word.</summary>
    private protected bool HasWord { get; }

    /// <summary>
    /// Takes over what the policy says about the name, from now on: called when it is certain that the object is this
    /// instance's. One that fails before lets go of what it has open, and of no name.
    /// </summary>
    internal abstract void TakeDuty(RemovalPolicy removal, bool removeAtExit);

    /// <summary>The file behind it; all zero where there is none.</summary>
    internal abstract FileIdentity Identity { get; }

    /// <summary>How many pages wait for the garbage collector.</summary>
    internal static int Deferred => Volatile.Read(ref s_deferred);

    /// <summary>The address for operations of one step; 0 before the promotion and after the Dispose.</summary>
    private protected nint Direct => Volatile.Read(ref _direct);

    /// <summary>The address for whoever is counted in.</summary>
    private protected nint Page => _handle.Address;

    public override bool AreTriesDear => false;

    public override nint WaitWord => HasWord ? Page : 0;

    /// <summary>Counts the caller in.</summary>
    /// <exception cref="ObjectDisposedException">Closed, or being closed.</exception>
    private protected nint Enter()
    {
        ObjectDisposedException.ThrowIf(IsClosed || !TryEnter(), typeof(SystemSemaphore));
        if (!_isPromoted && ++_uses >= UsesBeforePromotion && Deferred < MostDeferred && _handle.IsMapping
            && HasWord && !StopPoint.IsOn)
            Promote();
        return Page;
    }

    private void Promote()
    {
        _isPromoted = true; // before the address is out; Close reads it after the caller has left
        OpenDirectWay();
        if (IsClosed) CloseDirectWay();
    }

    /// <summary>Lets operations of one step use the address. A full barrier.</summary>
    private protected virtual void OpenDirectWay() => Interlocked.Exchange(ref _direct, Page);

    private void CloseDirectWay()
    {
        Volatile.Write(ref _direct, 0);
        _step.Close();
    }

    protected override void EndWaits()
    {
        CloseDirectWay();
        SleepWatch.WakeAll((nint)GlibcSemaphore.SleepingPlace(Page));
    }

    /// <summary>Takes the permit, as one of the waiters.</summary>
    private protected abstract bool TryTake(nint page);

    /// <summary>Whether there may be a permit that the last try could not take for another reason than the count, so
    /// that sleeping on the word makes no sense.</summary>
    private protected virtual bool IsHeldUp => false;

    /// <summary>Sleeps until a permit is taken (true), the time has passed or the wake-up is set. The caller is counted
    /// in.</summary>
    private protected bool Sleep(nint page, TimeSpan longest, Wakeup wakeup, string attempt)
    {
        bool isBounded = longest != TimeSpan.MaxValue;
        Timespec until = isBounded ? Timespec.After(longest, Flags.CLOCK_MONOTONIC) : default;
        GlibcSemaphore.JoinWaiters(page);
        StopPoint.At("wait.joined");
        try
        {
            while (true)
            {
                if (TryTake(page))
                {
                    StopPoint.At("wait.taken");
                    return true;
                }

                ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
                if (wakeup.IsSet || IsHeldUp) return false;
                int number = wakeup.Sleep(this, GlibcSemaphore.SleepingPlace(page), isBounded ? &until : null);
                StopPoint.At("wait.woken");
                if (number == Errno.ETIMEDOUT) return TryTake(page);
                if (number != 0 && number != Errno.EAGAIN && number != Errno.EINTR)
                    throw PosixErrors.Unknown(attempt, Key, "futex", number);
            }
        }
        finally
        {
            GlibcSemaphore.LeaveWaiters(page);
            StopPoint.At("wait.left");
        }
    }

    /// <summary>What is still to be done with the word when no operation of this object can change it any more; null
    /// for nothing.</summary>
    private protected virtual Action<nint>? AtTheEnd => null;

    /// <summary>Unmaps the page. Called once, when nobody is inside.</summary>
    /// <returns>False when memory for a stand-in failed, so that a thread which comes late may still change the true
    /// word, until this object is collected.</returns>
    private protected bool LetGo()
    {
        // Not closed: this is the finalizer, and nobody can come late.
        if (!_isPromoted || !IsClosed)
        {
            _handle.Release();
            return true;
        }

        _standIn = StandIn.For(_handle, Identity, AtTheEnd, out bool isReplaced);
        return isReplaced;
    }

    /// <summary>Owns a page that stands where a semaphore's page was, until nobody can know the address.</summary>
    private sealed class StandIn
    {
        private readonly nint _page;
        private readonly FileIdentity _identity;
        private bool _isReplaced;

        private StandIn(nint page, FileIdentity identity)
        {
            _page = page;
            _identity = identity;
            Interlocked.Increment(ref s_deferred);
        }

        ~StandIn()
        {
            // An exchange that failed may have taken the true page away before (mremap(2) unmaps its target first).
            // Then somebody else's memory may stand there by now.
            if (_isReplaced || Mapping.IsOf(_page, _identity)) _ = Libc.munmap(_page, Layout.SizeOfSemT);
            Interlocked.Decrement(ref s_deferred);
        }

        /// <summary>Puts a private page there. Should memory for that fail, the true page stays until then, and the
        /// kernel counts this process among its users.</summary>
        public static StandIn For(PosixSemaphoreHandle handle, FileIdentity identity, Action<nint>? atTheEnd,
            out bool isReplaced)
        {
            isReplaced = false;
            nuint length = (nuint)Environment.SystemPageSize;
            var standIn = new StandIn(handle.Address, identity);
            nint view = atTheEnd is null ? handle.Address
                : Libc.mremap(handle.Address, 0, length, Flags.MREMAP_MAYMOVE, 0);
            nint page = view == Libc.MAP_FAILED ? Libc.MAP_FAILED
                : Libc.mmap(0, length, Flags.PROT_READ | Flags.PROT_WRITE,
                    Flags.MAP_PRIVATE | Flags.MAP_ANONYMOUS, -1, 0);
            if (page != Libc.MAP_FAILED)
            {
                *(ulong*)page = GlibcSemaphore.Gone;
                isReplaced = Libc.mremap(page, length, length, Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED,
                    handle.Address) != Libc.MAP_FAILED;
                standIn._isReplaced = isReplaced;
                if (!isReplaced) _ = Libc.munmap(page, length);
            }

            if (atTheEnd is null) return standIn;
            atTheEnd(view == Libc.MAP_FAILED ? handle.Address : view);
            if (view != Libc.MAP_FAILED) _ = Libc.munmap(view, length);
            return standIn;
        }
    }
}
