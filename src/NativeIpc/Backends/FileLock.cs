using System.Runtime.InteropServices;

namespace NativeIpc.Backends;

/// <summary>
/// An exclusive <c>flock(2)</c> on the inode behind an object's name: the segment itself on POSIX, the key file on System V. Processes of
/// ours make, recover and remove names only while they hold it and only after they have seen, holding it, that the name still leads to
/// that inode. So no two of us disagree about what a name leads to, and nobody unlinks a name that has come to lead to another's object.
/// The kernel drops it with the process. It is held for a few system calls, never while waiting for a semaphore.
/// </summary>
/// <remarks>
/// Peers that know nothing of it (Qt, C) are not kept out; each user of this lock says what it checks afterwards. It is given back before the descriptor is
/// closed, and not by closing it: a child that was forked and has not executed yet has the description, too.
/// </remarks>
internal readonly struct FileLock : IDisposable
{
    private const int PausesBeforeQueueing = 20; // some ten milliseconds
    private const int FewestPauses = 200;
    private static readonly TimeSpan s_shortestQueueing = TimeSpan.FromMilliseconds(200);

    private static int s_hasSaid;

    private readonly int _heldPlusOne;
    private readonly bool _closes;

    private FileLock(int held, bool hasWaited, bool closes = false)
    {
        _heldPlusOne = held + 1;
        _closes = closes;
        HasWaited = hasWaited;
    }

    public bool IsHeld => _heldPlusOne != 0;

    /// <summary>Whether somebody else had it first, so that what was looked at before may be of long ago.</summary>
    public bool HasWaited { get; }

    /// <summary>Takes the lock, waiting for another holder up to a bound.</summary>
    /// <returns>0 when taken, also where the file has no such locks (POSIX segments on Apple: there the system's own rule, one sizing per
    /// segment, decides); otherwise the error number, EAGAIN when the bound passed.</returns>
    public static int Take(int file, TimeSpan bound, out FileLock taken)
    {
        taken = default;

        // Short pauses and many looks: it is held for a few system calls. But where makers race on a loaded machine, look after look meets one that has been cut off in the
        // middle: then the system's own queue is joined, which wakes with each release.
        var backoff = new Backoff(bound, longestMicroseconds: 1000, FewestPauses);
        for (int pauses = 0; ; pauses++)
        {
            if (Interop.Libc.flock(file, Interop.Flags.LOCK_EX | Interop.Flags.LOCK_NB) == 0)
            {
                taken = new FileLock(file, hasWaited: pauses > 0);
                return 0;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == Interop.Errno.ENOLCK || error == Interop.Errno.ENOSYS
                || (error == Interop.Errno.EOPNOTSUPP && !Interop.IsApple))
            {
                SayThatThereAreNone(error);
                return 0;
            }

            if (error == Interop.Errno.EOPNOTSUPP || error == Interop.Errno.ENOTSUP || (Interop.IsApple && error is Interop.Errno.EINVAL or Interop.Errno.EBADF)) return 0;
            if (error != Interop.Errno.EAGAIN && error != Interop.Errno.EINTR) return error;
            if (pauses >= PausesBeforeQueueing && bound != TimeSpan.Zero && FileLockWait.TryBegin(file) is { } wait)
            {
                TimeSpan left = bound < TimeSpan.Zero ? bound : bound - backoff.Elapsed;
                error = wait.End(bound < TimeSpan.Zero || left > s_shortestQueueing ? left : s_shortestQueueing, out int held);
                if (error == 0) taken = new FileLock(held, hasWaited: true, closes: true);
                return error;
            }

            if (!backoff.Pause()) return Interop.Errno.EAGAIN;
        }
    }

    /// <summary>Tells, once in a process, that a file has no such locks.</summary>
    public static void SayThatThereAreNone(int number)
    {
        if (Interlocked.Exchange(ref s_hasSaid, 1) != 0) return;
        string said = $"flock says \"{Marshal.GetPInvokeErrorMessage(number)}\", error {number}";
        Errors.NativeIpcEventSource.s_log.KeyFileLimit("A file system has no locks for the processes that make and "
            + $"remove objects ({said}): they do without, and only look again afterwards.");
    }

    /// <summary>Gives it back. Once: the descriptor of a lock that was waited for is closed with it.</summary>
    public void Dispose()
    {
        if (!IsHeld) return;
        _ = Interop.Libc.flock(_heldPlusOne - 1, Interop.Flags.LOCK_UN); // cannot fail on an open descriptor that has flock
        if (_closes) _ = Interop.Libc.close(_heldPlusOne - 1);
    }
}
