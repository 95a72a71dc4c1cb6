using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop;
using NativeIpc.Interop.Unix;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Linux;

/// <summary>How a <see cref="FileLock"/> is held.</summary>
internal enum FileLockMode
{
    /// <summary>By one process, which makes, recovers or removes.</summary>
    Exclusive,

    /// <summary>By any number of processes that only find and attach, and so do not wait for each other.</summary>
    Shared,
}

/// <summary>
/// A <c>flock(2)</c> on the inode behind an object's name: the segment itself on POSIX, the key file on System V.
/// Processes of this library make, recover and remove names only while they hold it and only after they have seen,
/// holding it, that the name still leads to that inode. So no two of them disagree about what a name leads to, and
/// nobody unlinks a name that has come to lead to another's object. The kernel drops it with the process. It is held
/// for a few system calls, never while waiting for a semaphore or filling pages.
/// </summary>
/// <remarks>Peers that know nothing of it (Qt, C) are not kept out; each user of this lock says what it checks
/// afterwards.</remarks>
internal readonly struct FileLock : IDisposable
{
    private const int PausesBeforeQueueing = 20; // some ten milliseconds
    private const int ShortestMicroseconds = 50;
    private const int LongestMicroseconds = 1000;

    private static int s_hasSaid;

    private readonly int _heldPlusOne;
    private readonly bool _closes;
    private readonly FileLockWait? _lender;

    private FileLock(int held, bool hasWaited, bool closes = false, FileLockWait? lender = null)
    {
        _heldPlusOne = held + 1;
        _closes = closes;
        _lender = lender;
        HasWaited = hasWaited;
    }

    public bool IsHeld => _heldPlusOne != 0;

    /// <summary>Whether another process had it first, so that what was looked at before may be of long ago.</summary>
    public bool HasWaited { get; }

    /// <summary>Takes the lock, waiting for another holder up to a bound.</summary>
    /// <param name="file">An open file.</param>
    /// <param name="bound">How long: see <see cref="HolderPatience"/> for what counts against its PeerTimeout.</param>
    /// <param name="taken">The lock; not held when there is none to be had.</param>
    /// <param name="mode">How it is held.</param>
    /// <returns>0 when taken, also where the file has no such locks (POSIX segments on Apple: there the system's own
    /// rule, one sizing per segment, decides). EAGAIN when another one holds it, for PeerTimeout by now. Any other
    /// number is what flock(2) says of this file, untouched (EBADF, ENOLCK): then nobody is known to hold
    /// anything.</returns>
    /// <exception cref="CallersTimeIsOverException">Another one holds it, and the caller's time has passed.</exception>
    /// <exception cref="OperationCanceledException">Another one holds it, and the caller's token was
    /// cancelled.</exception>
    /// <exception cref="ObjectDisposedException">Another one holds it, and the object that the wait is for was
    /// disposed.</exception>
    public static int Take(int file, in PeerBound bound, out FileLock taken,
        FileLockMode mode = FileLockMode.Exclusive)
    {
        int how = mode == FileLockMode.Shared ? Flags.LOCK_SH : Flags.LOCK_EX;
        bool isAnyLeft = FileLockWait.IsAnyLeft;
        int number = Try(file, how, hasWaited: false, out taken);
        if (number != Errno.EAGAIN) return number;
        if (isAnyLeft)
        {
            // R1 Race: the holder is a thread of this process that was left behind, and it releases the lock between
            // the try and the look.
            // Safe because: of the second try.
            if (FileLockWait.TryBorrow(file, how) is { } lender)
            {
                taken = new FileLock(file, hasWaited: true, lender: lender);
                return 0;
            }

            number = Try(file, how, hasWaited: true, out taken);
            if (number != Errno.EAGAIN) return number;
        }

        bound.ThrowIfCallerIsGone();
        return bound.PeerTimeout == TimeSpan.Zero ? number : Wait(file, how, bound, out taken);
    }

    private static int Try(int file, int how, bool hasWaited, out FileLock taken)
    {
        taken = default;
        while (true)
        {
            if (Libc.flock(file, how | Flags.LOCK_NB) == 0)
            {
                taken = new FileLock(file, hasWaited);
                return 0;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == Errno.ENOLCK || error == Errno.ENOSYS
                || ((error == Errno.EOPNOTSUPP || error == Errno.EINVAL) && !Target.IsApple))
            {
                SayThatThereAreNone(error);
                return 0;
            }

            if (error == Errno.EOPNOTSUPP || error == Errno.ENOTSUP
                || (Target.IsApple && error is Errno.EINVAL or Errno.EBADF))
                return 0;
            if (error != Errno.EINTR) return error;
        }
    }

    /// <summary>
    /// Waits by short pauses and many looks, since the lock is held for a few system calls. But where makers race on a
    /// loaded machine, look after look meets one that has been cut off in the middle: then the system's own queue is
    /// joined, which wakes with each release.
    /// </summary>
    private static int Wait(int file, int how, in PeerBound bound, out FileLock taken)
    {
        var patience = new HolderPatience(bound.PeerTimeout);
        var look = new HolderLook(file);
        FileLockWait? queue = null;
        bool mayQueue = true;
        int microseconds = ShortestMicroseconds;
        long lastLook = Stopwatch.GetTimestamp();
        long? overSince = null;
        try
        {
            for (int pauses = 0; ; pauses++)
            {
                if (mayQueue && pauses == PausesBeforeQueueing)
                    mayQueue = (queue = FileLockWait.TryBegin(file, how)) is not null;
                if (queue is null)
                {
                    int number = TryAfterPause(file, how, bound, ref microseconds, out taken);
                    if (number != Errno.EAGAIN) return number;
                }
                else if (queue.Wait(bound.Left(patience.NextLook), bound.Token))
                {
                    int number = queue.End(out int held);
                    queue = null;
                    taken = number == 0 ? new FileLock(held, hasWaited: true, closes: true) : default;
                    return number;
                }

                bound.ThrowIfCallerIsGone();
                TimeSpan passed = Stopwatch.GetElapsedTime(lastLook);
                if (patience.IsInfinite || passed < patience.NextLook) continue;
                lastLook = Stopwatch.GetTimestamp();
                if (look.Try() is not { } seen) continue;
                if (seen.Holder is null)
                {
                    // It was released this moment, and the thread that was woken for it is not scheduled yet; or a
                    // process of another namespace has it.
                    int number = Try(file, how, hasWaited: true, out taken);
                    if (number != Errno.EAGAIN) return number;
                }

                patience.Note(seen, passed, look.IsRead);
                overSince = patience.IsOver ? overSince ?? lastLook : null;

                // R3 Race: another process has become the holder since the table was read.
                // Safe because: the last word is a reading that began after the patience was over, with which the count
                // begins anew for another holder. Until there is one, of whichever thread, the wait goes on: readings
                // hold others up.
                if (overSince is not { } since || look.TryAfter(since) is not { } last) continue;
                patience.Note(last, TimeSpan.Zero, isRead: true);
                if (!patience.IsOver) continue;
                taken = default;
                return Errno.EAGAIN;
            }
        }
        finally
        {
            queue?.Abandon();
        }
    }

    private static int TryAfterPause(int file, int how, in PeerBound bound, ref int microseconds, out FileLock taken)
    {
        // To a fraction of a millisecond, which is what is left of a caller's time at least.
        TimeSpan pause = bound.Left(TimeSpan.FromMicroseconds(microseconds));
        Pause.Microseconds((int)Math.Ceiling(pause.TotalMicroseconds));
        microseconds = Math.Min(microseconds * 2, LongestMicroseconds);
        return Try(file, how, hasWaited: true, out taken);
    }

    /// <summary>Tells, once in a process, that a file has no such locks.</summary>
    public static void SayThatThereAreNone(int number)
    {
        if (Interlocked.Exchange(ref s_hasSaid, 1) != 0) return;
        string said = $"flock says \"{Marshal.GetPInvokeErrorMessage(number)}\", error {number}";
        NativeIpcEventSource.s_log.KeyFileLimit("A file system has no locks for the processes that make and "
            + $"remove objects ({said}): they do without, and only look again afterwards.");
    }

    /// <summary>Releases it. Once: the descriptor of a lock that was waited for is closed with it.</summary>
    /// <remarks>R2 Race: a child that was forked and has not executed yet has the open file description, too.
    /// Safe because: the lock is released before the descriptor is closed, and not by closing it.</remarks>
    public void Dispose()
    {
        if (!IsHeld) return;
        if (_lender is not null)
        {
            _lender.EndLoan();
            return;
        }

        // Cannot fail on an open descriptor that has flock
        _ = Libc.flock(_heldPlusOne - 1, Flags.LOCK_UN);
        if (_closes) _ = Libc.close(_heldPlusOne - 1);
    }
}
