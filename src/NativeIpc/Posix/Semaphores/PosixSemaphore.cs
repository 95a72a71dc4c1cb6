using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>An open POSIX semaphore: sem_wait(3), sem_post(3), sem_getvalue(3), and with glibc the same steps on its
/// word.</summary>
internal class PosixSemaphore : MappedSemaphore
{
    private protected const string Acquiring = "acquire the semaphore";

    private static readonly bool s_hasClockWait = OperatingSystem.IsLinux()
        && Libraries.HasSemaphoreFunction("sem_clockwait");

    internal PosixSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity, Origin origin)
        : base(key, handle, identity, origin)
    {
    }

    ~PosixSemaphore()
    {
        if (HasDuty || GivesBackFirst is not null || File is not null) CloseElsewhere(File);
        else Close(); // unmaps, which waits for nobody
    }

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    public override bool TryAcquire()
    {
        nint address = FastAddress;
        if (address == 0) return TryAcquireSlow();
        bool taken = GlibcSemaphore.TryTake(address);

        // R1 Race: Dispose has replaced the page before the try. Safe because: it takes the address back first, so an
        // address that still stands was that of the true page.
        if (!taken && FastAddress == 0) taken = TryAcquireSlow();
        GC.KeepAlive(this);
        return taken;
    }

    private bool TryAcquireSlow()
    {
        using Use use = BeginUse();
        return TryTake(use.Page);
    }

    private protected override bool TryTake(nint page)
    {
        if (HasWord) return GlibcSemaphore.TryTake(page);
        while (Libc.sem_trywait(page) != 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (number == Errno.EAGAIN) return false;
            if (number != Errno.EINTR) throw PosixErrors.Unknown(Acquiring, Key, "sem_trywait", number);
        }

        return true;
    }

    public override bool Block(TimeSpan longest, Wakeup wakeup)
    {
        if (!HasWord) return base.Block(longest, wakeup);
        using Use use = BeginUse();
        return Sleep(use.Page, longest, wakeup, Acquiring);
    }

    public override bool Block(TimeSpan slice)
    {
        using Use use = BeginUse();
        nint page = use.Page;
        if (Target.IsApple) return Poll(page, slice);

        // musl has no sem_clockwait: there the wall clock measures the slice, which is short; the caller keeps the
        // deadline.
        int clock = s_hasClockWait ? Flags.CLOCK_MONOTONIC : Flags.CLOCK_REALTIME;
        Timespec until = Timespec.After(slice, clock);
        int result = s_hasClockWait ? Libc.sem_clockwait(page, clock, until) : Libc.sem_timedwait(page, until);
        if (result == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.ETIMEDOUT || number == Errno.EINTR
            ? false
            : throw PosixErrors.Unknown(Acquiring, Key, s_hasClockWait ? "sem_clockwait" : "sem_timedwait", number);
    }

    // Apple has no timed wait at all.
    private bool Poll(nint page, TimeSpan slice)
    {
        var backoff = new Backoff(slice, longestMicroseconds: 10_000);
        do
        {
            if (TryTake(page)) return true;
        }
        while (backoff.Pause());

        return false;
    }

    public override void Release(int count)
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, count)) ReleaseToWaiters(count);
        GC.KeepAlive(this);
    }

    private void ReleaseToWaiters(int count)
    {
        using Use use = BeginUse();
        if (count != 1 || HandOn?.Invoke() != true) Give(use.Page, count, Maximum);
    }

    /// <inheritdoc/>
    public override int ReleaseCounted(int count)
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, count, Maximum, out int before))
            before = ReleaseCountedSlow(count);
        GC.KeepAlive(this);
        return before;
    }

    private protected int ReleaseCountedSlow(int count)
    {
        using Use use = BeginUse();
        return Give(use.Page, count, Maximum);
    }

    /// <inheritdoc/>
    public override void ReturnPermit()
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, 1)) Give(Page, 1);
        GC.KeepAlive(this);
    }

    private protected void ReleaseSlow(int count)
    {
        using Use use = BeginUse();
        Give(use.Page, count, Maximum);
    }

    /// <summary>The largest count that a release through this object may make.</summary>
    private protected virtual int Maximum => Flags.SEM_VALUE_MAX;

    /// <summary>Gives permits, and says how many there were before; -1 where the system does not tell.</summary>
    private protected int Give(nint page, int count, int maximum = int.MaxValue)
    {
        if (HasWord)
        {
            if (!GlibcSemaphore.TryGive(page, count, maximum, out GlibcSemaphore.Word before))
                throw Full(Errno.EOVERFLOW, 0, count);
            if (before.Waiters > 0) GlibcSemaphore.Wake(page, count);
            return (int)before.Count;
        }

        // R2 Race: a peer gives between this look and the posts. Not safe: the C library knows no maximum but its own,
        // so the count may pass this instance's.
        int most = Math.Min(maximum, Flags.SEM_VALUE_MAX);
        int value = Libc.sem_getvalue(page, out int seen) == 0 ? seen : -1;
        if (value > most - count) throw Full(Errno.EOVERFLOW, 0, count);
        for (int given = 0; given < count; given++)
        {
            if (Libc.sem_post(page) != 0) throw Full(Marshal.GetLastPInvokeError(), given, count);
        }

        return value;
    }

    /// <inheritdoc/>
    public override bool TryUnlock()
    {
        if (!TryBeginUse()) return true; // closed: nothing of it is mapped any more
        try
        {
            Give(Page, 1);
            return true;
        }
        finally
        {
            EndUse();
        }
    }

    private protected NativeIpcException Full(int number, int given, int count)
    {
        if (given == 0 && number == Errno.EOVERFLOW && Maximum < Flags.SEM_VALUE_MAX)
            return Failure.OverMaximum(Key, count, Maximum);
        NativeIpcError error = number == Errno.EOVERFLOW
            ? NativeIpcError.OutOfResources : UnixErrors.Explain("sem_post", number).Error;
        string remedy = $"{given} of {count} permits were given. A semaphore counts up to {Flags.SEM_VALUE_MAX}: "
            + $"release no more than was acquired or is meant to be there.";
        NativeIpcException plain = Failure.Of(error, "release the semaphore", Key, "sem_post", number, remedy);
        return new NativeIpcException(error, "sem_post", Key, number, plain.Message) { PermitsReleased = given };
    }

    public override bool TryGetCount(out int count)
    {
        using Use use = BeginUse();
        if (Libc.sem_getvalue(use.Page, out count) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.ENOSYS ? false
            : throw PosixErrors.Unknown("read the count of the semaphore", Key, "sem_getvalue", number);
    }

    internal override void SetCount(int count)
    {
        using Use use = BeginUse();
        nint page = use.Page;
        if (HasWord)
        {
            if (PermitRecords.IsOffered) PermitRecords.Forget(page);
            GlibcSemaphore.SetCount(page, (uint)count);
            return;
        }

        // R3 Race: a peer takes or gives between these steps. Safe because: each step is a valid one, so the peer
        // counts as having come after.
        while (TryTake(page))
        {
        }

        if (count > 0) Give(page, count);
    }
}
