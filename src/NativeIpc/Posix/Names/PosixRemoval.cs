using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Names;

/// <summary>
/// The duty to remove the name of an object that this process made, once: at Dispose, in the finalizer, or when the
/// process ends.
/// </summary>
/// <remarks>
/// Interleavings: Dispose, finalizer and exit may come together; the gate lets one through, and the others wait for it.
/// Another process may remove the name and make another object under it at any time; the file lock and the comparison
/// under it (see <see cref="FileLock"/>) keep that one safe, as far as the other one is ours or the comparison comes
/// after it. The object itself is still open or mapped here, so its inode number cannot have been given to another
/// file.
/// </remarks>
internal sealed class PosixRemoval(NativeIpcKey key, bool isSegment, NativeIpcKey lockKey, FileIdentity identity,
    TimeSpan bound) : ExitDuty
{
    private static readonly int s_opening = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;

    private readonly Lock _gate = new();
    private bool _performed;

    /// <summary>Held while the names are removed. Who makes a lock's name enters it without waiting, since the removal
    /// may wait for the file lock that he has.</summary>
    internal Lock Gate => _gate;

    /// <summary>Whether the names were removed, or were found to be another's. Asked inside the gate.</summary>
    internal bool IsPerformed => _performed;

    static PosixRemoval() => NativeIpcEventSource.Load();

    public override void Perform() => Perform(-1);

    /// <summary>Removes the names. Nothing can be thrown where this runs: what fails is logged.</summary>
    /// <param name="open">A descriptor of the object, if there is one at hand; otherwise -1.</param>
    public void Perform(int open)
    {
        lock (_gate)
        {
            if (_performed) return;
            _performed = true;
            try
            {
                Remove(open);
            }
            catch (NativeIpcException failure)
            {
                NativeIpcEventSource.s_log.NotRemoved(failure.Message);
            }
        }

        ProcessExit.Forget(this);
    }

    private unsafe void Remove(int open)
    {
        if (!PosixNames.s_areFiles)
        {
            // Apple: a descriptor of a segment tells no inode, so there is nothing to compare.
            UnlinkBoth(key, isSegment, lockKey);
            return;
        }

        var path = new Utf8Path(PosixNames.Start(isSegment), PosixNames.Bare(key));
        int own = -1;
        FileLock held = default;
        try
        {
            if (open == -1)
            {
                own = Libc.open_utf8(path.Pointer, s_opening, 0);
                if (own == -1 && Marshal.GetLastPInvokeError() == Errno.ENOENT) return;
            }

            // Without the lock (no descriptor left, or a peer that holds it for ever) the comparison alone has to do.
            int file = open == -1 ? own : open;
            if (file != -1) _ = FileLock.Take(file, bound, out held);

            // What the name has just been seen to lead to: asking the descriptor is a look at the folder less. Without
            // links it was removed by one of ours meanwhile.
            bool asksFile = own != -1 && held is { IsHeld: true, HasWaited: false };
            int number = asksFile ? Libc.Status(own, out FileStatus status)
                : Libc.Status(path.Pointer, followLink: false, out status);
            if (number == Errno.ENOENT && !asksFile) return; // of an open file that says nothing

            // Not told is not gone: it may still be there, and be this one.
            if (number != 0)
            {
                string attempt = isSegment ? "remove the segment" : "remove the semaphore";
                throw PosixErrors.Unknown(attempt, key, "statx", number);
            }

            if (identity == default)
            {
                throw Failure.Found(NativeIpcError.LockError, isSegment ? "remove the segment" : "remove the semaphore",
                    key, "statx",
                    "what this process has made under the name could not be told",
                    "Remove it by hand if nobody uses it.");
            }

            if (status.Identity != identity || (asksFile && status.Links == 0)) return;
            UnlinkBoth(key, isSegment, lockKey);
        }
        finally
        {
            held.Dispose();
            if (own != -1) _ = Libc.close(own);
        }
    }

    /// <summary>Removes whatever has the name now, and the segment's lock with it, under the file lock if that is to be
    /// had; false when nothing has the name.</summary>
    /// <remarks>A file of another size than a semaphore's may be a broken one, and goes; what is no regular file was
    /// never an object.</remarks>
    internal static unsafe bool RemoveNamed(string attempt, in NativeIpcKey key, bool isSegment,
        in NativeIpcKey lockKey)
    {
        var leases = new Backoff(TimeSpan.FromSeconds(1));
        if (!PosixNames.s_areFiles) return UnlinkBoth(key, isSegment, lockKey);
        var path = new Utf8Path(PosixNames.Start(isSegment), PosixNames.Bare(key));
        for (int round = 0; round < 1000; round++)
        {
            int file = Libc.open_utf8(path.Pointer, s_opening, 0);
            int error = file == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (error == Errno.ENOENT) return false;
            if (error == Errno.EAGAIN && leases.Pause())
            {
                round--; // somebody asks the kernel whether he is alone
                continue;
            }

            // Cannot be locked; the folder decides whether it may be removed.
            if (error == Errno.EACCES || error == Errno.EAGAIN) return UnlinkBoth(key, isSegment, lockKey);
            if (error != 0) throw PosixErrors.Open(attempt, key, "open", error);
            FileLock held = default;
            try
            {
                // Whoever may open the file can keep its lock for ever, and the folder says who may remove it: as
                // Dispose, this waits, and then goes on without. A process of ours that was stopped inside
                // finds the name gone when it goes on; if it was about to make the segment's lock, that is left.
                _ = FileLock.Take(file, TimeSpan.FromSeconds(1), out held);
                error = Libc.Status(file, out FileStatus opened);
                FileStatus named = default;
                if (error == 0) error = Libc.Status(path.Pointer, followLink: false, out named);
                if (error is not (0 or Errno.ENOENT)) throw PosixErrors.Unknown(attempt, key, "statx", error);
                if (error != 0 || opened.Identity != named.Identity) continue;
                if (!opened.IsRegularFile)
                    throw Failure.Found(NativeIpcError.KeyError, attempt, key, "open",
                        "what stands under this name in /dev/shm is no regular file",
                        "Remove it by hand, or use another name.");
                return UnlinkBoth(key, isSegment, lockKey);
            }
            finally
            {
                held.Dispose();
                _ = Libc.close(file);
            }
        }

        throw Failure.Found(NativeIpcError.LockError, attempt, key, "unlink",
            "other processes keep making and removing it", "Try again.");
    }

    /// <summary>Removes the name of an object, and those of a segment's lock: with a legacy key that of the key, and
    /// the one that users of the bare native key have taken.</summary>
    internal static bool UnlinkBoth(in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey)
    {
        bool removed = Unlink(key, isSegment);
        if (!lockKey.IsValid) return removed;
        Unlink(lockKey, isSegment: false);
        if (lockKey.NativeKey == key.NativeKey) return removed;
        NativeIpcKey bare = PosixNames.LockKey(new NativeIpcKey(key.NativeKey, key.Type));
        if (bare.IsValid) Unlink(bare, isSegment: false);
        return removed;
    }

    /// <summary>Unlinks a name; false when there was none.</summary>
    internal static unsafe bool Unlink(in NativeIpcKey key, bool isSegment)
    {
        int result;
        if (PosixNames.s_areFiles)
        {
            var path = new Utf8Path(PosixNames.Start(isSegment), PosixNames.Bare(key));
            result = Libc.unlink_utf8(path.Pointer);
        }
        else
        {
            string name = PosixNames.Native(key);
            result = isSegment ? Libc.shm_unlink(name) : Libc.sem_unlink(name);
        }

        if (result == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        if (number == Errno.ENOENT) return false;
        throw PosixErrors.Unlink(isSegment ? "remove the segment" : "remove the semaphore", key,
            isSegment ? "shm_unlink" : "sem_unlink", number);
    }
}
