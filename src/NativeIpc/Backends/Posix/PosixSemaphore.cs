using System.Runtime.InteropServices;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>An open POSIX semaphore: sem_wait(3), sem_post(3), sem_getvalue(3).</summary>
internal sealed class PosixSemaphore : SemaphoreObject
{
    private static readonly bool s_hasClockWait = OperatingSystem.IsLinux() && Libraries.HasSemaphoreFunction("sem_clockwait");

    private readonly PosixSemaphoreHandle _handle;
    private readonly PosixRemoval? _removal;
    private readonly PosixLastOut? _lastOut;

    internal PosixSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity, bool createdNew, RemovalPolicy removal, bool removeAtExit)
        : base(key)
    {
        _handle = handle;
        Identity = identity;
        CreatedNew = createdNew;
        if (removal == RemovalPolicy.LastOneOut)
        {
            _lastOut = new PosixLastOut(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1), handle.DangerousGetHandle(), Layout.SizeOfSemT, null);
            if (removeAtExit) ProcessExit.Add(_lastOut);
        }

        if (removal != RemovalPolicy.Creator) return;
        _removal = new PosixRemoval(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1));
        if (removeAtExit) ProcessExit.Add(_removal);
    }

    ~PosixSemaphore() => Close();

    /// <summary>The file behind it; all zero where there is none.</summary>
    internal FileIdentity Identity { get; }

    public override string ObjectIdentity => Identity == default ? "" : Identity.ToString();

    public override nint WaitWord => GlibcSemaphore.s_isKnown ? _handle.DangerousGetHandle() : 0;

    public override bool TryAcquire()
    {
        bool added = false;
        try
        {
            nint semaphore = Enter(ref added);
            while (Libc.sem_trywait(semaphore) != 0)
            {
                int number = Marshal.GetLastPInvokeError();
                if (number == Errno.EAGAIN) return false;
                if (number != Errno.EINTR) throw PosixErrors.Unknown("acquire the semaphore", Key, "sem_trywait", number);
            }

            return true;
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    public override bool Block(TimeSpan slice)
    {
        bool added = false;
        try
        {
            nint semaphore = Enter(ref added);
            if (IsApple) return Poll(semaphore, slice);

            // musl has no sem_clockwait: there the slice is measured on the wall clock. Slices are short, and the deadline is kept by the caller.
            int clock = s_hasClockWait ? Flags.CLOCK_MONOTONIC : Flags.CLOCK_REALTIME;
            if (Libc.clock_gettime(clock, out Timespec deadline) != 0) throw PosixErrors.Unknown("acquire the semaphore", Key, "clock_gettime", Marshal.GetLastPInvokeError());
            long nanoseconds = deadline.tv_nsec + (slice.Ticks * 100);
            deadline.tv_sec += nanoseconds / 1_000_000_000;
            deadline.tv_nsec = nanoseconds % 1_000_000_000;
            int result = s_hasClockWait ? Libc.sem_clockwait(semaphore, clock, deadline) : Libc.sem_timedwait(semaphore, deadline);
            if (result == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            return number == Errno.ETIMEDOUT || number == Errno.EINTR
                ? false
                : throw PosixErrors.Unknown("acquire the semaphore", Key, s_hasClockWait ? "sem_clockwait" : "sem_timedwait", number);
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    // Apple has no timed wait at all.
    private bool Poll(nint semaphore, TimeSpan slice)
    {
        var backoff = new Backoff(slice, longestMicroseconds: 10_000);
        do
        {
            if (Libc.sem_trywait(semaphore) == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            if (number != Errno.EAGAIN && number != Errno.EINTR) throw PosixErrors.Unknown("acquire the semaphore", Key, "sem_trywait", number);
        }
        while (backoff.Pause());

        return false;
    }

    public override void Release(int count)
    {
        bool added = false;
        try
        {
            nint semaphore = Enter(ref added);
            if (count > 1 && Libc.sem_getvalue(semaphore, out int value) == 0 && value > Flags.SEM_VALUE_MAX - count) throw Full(Errno.EOVERFLOW, 0, count);
            for (int given = 0; given < count; given++)
            {
                if (Libc.sem_post(semaphore) != 0) throw Full(Marshal.GetLastPInvokeError(), given, count);
            }
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    /// <inheritdoc/>
    public override bool TryUnlock()
    {
        bool added = false;
        try
        {
            _handle.DangerousAddRef(ref added);
            return Libc.sem_post(_handle.DangerousGetHandle()) == 0 ? true : throw Full(Marshal.GetLastPInvokeError(), 0, 1);
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    private NativeIpcException Full(int number, int given, int count)
    {
        NativeIpcError error = number == Errno.EOVERFLOW ? NativeIpcError.OutOfResources : NativeIpcError.Unknown;
        string remedy = $"{given} of {count} permits were given. A semaphore counts up to {Flags.SEM_VALUE_MAX}: release no more than was acquired or is meant to be there.";
        NativeIpcException plain = Failure.Of(error, "release the semaphore", Key, "sem_post", number, remedy);
        return new NativeIpcException(error, "sem_post", Key, number, plain.Message) { PermitsReleased = given };
    }

    public override bool TryGetCount(out int count)
    {
        bool added = false;
        try
        {
            if (Libc.sem_getvalue(Enter(ref added), out count) == 0) return true;
            int number = Marshal.GetLastPInvokeError();
            return number == Errno.ENOSYS ? false : throw PosixErrors.Unknown("read the count of the semaphore", Key, "sem_getvalue", number);
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    /// <summary>Sets the count in place, while others may be using the semaphore.</summary>
    internal void SetCount(int count)
    {
        bool added = false;
        try
        {
            nint semaphore = Enter(ref added);
            if (GlibcSemaphore.s_isKnown)
            {
                GlibcSemaphore.SetCount(semaphore, (uint)count);
                return;
            }

            // The portable way: take what is there, then give. Every step is a valid one, so others may join in; they count as having come after.
            while (Libc.sem_trywait(semaphore) == 0 || Marshal.GetLastPInvokeError() == Errno.EINTR)
            {
            }

            if (count > 0) Release(count);
        }
        finally
        {
            if (added) _handle.DangerousRelease();
        }
    }

    private nint Enter(ref bool added)
    {
        ObjectDisposedException.ThrowIf(IsClosed, typeof(SystemSemaphore));
        _handle.DangerousAddRef(ref added); // throws ObjectDisposedException once closed
        return _handle.DangerousGetHandle();
    }

    protected override void Close()
    {
        // The name first, while the object still pins its inode number.
        _removal?.Perform();
        _handle.Dispose(); // no thread is inside any more
        _lastOut?.Closed();
    }
}
