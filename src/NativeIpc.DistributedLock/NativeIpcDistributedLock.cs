using Medallion.Threading;

namespace NativeIpc.DistributedLock;

/// <summary>A lock for the processes of one machine: <see cref="IDistributedLock"/> over a semaphore of one permit that
/// survives the death of its holder (<see cref="SystemSemaphoreOptions.Robust"/>; on macOS the undo of System
/// V).</summary>
/// <remarks>
/// <para>All locks of one name, prefix and key type are the same lock, in whatever process. It is not re-entrant, it is
/// held by its handle and not by a thread, and whoever waits longest need not come first.</para>
/// <para>Making one asks the system nothing. The object is opened when it is first acquired, and closed when this
/// process has used 64 others since. On Linux with POSIX keys the last process to let go removes it; System V
/// semaphores stay until <see cref="NativeIpcDistributedSynchronizationProvider.RemoveLock"/>.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
public sealed class NativeIpcDistributedLock : IDistributedLock
{
    private readonly GateSpec _spec;

    /// <summary>Makes a lock.</summary>
    /// <param name="name">Any text; README.md says which key it gives.</param>
    /// <param name="options">Key type, prefix and rights; null for the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException">The prefix cannot be used.</exception>
    public NativeIpcDistributedLock(string name, NativeIpcDistributedLockOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        options = NativeIpcDistributedLockOptions.CopyOf(options);
        _spec = new GateSpec(name, NameRule.KeyOf(name, GateKind.Lock, options), GateKind.Lock, 1, options);
    }

    /// <inheritdoc/>
    public string Name => _spec.Name;

    /// <summary>The key of the semaphore behind it, for <c>nipc show</c> and other programs.</summary>
    public NativeIpcKey Key => _spec.Key;

    /// <summary>Takes the lock, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero, the default, tries once.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The handle; null when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; the lock was not taken.</exception>
    /// <exception cref="PlatformNotSupportedException">The death of a holder would not be noticed here.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; KeyError; OutOfResources; LockError.</exception>
    public NativeIpcDistributedSynchronizationHandle? TryAcquire(TimeSpan timeout = default,
        CancellationToken cancellationToken = default)
        => Acquisition.TryAcquire(_spec, timeout, cancellationToken);

    /// <summary>Takes the lock, waiting for it.</summary>
    /// <param name="timeout">The longest wait; null, the default, waits for ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The handle.</returns>
    /// <exception cref="TimeoutException">The time passed.</exception>
    /// <inheritdoc cref="TryAcquire" path="/exception"/>
    public NativeIpcDistributedSynchronizationHandle Acquire(TimeSpan? timeout = null,
        CancellationToken cancellationToken = default)
        => Acquisition.Acquire(_spec, timeout, cancellationToken);

    /// <summary>As <see cref="TryAcquire"/>, waiting without a thread.</summary>
    /// <inheritdoc cref="TryAcquire"/>
    public ValueTask<NativeIpcDistributedSynchronizationHandle?> TryAcquireAsync(TimeSpan timeout = default,
        CancellationToken cancellationToken = default)
        => Acquisition.TryAcquireAsync(_spec, timeout, cancellationToken);

    /// <summary>As <see cref="Acquire"/>, waiting without a thread.</summary>
    /// <inheritdoc cref="Acquire"/>
    public ValueTask<NativeIpcDistributedSynchronizationHandle> AcquireAsync(TimeSpan? timeout = null,
        CancellationToken cancellationToken = default)
        => Acquisition.AcquireAsync(_spec, timeout, cancellationToken);

    IDistributedSynchronizationHandle? IDistributedLock.TryAcquire(TimeSpan timeout,
        CancellationToken cancellationToken)
        => TryAcquire(timeout, cancellationToken);

    IDistributedSynchronizationHandle IDistributedLock.Acquire(TimeSpan? timeout, CancellationToken cancellationToken)
        => Acquire(timeout, cancellationToken);

    async ValueTask<IDistributedSynchronizationHandle?> IDistributedLock.TryAcquireAsync(TimeSpan timeout,
        CancellationToken cancellationToken)
        => await TryAcquireAsync(timeout, cancellationToken).ConfigureAwait(false);

    async ValueTask<IDistributedSynchronizationHandle> IDistributedLock.AcquireAsync(TimeSpan? timeout,
        CancellationToken cancellationToken)
        => await AcquireAsync(timeout, cancellationToken).ConfigureAwait(false);
}
