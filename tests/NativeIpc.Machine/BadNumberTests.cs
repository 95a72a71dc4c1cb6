using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Sizes and counts that cannot be.</summary>
[NeedsLinux("The limits asserted here are those of Linux.")]
public class BadNumberTests
{
    private const int EOVERFLOW = 75;
    private const int ERANGE = 34;

    public static TheoryData<Backend, long> Sizes(long[] sizes)
    {
        var data = new TheoryData<Backend, long>();
        foreach (Backend backend in Enum.GetValues<Backend>())
        {
            foreach (long size in sizes) data.Add(backend, size);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Sizes), new long[] { 0, -1, long.MinValue })]
    public void A_size_below_one_is_a_wrong_argument(Backend backend, long size)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, size)}").AssertIsWrongArgument("size", key);
        Outcome.From("CreateOrOpen", () => $"{SharedMemory.CreateOrOpen(key, size)}")
            .AssertIsWrongArgument("size", key);
    }

    [Theory]
    [MemberData(nameof(Sizes), new long[] { 1L << 62, long.MaxValue, (1L << 56) + 1 })]
    public void A_size_that_no_process_has_room_for_is_an_invalid_size(Backend backend, long size)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        foreach (SharedMemoryAllocation allocation in Enum.GetValues<SharedMemoryAllocation>())
        {
            var options = new SharedMemoryOptions { Allocation = allocation };
            Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, size, options)}")
                .AssertSays(NativeIpcError.InvalidSize, key, "CreateNew", 0);
            Outcome.From("CreateOrOpen", () => $"{SharedMemory.CreateOrOpen(key, size, options)}")
                .AssertSays(NativeIpcError.InvalidSize, key, "CreateOrOpen", 0);
        }

        Assert.Equal("missing", Calls.WithSegment(key)
            .Single(outcome => outcome.Step == "SharedMemory.TryOpenExisting").Did);
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_size_over_the_machines_memory_is_out_of_resources_and_leaves_nothing(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        Outcome outcome = Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, 1L << 55)}");
        outcome.AssertSays(NativeIpcError.OutOfResources, key, backend == Backend.Posix ? "posix_fallocate" : "shmget");
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        if (backend == Backend.SystemV) Assert.False(File.Exists(key.NativeKey), "The key file stayed.");
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_larger_size_than_an_existing_segment_has_is_an_invalid_size_and_harms_nothing(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Span[4095] = 42;

        Outcome.From("CreateOrOpen", () => $"{SharedMemory.CreateOrOpen(key, 4097)}")
            .AssertSays(NativeIpcError.InvalidSize, key, "CreateOrOpen", 0);
        using SharedMemory again = SharedMemory.OpenExisting(key);
        Assert.Equal(4096, again.Size);
        Assert.Equal(42, again.Span[4095]);
    }

    [Theory]
    [InlineData(Backend.Posix, -1)]
    [InlineData(Backend.Posix, int.MinValue)]
    [InlineData(Backend.SystemV, -1)]
    [InlineData(Backend.SystemV, int.MinValue)]
    public void A_negative_count_is_a_wrong_argument(Backend backend, int count)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        Outcome.From("CreateNew", () => $"{SystemSemaphore.CreateNew(key, count)}")
            .AssertIsWrongArgument("initialCount", key);
        Outcome.From("CreateOrOpen", () => $"{SystemSemaphore.CreateOrOpen(key, count)}")
            .AssertIsWrongArgument("initialCount", key);
        Outcome.From("CreateOrReset", () => $"{SystemSemaphore.CreateOrReset(key, count)}")
            .AssertIsWrongArgument("initialCount", key);
    }

    [Theory]
    [InlineData(32768)]
    [InlineData(65536)] // 0 in the 16 bits of a System V count
    [InlineData(int.MaxValue)]
    public void A_count_over_the_maximum_of_System_V_is_out_of_resources(int count)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        Outcome.From("CreateNew", () => $"{SystemSemaphore.CreateNew(key, count)}")
            .AssertSays(NativeIpcError.OutOfResources, key, "CreateNew", 0);
        Outcome.From("CreateOrOpen", () => $"{SystemSemaphore.CreateOrOpen(key, count)}")
            .AssertSays(NativeIpcError.OutOfResources, key, "CreateOrOpen", 0);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        Outcome.From("CreateOrReset", () => $"{SystemSemaphore.CreateOrReset(key, count)}")
            .AssertSays(NativeIpcError.OutOfResources, key, "CreateOrReset", 0);
        Assert.True(semaphore.TryGetCurrentCount(out int left) && left == 3, $"The count is {left} now.");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void A_release_of_less_than_one_is_a_wrong_argument(int count)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(TestRun.NewKey(Backend.Posix), 1);
        Assert.Throws<ArgumentOutOfRangeException>(nameof(count), () => semaphore.Release(count));
        Assert.True(semaphore.TryGetCurrentCount(out int left) && left == 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public void A_release_past_the_maximum_of_POSIX_gives_nothing(int count)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, int.MaxValue);
        Outcome.From("Release", () => Release(semaphore, count)).AssertSays(NativeIpcError.OutOfResources, key,
            "sem_post", EOVERFLOW);
        Assert.True(semaphore.TryGetCurrentCount(out int left) && left == int.MaxValue);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32767)]
    [InlineData(65536)]
    [InlineData(int.MaxValue)]
    public void A_release_past_the_maximum_of_System_V_gives_nothing(int count)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 32767,
            new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None });
        Outcome.From("Release", () => Release(semaphore, count)).AssertSays(NativeIpcError.OutOfResources, key,
            "semop", ERANGE);
        Assert.True(semaphore.TryGetCurrentCount(out int left) && left == 32767);
    }

    private static string Release(SystemSemaphore semaphore, int count)
    {
        semaphore.Release(count);
        return "released";
    }
}
