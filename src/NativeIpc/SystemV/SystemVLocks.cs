using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>What the lock of a segment is opened for.</summary>
internal enum LockPurpose
{
    /// <summary>To use it: it belongs to the segment's owner, and only trusted users' locks are accepted.</summary>
    Use,

    /// <summary>To remove the segment and the lock: whoever owns it.</summary>
    Remove,
}

/// <summary>The segment that a set is the lock of.</summary>
/// <param name="Key">The key of the segment.</param>
/// <param name="Id">The segment.</param>
/// <param name="KeyFile">The file that its key comes from.</param>
/// <param name="IpcKey">Its System V key.</param>
/// <param name="Purpose">What its lock is opened for.</param>
internal readonly record struct LockedSegment(NativeIpcKey Key, int Id, FileIdentity KeyFile, int IpcKey,
    LockPurpose Purpose)
{
    /// <summary>The key of the lock: the same, or with a legacy key one of its own.</summary>
    internal NativeIpcKey LockKey { get; } = NameRules.LockKey(Key, PlatformEnvironment.Current);

    /// <summary>Whether the lock has the segment's key file.</summary>
    internal bool SharesFile => LockKey.NativeKey == Key.NativeKey;

    /// <summary>Looks at the segment.</summary>
    /// <exception cref="NativeIpcException">It was removed: there is no use for a lock any more. Or the system does not
    /// say.</exception>
    internal SegmentStatus Look()
    {
        const string attempt = "open the lock of the segment";
        int error = SystemVSupport.Status(Id, out SegmentStatus status);
        if (error == 0 && !status.IsRemoved) return status;
        if (error != 0 && !SystemVSupport.IsGone(error))
            throw SystemVErrors.UseSegment(attempt, Key, "shmctl", error);
        throw Failure.Found(NativeIpcError.LockError, attempt, Key, "lock",
            "the segment was removed, and the lock went with it",
            "Attach again to the segment that has the key now.");
    }
}

/// <summary>The locks of segments: sets of two semaphores under the segment's key (<see cref="SystemVSemaphore"/>).
/// They are removed with the segment only, and the kernel gives back what a dead holder had.</summary>
internal static class SystemVLocks
{
    /// <summary>How many semaphores such a set has. Sets of three are PHP's.</summary>
    internal const int Size = 2;

    /// <summary>Opens the lock of a segment, or makes it, as long as the segment is there.</summary>
    /// <param name="segment">The segment.</param>
    /// <param name="trustsOthers">Whether a lock of another user than this one, root and the segment's owner is
    /// accepted.</param>
    /// <param name="bound">How long peers are waited for.</param>
    internal static SystemVSemaphore Open(in LockedSegment segment, bool trustsOthers, in PeerBound bound)
    {
#pragma warning disable CA1416 // there is no System V on Windows, and on macOS this sets Robust to what it is anyway
        var options = new SystemSemaphoreOptions
        {
            Removal = RemovalPolicy.Keep,
            Robust = OperatingSystem.IsLinux(),
            AllowOtherOwners = trustsOthers || segment.Purpose == LockPurpose.Remove,
            PeerTimeout = bound.PeerTimeout,
        };
#pragma warning restore CA1416
        NativeIpcKey key = segment.LockKey;
        if (!TryFindFast(segment, key, options.AllowOtherOwners, out SystemVSet set))
        {
            options = options with { Mode = ModeOf(segment.Look().Permissions) };
            SystemVSemaphores.Create(key, 1, options, Existing.Use, bound, out set, segment);
        }

        // Without an initial count: a lock that is gone is not made anew in the middle of an operation, since its
        // holder would then release the new one. Its next user opens it again.
        return new SystemVSemaphore(key, set, null, options);
    }

