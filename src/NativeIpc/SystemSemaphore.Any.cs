using NativeIpc.Contracts;

namespace NativeIpc;

/// <content>A permit as one of several things that are waited for (<see cref="SystemWait"/>).</content>
public sealed partial class SystemSemaphore
{
    /// <inheritdoc cref="SemaphoreObject.IsSeenEmpty"/>
    internal bool IsSeenEmpty => _semaphore.IsSeenEmpty;

    internal bool AreTriesDear => _semaphore.AreTriesDear;

    /// <summary>Takes a permit if there is one, without any pause.</summary>
    /// <param name="looks">Whether dead holders are looked for.</param>
    /// <param name="isHeldUp">Whether something else than the count may have kept it from being taken.</param>
    internal bool TryTakePermit(bool looks, out bool isHeldUp)
    {
        isHeldUp = false;
        return !looks ? _semaphore.TryAcquireFast()
            : _semaphore.WaitWord != 0 ? _semaphore.TryAcquire(out isHeldUp) : _semaphore.TryAcquire();
    }

    /// <summary>The semaphore, entered.</summary>
    internal SemaphoreObject BeginUse() => _semaphore.TryBeginUse() ? _semaphore : throw Disposed();
}
