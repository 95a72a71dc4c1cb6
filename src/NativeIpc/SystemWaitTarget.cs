using System.Diagnostics;
using System.Runtime.CompilerServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <summary>What <see cref="SystemWait"/> waits for: a semaphore, of which it takes a permit, a segment, of which it
/// takes the lock, or an event. Objects convert to it by themselves. <c>default</c> is none.</summary>
[DebuggerDisplay("{ToString(),nq}")]
public readonly struct SystemWaitTarget : IEquatable<SystemWaitTarget>
{
    private readonly object? _object;

    private SystemWaitTarget(object target) => _object = target;

    /// <summary>A permit of a semaphore.</summary>
    /// <param name="semaphore">The semaphore.</param>
    /// <returns>The target.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="semaphore"/> is null.</exception>
    public static SystemWaitTarget FromSystemSemaphore(SystemSemaphore semaphore)
    {
        ArgumentNullException.ThrowIfNull(semaphore);
        return new SystemWaitTarget(semaphore);
    }

    /// <summary>The lock of a segment.</summary>
    /// <param name="segment">The segment.</param>
    /// <returns>The target.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="segment"/> is null.</exception>
    public static SystemWaitTarget FromSharedMemory(SharedMemory segment)
    {
        ArgumentNullException.ThrowIfNull(segment);
        return new SystemWaitTarget(segment);
    }

    /// <summary>An event. One that resets itself is taken, as by <see cref="SystemEvent.Wait()"/>.</summary>
    /// <param name="systemEvent">The event.</param>
    /// <returns>The target.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="systemEvent"/> is null.</exception>
    public static SystemWaitTarget FromSystemEvent(SystemEvent systemEvent)
    {
        ArgumentNullException.ThrowIfNull(systemEvent);
        return new SystemWaitTarget(systemEvent);
    }

    /// <inheritdoc cref="FromSystemSemaphore"/>
    public static implicit operator SystemWaitTarget(SystemSemaphore semaphore) => FromSystemSemaphore(semaphore);

    /// <inheritdoc cref="FromSharedMemory"/>
    public static implicit operator SystemWaitTarget(SharedMemory segment) => FromSharedMemory(segment);

    /// <inheritdoc cref="FromSystemEvent"/>
    public static implicit operator SystemWaitTarget(SystemEvent systemEvent) => FromSystemEvent(systemEvent);

    /// <summary>The key of the object; <c>default</c> for none.</summary>
    public NativeIpcKey Key => _object switch
    {
        SystemSemaphore semaphore => semaphore.Key,
        SharedMemory segment => segment.Key,
        SystemEvent systemEvent => systemEvent.Key,
        _ => default,
    };

    internal IpcObjectKind Kind => _object switch
    {
        SharedMemory => IpcObjectKind.SharedMemory,
        SystemEvent => IpcObjectKind.SystemEvent,
        _ => IpcObjectKind.SystemSemaphore,
    };

    internal bool IsNone => _object is null;

    /// <summary>Whether it can be passed by at once.</summary>
    internal bool IsSeenEmpty
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _object is SystemSemaphore semaphore ? semaphore.IsSeenEmpty
            : _object is SharedMemory segment && segment.IsLockSeenTaken;
    }

    /// <summary>What a wait that begins now has seen (<see cref="WaitObject.Look"/>).</summary>
    internal uint Look() => _object is SystemEvent systemEvent ? systemEvent.Opened.Look() : 0;

    /// <summary>The first try of a wait, without any pause and without a look for dead holders.</summary>
    /// <param name="scope">The scope of a lock.</param>
    internal bool TryTakeFirst(out SharedMemoryLock scope)
    {
        scope = default;
        return _object is SystemSemaphore semaphore ? semaphore.TryTakePermit(looks: false, out _)
            : _object is SystemEvent systemEvent ? systemEvent.Opened.TryWait(out _)
            : ((SharedMemory)_object!).TryTakeLock(looks: false, out scope, out _);
    }

    /// <summary>Takes what there is, without any pause.</summary>
    /// <param name="how">What the wait has seen, and is.</param>
    /// <param name="scope">The scope of a lock.</param>
    /// <param name="isHeldUp">Whether another try after <see cref="AwaitMoment"/> may say more.</param>
    internal bool TryTake(in Try how, out SharedMemoryLock scope, out bool isHeldUp)
    {
        scope = default;
        isHeldUp = false;
        return _object is SystemSemaphore semaphore ? semaphore.TryTakePermit(how.Looks, out isHeldUp)
            : _object is SystemEvent systemEvent ? systemEvent.Opened.TryTake(how.Seen, how.IsWaiter)
            : ((SharedMemory)_object!).TryTakeLock(how.Looks, out scope, out isHeldUp);
    }

    /// <summary>How a target is tried.</summary>
    /// <param name="Looks">Whether dead holders are looked for.</param>
    /// <param name="Seen">What the wait saw of it when it began.</param>
    /// <param name="IsWaiter">Whether the caller is among its waiters.</param>
    internal readonly record struct Try(bool Looks, uint Seen, bool IsWaiter);

    /// <summary>Whether a try is a system call.</summary>
    internal bool AreTriesDear => _object is SystemSemaphore semaphore ? semaphore.AreTriesDear
        : _object is SystemEvent systemEvent ? systemEvent.Opened.AreTriesDear
        : ((SharedMemory)_object!).AreLockTriesDear;

    /// <summary>Lets pass a moment for what has held up a try.</summary>
    internal void AwaitMoment()
    {
        if (TryBeginUse() is not { } used) return;
        try
        {
            (used as SemaphoreObject)?.AwaitMoment();
        }
        finally
        {
            used.EndUse();
        }
    }

    /// <summary>The object to sleep on, entered; null when a peer keeps a lock from being opened at once.</summary>
    internal WaitObject? TryBeginUse() => _object is SystemSemaphore semaphore ? semaphore.BeginUse()
        : _object is SystemEvent systemEvent ? systemEvent.BeginUse()
        : ((SharedMemory)_object!).TryBeginUseOfLock();

    /// <summary>Takes what there is if no asynchronous wait is before.</summary>
    /// <param name="scope">The scope of a lock.</param>
    /// <param name="isReady">Made false when a peer keeps a lock from being opened at once.</param>
    internal bool TryTakeInTurn(out SharedMemoryLock scope, ref bool isReady)
    {
        scope = default;
        if (_object is not SharedMemory segment) return Queue.TryTakeNow(out _);
        WaitQueue<SharedMemoryLock?>? queue = segment.LockQueue();
        isReady &= queue is not null;
        if (queue is null || !queue.TryTakeNow(out SharedMemoryLock? taken)) return false;
        scope = taken.GetValueOrDefault();
        return true;
    }

    private WaitQueue<bool> Queue
        => _object is SystemEvent systemEvent ? systemEvent.Queue() : ((SystemSemaphore)_object!).Queue();

    /// <summary>Waits until an asynchronous wait can join; false when the time has passed.</summary>
    internal ValueTask<bool> MakeReadyAsync(Deadline deadline, CancellationToken cancellationToken)
        => _object is SharedMemory segment ? segment.MakeLockReadyAsync(deadline, cancellationToken)
            : new ValueTask<bool>(true);

    /// <summary>Joins the queue of asynchronous waits; see <see cref="WaitQueue{T}.Join"/>.</summary>
    internal IJoinedWait? Join<TWait>(TWait wait, int index, out SharedMemoryLock scope, out bool wasTaken)
        where TWait : ISharedWait<bool>, ISharedWait<SharedMemoryLock?>
    {
        scope = default;
        if (_object is not SharedMemory segment)
            return Queue.Join(wait, index, out _, out wasTaken);
        IJoinedWait? place = segment.LockQueue(isOpened: true)!.Join(wait, index, out SharedMemoryLock? taken,
            out wasTaken);
        scope = taken.GetValueOrDefault();
        return place;
    }

    /// <summary>What it is, and its key, for logs and debuggers.</summary>
    /// <returns>For instance <c>SystemSemaphore posix:/name</c>. The form may change.</returns>
    public override string ToString()
        => _object is null ? $"{nameof(SystemWaitTarget)} (none)"
            : $"{(_object is SharedMemory ? "lock of " : "")}{_object.GetType().Name} {Failure.Name(Key)}";

    /// <inheritdoc/>
    public bool Equals(SystemWaitTarget other) => ReferenceEquals(_object, other._object);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SystemWaitTarget other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(_object);

    /// <summary>Whether both are of the same instance.</summary>
    public static bool operator ==(SystemWaitTarget left, SystemWaitTarget right) => left.Equals(right);

    /// <summary>Whether they are of different instances.</summary>
    public static bool operator !=(SystemWaitTarget left, SystemWaitTarget right) => !left.Equals(right);
}
