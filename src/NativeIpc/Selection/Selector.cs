using NativeIpc.Backends.Posix;
using NativeIpc.Backends.SystemV;
using NativeIpc.Backends.Windows;
using NativeIpc.Errors;
using NativeIpc.Platform;

namespace NativeIpc.Backends;

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

    /// <summary>What lists the objects of the machine, for every type of key; those of other systems say that they do
    /// not.</summary>
    public static IObjectCatalog[] Catalogs { get; } = [new PosixCatalog(), new SystemVCatalog(), new WindowsCatalog()];

    /// <summary>Whether segments with keys of this type work here, now.</summary>
    public static bool SupportsSegments(NativeIpcKeyType type) => Find(s_segments, type) is { WorksHere: true };

    /// <summary>Whether semaphores with keys of this type work here, now.</summary>
    public static bool SupportsSemaphores(NativeIpcKeyType type) => Find(s_semaphores, type) is { WorksHere: true };

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

    /// <summary>The back end for a segment that was listed, whose key is not needed.</summary>
    public static ISharedMemoryBackend ForListedSegment(NativeIpcKeyType type)
        => Find(s_segments, type) ?? throw new PlatformNotSupportedException("This system has no such segments.");

    /// <summary>The back end for a semaphore that was listed, whose key is not needed.</summary>
    public static ISemaphoreBackend ForListedSemaphore(NativeIpcKeyType type)
        => Find(s_semaphores, type) ?? throw new PlatformNotSupportedException("This system has no such semaphores.");

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
        if (PlatformEnvironment.FindViolation(key, kind) is { } violation)
            throw Failure.Found(NativeIpcError.KeyError, attempt, key, KeyCheck, violation.TrimEnd('.'),
                "PlatformSafeKey makes names that can be used.");
    }
}
