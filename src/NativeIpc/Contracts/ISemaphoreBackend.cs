using NativeIpc.Errors;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Contracts;

/// <summary>Semaphores of one kind of key; see <see cref="ISharedMemoryBackend"/> for the rules.</summary>
internal interface ISemaphoreBackend
{
    /// <summary>Is this type yours?</summary>
    bool Handles(NativeIpcKeyType type);

    /// <summary>Does it work here, now? Asked of the running system.</summary>
    bool WorksHere { get; }

    /// <summary>Why it does not: what was found, without a full stop, and what to do, in whole sentences.</summary>
    (string Finding, string Remedy) WhyNotHere
        => ("this system does not let this process use objects of this type",
            "Ask IsKeyTypeSupported first, and use a key of another type.");

    /// <summary>The largest count that a semaphore of this kind can have.</summary>
    int MaximumCount { get; }

    /// <summary>Makes a semaphore that must not exist.</summary>
    SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options);

    /// <summary>Opens a semaphore. Missing: null, or an exception that says what was found when
    /// <paramref name="mustExist"/>. The bound is that of this call alone.</summary>
    SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound, bool mustExist);

    /// <summary>Opens a semaphore and leaves its count, or makes it; the object says which.</summary>
    SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options);

    /// <summary>Makes a semaphore, or takes over an existing one and sets its count in place; the object is the owner
    /// then.</summary>
    SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options);

    /// <summary>Whether <see cref="SystemSemaphoreOptions.Recording"/> is offered here.</summary>
    bool RecordsPermits => false;

    /// <summary>Gives back the permits that killed holders had recorded; how many. 0 also when there is no
    /// semaphore.</summary>
    int ReturnLostPermits(in NativeIpcKey key, SystemSemaphoreOptions options) => 0;

    /// <summary>Removes a semaphore that nobody uses. <paramref name="bound"/>: how long to wait for another process
    /// that asks.</summary>
    /// <exception cref="PlatformNotSupportedException">The system knows no users of such semaphores.</exception>
    UnusedAnswer RemoveIfUnused(in NativeIpcKey key, TimeSpan bound)
        => throw new PlatformNotSupportedException(
            $"Whether anybody uses {Failure.Describe(key)} cannot be told: of semaphores, Linux knows the users of "
                + "POSIX ones alone.");

    /// <summary>Removes a semaphore; false when there was none.</summary>
    bool Remove(in NativeIpcKey key);
}
