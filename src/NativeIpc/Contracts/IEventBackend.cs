using NativeIpc.Errors;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Contracts;

/// <summary>Events of one kind of key; see <see cref="ISharedMemoryBackend"/> for the rules.</summary>
internal interface IEventBackend
{
    /// <summary>Is this type yours?</summary>
    bool Handles(NativeIpcKeyType type);

    /// <summary>Does it work here, now? Asked of the running system.</summary>
    bool WorksHere { get; }

    /// <summary>Why it does not: what was found, without a full stop, and what to do, in whole sentences.</summary>
    (string Finding, string Remedy) WhyNotHere { get; }

    /// <summary>Makes an event that must not exist.</summary>
    EventObject CreateNew(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options);

    /// <summary>Opens an event. Missing: null, or an exception that says what was found when
    /// <paramref name="mustExist"/>. The bound is that of this call alone.</summary>
    EventObject? Open(in NativeIpcKey key, SystemEventOptions options, in PeerBound bound, bool mustExist);

    /// <summary>Opens an event of this mode and leaves its state, or makes it; the object says which.</summary>
    EventObject CreateOrOpen(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options);

    /// <summary>Makes an event, or takes over an existing one of this mode and sets its state in place; the object is
    /// the owner then.</summary>
    EventObject CreateOrReset(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options);

    /// <summary>Removes an event that nobody uses. <paramref name="bound"/>: how long to wait for another process that
    /// asks.</summary>
    /// <exception cref="PlatformNotSupportedException">The system knows no users of such events.</exception>
    UnusedAnswer RemoveIfUnused(in NativeIpcKey key, TimeSpan bound)
        => throw new PlatformNotSupportedException(
            $"Whether anybody uses {Failure.Describe(key)} cannot be told: of events, Linux knows the users of POSIX "
                + "ones alone.");

    /// <summary>Removes an event; false when there was none.</summary>
    bool Remove(in NativeIpcKey key);
}
