using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Posix.Events;
using NativeIpc.Posix.Segments;
using NativeIpc.Posix.Semaphores;
using NativeIpc.SystemV;
using NativeIpc.Windows;

namespace NativeIpc.Selection;

/// <summary>Chooses the back end of a key, once, when an object is made or opened; nothing asks afterwards what
/// platform it is on.</summary>
internal static class Selector
{
    // What a failure names in place of a system call: none was made.
    private const string KeyCheck = "key check";

    // Each is made when it is first asked for, and not by a static constructor: the first lock of a process pays for
    // each type that is loaded, and a native program has what it may reach.
    private static ISharedMemoryBackend? s_posixSegments, s_otherSegments;
    private static ISemaphoreBackend? s_posixSemaphores, s_otherSemaphores;
    private static IEventBackend? s_posixEvents, s_otherEvents;

    /// <summary>Whether segments with keys of this type work here, now.</summary>
    public static bool SupportsSegments(NativeIpcKeyType type) => Segments(type) is { WorksHere: true };

    /// <summary>Whether semaphores with keys of this type work here, now.</summary>
    public static bool SupportsSemaphores(NativeIpcKeyType type) => Semaphores(type) is { WorksHere: true };

    /// <summary>Whether events with keys of this type work here, now.</summary>
    public static bool SupportsEvents(NativeIpcKeyType type) => Events(type) is { WorksHere: true };

    /// <summary>Whether permits of semaphores with keys of this type can be recorded here.</summary>
    public static bool RecordsPermits(NativeIpcKeyType type) => Semaphores(type) is { RecordsPermits: true };

    /// <summary>The back end for a segment's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static ISharedMemoryBackend ForSegment(string attempt, in NativeIpcKey key)
    {
        ISharedMemoryBackend? backend = Segments(key.Type);
        Check(attempt, key, IpcObjectKind.SharedMemory, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    /// <summary>The back end for a semaphore's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static ISemaphoreBackend ForSemaphore(string attempt, in NativeIpcKey key)
    {
        ISemaphoreBackend? backend = Semaphores(key.Type);
        Check(attempt, key, IpcObjectKind.SystemSemaphore, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    /// <summary>The back end for an event's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static IEventBackend ForEvent(string attempt, in NativeIpcKey key)
    {
        IEventBackend? backend = Events(key.Type);
        Check(attempt, key, IpcObjectKind.SystemEvent, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    private static ISharedMemoryBackend? Segments(NativeIpcKeyType type)
    {
        if (!OperatingSystem.IsWindows() && type == NativeIpcKeyType.PosixRealtime)
            return s_posixSegments ?? (s_posixSegments = new PosixSharedMemory());
        ISharedMemoryBackend other = s_otherSegments ?? OtherSegments();
        return other.Handles(type) ? other : null;
    }

    private static ISharedMemoryBackend OtherSegments()
        => s_otherSegments = OperatingSystem.IsWindows() ? new WindowsSegments() : new SystemVSegments();

    private static ISemaphoreBackend? Semaphores(NativeIpcKeyType type)
    {
        if (!OperatingSystem.IsWindows() && type == NativeIpcKeyType.PosixRealtime)
            return s_posixSemaphores ?? (s_posixSemaphores = new PosixSemaphores());
        ISemaphoreBackend other = s_otherSemaphores ?? OtherSemaphores();
        return other.Handles(type) ? other : null;
    }

    private static ISemaphoreBackend OtherSemaphores()
        => s_otherSemaphores = OperatingSystem.IsWindows() ? new WindowsSemaphores() : new SystemVSemaphores();

    private static IEventBackend? Events(NativeIpcKeyType type)
    {
        if (!OperatingSystem.IsWindows() && type == NativeIpcKeyType.PosixRealtime)
            return s_posixEvents ?? (s_posixEvents = new PosixEvents());
        IEventBackend other = s_otherEvents ?? OtherEvents();
        return other.Handles(type) ? other : null;
    }

    private static IEventBackend OtherEvents()
        => s_otherEvents = OperatingSystem.IsWindows() ? new WindowsEvents() : new SystemVEvents();

    private static void Check(string attempt, in NativeIpcKey key, IpcObjectKind kind, bool hasBackend,
        (string Finding, string Remedy)? hindrance)
    {
        if (!key.IsValid)
        {
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, KeyCheck, "the key is invalid: it has no type",
                "Make one with PlatformSafeKey or LegacyNativeKey, or parse the text that the peer gave you.");
        }

        if (!hasBackend)
        {
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, KeyCheck,
                "keys of this type are not supported on this operating system",
                "Ask IsKeyTypeSupported first, or use a key of NativeIpcKey.DefaultType.");
        }

        if (hindrance is { } found)
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, KeyCheck, found.Finding, found.Remedy);
        if (UsableKey.FindViolationHere(key, kind) is { } violation)
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, KeyCheck, violation.TrimEnd('.'),
                "PlatformSafeKeyUncut refuses a name that gives such a key.");
    }
}
