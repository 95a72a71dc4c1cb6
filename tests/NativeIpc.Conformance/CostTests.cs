using System.Globalization;
using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What opening, attaching and copying must not cost: mappings, descriptors, a byte that is wrong.</summary>
[Collection(nameof(Alone))]
public abstract class CostTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Rounds = 10_000;

    // The runtime itself makes and drops some meanwhile; a leak would leave one for each round.
    private const int Tolerance = Rounds / 10;

    [BackendFact(Needs.Linux)]
    public void Ten_thousand_opened_and_closed_objects_leave_no_mapping_and_no_descriptor()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey made = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        (int mappings, int descriptors) = Count();
        for (int i = 0; i < Rounds; i++)
        {
            SharedMemory.OpenExisting(key).Dispose();
            SystemSemaphore.OpenExisting(semaphore.Key).Dispose();
            if (i % 10 != 0) continue;
            SharedMemory.CreateNew(made, 100).Dispose();
            SystemSemaphore.CreateNew(made, 1).Dispose();
            Assert.Throws<NativeIpcException>(() => SharedMemory.CreateNew(key, 100));
            Assert.Throws<NativeIpcException>(() => SystemSemaphore.OpenExisting(made));
        }

        (int mappingsLeft, int descriptorsLeft) = Count();
        Assert.InRange(mappingsLeft - mappings, int.MinValue, Tolerance);
        Assert.InRange(descriptorsLeft - descriptors, int.MinValue, Tolerance);
    }

    [BackendFact(Needs.Linux)]
    public void Opening_allocates_little()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 1);
        OpenBoth(10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        OpenBoth(100);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 100, 0, 2000);

        void OpenBoth(int times)
        {
            for (int i = 0; i < times; i++)
            {
                SharedMemory.OpenExisting(key).Dispose();
                SystemSemaphore.OpenExisting(semaphore.Key).Dispose();
            }
        }
    }

    /// <summary>Each doubling holds a process with several threads up until all cores have passed a quiet
    /// point.</summary>
    [BackendFact(Needs.Posix | Needs.Linux)]
    public void The_table_of_descriptors_does_not_double_again_and_again_under_many_segments()
    {
        SharedMemory[] segments = [.. Enumerable.Range(0, 300).Select(_ => SharedMemory.CreateNew(NextKey(), 100))];
        try
        {
            int limit = Number(File.ReadLines("/proc/self/limits"), "Max open files");
            Assert.InRange(Number(File.ReadLines("/proc/self/status"), "FDSize:"), Math.Min(8192, limit / 2),
                int.MaxValue);
        }
        finally
        {
            foreach (SharedMemory segment in segments) segment.Dispose();
        }

        static int Number(IEnumerable<string> lines, string name)
            => int.Parse(lines.First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Split(
                (char[]?)null, StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
    }

    [BackendFact(Needs.Linux)]
    public void Populate_maps_the_pages_of_a_segment_that_exists()
    {
        const int size = 3 << 20;
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, size);
        segment.Span.Fill(7);
        using SharedMemory plain = SharedMemory.OpenExisting(key);
        using SharedMemory populated = SharedMemory.OpenExisting(key,
            options: new() { Allocation = SharedMemoryAllocation.Populate });
        using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read,
            new() { Allocation = SharedMemoryAllocation.Populate });
        Assert.Equal(0, ResidentKilobytes(plain.ReadOnlySpan));
        Assert.Equal(size / 1024, ResidentKilobytes(populated.ReadOnlySpan));
        Assert.Equal(size / 1024, ResidentKilobytes(reader.ReadOnlySpan));
        Assert.False(populated.ReadOnlySpan.ContainsAnyExcept((byte)7));
        populated.Span[size - 1] = 8;
        Assert.Equal(8, plain.ReadOnlySpan[^1]);
    }

    [BackendFact(Needs.Linux)]
    public void Populate_maps_the_pages_of_a_new_segment_small_or_large()
    {
        foreach (int size in (int[])[4096, 1 << 20, 5 << 20])
        {
            NativeIpcKey key = NextKey();
            using SharedMemory segment = SharedMemory.CreateNew(key, size,
                new() { Allocation = SharedMemoryAllocation.Populate });
            Assert.Equal(size / 1024, ResidentKilobytes(segment.ReadOnlySpan));
            Assert.False(segment.ReadOnlySpan.ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public void Large_copies_are_exact_by_every_way()
    {
        const int size = (5 << 20) + 12_345;
        const int offset = 4099;
        byte[] given = new byte[size - offset - 1];
        new Random(1).NextBytes(given);
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), size);
        segment.Write(offset, given);
        Assert.True(segment.ReadOnlySpan.Slice(offset, given.Length).SequenceEqual(given));
        Assert.Equal(0, segment.ReadOnlySpan[offset - 1]);
        Assert.Equal(0, segment.ReadOnlySpan[offset + given.Length]);

        byte[] got = new byte[given.Length];
        segment.Read(offset, got);
        Assert.True(got.AsSpan().SequenceEqual(given));

        using Stream stream = segment.OpenStream();
        stream.Position = offset;
        Array.Clear(got);
        stream.ReadExactly(got);
        Assert.True(got.AsSpan().SequenceEqual(given));
        Array.Reverse(given);
        stream.Position = offset;
        stream.Write(given);
        Assert.True(segment.GetReadOnlySpan(offset, given.Length).SequenceEqual(given));
        using SharedMemoryAccessScope scope = segment.BeginAccess();
        Assert.True(scope.GetReadOnlySpan(offset, given.Length).SequenceEqual(given));
    }

    [BackendFact(Needs.Linux)]
    public void Objects_get_their_names_also_where_the_kernel_links_no_descriptor()
    {
        bool before = UnnamedFile.LinksByDescriptor;
        try
        {
            UnnamedFile.LinksByDescriptor = false;
            NativeIpcKey key = NextKey();
            using SharedMemory segment = SharedMemory.CreateNew(key, 100);
            using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 3);
            Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, 100)));
            Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateNew(semaphore.Key, 1)));
            Assert.Equal("100 opened", Peer().Ask($"shm open a {key} rw"));
        }
        finally
        {
            UnnamedFile.LinksByDescriptor = before;
        }
    }

    private static (int Mappings, int Descriptors) Count()
        => (File.ReadAllLines("/proc/self/maps").Length, Directory.GetFileSystemEntries("/proc/self/fd").Length);

    /// <summary>How much of a mapping has pages, as /proc/self/smaps says.</summary>
    private static unsafe int ResidentKilobytes(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* first = bytes)
        {
            string start = ((nint)first).ToString("x", CultureInfo.InvariantCulture) + "-";
            IEnumerable<string> lines = File.ReadLines("/proc/self/smaps")
                .SkipWhile(line => !line.StartsWith(start, StringComparison.Ordinal));
            string resident = lines.First(line => line.StartsWith("Rss:", StringComparison.Ordinal));
            return int.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture);
        }
    }
}
