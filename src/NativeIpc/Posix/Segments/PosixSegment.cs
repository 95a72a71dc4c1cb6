using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Semaphores;
using NativeIpc.Posix.Users;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Segments;

/// <summary>An attached POSIX segment: a shared mapping of the whole object, and its descriptor.</summary>
internal sealed class PosixSegment : Segment
{
    private readonly int _descriptor; // used with a reference on this handle
    private readonly UnixDescriptor? _shared; // the same, where the end of the process may use it at any moment
    private readonly FileStatus _status;
    private readonly PosixRemoval? _removal;
    private readonly PosixLastOut? _lastOut;
    private bool _isUnmapped;
    private readonly OwnerTrust _owners;
    private readonly bool _requiresRecovery;
    private long _largestFile = -1; // -1: not asked yet
    private readonly Lock _openingLock = new();
    private bool _hasOpenedLock; // only a hint

    private PosixSegment(in NativeIpcKey key, nint address, in FileStatus status, SharedMemoryAccess access,
        Origin origin, int descriptor, SharedMemoryOptions options)
        : base(key, address, status.Size, access, origin == Origin.Made)
    {
        _descriptor = descriptor;
        _status = status;
        _requiresRecovery = options.RequireLockRecovery;
        _owners = options.AllowOtherOwners ? OwnerTrust.Anyone : OwnerTrust.ThisUserAndRoot;
        if (options.Removal == RemovalPolicy.LastOneOut)
        {
            _shared = new UnixDescriptor(descriptor);
            _lastOut = new PosixLastOut(key, IpcObjectKind.SharedMemory, LockKey(options), status.Identity,
                options.PeerTimeout, address, status.Size, _shared);
            return;
        }

        if (origin == Origin.Found || options.Removal == RemovalPolicy.Keep) return;
        _removal = new PosixRemoval(key, IpcObjectKind.SharedMemory, LockKey(options), status.Identity,
            options.PeerTimeout);
    }

    /// <summary>Makes the object that owns a mapping and a descriptor from now on, whatever happens.</summary>
    internal static PosixSegment Own(in NativeIpcKey key, nint address, in FileStatus status, SharedMemoryAccess access,
        Origin origin, int descriptor, SharedMemoryOptions options)
    {
        DescriptorTable.MakeRoom(descriptor);
        var segment = new PosixSegment(key, address, status, access, origin, descriptor, options);
        if (!options.RemoveAtProcessExit) return segment;
        try
        {
            if (segment._removal is { } removal) ProcessExit.Add(removal);
            else if (segment._lastOut is { } lastOut) ProcessExit.Add(lastOut);
            return segment;
        }
        catch
        {
            segment.Dispose();
            throw;
        }
    }

    /// <summary>Takes away the record that the segment goes with its users.</summary>
    internal void EraseRemovalRecord() => RemovalRecord.Erase(_descriptor);

    private LockedSegment AsLocked()
        => new(_status, _owners, _requiresRecovery ? LockRecovery.Required : LockRecovery.WherePossible, CheckName);

    /// <summary>The lock that goes together with the segment.</summary>
    private NativeIpcKey LockKey(SharedMemoryOptions options) => options.UseLock ? PosixNames.LockKey(Key) : default;

    /// <inheritdoc/>
    public override string ObjectIdentity => _status.Identity.ToString();

    /// <inheritdoc/>
    /// <remarks>A lock that is there is opened without the file lock, one that is not is made under it.</remarks>
    public override SemaphoreObject OpenLock(in PeerBound bound)
    {
        using var reports = HeldReports.Begin();
        CheckLockRecovery();
        NativeIpcKey lockKey = CheckedLockKey();

        // R1 Race: the segment is removed, and another one gets its name, before its lock is opened. Safe because: what
        // has the lock's name is opened first, and then the segment's name still leads here (CheckName); so it did when
        // the lock was opened, since a name that was taken away never comes back. The creator is the first to use the
        // lock, as a rule, and does not look for one.
        if (PosixNames.s_areFiles && (!CreatedNew || _hasOpenedLock)
            && PosixSemaphores.FindLock(lockKey, AsLocked(), bound) is { } found)
            return found;

        // R2 Race: two threads open it. The open file is the same, so the file lock keeps none out, and the first would
        // release it for both; and the gate of the removal would look as if it removed. Safe because: one at a time.
        bound.WaitForGate(_openingLock);
        try
        {
            return MakeLock(lockKey, bound);
        }
        finally
        {
            _openingLock.Exit();
        }
    }

