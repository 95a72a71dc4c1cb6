using NativeIpc.Errors;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Contracts;

/// <summary>
/// Segments of one kind of key. The selector has checked the key's text against the platform's rules before any of
/// these is called. Every failure is a <see cref="NativeIpcException"/>; what a failed call had made is undone before
/// it is thrown.
/// </summary>
internal interface ISharedMemoryBackend
{
    /// <summary>Is this type yours?</summary>
    bool Handles(NativeIpcKeyType type);

    /// <summary>Does it work here, now? Asked of the running system.</summary>
    bool WorksHere { get; }

    /// <summary>Why it does not: what was found, without a full stop, and what to do, in whole sentences.</summary>
    (string Finding, string Remedy) WhyNotHere
        => ("this system does not let this process use objects of this type",
            "Ask IsKeyTypeSupported first, and use a key of another type.");

    /// <summary>Makes a segment that must not exist.</summary>
    Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options);

    /// <summary>Attaches to a segment. Missing: null, or an exception that says what was found when
    /// <paramref name="mustExist"/>. The bound is that of this call alone: the segment goes on with that of the
    /// options.</summary>
    Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options, in PeerBound bound,
        bool mustExist);

    /// <summary>Attaches to a segment, or makes it; the segment says which.</summary>
    Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options);

    /// <summary>Removes a segment that nobody uses, and its lock.</summary>
    /// <exception cref="PlatformNotSupportedException">Not offered for such segments.</exception>
    UnusedAnswer RemoveIfUnused(in NativeIpcKey key, SharedMemoryOptions options)
        => throw new PlatformNotSupportedException(
            $"RemoveIfUnused is not offered for {Failure.Describe(key)}: it is for POSIX keys on Linux. A System V "
                + "segment goes with its last user, or by a creating call with Reclaim.");

    /// <summary>Removes the name of a segment and of its lock; false when there was no segment.</summary>
    bool Remove(in NativeIpcKey key);
}
