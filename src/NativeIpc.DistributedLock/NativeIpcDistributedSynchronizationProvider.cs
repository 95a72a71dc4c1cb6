using System.Runtime.Versioning;
using Medallion.Threading;

namespace NativeIpc.DistributedLock;

/// <summary>Makes locks and semaphores for the processes of one machine, by name: what stands where a provider of
/// DistributedLock.Redis or DistributedLock.Postgres stands when one machine is not enough.</summary>
/// <remarks>Thread safety: every member may be called from any thread at any time.</remarks>
public sealed class NativeIpcDistributedSynchronizationProvider : IDistributedLockProvider,
    IDistributedSemaphoreProvider
{
    private readonly NativeIpcDistributedLockOptions _options;

    /// <summary>Makes a provider. It asks the system nothing.</summary>
    /// <param name="options">Key type, prefix and rights of all that it makes; null for the defaults.</param>
    /// <exception cref="ArgumentException">The prefix cannot be used.</exception>
    public NativeIpcDistributedSynchronizationProvider(NativeIpcDistributedLockOptions? options = null)
        => _options = NativeIpcDistributedLockOptions.CopyOf(options);

    /// <summary>Makes a lock.</summary>
    /// <param name="name">Any text.</param>
    /// <returns>The lock.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public NativeIpcDistributedLock CreateLock(string name) => new(name, _options);

    /// <summary>Makes a semaphore.</summary>
    /// <param name="name">Any text.</param>
    /// <param name="maxCount">How many may hold a permit at a time, 1 or more; the same for all who use the
    /// name.</param>
    /// <returns>The semaphore.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxCount"/> is less than 1.</exception>
    public NativeIpcDistributedSemaphore CreateSemaphore(string name, int maxCount) => new(name, maxCount, _options);

    IDistributedLock IDistributedLockProvider.CreateLock(string name) => CreateLock(name);

    IDistributedSemaphore IDistributedSemaphoreProvider.CreateSemaphore(string name, int maxCount)
        => CreateSemaphore(name, maxCount);

    /// <summary>Removes what stands behind a lock, whatever its use: a holder loses it
    /// (<see cref="NativeIpcDistributedSynchronizationHandle.HandleLostToken"/>), and whoever waits goes on at a new
    /// one.</summary>
    /// <param name="name">The name.</param>
    /// <returns>False when there was nothing.</returns>
    /// <exception cref="PlatformNotSupportedException">On Windows, where it goes with its last user.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; LockError; KeyError.</exception>
    [UnsupportedOSPlatform("windows")]
    public bool RemoveLock(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        NativeIpcKey key = NameRule.KeyOf(name, GateKind.Lock, _options);
        bool isRemoved = SystemSemaphore.Remove(key);
        Gates.Forget(key);
        return isRemoved;
    }

    /// <summary>Removes what stands behind a semaphore, whatever its use, and with it the maximum that its users have
    /// agreed on; as <see cref="RemoveLock"/>.</summary>
    /// <inheritdoc cref="RemoveLock"/>
    [UnsupportedOSPlatform("windows")]
    public bool RemoveSemaphore(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        NativeIpcKey key = NameRule.KeyOf(name, GateKind.Semaphore, _options);
        NativeIpcKey maximum = NameRule.KeyOf(name, GateKind.Maximum, _options);
        // The semaphore last, so that none stays with another maximum. Whoever comes in between finds it gone, and goes
        // on at a new one.
        bool isRemoved = SharedMemory.Remove(maximum);
        isRemoved |= SystemSemaphore.Remove(key);
        Gates.Forget(key);
        return isRemoved;
    }
}
