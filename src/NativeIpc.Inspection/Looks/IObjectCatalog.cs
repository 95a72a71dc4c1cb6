using NativeIpc.Contracts;
using NativeIpc.Errors;

namespace NativeIpc.Inspection.Looks;

/// <summary>What came of removing an object if nobody uses it.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Reason">Why it stays: a sentence; null where the outcome says it all.</param>
/// <param name="Failure">The call that was refused, for <see cref="IpcRemovalOutcome.CannotTell"/>.</param>
internal readonly record struct Removal(
    IpcRemovalOutcome Outcome, string? Reason = null, NativeIpcException? Failure = null);

/// <summary>The objects of one kind of key that the machine has, both segments and semaphores.</summary>
internal interface IObjectCatalog
{
    /// <summary>Is this type yours?</summary>
    bool Handles(NativeIpcKeyType type);

    /// <summary>Whether this operating system can have such objects at all; those of another one are missed by
    /// nobody.</summary>
    bool IsOfThisSystem { get; }

    /// <summary>Why the objects cannot be listed here: a sentence; null when they can be.</summary>
    string? WhyNotListed();

    /// <summary>Adds what the census asks for. What is gone by the time it is looked at is left out; what cannot be
    /// read is noted.</summary>
    void AddTo(Census census);

    /// <summary>Removes an object if the name or id still leads to it, whoever uses it. False when it is
    /// gone.</summary>
    bool Remove(IpcObjectInfo found);

    /// <summary>Whether nobody uses an object, so that <see cref="RemoveUnused"/> would remove it: Removed
    /// then.</summary>
    Removal AskUse(IpcObjectInfo found) => new(IpcRemovalOutcome.CannotTell);

    /// <summary>The same, but only if nobody uses it.</summary>
    Removal RemoveUnused(IpcObjectInfo found);

    /// <summary>Whether the name or id still leads to an object.</summary>
    bool IsStill(IpcObjectInfo found);

    /// <summary>Gives back the permits of a semaphore that killed holders had recorded, if the name still leads to it;
    /// how many.</summary>
    int ReturnLostPermits(IpcObjectInfo found) => 0;

    /// <summary>Reads bytes of a segment if the name or id still leads to it; how many.</summary>
    int Read(IpcObjectInfo found, long offset, Span<byte> destination);

    /// <summary>Attaches to a segment that was listed and that no key leads to.</summary>
    Segment OpenSegment(IpcObjectInfo found, SharedMemoryAccess access, SharedMemoryOptions options)
        => throw Failure.WithoutKey("open the segment", found.NamingKey);

    /// <summary>Opens a semaphore that was listed and that no key leads to.</summary>
    SemaphoreObject OpenSemaphore(IpcObjectInfo found, SystemSemaphoreOptions options)
        => throw Failure.WithoutKey("open the semaphore", found.NamingKey);

    /// <summary>Adds what is wrong with the system's side of these objects.</summary>
    void Diagnose(Diagnosis diagnosis);

    /// <summary>The limits that the system sets to them.</summary>
    IEnumerable<IpcLimit> Limits();
}
