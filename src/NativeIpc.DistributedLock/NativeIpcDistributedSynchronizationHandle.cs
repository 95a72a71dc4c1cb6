using Medallion.Threading;

namespace NativeIpc.DistributedLock;

/// <summary>Holds a lock, or a permit of a semaphore, until it is disposed.</summary>
/// <remarks>
/// <para>Thread safety: every member may be called from any thread at any time; Dispose gives back once. A handle that
/// nobody disposes gives back when it is collected, and in any case when its process ends, however that ends.</para>
/// </remarks>
public sealed class NativeIpcDistributedSynchronizationHandle : IDistributedSynchronizationHandle
{
    private readonly Lock _losing = new();
    private readonly Gates.Lease _lease;
    private CancellationTokenSource? _lost;
    private IDisposable? _watch;
    private int _isOver;

    internal NativeIpcDistributedSynchronizationHandle(Gates.Lease lease)
    {
        _lease = lease;
        WasAbandoned = lease.Gate.TookOver;
    }

    /// <summary>Gives back what nobody has disposed.</summary>
    ~NativeIpcDistributedSynchronizationHandle()
    {
        try
        {
            End();
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException)
        {
            // Nobody is there to be told, and an exception here would end the process.
        }
    }

    /// <summary>For a lock: whether its last holder was killed while it held it, so that what the lock protects may be
    /// inconsistent. Told once, to the next holder. False for a semaphore, and where the system does not tell
    /// (docs/crashes.md).</summary>
    public bool WasAbandoned { get; }

    /// <summary>Cancelled when what this handle holds is found lost before it is disposed.</summary>
    /// <remarks>
    /// <para>A living process loses it only by the act of another one: the object was removed (<c>Remove…</c> of the
    /// provider, <c>nipc rm</c>, <c>ipcrm</c>, <c>rm</c> in <c>/dev/shm</c>) or replaced, or, for a lock, a peer has
    /// set its count anew. Then others may be inside. There is no lease that runs out, no connection that breaks, and
    /// no time that a stopped process must not exceed.</para>
    /// <para>It is noticed within a quarter of a second, by a look at the object as long as a handle that was asked for
    /// its token is held. Not noticed: a count of a semaphore that was set anew, and permits that strangers give. On
    /// Windows nothing can be lost so. What Dispose finds lost cancels it, too.</para>
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    public CancellationToken HandleLostToken
    {
        get
        {
            lock (_losing)
            {
                ObjectDisposedException.ThrowIf(Volatile.Read(ref _isOver) != 0, this);
                if (_lost is { } asked) return asked.Token;
                var lost = new CancellationTokenSource();
                _lost = lost;
                _watch = _lease.Gate.Watch(() => _ = lost.CancelAsync(), isHolder: true); // refers to no handle
                return lost.Token;
            }
        }
    }

    /// <summary>Gives the lock or permit back, once. One that was lost is not given back, and nothing is thrown for
    /// that.</summary>
    /// <exception cref="NativeIpcException">The system refused.</exception>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        End();
    }

    /// <summary>As <see cref="Dispose"/>; it does not wait.</summary>
    /// <returns>A task that has ended.</returns>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        End();
        return default;
    }

    private void End()
    {
        if (Interlocked.Exchange(ref _isOver, 1) != 0) return;
        CancellationTokenSource? lost;
        lock (_losing)
        {
            lost = _lost;
            _watch?.Dispose(); // before the permit is given back: Gate R3
        }

        bool isGone = false;
        try
        {
            isGone = !_lease.Gate.GiveBack();
            if (isGone && lost is not null) _ = lost.CancelAsync();
        }
        finally
        {
            _lease.Return(isGone);
        }
    }
}
