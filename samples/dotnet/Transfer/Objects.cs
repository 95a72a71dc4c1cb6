using System.Security.Cryptography;
using NativeIpc;

namespace Transfer;

/// <summary>The three objects of one transfer, made by the parent, and what must be gone afterwards.</summary>
internal sealed class Objects : IDisposable
{
    // Both sides release what the other acquires, tens of thousands of times: the kernel must keep no account of it
    // (System V).
    public static readonly SystemSemaphoreOptions SemaphoreOptions = WithoutUndo();

    // The demo handles the ending signals itself (Demo.RunAsync), in its own order: first the receiver ends, then the
    // objects go.
    private static readonly SharedMemoryOptions s_ownSegment = new() { RemoveAtProcessExit = false };
    private static readonly SystemSemaphoreOptions s_ownSemaphore =
        SemaphoreOptions with { RemoveAtProcessExit = false };

    private static readonly string s_unique = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private static int s_count;

    private static SystemSemaphoreOptions WithoutUndo()
    {
        var options = new SystemSemaphoreOptions();
        if (!OperatingSystem.IsWindows()) options.Undo = SystemVUndoPolicy.None;
        return options;
    }

    private Objects(SharedMemory segment, SystemSemaphore free, SystemSemaphore filled)
    {
        Segment = segment;
        Free = free;
        Filled = filled;
    }

    public SharedMemory Segment { get; }

    public SystemSemaphore Free { get; }

    public SystemSemaphore Filled { get; }

    /// <summary>Three keys that nobody has: 29 characters at most (macOS).</summary>
    public static (NativeIpcKey Segment, NativeIpcKey Free, NativeIpcKey Filled) NewKeys(NativeIpcKeyType type)
    {
        string name = $"demo-{s_unique}-{++s_count}";
        return (SharedMemory.PlatformSafeKeyUncut(name + "d", type),
            SystemSemaphore.PlatformSafeKeyUncut(name + "e", type),
            SystemSemaphore.PlatformSafeKeyUncut(name + "f", type));
    }

    public static Objects Create((NativeIpcKey Segment, NativeIpcKey Free, NativeIpcKey Filled) keys)
    {
        SharedMemory? segment = null;
        SystemSemaphore? free = null;
        try
        {
            segment = SharedMemory.CreateNew(keys.Segment, Ring.SegmentSize, s_ownSegment);
            free = SystemSemaphore.CreateNew(keys.Free, Ring.Slots, s_ownSemaphore);
            return new Objects(segment, free, SystemSemaphore.CreateNew(keys.Filled, 0, s_ownSemaphore));
        }
        catch
        {
            free?.Dispose();
            segment?.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Filled.Dispose();
        Free.Dispose();
        Segment.Dispose();
    }

    /// <summary>What the system still has of a transfer that is over; empty when all is as it should be.</summary>
    public static IEnumerable<string> FindLeftovers((NativeIpcKey Segment, NativeIpcKey Free, NativeIpcKey Filled) keys)
    {
        if (SharedMemory.TryOpenExisting(keys.Segment, out SharedMemory? segment))
        {
            segment.Dispose();
            yield return $"segment {keys.Segment}";
        }

        // The third is the lock of the segment, which has the segment's own key on Unix.
        NativeIpcKey[] semaphores = keys.Segment.Type == NativeIpcKeyType.Windows
            ? [keys.Free, keys.Filled] : [keys.Free, keys.Filled, keys.Segment];
        foreach (NativeIpcKey key in semaphores)
        {
            if (!SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? semaphore)) continue;
            semaphore.Dispose();
            yield return $"semaphore {key}";
        }

        foreach (NativeIpcKey key in new[] { keys.Segment, keys.Free, keys.Filled })
        {
            string[] files = key.Type.IsSystemV ? [key.NativeKey]
                : OperatingSystem.IsLinux() ? ["/dev/shm" + key.NativeKey,
                    "/dev/shm/sem." + key.NativeKey.TrimStart('/')]
                : [];
            foreach (string file in Array.FindAll(files, File.Exists)) yield return $"file {file}";
        }
    }
}