    private SemaphoreObject MakeLock(in NativeIpcKey lockKey, in PeerBound bound)
    {
        Debug.Assert(_openingLock.IsHeldByCurrentThread);
        int error = FileLock.Take(_descriptor, bound, out FileLock held);
        if (error != 0 && error != Errno.EAGAIN)
            throw PosixErrors.Unknown("open the lock of the segment", Key, "flock", error);
        if (error != 0)
        {
            throw Failure.Of(NativeIpcError.LockError, "open the lock of the segment", Key, "flock", error,
                "Another process is in the middle of making or removing it; try again.");
        }

        using (held)
        {
            // R3 Race: a process removes the segment while this makes the lock. Safe because: one that removes does so
            // under the same file lock, both names together, and this looks at the name under it. Two that make the
            // lock: the second finds it. This process removes through the same open file, which the file lock does not
            // keep out: the gate of the removal does, and a removal that has begun, or is through, is a Dispose that
            // has begun.
            Lock? removing = _removal?.Gate;
            ThrowIfClosed(removing?.TryEnter() == false);
            try
            {
                // Where the name cannot be compared, nothing else says that it is gone.
                ThrowIfClosed(_removal is { IsPerformed: true });
                CheckName();
                SemaphoreObject opened = PosixSemaphores.MakeLock(lockKey, AsLocked(), bound);
                _hasOpenedLock = true;
                return opened;
            }
            finally
            {
                removing?.Exit();
            }
        }
    }

    private void CheckLockRecovery()
    {
        if (!_requiresRecovery || HeldSemaphore.IsOffered) return;
        throw new PlatformNotSupportedException(
            $"Cannot lock the segment {Failure.Describe(Key)} with RequireLockRecovery: the death of a holder of "
                + $"a POSIX lock is noticed only on Linux, and not with the plain POSIX calls. Use a "
                + $"System V key, or do without.");
    }

    private NativeIpcKey CheckedLockKey()
    {
        const string attempt = "open the lock of the segment";
        NativeIpcKey lockKey = NameRules.LockKey(Key, PlatformEnvironment.Current);
        if (UsableKey.FindViolationHere(lockKey, IpcObjectKind.SystemSemaphore) is { } violation)
        {
            throw Failure.Found(NativeIpcError.LockError, attempt, Key, "sem_open", violation.TrimEnd('.'),
                "Or do without the lock (UseLock = false).");
        }

        if (PosixNames.WhyRefused(lockKey) is { } reason)
        {
            throw Failure.Found(NativeIpcError.LockError, attempt, Key, "sem_open", reason,
                "Use a SystemSemaphore of your own under another name, or System V.");
        }

        return lockKey;
    }

