using Microsoft.Win32.SafeHandles;
using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Windows;

/// <summary>
/// An attached Windows segment: a view of the whole section, and the handle of the section. The view alone would keep the bytes, but the
/// name vanishes with the last handle, so that nobody could attach any more.
/// </summary>
internal sealed class WindowsSegment : Segment
{
    private readonly SafeMemoryMappedFileHandle _mapping;

    private readonly bool _requiresRecovery;

    internal WindowsSegment(in NativeIpcKey key, nint address, long size, SharedMemoryAccess access, bool createdNew, SafeMemoryMappedFileHandle mapping, bool requiresRecovery)
        : base(key, address, size, access, createdNew)
    {
        _mapping = mapping;
        _requiresRecovery = requiresRecovery;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The semaphore that Qt uses: value 1, under the segment's name with _sem behind it. Interleaving: two open it for the first time; the
    /// system makes one and gives it to both. Whoever holds a handle keeps it alive, so it cannot be replaced under its users.
    /// </remarks>
    public override SemaphoreObject OpenLock()
    {
        if (_requiresRecovery)
            throw new PlatformNotSupportedException($"Cannot lock the segment {Failure.Describe(Key)} with RequireLockRecovery: on Windows the death of a holder is not noticed so far. Do without.");
        NativeIpcKey lockKey = NameRules.LockKey(Key, PlatformEnvironment.Current);
        return PlatformEnvironment.FindViolation(lockKey, IpcObjectKind.SystemSemaphore) is { } violation
            ? throw Failure.Found(NativeIpcError.LockError, "open the lock of the segment", Key, "CreateSemaphoreW", violation.TrimEnd('.'),
                "Use a shorter name, or do without the lock (UseLock = false).")
            : WindowsSemaphores.OpenOrCreate("open the lock of the segment", lockKey, 1);
    }

    /// <inheritdoc/>
    /// <remarks>A name cannot be removed or lead elsewhere on Windows while a handle is open, and the lock's is.</remarks>
    public override INameWatch? WatchLock(SemaphoreObject opened) => null;

    protected override bool ReleaseHandle()
    {
        bool unmapped = Kernel32.UnmapViewOfFile(handle) != 0;
        _mapping.Dispose();
        return unmapped;
    }
}
