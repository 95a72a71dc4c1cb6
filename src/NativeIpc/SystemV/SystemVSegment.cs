using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>An attached System V segment. The last one to detach removes it.</summary>
internal sealed class SystemVSegment : Segment
{
    private readonly SystemVDetach _detach;
    private readonly bool _requiresRecovery;

    internal SystemVSegment(in NativeIpcKey key, nint address, int id, int ipcKey, long size, FileIdentity keyFile,
        SharedMemoryAccess access, bool createdNew, SharedMemoryOptions options)
        : base(key, address, size, access, createdNew)
    {
        _requiresRecovery = options.RequireLockRecovery;
        _detach = new SystemVDetach(key, address, id, ipcKey, size, keyFile, options, createdNew);
        if (_detach.Removes && options.RemoveAtProcessExit) ProcessExit.Add(_detach);
    }

    /// <inheritdoc/>
    public override string ObjectIdentity => _detach.Id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    /// <remarks>
    /// A segment that lives gets its lock, also when a peer has removed the lock and the key file, as a Qt process that
    /// made the lock does when it detaches: the others meet at the one that is made anew under the path. A segment that
    /// was removed gets none: nobody would remove it.
    /// </remarks>
    public override SemaphoreObject OpenLock(in PeerBound bound)
    {
        if (_requiresRecovery && !OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException(
                $"The lock of the segment {Failure.Describe(Key)} cannot tell of a holder's death: of System V locks "
                    + $"that is noticed on Linux only. Set RequireLockRecovery to false to use it without.");
        return _detach.OpenLock(bound);
    }

    /// <inheritdoc/>
    public override bool WasReplaced => _detach.WasReplaced;

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
    internal void TakeBack(bool madeKeyFile)
    {
        DetachOnly();
        if (CreatedNew) _detach.RemoveMade(madeKeyFile);
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
        if (!IsFinalizing) return _detach.Detach();

        // The lock first, as Dispose does. On another thread, since it may wait for files and for holders of the lock.
        Afterwards.Do(() =>
        {
            try
            {
                CloseLock?.Invoke();
            }
            finally
            {
                _detach.Detach();
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
