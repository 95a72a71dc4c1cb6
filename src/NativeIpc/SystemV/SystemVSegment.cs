using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>An attached System V segment. The last one to detach removes it (mission C4).</summary>
internal sealed class SystemVSegment : Segment
{
    private readonly SystemVDetach _detach;
    private readonly SegmentStatus _status;
    private readonly bool _requiresRecovery;

    internal SystemVSegment(in NativeIpcKey key, nint address, int id, int ipcKey, in SegmentStatus status,
        FileIdentity keyFile, SharedMemoryAccess access, bool createdNew, SharedMemoryOptions options)
        : base(key, address, status.Size, access, createdNew)
    {
        _status = status;
        _requiresRecovery = options.RequireLockRecovery;
        _detach = new SystemVDetach(key, address, id, ipcKey, status.Size, keyFile, options, createdNew);
        if (_detach.Removes && options.RemoveAtProcessExit) ProcessExit.Add(_detach);
    }

    /// <inheritdoc/>
    public override string ObjectIdentity => _detach.Id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    /// <remarks>
    /// A segment that lives gets its lock, also when a peer has removed the lock and the key file: a Qt process that
    /// made the lock does so when it lets go, and the others meet at the one that is made anew under the path. A
    /// segment that was removed gets none: nobody would remove it.
    /// </remarks>
    public override SemaphoreObject OpenLock(in PeerBound bound)
    {
        if (_requiresRecovery && !OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException(
                $"The lock of the segment {Failure.Describe(Key)} cannot tell of a holder's death: of System V locks "
                    + $"that is noticed on Linux only. Set RequireLockRecovery to false to use it without.");
        return _detach.OpenLock((UnixFileMode)(_status.Mode & 0x1B6), bound, _status);
    }

    /// <inheritdoc/>
    public override void NoteLock(SemaphoreObject opened) => _detach.Lock = (SystemVSemaphore)opened;

    /// <inheritdoc/>
    public override INameWatch? WatchLock(SemaphoreObject opened)
    {
        if (opened is not SystemVSemaphore semaphore) return null;
        NameWatch? watch = NameWatch.TryWatch(KeyFile.Path(semaphore.Key), semaphore.KeyFileIdentity);
        return watch is null ? null : new LockWatch(watch, semaphore);
    }

    /// <summary>Detaches from a segment that this call should not have attached to, and removes nothing.</summary>
    internal void DetachOnly()
    {
        _detach.Removes = false;
        Dispose();
    }

    /// <summary>Detaches from a segment that could not be filled, and removes it, whoever is attached, if this call has
    /// made it.</summary>
    internal void DetachOnly(bool removes, bool madeKeyFile)
    {
        DetachOnly();
        if (removes) _detach.RemoveMade(madeKeyFile);
    }

    /// <summary>Has the kernel map all pages; false and the error number when it does not.</summary>
    internal bool TryFill(int advice, out int number)
    {
        number = Libc.madvise(handle, (nuint)Size, advice) == 0
            ? 0 : System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
        return number == 0;
    }

    protected override bool ReleaseHandle()
    {
        if (!IsFinalizing) return _detach.Detach(atExit: false);

        // The lock first, as Dispose does; all of it elsewhere, since it may wait for files and for peers that hold the
        // lock.
        Afterwards.Do(() =>
        {
            try
            {
                CloseLock?.Invoke();
            }
            finally
            {
                _detach.Detach(atExit: false);
            }
        });
        return true;
    }

    /// <summary>The lock is the set, not the key file: as long as the set lives, its users stay with it. A set that is
    /// gone tells of itself at the next operation; or here, when the key file went with it.</summary>
    private sealed class LockWatch(NameWatch watch, SystemVSemaphore semaphore) : INameWatch
    {
        public bool HasChanged => watch.HasChanged && semaphore.IsGone;

        public bool IsTold => watch.IsTold;

        public void Dispose() => watch.Dispose();
    }
}

/// <summary>Detaching, once: at Dispose, in the finalizer, or when the process ends; then removing, if nobody is
/// attached any more.</summary>
/// <remarks>
/// Interleavings considered. (1) Dispose and exit together: the gate lets one through, and the other waits for it. (2)
/// Two processes detach together: both see nobody attached, the Qt lock and then the file lock put them in order, and
/// the second finds the segment gone. (3) A process of ours attaches between the look and the removal: it holds the
/// file lock from finding the segment until it is attached, so the look under the lock sees it. (4) A Qt process does:
/// it holds the Qt lock meanwhile, which is why that is taken first; if its holder does not let go within the bound, it
/// is alive (the kernel gives back what dead ones held), and removing is left to it or the next one. (5) The process
/// ends while threads still touch the memory: the mapping is replaced by an empty private one in one call, never taken
/// away under them.
/// </remarks>
internal sealed class SystemVDetach(NativeIpcKey key, nint address, int id, int ipcKey, long size, FileIdentity keyFile,
    SharedMemoryOptions options, bool createdNew) : ExitDuty
{
    private const string Removing = "remove the segment";

    private readonly Lock _gate = new();
    private bool _isDetached;
    private bool _hasRemoved; // what fails after that leaves the lock or the key file

    static SystemVDetach() => NativeIpcEventSource.Load();

    internal int Id => id;

    internal bool Removes { get; set; } = options.Removal is RemovalPolicy.Default or RemovalPolicy.LastOneOut
        || (createdNew && options.Removal == RemovalPolicy.Creator);

    /// <summary>The lock that was opened through this attachment, if any: a peer may have made it anew under another
    /// key file.</summary>
    internal SystemVSemaphore? Lock { get; set; }

    public override void Perform() => Detach(atExit: true);

    internal bool Detach(bool atExit)
    {
        bool detached = true;
        lock (_gate)
        {
            if (!_isDetached) detached = DetachOnce(atExit);
            _isDetached = true;
        }

        ProcessExit.Forget(this);
        return detached;
    }

    private bool DetachOnce(bool atExit)
    {
        bool detached = atExit && OperatingSystem.IsLinux() ? Mapping.Replace(address, size) : Libc.shmdt(address) == 0;
        if (!Removes) return detached;
        try
        {
            if (options.Removal == RemovalPolicy.Creator)
            {
                if (!RemoveAll(null, asCreator: true)) RemoveRest(atExit);
            }
            else RemoveIfLast(atExit);
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

    /// <summary>Opens or makes the Qt lock, also when it must be made anew, as long as the segment is there; it is
    /// asked under the file lock, which who removes the segment holds.</summary>
    internal SystemVSemaphore OpenLock(UnixFileMode segmentMode, in PeerBound bound, SegmentStatus? segment = null)
    {
        // Counted, so that the end of the process waits until what may be made here is undone; and looked at before
        // anything is made. Interleaving at the end without that: the duty removes the segment, its set and the key
        // file; a pending wait finds the set gone, comes here, makes the key file anew, and the process is gone before
        // the check below refuses and undoes that.
        using ProcessExit.Call call = ProcessExit.Begin(key, owns: false, bound);
        CheckNotRemoved();
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        return SystemVSemaphores.OpenLock(lockKey, segmentMode, segment, options.AllowOtherOwners || segment is null,
            id, CheckNotRemoved, lockKey.NativeKey == key.NativeKey ? (keyFile, ipcKey) : null, bound);
    }

    /// <summary>Removes the segment by its id, and then the key file if this process made it and nothing else stands
    /// under it. Nothing can be thrown where this runs.</summary>
    internal void RemoveMade(bool madeKeyFile)
    {
        try
        {
            SystemVSupport.RemoveSegment(Removing, key, id);
            if (!madeKeyFile) return;
            using KeyFile? file = KeyFile.Open(Removing, key, create: false,
                KeyFile.Rules.Removing(options.PeerTimeout), cleansUp: true);
            if (file is not null && file.Status.Identity == keyFile) file.RemoveIfOurs(ipcKey);
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    private void CheckNotRemoved()
    {
        if (SystemVSupport.Status(id, out SegmentStatus status) == 0 && !status.IsRemoved) return;
        throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", key, "lock",
            "the segment was removed, and the lock went with it",
            "Attach again to the segment that has the key now.");
    }

    /// <summary>Nobody is attached, and this user may remove it: another user's is left to its owner.</summary>
    /// <exception cref="NativeIpcException">The system does not say.</exception>
    private bool IsUnused => MayBeRemoved(out _);

    /// <exception cref="NativeIpcException">The system does not say.</exception>
    private bool MayBeRemoved(out bool isGone)
    {
        int error = SystemVSupport.Status(id, out SegmentStatus status);
        isGone = SystemVSupport.IsGone(error);
        if (error == 0) return IsUnusedAndOurs(status);
        return isGone ? false : throw SystemVErrors.UseSegment(Removing, key, "shmctl", error);
    }

    private bool IsKnownToBeOthers
        => SystemVSupport.Status(id, out SegmentStatus status) is var error
            && (error == 0 ? !IsUnusedAndOurs(status) : SystemVSupport.IsGone(error));

    private static bool IsUnusedAndOurs(in SegmentStatus status)
        => status.Attached == 0 && (RealIds.MayBeThisUser(status.Uid) || Libc.geteuid() == 0);

    /// <summary>Whether the key still leads to the segment: a Qt peer removes the key file together with the lock that
    /// it made.</summary>
    private bool HasName => Libc.shmget(Libc.ftok(KeyFile.Path(key), (int)key.Type), 0, 0) == id;

    private void RemoveIfLast(bool atExit)
    {
        if (!MayBeRemoved(out bool isGone))
        {
            if (isGone) RemoveRest(atExit);
            return;
        }

        if (TryRemoveAtOnce()) return;
        SystemVSemaphore? qtLock = null;
        try
        {
            // Without its name nobody can attach to it any more, and the name may be another segment's by now, with
            // that one's lock.
            if (options.UseLock && HasName && !TryLock(atExit, out qtLock))
            {
                // Who has the lock may be attaching, and is the last one out then; if not, nobody else will say it.
                if (IsUnused) SayItIsLocked();
                return;
            }

            RemoveAll(qtLock, asCreator: false);
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
    /// is attached and nobody has the Qt lock. That lock is only tried here, since its holder may be waiting for the
    /// file. False: nothing was done, and it takes the long way.
    /// </summary>
    private bool TryRemoveAtOnce()
    {
        if (!options.UseLock || !OperatingSystem.IsLinux() || key.LegacyKey.Length > 0) return false;
        // A peer had it made anew: there may be two to remove
        if (Lock is not null && Lock.KeyFileIdentity != keyFile) return false;
        using KeyFile? file = KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(options.PeerTimeout),
            cleansUp: true);
        if (file is null || !file.IsLocked || file.Status.Identity != keyFile) return false;

        // Race: another process that detached at the same moment had the file first, and has removed all. Safe because
        // nothing is made for a segment that has gone: nobody would remove a lock that is made here, nor the file.
        if (!IsUnused) return true;
        int qtLock = SystemVSemaphores.TakeLockNow(ipcKey, (UnixFileMode)((uint)options.Mode & 0x1B6), Lock?.CurrentId);
        if (qtLock == -1) return false;
        bool isLockOver = false;
        try
        {
            if (!IsUnused) return true;
            SystemVSupport.RemoveSegment(Removing, key, id);
            _hasRemoved = true;
            if (Libc.shmget(ipcKey, 0, 0) != -1) return true; // a peer that knows no lock has made another one
            isLockOver = SystemVSupport.RemoveSemaphore(Removing, key, qtLock);
            file.RemoveIfOurs(ipcKey);
            return true;
        }
        finally
        {
            if (!isLockOver) SystemVSemaphores.GiveLockBack(key, qtLock);
        }
    }

    /// <summary>Removes what the kernel leaves of a segment that went with its last detach
    /// (<c>kernel.shm_rmid_forced</c>): the lock and the key file, under the lock of that file.</summary>
    private void RemoveRest(bool atExit)
    {
        if (!SystemVKeeping.RemovesSegments) return; // whoever has removed it has removed the rest, or wants it
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool hasOwnLockName = lockKey.NativeKey == key.NativeKey;
        using (KeyFile? file =
            KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(options.PeerTimeout), cleansUp: true))
        {
            // another segment has the name
            if (file is null || file.Status.Identity != keyFile || Libc.shmget(ipcKey, 0, 0) != -1) return;
            if (options.UseLock && hasOwnLockName)
            {
                // Who has the lock may be making the segment anew, as Qt does; unless it is this process, which ends.
                int qtLock =
                    SystemVSemaphores.TakeLockNow(ipcKey, (UnixFileMode)((uint)options.Mode & 0x1B6), Lock?.CurrentId);
                if (qtLock == -1 && atExit && Lock is { WasLastUsedByThisProcess: true } own) qtLock = own.CurrentId;
                if (qtLock == -1) return;
                SystemVSupport.RemoveSemaphore(Removing, key, qtLock);
            }

            file.RemoveIfOurs(ipcKey);
        }

        if (options.UseLock && !hasOwnLockName) SystemVSemaphores.RemoveByKey(lockKey);
    }

    /// <summary>Removes the segment, the lock and the key file. A creator does so whoever is attached: those keep the
    /// memory, and have no lock any more.</summary>
    /// <returns>Whether the segment was there.</returns>
    private bool RemoveAll(SystemVSemaphore? qtLock, bool asCreator)
    {
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        bool hasOwnLockName = lockKey.NativeKey == key.NativeKey;
        bool isNameTaken;
        using (KeyFile? file = KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(options.PeerTimeout),
            cleansUp: true))
        {
            if ((!asCreator && !IsUnused) || !SystemVSupport.RemoveSegment(Removing, key, id)) return false;
            _hasRemoved = true;
            bool isSameFile = file is not null && file.Status.Identity == keyFile;
            if (file is not null && !isSameFile)
                NativeIpcEventSource.s_log.KeyFileReplaced(
                    $"The key file of the segment {Failure.Describe(key)} was deleted and made anew while the segment "
                        + $"was in use (inode {keyFile.Inode}, System V key 0x{ipcKey:x8}; now "
                        + $"inode {file.Status.Identity.Inode}): whoever opened it since then met another segment, or "
                        + $"none.");
            isNameTaken = file is not null && Libc.shmget(file.Ftok(Removing), 0, 0) != -1;
            if (!isNameTaken)
            {
                // The lock goes with the segment: the one under the segment's own key (with a legacy key, of users of
                // the bare native key), and the one that peers may have made anew
                // since under another key file.
                if (isSameFile && options.UseLock) SystemVSupport.RemoveSemaphoreOf(Removing, key, ipcKey);
                Lock?.RemoveNow();
                qtLock?.RemoveNow();
                file?.RemoveIfOurs(file.Ftok(Removing));
            }
            else if (hasOwnLockName && !isSameFile && Lock?.KeyFileIdentity == keyFile)
            {
                Lock.RemoveNow(); // the old one, which nobody finds any more
            }
        }

        if (options.UseLock && !hasOwnLockName && !isNameTaken) SystemVSemaphores.RemoveByKey(lockKey);
        return true;
    }

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
    /// Takes the Qt lock within the bound; false when somebody holds on to it. A process that ends while it holds the
    /// lock itself goes on with it. Where the lock cannot be opened for want of descriptors, or made for want of
    /// semaphores or of the key file's folder, removing goes on without it: a segment that is left behind is worse than
    /// a Qt process that has to attach again.
    /// </summary>
    private bool TryLock(bool atExit, out SystemVSemaphore? taken)
    {
        taken = null;
        var patience = new Backoff(options.PeerTimeout);
        while (true)
        {
            SystemVSemaphore semaphore;
            try
            {
                semaphore = OpenLock(options.Mode, options.PeerTimeout);
            }
            catch (NativeIpcException failure)
                when (IsNoLockToBeHad(failure))
            {
                return true;
            }

            try
            {
                bool acquired = semaphore.TryAcquire() || (atExit && semaphore.WasLastUsedByThisProcess);
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
