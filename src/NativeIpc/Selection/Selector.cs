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

    private static readonly ISharedMemoryBackend[] s_segments = OperatingSystem.IsWindows()
        ? [new WindowsSegments()] : [new PosixSharedMemory(), new SystemVSegments()];
    private static readonly ISemaphoreBackend[] s_semaphores = OperatingSystem.IsWindows()
        ? [new WindowsSemaphores()] : [new PosixSemaphores(), new SystemVSemaphores()];
    private static readonly IEventBackend[] s_events = OperatingSystem.IsWindows()
        ? [new WindowsEvents()] : [new PosixEvents(), new SystemVEvents()];

    /// <summary>Whether segments with keys of this type work here, now.</summary>
    public static bool SupportsSegments(NativeIpcKeyType type) => Find(s_segments, type) is { WorksHere: true };

    /// <summary>Whether semaphores with keys of this type work here, now.</summary>
    public static bool SupportsSemaphores(NativeIpcKeyType type) => Find(s_semaphores, type) is { WorksHere: true };

    /// <summary>Whether events with keys of this type work here, now.</summary>
    public static bool SupportsEvents(NativeIpcKeyType type) => Find(s_events, type) is { WorksHere: true };

    /// <summary>Whether permits of semaphores with keys of this type can be recorded here.</summary>
    public static bool RecordsPermits(NativeIpcKeyType type) => Find(s_semaphores, type) is { RecordsPermits: true };

    /// <summary>The back end for a segment's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static ISharedMemoryBackend ForSegment(string attempt, in NativeIpcKey key)
    {
        ISharedMemoryBackend? backend = Find(s_segments, key.Type);
        Check(attempt, key, IpcObjectKind.SharedMemory, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    /// <summary>The back end for a semaphore's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static ISemaphoreBackend ForSemaphore(string attempt, in NativeIpcKey key)
    {
        ISemaphoreBackend? backend = Find(s_semaphores, key.Type);
        Check(attempt, key, IpcObjectKind.SystemSemaphore, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    /// <summary>The back end for an event's key; a key that cannot work is refused here, before any system
    /// call.</summary>
    public static IEventBackend ForEvent(string attempt, in NativeIpcKey key)
    {
        IEventBackend? backend = Find(s_events, key.Type);
        Check(attempt, key, IpcObjectKind.SystemEvent, backend is not null,
            backend is { WorksHere: false } ? backend.WhyNotHere : null);
        return backend!;
    }

    private static IEventBackend? Find(IEventBackend[] backends, NativeIpcKeyType type)
    {
        foreach (IEventBackend backend in backends)
        {
            if (backend.Handles(type)) return backend;
        }

        return null;
    }

    private static ISharedMemoryBackend? Find(ISharedMemoryBackend[] backends, NativeIpcKeyType type)
    {
        foreach (ISharedMemoryBackend backend in backends)
        {
            if (backend.Handles(type)) return backend;
        }

        return null;
    }

    private static ISemaphoreBackend? Find(ISemaphoreBackend[] backends, NativeIpcKeyType type)
    {
        foreach (ISemaphoreBackend backend in backends)
        {
            if (backend.Handles(type)) return backend;
        }

        return null;
    }

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
