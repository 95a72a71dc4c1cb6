using System.Diagnostics;
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
internal sealed class PosixRemoval(NativeIpcKey key, IpcObjectKind kind, NativeIpcKey lockKey, FileIdentity identity,
    TimeSpan bound) : ExitDuty
{
    private static readonly int s_opening = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;

    private readonly Lock _gate = new();
    private bool _performed;

    /// <summary>Held while the names are removed. A call that makes a lock's name enters it without waiting, since the
    /// removal may wait for the file lock that the call has.</summary>
    internal Lock Gate => _gate;

    /// <summary>Whether the names were removed, or found to lead to another object. Under the gate.</summary>
    internal bool IsPerformed => _performed;

    static PosixRemoval() => NativeIpcEventSource.Load();

    public override void Perform() => Perform(-1);

    /// <summary>Removes the names. Nothing can be thrown where this runs: what fails is logged. <paramref
    /// name="open"/>: a descriptor of the object, if there is one at hand; otherwise -1.</summary>
    public void Perform(int open)
    {
        using var reports = HeldReports.Begin();

        // R1 Race: Dispose, finalizer and the end of the process come together. Safe because: the gate lets one
        // through, and the others wait for it.
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
        Debug.Assert(_gate.IsHeldByCurrentThread);
        if (!PosixNames.s_areFiles)
        {
            // On Apple a descriptor of a segment tells no inode, so there is nothing to compare.
            UnlinkBoth(key, kind, lockKey);
            return;
        }

        var path = new Utf8Path(PosixNames.Start(kind), PosixNames.Bare(key));
        int own = -1;
        FileLock held = default;
        try
        {
            if (open == -1)
            {
                own = Libc.open_utf8(path.Pointer, s_opening, 0);
                if (own == -1 && Marshal.GetLastPInvokeError() == Errno.ENOENT) return;
            }

            // R2 Race: another process removes the name and makes another object under it. Safe because: processes of
            // this library do so under the file lock, and the comparison under it tells the other object apart: this
            // one is still open or mapped here, so no other file has its inode number. Not safe against a foreign
            // process between comparison and unlink, nor without the lock (no descriptor left, or a peer holds it for
            // ever).
            int file = open == -1 ? own : open;
            if (file != -1) _ = FileLock.Take(file, bound, out held);

            // The name has just been seen to lead to this descriptor: to ask that saves a look at the folder. Without
            // links it was removed meanwhile, by a process of this library.
            bool asksFile = own != -1 && held is { IsHeld: true, HasWaited: false };
            int number = asksFile ? Libc.Status(own, out FileStatus status)
                : Libc.Status(path.Pointer, followLink: false, out status);
            if (number == Errno.ENOENT && !asksFile) return; // of an open file ENOENT says nothing

            // Not told is not gone: it may still be there, and be this one.
            if (number != 0)
            {
                throw PosixErrors.Unknown(Removing(kind), key, "statx", number);
            }

            if (identity == default)
            {
                throw Failure.Found(NativeIpcError.LockError, Removing(kind), key, "statx",
                    "what this process has made under the name could not be told",
                    "Remove it by hand if nobody uses it.");
            }

            if (status.Identity != identity || (asksFile && status.Links == 0)) return;
            Unlink(key, kind, path.Pointer);
            UnlinkLock(key, lockKey);
        }
        finally
        {
            held.Dispose();
            if (own != -1) _ = Libc.close(own);
        }
    }

    private static string Removing(IpcObjectKind kind)
        => kind switch
        {
            IpcObjectKind.SharedMemory => "remove the segment",
            IpcObjectKind.SystemSemaphore => "remove the semaphore",
            _ => "remove the event",
        };

    /// <summary>Removes whatever has the name now, and the segment's lock with it, under the file lock if that is to be
    /// had; false when nothing has the name.</summary>
    /// <remarks>A regular file of another size than a semaphore's may be a broken one, and goes; what is no regular
    /// file was never an object.</remarks>
    internal static unsafe bool RemoveNamed(string attempt, in NativeIpcKey key, IpcObjectKind kind,
        in NativeIpcKey lockKey)
    {
        var leases = new Backoff(TimeSpan.FromSeconds(1));
        if (!PosixNames.s_areFiles) return UnlinkBoth(key, kind, lockKey);
        var path = new Utf8Path(PosixNames.Start(kind), PosixNames.Bare(key));
        for (int round = 0; round < 1000; round++)
        {
            int file = Libc.open_utf8(path.Pointer, s_opening, 0);
            int error = file == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (error == Errno.ENOENT) return false;
            if (error == Errno.EAGAIN && leases.PauseInCrowd())
            {
                round--; // another process asks the kernel whether it is alone
                continue;
            }

            // Cannot be locked; the folder decides whether it may be removed.
            if (error == Errno.EACCES || error == Errno.EAGAIN) return UnlinkBoth(key, kind, lockKey);
            if (error != 0) throw PosixErrors.Open(attempt, key, "open", error);
            FileLock held = default;
            try
            {
                // R3 Race: a process keeps the file lock for ever, which all may that may open the file. Safe because:
                // this goes on without, since the folder's mode says which user may remove it. A process of this
                // library that was stopped with the lock then finds the name gone; a segment's lock that it makes then
                // is left.
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
                return UnlinkBoth(key, kind, lockKey);
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
    internal static bool UnlinkBoth(in NativeIpcKey key, IpcObjectKind kind, in NativeIpcKey lockKey)
    {
        bool removed = Unlink(key, kind);
        UnlinkLock(key, lockKey);
        return removed;
    }

    private static void UnlinkLock(in NativeIpcKey key, in NativeIpcKey lockKey)
    {
        if (!lockKey.IsValid) return;
        Unlink(lockKey, IpcObjectKind.SystemSemaphore);

        // Not the same name twice: by now it may be that of another segment's lock.
        if (key.LegacyKey.Length == 0) return;
        NativeIpcKey bare = PosixNames.LockKey(new NativeIpcKey(key.NativeKey, key.Type));
        if (bare.IsValid && PosixNames.Native(bare) != PosixNames.Native(lockKey))
            Unlink(bare, IpcObjectKind.SystemSemaphore);
    }

    /// <summary>Unlinks a name; false when there was none.</summary>
    internal static unsafe bool Unlink(in NativeIpcKey key, IpcObjectKind kind)
    {
        if (PosixNames.s_areFiles)
        {
            var path = new Utf8Path(PosixNames.Start(kind), PosixNames.Bare(key));
            return Unlink(key, kind, path.Pointer);
        }

        string name = PosixNames.Native(key);
        return WasRemoved(key, kind,
            kind == IpcObjectKind.SharedMemory ? Libc.shm_unlink(name) : Libc.sem_unlink(name));
    }

    private static unsafe bool Unlink(in NativeIpcKey key, IpcObjectKind kind, byte* path)
        => WasRemoved(key, kind, Libc.unlink_utf8(path));

    private static bool WasRemoved(in NativeIpcKey key, IpcObjectKind kind, int result)
    {
        if (result == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        if (number == Errno.ENOENT) return false;
        string call = kind switch
        {
            IpcObjectKind.SharedMemory => "shm_unlink",
            IpcObjectKind.SystemSemaphore => "sem_unlink",
            _ => "unlink",
        };
        throw PosixErrors.Unlink(Removing(kind), key, call, number);
    }
}
