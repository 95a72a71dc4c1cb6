using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>Detaching, once: at Dispose, in the finalizer, or when the process ends; then removing, if nobody is
/// attached any more.</summary>
internal sealed class SystemVDetach(NativeIpcKey key, nint address, int id, int ipcKey, long size, FileIdentity keyFile,
    SharedMemoryOptions options, bool createdNew) : ExitDuty
{
    private const string Removing = "remove the segment";

    /// <summary>What detaches.</summary>
    private enum End
    {
        Object,
        Process,
    }

    private readonly Lock _gate = new();
    private bool _isDetached;
    private bool _hasRemoved; // what fails after that leaves the lock or the key file

    static SystemVDetach() => NativeIpcEventSource.Load();

    internal int Id => id;

    /// <summary>Whether the key leads to another segment by now, or to none. A key file that is gone or another one
    /// gives newcomers another key.</summary>
    internal bool WasReplaced
    {
        get
        {
            int found = Libc.shmget(ipcKey, 0, 0);
            if (found != id && (found != -1 || Marshal.GetLastPInvokeError() == Errno.ENOENT)) return true;
            if (keyFile == default) return false;
            int error = Libc.Status(KeyFile.Path(key), followLink: true, out FileStatus now);
            return error == Errno.ENOENT || (error == 0 && now.Identity != keyFile);
        }
    }

    internal bool Removes { get; set; } = options.Removal is RemovalPolicy.Default or RemovalPolicy.LastOneOut
        || (createdNew && options.Removal == RemovalPolicy.Creator);

    /// <summary>The lock that was opened through this attachment, if any: a peer may have made it anew under another
    /// key file.</summary>
    internal SystemVSemaphore? Lock { get; set; }

    public override void Perform() => Detach(End.Process);

    internal bool Detach() => Detach(End.Object);

    private bool Detach(End end)
    {
        // R1 Race: Dispose and the end of the process detach at once.
        // Safe because: the gate lets one through, and the other waits until it is done.
        bool detached = true;
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (!_isDetached) detached = DetachOnce(end);
            _isDetached = true;
        }

        ProcessExit.Forget(this);
        return detached;
    }

    private bool DetachOnce(End end)
    {
        // R2 Race: the process ends while its threads still touch the memory.
        // Safe because: an empty private mapping replaces it in one call, and it is never taken away under them.
        bool detached = end == End.Process && OperatingSystem.IsLinux()
            ? Mapping.Replace(address, size) : Libc.shmdt(address) == 0;
        if (!Removes) return detached;
        try
        {
            if (options.Removal == RemovalPolicy.Creator)
            {
                if (!RemoveAll(null)) RemoveRest(end);
            }
            else RemoveIfLast(end);
        }
        catch (NativeIpcException) when (!_hasRemoved && IsKnownToBeOthers)
        {
            // Another process has removed it meanwhile, and its lock with it.
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }

        return detached;
    }

    /// <summary>Opens or makes the lock, also when it must be made anew, as long as the segment is there.</summary>
    internal SystemVSemaphore OpenLock(in PeerBound bound) => OpenLock(LockPurpose.Use, bound);

    private SystemVSemaphore OpenLock(LockPurpose purpose, in PeerBound bound)
    {
        // R3 Race: the process ends: the duty removes the segment, its set and the key file; a pending wait finds the
        // set gone, comes here and makes the key file anew, and the process is gone before that is undone.
        // Safe because: the call is counted, so the end of the process waits for it, and the segment is looked at
        // before anything is made.
        using ProcessExit.Call call = ProcessExit.Begin(key, owns: false, bound);
        return SystemVLocks.Open(new LockedSegment(key, id, keyFile, ipcKey, purpose), options.AllowOtherOwners,
            bound);
    }

    /// <summary>Removes the segment by its id, and then the key file if this process made it and nothing else stands
    /// under it. Nothing can be thrown where this runs.</summary>
    internal void RemoveMade(bool madeKeyFile)
    {
        using var reports = HeldReports.Begin();
        try
        {
            SystemVSupport.RemoveSegment(Removing, key, id);
            if (!madeKeyFile) return;
            using KeyFile? file = OpenKeyFile();
            if (file is not null && file.Status.Identity == keyFile) file.RemoveIfUnused();
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    private KeyFile? OpenKeyFile() => KeyFile.Open(Removing, key, KeyFileRules.CleaningUp(options.PeerTimeout));

    /// <summary>Looks at the segment; false when it is gone.</summary>
    /// <exception cref="NativeIpcException">The system does not say.</exception>
    private bool TryLook(out SegmentStatus status)
    {
        int error = SystemVSupport.Status(id, out status);
        return error == 0
            || (SystemVSupport.IsGone(error) ? false : throw SystemVErrors.UseSegment(Removing, key, "shmctl", error));
    }

    /// <summary>Whether it is there, and nobody is attached.</summary>
    /// <exception cref="NativeIpcException">The system does not say.</exception>
    private bool IsUnused => TryLook(out SegmentStatus status) && status.Attached == 0;

    private bool IsKnownToBeOthers
        => SystemVSupport.Status(id, out SegmentStatus status) is var error
            && (error == 0 ? status.Attached != 0 || !IsOurs(status) : SystemVSupport.IsGone(error));

    /// <summary>Whether this user may remove it: another user's is left to its owner.</summary>
    private static bool IsOurs(in SegmentStatus status)
        => RealIds.MayBeThisUser(status.Uid) || Libc.geteuid() == 0;

    /// <summary>Whether the key still leads to the segment: a Qt peer removes the key file together with the lock that
    /// it made.</summary>
    /// <exception cref="NativeIpcException">The system does not say.</exception>
    private bool HasName
    {
        get
        {
            string path = KeyFile.Path(key);
            int error = Libc.Status(path, followLink: true, out FileStatus file);
            if (error is Errno.ENOENT or Errno.ENOTDIR) return false;
            if (error != 0) throw SystemVErrors.KeyFile(Removing, key, "statx", error);
            int found = Libc.shmget(FileKeys.s_areKnown ? FileKeys.Of(file.Identity, (int)key.Type)
                : Libc.ftok(path, (int)key.Type), 0, 0);
            if (found != -1) return found == id;
            error = Marshal.GetLastPInvokeError();
            return error == Errno.ENOENT ? false : throw SystemVErrors.UseSegment(Removing, key, "shmget", error);
        }
    }

    private void RemoveIfLast(End end)
    {
        if (!TryLook(out SegmentStatus status))
        {
            RemoveRest(end);
            return;
        }

        if (status.Attached != 0 || !IsOurs(status)) return;
        if (TryRemoveFast(SystemVLocks.ModeOf(status.Permissions))) return;
        SystemVSemaphore? qtLock = null;
        try
        {
            // Without its name nobody can attach to it any more, and the name may be another segment's by now, with
            // that one's lock.
            if (options.UseLock && HasName && !TryLock(end, out qtLock))
            {
                // The holder may be attaching, and is the last one out then; if not, nobody else will say it.
                if (IsUnused) SayItIsLocked();
                return;
            }

            RemoveAll(qtLock);
        }
        finally
        {
            if (qtLock is not null)
            {
                qtLock.TryUnlock(); // false when it went with the segment
                qtLock.Dispose();
            }
        }
    }

    private void SayItIsLocked() => NativeIpcEventSource.s_log.NotRemoved(
        $"The segment {Failure.Describe(key)} was not removed: another process, or this one, still has its lock "
            + $"({options.PeerTimeout.TotalSeconds} s later), and nobody is attached. The next one to detach removes "
            + $"it, or '{(OperatingSystem.IsLinux() ? $"nipc rm shmid:{id}" : $"ipcrm -m {id}")}' does.");

    /// <summary>
    /// The usual end, under the key file's lock throughout: the file is the one that the segment was made under, nobody
    /// is attached and nobody has the lock. That is only tried here, since its holder may be waiting for the file.
    /// False: nothing was done, and it takes the long way.
    /// </summary>
    private bool TryRemoveFast(UnixFileMode lockMode)
    {
        if (!options.UseLock || !OperatingSystem.IsLinux() || key.LegacyKey.Length > 0) return false;
        // A peer had it made anew: there may be two to remove
        if (Lock is not null && Lock.KeyFileIdentity != keyFile) return false;
        using KeyFile? file = OpenKeyFile();
        if (file is null || !file.IsLocked || file.Status.Identity != keyFile) return false;

        // R4 Race: another process that detached at the same moment had the file first, and has removed all.
        // Safe because: nothing is made for a segment that has gone; nobody would remove a lock that is made here, nor
        // the file.
        if (!IsUnused) return true;
        int qtLock = SystemVLocks.TryTake(ipcKey, lockMode, Lock?.CurrentId);
        if (qtLock == -1) return false;
        bool isLockOver = false;
        try
        {
            // R5 Race: a process attaches between the look and the removal.
            // Safe because: a process of this library holds the file lock, a Qt process the segment's lock, from
            // finding the segment until it is attached. Both are held here, so the look sees them.
            if (!IsUnused) return true;
            SystemVSupport.RemoveSegment(Removing, key, id);
            _hasRemoved = true;
            // A peer that knows no lock has made another one
            if (SystemVSupport.HasSegment(Removing, key, ipcKey)) return true;
            isLockOver = SystemVSupport.RemoveSemaphore(Removing, key, qtLock);
            file.RemoveIfUnused();
            return true;
        }
        finally
        {
            if (!isLockOver) SystemVLocks.Release(key, qtLock);
        }
    }

    /// <summary>Removes what the kernel leaves of a segment that went with its last detach
    /// (<c>kernel.shm_rmid_forced</c>): the lock and the key file, under the lock of that file.</summary>
    private void RemoveRest(End end)
    {
        if (!SystemVKeeping.RemovesSegments) return; // whoever has removed it has removed the rest, or wants it
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool hasOwnLockName = lockKey.NativeKey == key.NativeKey;
        using (KeyFile? file = OpenKeyFile())
        {
            // another segment has the name
            if (file is null || file.Status.Identity != keyFile
                || SystemVSupport.HasSegment(Removing, key, ipcKey))
                return;
            if (options.UseLock && hasOwnLockName)
            {
                // The holder may be making the segment anew, as Qt does; unless it is this process, which ends.
                int qtLock = SystemVLocks.TryTake(ipcKey, SystemVLocks.ModeOf(options.Mode), Lock?.CurrentId);
                if (qtLock == -1 && end == End.Process && Lock is { WasLastUsedByThisProcess: true } own)
                    qtLock = own.CurrentId;
                if (qtLock == -1) return;
                SystemVSupport.RemoveSemaphore(Removing, key, qtLock);
            }

            file.RemoveIfUnused();
        }

        if (options.UseLock && !hasOwnLockName) SystemVSemaphores.RemoveByKey(lockKey);
    }

    /// <summary>Removes the segment, the lock and the key file. A creator does so whoever is attached: those keep the
    /// memory, and have no lock any more.</summary>
    /// <returns>Whether the segment was there.</returns>
    private bool RemoveAll(SystemVSemaphore? qtLock)
    {
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool hasOwnLockName = lockKey.NativeKey == key.NativeKey;
        bool isNameTaken;
        using (KeyFile? file = OpenKeyFile())
        {
            // R6 Race: two processes detach at once, and both have seen nobody attached.
            // Safe because: the segment's lock and then the file lock put them in order, and the second one finds the
            // segment gone. A holder of the lock that does not release it within the bound lives (the kernel gives back
            // what dead ones held): removing is left to it, or to the next one to detach.
            bool mayRemove = options.Removal == RemovalPolicy.Creator || IsUnused;
            if (!mayRemove || !SystemVSupport.RemoveSegment(Removing, key, id)) return false;
            _hasRemoved = true;
            bool isSameFile = file is not null && file.Status.Identity == keyFile;
            if (file is not null && !isSameFile) SayThatFileWasReplaced(file);
            isNameTaken = file is not null && SystemVSupport.HasSegment(Removing, key, file.Ftok());
            if (!isNameTaken)
            {
                // The lock goes with the segment: the one under the segment's own key (with a legacy key, of users of
                // the bare native key), and the one that peers may have made anew since under another key file.
                if (isSameFile && options.UseLock) SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
                Lock?.RemoveNow();
                qtLock?.RemoveNow();
                file?.RemoveIfUnused();
            }
            else if (hasOwnLockName && !isSameFile && Lock?.KeyFileIdentity == keyFile)
            {
                Lock.RemoveNow(); // the old one, which nobody finds any more
            }
        }

        if (options.UseLock && !hasOwnLockName && !isNameTaken) SystemVSemaphores.RemoveByKey(lockKey);
        return true;
    }

    private void SayThatFileWasReplaced(KeyFile file) => NativeIpcEventSource.s_log.KeyFileReplaced(
        $"The key file of the segment {Failure.Describe(key)} was deleted and made anew while the segment was in use "
            + $"(inode {keyFile.Inode}, System V key 0x{ipcKey:x8}; now inode {file.Status.Identity.Inode}): whoever "
            + $"opened it since then met another segment, or none.");

    /// <summary>Whether a failure says that there is no lock to be had: something is used up, or what it is made under
    /// is missing or another's. A device that fails, or a call that does not do for an open file, says nothing of
    /// that.</summary>
    internal static bool IsNoLockToBeHad(NativeIpcException failure) => failure.Error switch
    {
        NativeIpcError.OutOfResources => failure.NativeErrorCode != Errno.EIO,
        NativeIpcError.KeyError => failure.NativeErrorCode is not (Errno.EBADF or Errno.EINVAL)
            && failure.NativeErrorCode != Errno.EOPNOTSUPP,
        _ => false,
    };

    /// <summary>
    /// Takes the segment's lock within the bound; false when somebody holds on to it. A process that ends while it
    /// holds the lock itself goes on with it. Where the lock cannot be opened for want of descriptors, or made for want
    /// of semaphores or of the key file's folder, removing goes on without it: a segment that is left behind is worse
    /// than a Qt process that has to attach again.
    /// </summary>
    private bool TryLock(End end, out SystemVSemaphore? taken)
    {
        taken = null;
        var patience = new Backoff(options.PeerTimeout);
        while (true)
        {
            SystemVSemaphore semaphore;
            try
            {
                semaphore = OpenLock(LockPurpose.Remove, options.PeerTimeout);
            }
            catch (NativeIpcException failure)
                when (IsNoLockToBeHad(failure))
            {
                return true;
            }

            try
            {
                bool acquired = semaphore.TryAcquire() || (end == End.Process && semaphore.WasLastUsedByThisProcess);
                while (!acquired && !patience.IsOver) acquired = semaphore.Block(TimeSpan.FromMilliseconds(20));
                if (acquired) taken = semaphore;
                return acquired;
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound && IsUnused)
            {
                // A peer has removed the lock and not the segment.
            }
            finally
            {
                if (taken is null) semaphore.Dispose();
            }
        }
    }
}
