using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Recovery;
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

    private PosixRemoval? _removal;
    private PosixLastOut? _lastOut;

    internal PosixSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity, bool createdNew)
        : base(key, handle, PosixNames.HasGlibcWord(key))
    {
        Identity = identity;
        CreatedNew = createdNew;
    }

    internal override void TakeDuty(RemovalPolicy removal, bool removeAtExit)
    {
        if (removal == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(Key, isSegment: false, lockKey: default, Identity, TimeSpan.FromSeconds(1),
                Page, Layout.SizeOfSemT, null);
            if (removeAtExit) ProcessExit.Add(_lastOut);
        }

        if (removal != RemovalPolicy.Creator) return;
        _removal = new PosixRemoval(Key, isSegment: false, lockKey: default, Identity, TimeSpan.FromSeconds(1));
        if (removeAtExit) ProcessExit.Add(_removal);
    }

    ~PosixSemaphore()
    {
        // Unmaps, which waits for nobody
        if (_removal is null && _lastOut is null && GivesBackFirst is null && File is null) Close();
        else CloseElsewhere(File);
    }

    /// <summary>What <see cref="Close"/> needs besides the page; null for nothing.</summary>
    private protected virtual UnixDescriptor? File => null;

    /// <inheritdoc/>
    protected override bool NoticesDrop => true;

    /// <summary>The file behind it; all zero where there is none.</summary>
    internal override FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity == default ? "" : Identity.ToString();

    public override bool TryAcquire()
    {
        nint direct = Direct;
        if (direct == 0) return TryAcquireCounted();
        bool taken = GlibcSemaphore.TryTake(direct);

        // None there: if the address still stands, that was the true page.
        if (!taken && Direct == 0) taken = TryAcquireCounted();
        GC.KeepAlive(this);
        return taken;
    }

    private bool TryAcquireCounted()
    {
        nint page = Enter();
        try
        {
            return TryTake(page);
        }
        finally
        {
            Leave();
        }
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
        nint page = Enter();
        try
        {
            return Sleep(page, longest, wakeup, Acquiring);
        }
        finally
        {
            Leave();
        }
    }

    public override bool Block(TimeSpan slice)
    {
        nint page = Enter();
        try
        {
            if (Target.IsApple) return Poll(page, slice);

            // musl has no sem_clockwait: there the slice is measured on the wall clock. Slices are short, and the
            // deadline is kept by the caller.
            int clock = s_hasClockWait ? Flags.CLOCK_MONOTONIC : Flags.CLOCK_REALTIME;
            Timespec until = Timespec.After(slice, clock);
            int result = s_hasClockWait ? Libc.sem_clockwait(page, clock, until) : Libc.sem_timedwait(page, until);
            if (result == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            return number == Errno.ETIMEDOUT || number == Errno.EINTR
                ? false
                : throw PosixErrors.Unknown(Acquiring, Key, s_hasClockWait ? "sem_clockwait" : "sem_timedwait", number);
        }
        finally
        {
            Leave();
        }
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
        nint direct = Direct;
        if (direct == 0 || !GlibcSemaphore.TryGiveAtOnce(direct, count)) ReleaseCounted(count);
        GC.KeepAlive(this);
    }

    /// <inheritdoc/>
    public override void ReturnPermit()
    {
        nint direct = Direct;
        if (direct == 0 || !GlibcSemaphore.TryGiveAtOnce(direct, 1)) Give(Page, 1);
        GC.KeepAlive(this);
    }

    private protected void ReleaseCounted(int count)
    {
        nint page = Enter();
        try
        {
            Give(page, count, Maximum);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>The largest count that a release through this object may make.</summary>
    private protected virtual int Maximum => Flags.SEM_VALUE_MAX;

    private protected void Give(nint page, int count, int maximum = int.MaxValue)
    {
        if (HasWord)
        {
            if (!GlibcSemaphore.TryGive(page, count, maximum, out GlibcSemaphore.Word before))
                throw Full(Errno.EOVERFLOW, 0, count);
            if (before.Waiters > 0) GlibcSemaphore.Wake(page, count);
            return;
        }

        // The C library knows no maximum but its own: what others give between this look and the posts is not seen.
        int most = Math.Min(maximum, Flags.SEM_VALUE_MAX);
        if ((count > 1 || most < Flags.SEM_VALUE_MAX) && Libc.sem_getvalue(page, out int value) == 0
            && value > most - count)
            throw Full(Errno.EOVERFLOW, 0, count);
        for (int given = 0; given < count; given++)
        {
            if (Libc.sem_post(page) != 0) throw Full(Marshal.GetLastPInvokeError(), given, count);
        }
    }

    /// <inheritdoc/>
    public override bool TryUnlock()
    {
        if (!TryEnter()) return true; // closed, and nothing of it is mapped any more
        try
        {
            Give(Page, 1);
            return true;
        }
        finally
        {
            Leave();
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
        nint page = Enter();
        try
        {
            if (Libc.sem_getvalue(page, out count) == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            return number == Errno.ENOSYS ? false
                : throw PosixErrors.Unknown("read the count of the semaphore", Key, "sem_getvalue", number);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Sets the count in place, while others may be using the semaphore.</summary>
    internal void SetCount(int count)
    {
        nint page = Enter();
        try
        {
            if (HasWord)
            {
                if (PermitRecords.IsOffered) PermitRecords.Forget(page);
                GlibcSemaphore.SetCount(page, (uint)count);
                return;
            }

            // The portable way: take what is there, then give. Every step is a valid one, so others may join in; they
            // count as having come after.
            while (TryTake(page))
            {
            }

            if (count > 0) Give(page, count);
        }
        finally
        {
            Leave();
        }
    }

    protected override void Close()
    {
        // The name first, while the object still pins its inode number.
        _removal?.Perform();
        _ = LetGo(); // no thread is inside any more
        _lastOut?.Closed();
    }
}
