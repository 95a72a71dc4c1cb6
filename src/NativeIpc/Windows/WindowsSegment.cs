using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Windows;

/// <summary>
/// An attached Windows segment: a view of the whole section, and the handle of the section. The view alone would keep
/// the bytes, but the name vanishes with the last handle, so that nobody could attach any more.
/// </summary>
internal sealed class WindowsSegment : Segment
{
    private readonly SafeMemoryMappedFileHandle _mapping;
    private readonly SafeMemoryMappedFileHandle? _record;
    private readonly WindowsSecurity _security;
    private readonly bool _requiresRecovery;

    internal WindowsSegment(in NativeIpcKey key, nint address, long size, SharedMemoryAccess access, bool createdNew,
        SafeMemoryMappedFileHandle mapping, SharedMemoryOptions options)
        : base(key, address, size, access, createdNew)
    {
        _mapping = mapping;
        _security = new WindowsSecurity(options.CurrentUserOnly, options.SecurityDescriptor);
        _requiresRecovery = options.RequireLockRecovery;
        if (options.UseLock) _record = TryOpenRecord();
    }

    /// <summary>
    /// The record of the lock's holder, kept from the beginning: a process that locks, alone, and is killed takes the
    /// lock with it, but not what the next one has to be told. And a service that makes a segment under Global\ makes
    /// it for clients who may not.
    /// </summary>
    private SafeMemoryMappedFileHandle? TryOpenRecord()
    {
        NativeIpcKey lockKey = NameRules.LockKey(Key, PlatformEnvironment.Current);
        if (UsableKey.FindViolationHere(lockKey, IpcObjectKind.SystemSemaphore) is not null) return null;
        try
        {
            return HolderTable.OpenSection(HolderTable.KeyOf(lockKey), _security);
        }
        catch (NativeIpcException)
        {
            return null; // reported when the lock is opened, which tries again
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The semaphore that Qt uses: value 1, under the segment's name with _sem behind it. Whoever holds a handle keeps
    /// it alive, so it cannot be replaced under its users.
    /// </remarks>
    public override SemaphoreObject OpenLock(in PeerBound bound)
    {
        NativeIpcKey lockKey = NameRules.LockKey(Key, PlatformEnvironment.Current);

        // R1 Race: two open it for the first time. Safe because: the system makes one and gives it to both.
        return UsableKey.FindViolationHere(lockKey, IpcObjectKind.SystemSemaphore) is { } violation
            ? throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "CreateSemaphoreW",
                violation.TrimEnd('.'),
                "Or do without the lock (UseLock = false).")
            : WindowsSemaphores.OpenLock(lockKey, _security, _requiresRecovery);
    }

    /// <inheritdoc/>
    /// <remarks>A name cannot be removed or lead elsewhere on Windows while a handle is open, and the lock's
    /// is.</remarks>
    public override INameWatch? WatchLock(SemaphoreObject opened) => null;

    protected override bool ReleaseHandle()
    {
        bool unmapped = Kernel32.UnmapViewOfFile(handle) != 0;
        _mapping.Dispose();
        _record?.Dispose();
        return unmapped;
    }
}