    /// <summary>Refuses a lock when the segment has lost its name.</summary>
    private void CheckName()
    {
        int number = LookAtName(out bool isThere);
        if (number != 0) throw PosixErrors.Unknown("open the lock of the segment", Key, "statx", number);
        if (isThere) return;
        throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "lock",
            "its name was removed, or leads to another segment by now, and the lock went with it",
            "Attach again to the segment that has the name now; take the lock early to keep it for as long as the "
                + "attachment lasts.");
    }

    /// <inheritdoc/>
    public override long VerifySize()
    {
        int error = Libc.Status(_descriptor, out FileStatus now);
        if (error != 0) throw PosixErrors.Unknown("verify the size of the segment", Key, "statx", error);
        return now.Size >= Size || !PosixNames.s_areFiles ? now.Size : throw Shrunk(now.Size);
    }

    /// <inheritdoc/>
    /// <remarks>By pread(2), which says where the file has become shorter; a mapping would end the process
    /// (SIGBUS).</remarks>
    public override unsafe void CopyOut(long offset, Span<byte> destination)
    {
        if (!PosixNames.s_areFiles)
        {
            base.CopyOut(offset, destination);
            return;
        }

        CheckRange(offset, destination.Length);
        fixed (byte* first = destination)
        {
            for (int done = 0; done < destination.Length;)
            {
                nint read = Libc.pread(_descriptor, first + done, (nuint)(destination.Length - done), offset + done);
                if (read > 0) done += (int)read;
                else if (read == 0) throw Shrunk(offset + done);
                else if (Marshal.GetLastPInvokeError() is var number && number != Errno.EINTR)
                    throw PosixErrors.Unknown("read the segment", Key, "pread", number);
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>By pwrite(2), which would make a file longer: so this looks at its size first. A file that shrinks
    /// after that look gets its bytes back, zero up to what is written.</remarks>
    public override unsafe void CopyIn(long offset, ReadOnlySpan<byte> source)
    {
        if (!PosixNames.s_areFiles)
        {
            base.CopyIn(offset, source);
            return;
        }

        CheckRange(offset, source.Length);
        VerifySize();
        CheckLimit(offset + source.Length);
        fixed (byte* first = source)
        {
            for (int done = 0; done < source.Length;)
            {
                nint written = Libc.pwrite(_descriptor, first + done, (nuint)(source.Length - done), offset + done);
                if (written >= 0) done += (int)written;
                else if (Marshal.GetLastPInvokeError() is var number && number != Errno.EINTR)
                    throw PosixErrors.Write("write the segment", Key, number);
            }
        }
    }

    /// <summary>Refuses to write where the kernel would end this process for it (RLIMIT_FSIZE), also in a file that is
    /// longer already. A limit that is lowered after the first writing is not seen.</summary>
    private void CheckLimit(long end)
    {
        if (_largestFile < 0) _largestFile = Libc.LargestFile();
        if (end > _largestFile && end > (_largestFile = Libc.LargestFile()))
            throw SizeLimits.TooLargeAFile("write the segment", Key, end, _largestFile);
    }

    private NativeIpcException Shrunk(long size)
        => Failure.Found(NativeIpcError.InvalidSize, "use the segment", Key, "statx",
            $"a peer has shortened it to {size} of {Size} bytes",
            "Dispose it and open it anew. Until then a span that touches what is gone ends the process (SIGBUS); "
                + "Read, Write and streams are safe.");

    /// <summary>Whether the name still leads to this segment; where names cannot be compared it does.</summary>
    /// <returns>0, or the error number when the look could not tell.</returns>
    private int LookAtName(out bool isThere)
    {
        isThere = true;
        if (!PosixNames.s_areFiles) return 0;
        int number = PosixNames.StatusOf(Key, IpcObjectKind.SharedMemory, out FileStatus now);
        isThere = number == 0 && now.Identity == _status.Identity;
        return number == Errno.ENOENT ? 0 : number;
    }

    /// <inheritdoc/>
    public override bool WasReplaced => LookAtName(out bool isThere) == 0 && !isThere;

    /// <inheritdoc/>
    public override INameWatch? WatchLock(SemaphoreObject opened)
    {
        if (opened is not MappedSemaphore { Identity: var identity } || identity == default) return null;
        NameWatch? watch = NameWatch.TryWatch(PosixNames.SemaphoreFile(PosixNames.Native(opened.Key)), identity);
        return watch is null ? null : new LockWatch(watch, this);
    }

    /// <inheritdoc/>
    public override void LetGo() => _removal?.Perform(_descriptor);

    protected override bool ReleaseHandle()
    {
        // A removal may wait for a file's lock, which a finalizer may not; the mapping stays until then.
        if (!IsFinalizing || (_removal is null && _lastOut is null)) return Release();
        Afterwards.Do(() => Release());
        return true;
    }

    private bool Release()
    {
        _removal?.Perform(); // of an instance that was not disposed; the mapping still pins the inode
        if (_lastOut is null) Unmap();
        else _lastOut.Close(static segment => segment.Unmap(), this);
        return _isUnmapped;
    }

    private void Unmap()
    {
        _isUnmapped = Libc.munmap(handle, (nuint)Size) == 0;
        if (_shared is not null)
        {
            NoUseMark.Set(_shared);
            _shared.Dispose();
        }
        else
        {
            _ = Libc.close(_descriptor);
        }
    }

    /// <summary>The lock's name going together with the segment's is its normal end, not a replacement: then the users
    /// keep the lock they have.</summary>
    private sealed class LockWatch(NameWatch watch, PosixSegment segment) : INameWatch
    {
        private volatile bool _isOver; // a name that has come to lead elsewhere never leads back

        public bool HasChanged
        {
            get
            {
                if (!watch.HasChanged || _isOver) return false;
                if (segment.LookAtName(out bool isThere) != 0) return false; // the next caller looks again
                _isOver = !isThere;
                return isThere;
            }
        }

        public bool IsTold => watch.IsTold && (_isOver || !watch.HasChanged);

        public void Dispose() => watch.Dispose();
    }
}
