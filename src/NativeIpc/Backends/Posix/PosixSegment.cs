using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>An attached POSIX segment: a shared mapping of the whole object, and its descriptor.</summary>
internal sealed class PosixSegment : Segment
{
    private readonly UnixDescriptor _descriptor;
    private readonly FileStatus _status;
    private readonly PosixRemoval? _removal;
    private readonly TimeSpan _bound;
    private readonly bool _requiresRecovery;

    internal PosixSegment(in NativeIpcKey key, nint address, in FileStatus status, SharedMemoryAccess access, bool createdNew, UnixDescriptor descriptor, SharedMemoryOptions options)
        : base(key, address, status.Size, access, createdNew)
    {
        _descriptor = descriptor;
        _status = status;
        _bound = options.PeerTimeout;
        _requiresRecovery = options.RequireLockRecovery;
        if (!createdNew || options.Removal == RemovalPolicy.Keep) return;
        _removal = new PosixRemoval(key, isSegment: true, options.UseLock ? PosixNames.LockKey(key) : default, status.Identity, options.PeerTimeout);
        if (options.RemoveAtProcessExit) ProcessExit.Add(_removal);
    }

    /// <inheritdoc/>
    public override string ObjectIdentity => _status.Identity.ToString();

    /// <inheritdoc/>
    /// <remarks>
    /// The lock is made only while this process holds the file lock of the segment and sees that the name still leads to it: the process
    /// that removes the segment removes both names under the same file lock, so no lock is made for a segment that has lost its name.
    /// </remarks>
    public override SemaphoreObject OpenLock()
    {
        if (_requiresRecovery && !HeldSemaphore.IsOffered)
        {
            throw new PlatformNotSupportedException(
                $"Cannot lock the segment {Failure.Describe(Key)} with RequireLockRecovery: the death of a holder of a POSIX lock is noticed only on Linux with glibc, and not with the plain POSIX calls. Use a System V key, or do without.");
        }

        NativeIpcKey lockKey = NameRules.LockKey(Key, PlatformEnvironment.Current);
        if (PlatformEnvironment.FindViolation(lockKey, IpcObjectKind.SystemSemaphore) is { } violation)
            throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "sem_open", violation, "Use a shorter name, or do without the lock (UseLock = false).");
        if (PosixNames.s_areFiles && PosixNames.SemaphoreFile(PosixNames.Native(lockKey)) == PosixNames.SegmentFile(PosixNames.Native(Key)))
        {
            throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "sem_open",
                "with the musl C library a segment and a semaphore of the same name are the same file, so this segment cannot have a lock under its own key",
                "Use a legacy key, a SystemSemaphore of your own under another name, or System V.");
        }

        int error = FileLock.Take(_descriptor, _bound, out FileLock held);
        if (error != 0)
        {
            throw Failure.Of(NativeIpcError.LockError, "open the lock of the segment", Key, "flock", error,
                "Another process is in the middle of making or removing it; try again.");
        }

        using (held)
        {
            if (!StillHasItsName())
            {
                throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "lock",
                    "its name was removed, or leads to another segment by now, and the lock went with it",
                    "Attach again to the segment that has the name now; take the lock early to keep it for as long as the attachment lasts.");
            }

            return PosixSemaphores.OpenLock(lockKey, _status);
        }
    }

    private bool StillHasItsName()
        => !PosixNames.s_areFiles
            || (Libc.Status(PosixNames.SegmentFile(PosixNames.Native(Key)), followLink: false, out FileStatus now) == 0 && now.Identity == _status.Identity);

    /// <inheritdoc/>
    public override INameWatch? WatchLock(SemaphoreObject opened)
    {
        FileIdentity identity = opened is HeldSemaphore held ? held.Identity : opened is PosixSemaphore plain ? plain.Identity : default;
        if (identity == default) return null;
        NameWatch? watch = NameWatch.TryWatch(PosixNames.SemaphoreFile(PosixNames.Native(opened.Key)), identity);
        return watch is null ? null : new LockWatch(watch, this);
    }

    /// <inheritdoc/>
    public override void LetGo() => _removal?.Perform(_descriptor);

    protected override bool ReleaseHandle()
    {
        _removal?.Perform(); // the finalizer of an instance that nobody disposed; the mapping still pins the inode
        bool unmapped = Libc.munmap(handle, (nuint)Size) == 0;
        _descriptor.Dispose();
        return unmapped;
    }

    /// <summary>The lock's name going together with the segment's is its normal end, not a replacement: then the users keep the lock they have.</summary>
    private sealed class LockWatch(NameWatch watch, PosixSegment segment) : INameWatch
    {
        private volatile bool _isOver; // a name that has come to lead elsewhere never leads back

        public bool HasChanged
        {
            get
            {
                if (!watch.HasChanged || _isOver) return false;
                if (segment.StillHasItsName()) return true;
                _isOver = true;
                return false;
            }
        }

        public void Dispose() => watch.Dispose();
    }
}
