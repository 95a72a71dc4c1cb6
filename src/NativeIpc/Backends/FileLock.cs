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
    private readonly int _heldPlusOne;

    private FileLock(int held, bool hasWaited)
    {
        _heldPlusOne = held + 1;
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

        // Short pauses and many looks: it is held for a few system calls, and nobody queues for it.
        var backoff = new Backoff(bound, longestMicroseconds: 1000, fewestPauses: 200);
        for (bool hasWaited = false; ; hasWaited = true)
        {
            if (Interop.Libc.flock(file, Interop.Flags.LOCK_EX | Interop.Flags.LOCK_NB) == 0)
            {
                taken = new FileLock(file, hasWaited);
                return 0;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == Interop.Errno.EOPNOTSUPP || error == Interop.Errno.ENOTSUP || (Interop.IsApple && error is Interop.Errno.EINVAL or Interop.Errno.EBADF)) return 0;
            if (error != Interop.Errno.EAGAIN && error != Interop.Errno.EINTR) return error;
            if (!backoff.Pause()) return Interop.Errno.EAGAIN;
        }
    }

    public void Dispose()
    {
        if (IsHeld) _ = Interop.Libc.flock(_heldPlusOne - 1, Interop.Flags.LOCK_UN); // cannot fail on an open descriptor that has flock
    }
}
