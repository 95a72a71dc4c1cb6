using Medallion.Threading;

namespace NativeIpc.DistributedLock;

/// <summary>A counting semaphore for the processes of one machine: <see cref="IDistributedSemaphore"/> over a semaphore
/// whose permits are recorded (<see cref="SystemSemaphoreOptions.Recording"/>) or taken back by the kernel
/// (<see cref="SystemSemaphoreOptions.Undo"/>), so that those of a killed process come back.</summary>
/// <remarks>
/// <para>All semaphores of one name, prefix and key type are the same one, in whatever process. The first one to
/// acquire sets the maximum, which is kept beside the semaphore; whoever comes with another one gets an
/// <see cref="InvalidOperationException"/>.</para>
/// <para>Making one asks the system nothing. The objects are opened when it is first acquired, and closed when this
/// process has used 64 others since. On Unix they stay until the machine restarts, or until
/// <see cref="NativeIpcDistributedSynchronizationProvider.RemoveSemaphore"/>.</para>
/// <para>On POSIX at most 190 processes record their permits of one semaphore at a time; those of further ones are not
/// given back after a kill. Not on Windows: there nothing tells whose permits a killed process had.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
public sealed class NativeIpcDistributedSemaphore : IDistributedSemaphore
{
    private readonly GateSpec _spec;

    /// <summary>Makes a semaphore.</summary>
    /// <param name="name">Any text; README.md says which key it gives.</param>
    /// <param name="maxCount">How many may hold a permit at a time, 1 or more; the same for all who use the
    /// name.</param>
    /// <param name="options">Key type, prefix and rights; null for the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxCount"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">The prefix cannot be used.</exception>
    public NativeIpcDistributedSemaphore(string name, int maxCount, NativeIpcDistributedLockOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxCount, 1);
        options = NativeIpcDistributedLockOptions.CopyOf(options);
        _spec = new GateSpec(name, NameRule.KeyOf(name, GateKind.Semaphore, options), GateKind.Semaphore, maxCount,
            options);
    }

    /// <inheritdoc/>
    public string Name => _spec.Name;

    /// <inheritdoc/>
    public int MaxCount => _spec.MaxCount;

    /// <summary>The key of the semaphore behind it, for <c>nipc show</c> and other programs.</summary>
    public NativeIpcKey Key => _spec.Key;

    /// <summary>Takes a permit, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero, the default, tries once, and does not wait for a process that
    /// sets the maximum just now.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The handle; null when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="InvalidOperationException">The semaphore of this name has another maximum.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="TimeoutException">A process that sets the maximum has not ended that within ten seconds, and
    /// <paramref name="timeout"/> is longer.</exception>
    /// <exception cref="PlatformNotSupportedException">The permits of a killed process would not come back
    /// here.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; KeyError; OutOfResources, also for a maximum over that
    /// of the system (2^31-1, on System V 32,767); LockError.</exception>
    public NativeIpcDistributedSynchronizationHandle? TryAcquire(TimeSpan timeout = default,
        CancellationToken cancellationToken = default)
        => Acquisition.TryAcquire(_spec, timeout, cancellationToken);

    /// <summary>Takes a permit, waiting for it.</summary>
    /// <param name="timeout">The longest wait; null, the default, waits for ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The handle.</returns>
    /// <exception cref="TimeoutException">The time passed, or a process that sets the maximum has not ended that within
    /// ten seconds.</exception>
    /// <inheritdoc cref="TryAcquire" path="/exception[not(@cref='T:System.TimeoutException')]"/>
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

    IDistributedSynchronizationHandle? IDistributedSemaphore.TryAcquire(TimeSpan timeout,
        CancellationToken cancellationToken)
        => TryAcquire(timeout, cancellationToken);

    IDistributedSynchronizationHandle IDistributedSemaphore.Acquire(TimeSpan? timeout,
        CancellationToken cancellationToken)
        => Acquire(timeout, cancellationToken);

    async ValueTask<IDistributedSynchronizationHandle?> IDistributedSemaphore.TryAcquireAsync(TimeSpan timeout,
        CancellationToken cancellationToken)
        => await TryAcquireAsync(timeout, cancellationToken).ConfigureAwait(false);

    async ValueTask<IDistributedSynchronizationHandle> IDistributedSemaphore.AcquireAsync(TimeSpan? timeout,
        CancellationToken cancellationToken)
        => await AcquireAsync(timeout, cancellationToken).ConfigureAwait(false);
}
