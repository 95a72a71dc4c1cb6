using NativeIpc.Contracts;
using NativeIpc.Holding;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <content>The lock as one of several that are waited for (<see cref="SystemWait"/>).</content>
public sealed partial class SharedMemory
{
    /// <inheritdoc cref="SemaphoreObject.IsSeenEmpty"/>
    internal bool IsLockSeenTaken => Volatile.Read(ref _lock) is { Semaphore.IsSeenEmpty: true };

    internal bool AreLockTriesDear => Volatile.Read(ref _lock) is { Semaphore.AreTriesDear: true };

    /// <summary>Takes the lock if it is free, without any pause.</summary>
    /// <param name="looks">Whether dead holders are looked for.</param>
    /// <param name="scope">The scope.</param>
    /// <param name="isHeldUp">Whether something else than a holder may have kept it from being taken.</param>
    internal bool TryTakeLock(bool looks, out SharedMemoryLock scope, out bool isHeldUp)
    {
        scope = default;
        isHeldUp = false;
        SegmentLock? current = Volatile.Read(ref _lock);
        if (current is not null && current.TryTakeFast() is not 0 and long ticket && Keeps(current, ticket))
        {
            scope = new SharedMemoryLock(current, ticket);
            return true;
        }

        if (TryGetLock() is not { } opened)
        {
            isHeldUp = true;
            return false;
        }

        SegmentLock? acquired = looks ? TryAcquireNow(opened, out isHeldUp)
            : Try(opened, static (semaphore, _) => semaphore.TryAcquireFast(), 0);
        return acquired is not null && TryKeep(acquired, out scope);
    }

    /// <summary>The semaphore of the lock, entered; null when a peer keeps it from being opened at once.</summary>
    internal SemaphoreObject? TryBeginUseOfLock()
    {
        while (TryGetLock() is { } current)
        {
            if (TryBeginUse(current)) return current.Semaphore;
        }

        return null;
    }

    private SegmentLock? TryGetLock()
    {
        try
        {
            return CurrentLock(PeerBound.Once);
        }
        catch (CallersTimeIsOverException)
        {
            return null;
        }
    }
}
