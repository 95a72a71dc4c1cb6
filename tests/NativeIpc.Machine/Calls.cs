using NativeIpc.Victim;

namespace NativeIpc.Machine;

/// <summary>Every call that makes, opens or removes an object, so that a rule can be shown to hold for all of
/// them.</summary>
internal static class Calls
{
    private static readonly SharedMemoryOptions s_segment = new() { PeerTimeout = TimeSpan.FromMilliseconds(50) };
    private static readonly SystemEventOptions s_event = new() { PeerTimeout = TimeSpan.FromMilliseconds(50) };
    private static readonly SystemSemaphoreOptions s_semaphore = new() { PeerTimeout = TimeSpan.FromMilliseconds(50) };

    internal static IReadOnlyList<(string Name, Func<NativeIpcKey, string> Run)> Segments { get; } =
    [
        ("CreateNew", key => Use(SharedMemory.CreateNew(key, 4096, s_segment))),
        ("CreateOrOpen", key => Use(SharedMemory.CreateOrOpen(key, 4096, s_segment))),
        ("OpenExisting", key => Use(SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, s_segment))),
        ("OpenExisting for reading", key => Use(SharedMemory.OpenExisting(key, SharedMemoryAccess.Read, s_segment))),
        ("TryOpenExisting",
            key => SharedMemory.TryOpenExisting(key, out SharedMemory? found, SharedMemoryAccess.ReadWrite, s_segment)
                ? Use(found) : "missing"),
        ("Remove", key => SharedMemory.Remove(key) ? "removed" : "missing"),
    ];

    internal static IReadOnlyList<(string Name, Func<NativeIpcKey, string> Run)> Semaphores { get; } =
    [
        ("CreateNew", key => Use(SystemSemaphore.CreateNew(key, 1, s_semaphore))),
        ("CreateOrOpen", key => Use(SystemSemaphore.CreateOrOpen(key, 1, s_semaphore))),
        ("CreateOrReset", key => Use(SystemSemaphore.CreateOrReset(key, 1, s_semaphore))),
        ("OpenExisting", key => Use(SystemSemaphore.OpenExisting(key, s_semaphore))),
        ("TryOpenExisting",
            key => SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? found, s_semaphore)
                ? Use(found) : "missing"),
        ("Remove", key => SystemSemaphore.Remove(key) ? "removed" : "missing"),
    ];

    internal static IReadOnlyList<(string Name, Func<NativeIpcKey, string> Run)> Events { get; } =
    [
        ("CreateNew", key => Use(SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: s_event))),
        ("CreateOrOpen", key => Use(SystemEvent.CreateOrOpen(key, EventResetMode.AutoReset, options: s_event))),
        ("CreateOrReset", key => Use(SystemEvent.CreateOrReset(key, EventResetMode.AutoReset, options: s_event))),
        ("OpenExisting", key => Use(SystemEvent.OpenExisting(key, s_event))),
        ("TryOpenExisting",
            key => SystemEvent.TryOpenExisting(key, out SystemEvent? found, s_event) ? Use(found) : "missing"),
        ("Remove", key => SystemEvent.Remove(key) ? "removed" : "missing"),
    ];

    /// <summary>What each call comes to with a key.</summary>
    internal static IEnumerable<Outcome> WithSegment(NativeIpcKey key)
        => Segments.Select(call => Outcome.From($"SharedMemory.{call.Name}", () => call.Run(key)));

    /// <inheritdoc cref="WithSegment"/>
    internal static IEnumerable<Outcome> WithSemaphore(NativeIpcKey key)
        => Semaphores.Select(call => Outcome.From($"SystemSemaphore.{call.Name}", () => call.Run(key)));

    /// <inheritdoc cref="WithSegment"/>
    internal static IEnumerable<Outcome> WithEvent(NativeIpcKey key)
        => Events.Select(call => Outcome.From($"SystemEvent.{call.Name}", () => call.Run(key)));

    private static string Use(SystemEvent opened)
    {
        opened.Dispose();
        return opened.CreatedNew ? "created" : "opened";
    }

    private static string Use(SharedMemory segment)
    {
        segment.Dispose();
        return segment.CreatedNew ? "created" : "opened";
    }

    private static string Use(SystemSemaphore semaphore)
    {
        semaphore.Dispose();
        return semaphore.CreatedNew ? "created" : "opened";
    }
}