    /// <summary>Finds the lock of a segment that this process is attached to without the key file's lock.</summary>
    /// <remarks>
    /// R1 Race: the lock is made, removed or replaced meanwhile.
    /// Safe because: as in <see cref="SystemVSemaphores"/>, where the file was first looked at when the segment was
    /// attached. What is removed with the segment goes while nobody is attached, or by a process that does not mind:
    /// then the lock is gone at its first use, as if it had been removed after this call.
    /// </remarks>
    private static bool TryFindFast(in LockedSegment segment, in NativeIpcKey key, bool trustsOthers,
        out SystemVSet set)
    {
        set = default;
        if (!FileKeys.s_areKnown || !segment.SharesFile) return false;
        int id = Libc.semget(segment.IpcKey, 0, 0);
        if (id == -1 || SystemVSupport.SetStatusOf(id, out SetStatus status) != 0 || status.LastOperation == 0)
            return false;
        if (Libc.Status(KeyFile.Path(key), followLink: false, out FileStatus now) != 0
            || now.Identity != segment.KeyFile)
            return false;
        uint owner = segment.Look().Uid;
        if (!trustsOthers)
            SystemVSupport.CheckOwner("open the semaphore", key, "semctl", status.Uid, status.CreatorUid, owner);
        set = SystemVSet.Opened(id, segment.KeyFile, status);
        return true;
    }

    /// <summary>The mode of a lock: whoever may read the segment may lock it, which takes reading and
    /// altering.</summary>
    internal static UnixFileMode ModeOf(UnixFileMode segment)
    {
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        if (segment.HasFlag(UnixFileMode.GroupRead)) mode |= UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        if (segment.HasFlag(UnixFileMode.OtherRead)) mode |= UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        return mode;
    }

    /// <summary>
    /// Takes the lock under a key, made now if there is none, without waiting and with undo, to remove it. The caller
    /// holds the key file's lock.
    /// </summary>
    /// <param name="ipcKey">The key of the segment, and so of its lock.</param>
    /// <param name="mode">The mode of a new lock.</param>
    /// <param name="opened">The lock that was opened, if any: if there is another one by now, or none, that is not
    /// taken.</param>
    /// <returns>The id of the set; -1 when somebody has the lock, or it cannot be made.</returns>
    internal static unsafe int TryTake(int ipcKey, UnixFileMode mode, int? opened)
    {
        int id;
        if (opened is null
            && (id = Libc.semget(ipcKey, Size, (int)mode | Flags.IPC_CREAT | Flags.IPC_EXCL)) != -1)
        {
            // R2 Race: a peer takes the new lock, or this process dies with it.
            // Safe because: it is made free and taken in one operation, as long as nobody has given it a count; so
            // nobody sees it free, and the kernel gives it back.
            Sembuf* steps = stackalloc Sembuf[3];
            steps[0] = new Sembuf { sem_flg = (short)Flags.IPC_NOWAIT };
            steps[1] = new Sembuf { sem_op = 1, sem_flg = (short)Flags.IPC_NOWAIT };
            steps[2] = new Sembuf { sem_op = -1, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
            if (Libc.semop(id, steps, 3) == 0) return id;
            if (Marshal.GetLastPInvokeError() != Errno.EAGAIN)
            {
                // Fails when it is gone, which is one reason for the step to fail
                _ = Libc.semctl(id, 0, Flags.IPC_RMID);
                return -1;
            }
        }
        else
        {
            id = Libc.semget(ipcKey, 0, 0);
        }

        return id != -1 && (opened ?? id) == id && TryStep(id, -1) ? id : -1;
    }

    /// <summary>Releases what <see cref="TryTake"/> took.</summary>
    internal static void Release(in NativeIpcKey key, int id)
    {
        if (TryStep(id, 1)) return;
        int number = Marshal.GetLastPInvokeError();
        NativeIpcEventSource.s_log.NotRemoved(
            $"The lock of {Failure.Describe(key)} could not be given back, and stays taken until this process ends: "
            + $"semop says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number})");
    }

    /// <summary>One step on the lock, with undo and without waiting; true also when it is gone.</summary>
    /// <remarks>Whatever else keeps it from the step, it has not been made: nothing is released for it.</remarks>
    internal static unsafe bool TryStep(int id, short change)
    {
        Debug.Assert(change is 1 or -1);
        var operation = new Sembuf { sem_op = change, sem_flg = (short)(Flags.SEM_UNDO | Flags.IPC_NOWAIT) };
        return Libc.semop(id, &operation, 1) == 0 || SystemVSupport.IsGone(Marshal.GetLastPInvokeError());
    }
}
