using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>
/// Creating and attaching segments of 4 KiB and 64 MiB. Plain: without the lock that Qt's protocol has. Variants:
/// <c>@sparse</c> (plain, memory not reserved), <c>@default</c> (default options), <c>@qtproto</c> (default options,
/// and the lock taken once: what Qt does in each create and attach), <c>@populate</c>.
/// </summary>
internal static class Segments
{
    private static long s_sink;

    public static void Create(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "segment");
        SharedMemory.Remove(key);
        (long size, bool takeLock, SharedMemoryOptions options) = (SizeOf(name), TakesLock(name),
            OptionsOf(name, RemovalPolicy.Default));
        Leftovers.Measure(name, Body, slow: size == Harness.Big);

        void Body(long n)
        {
            while (n-- > 0)
            {
                using SharedMemory segment = SharedMemory.CreateNew(key, size, options);
                if (takeLock) segment.Lock().Dispose();
                if (size == Harness.Big) Write(segment.Span);
            }
        }
    }

    public static void Attach(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "segment");
        SharedMemory.Remove(key);
        (long size, bool takeLock, bool write) = (SizeOf(name), TakesLock(name),
            name.Contains("write", StringComparison.Ordinal));
        SharedMemoryOptions options = OptionsOf(name, RemovalPolicy.Keep);
        using Process keeper = Harness.StartChild("keep", name);
        Leftovers.Measure(name, Body, slow: size == Harness.Big);
        keeper.StandardInput.Close();
        keeper.WaitForExit();

        void Body(long n)
        {
            while (n-- > 0)
            {
                using SharedMemory segment = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, options);
                if (takeLock) segment.Lock().Dispose();
                if (size == Harness.Big && write) Write(segment.Span);
                else if (size == Harness.Big) s_sink = Read(segment.ReadOnlySpan);
            }
        }
    }

    /// <summary>In a child: keeps the segment, as another process would, so that the last detach never comes inside the
    /// measurement.</summary>
    public static void Keep(string[] arguments)
    {
        using SharedMemory segment = SharedMemory.CreateNew(Harness.SegmentKey(arguments[0], "segment"),
            SizeOf(arguments[0]));
        segment.Lock().Dispose();
        Write(segment.Span);
        Harness.Ready();
        Console.In.ReadToEnd();
    }

    private static long SizeOf(string name) => name.Contains("64m", StringComparison.Ordinal) ? Harness.Big : 4096;

    private static bool TakesLock(string name) => name.EndsWith("@qtproto", StringComparison.Ordinal);

    private static SharedMemoryOptions OptionsOf(string name, RemovalPolicy plainRemoval)
        => name[(name.IndexOf('@', StringComparison.Ordinal) + 1)..] switch
    {
        "qtproto" or "default" => new(),
        "sparse" => new() { UseLock = false, Removal = plainRemoval, Allocation = SharedMemoryAllocation.Sparse },
        "populate" => new() { UseLock = false, Removal = plainRemoval, Allocation = SharedMemoryAllocation.Populate },
        _ => new() { UseLock = false, Removal = plainRemoval },
    };

    public static void Write(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i += 4096) bytes[i] = 1;
    }

    public static long Read(ReadOnlySpan<byte> bytes)
    {
        long sum = 0;
        for (int i = 0; i < bytes.Length; i += 4096) sum += bytes[i];
        return sum;
    }
}
