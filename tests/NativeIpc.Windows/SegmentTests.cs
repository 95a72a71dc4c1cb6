using Xunit;

namespace NativeIpc.WindowsTests;

public class SegmentTests : WindowsTest
{
    [Fact]
    public void A_new_segment_is_zero_and_has_whole_pages()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NewKey(), 100);

        Assert.True(segment.CreatedNew);
        Assert.Equal(Environment.SystemPageSize, segment.Size);
        Assert.Equal(-1, segment.ReadOnlySpan.IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Creating_what_exists_fails_and_leaves_it()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory first = SharedMemory.CreateNew(key, 100);
        first.Span[0] = 7;

        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(key, 50_000));

        using SharedMemory second = SharedMemory.OpenExisting(key);
        Assert.Equal((7, first.Size), (second.Span[0], second.Size));
    }

    [Fact]
    public void Opening_what_is_missing_fails()
    {
        NativeIpcKey key = NewKey();

        Fails(NativeIpcError.NotFound, 2, () => SharedMemory.OpenExisting(key));
        Fails(NativeIpcError.NotFound, 2, () => SharedMemory.OpenExisting(Key(@"Global\" + key.NativeKey)));
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
    }

    [Fact]
    public void Create_or_open_says_which_and_minds_the_size()
    {
        NativeIpcKey key = NewKey();
        int page = Environment.SystemPageSize;
        using SharedMemory made = SharedMemory.CreateOrOpen(key, page);
        using SharedMemory opened = SharedMemory.CreateOrOpen(key, 1);

        Assert.True(made.CreatedNew);
        Assert.False(opened.CreatedNew);
        NativeIpcException failure = Fails(NativeIpcError.InvalidSize, 0,
            () => SharedMemory.CreateOrOpen(key, page + 1));
        Assert.Contains($"it has {page} bytes", failure.Message, StringComparison.Ordinal);
        using SharedMemory smaller = SharedMemory.CreateOrOpen(key, page + 1, new() { AllowSmaller = true });
        Assert.Equal(page, smaller.Size);
    }

    [Theory]
    [InlineData(1L << 62)]
    [InlineData(1L << 44)]
    [InlineData(long.MaxValue)]
    public void An_absurd_size_is_refused_and_leaves_nothing(long size)
    {
        NativeIpcKey key = NewKey();

        NativeIpcError error = Assert.Throws<NativeIpcException>(() => SharedMemory.CreateNew(key, size)).Error;
        Assert.True(error is NativeIpcError.OutOfResources or NativeIpcError.InvalidSize, error.ToString());
        error = Assert.Throws<NativeIpcException>(() => SharedMemory.CreateOrOpen(key, size)).Error;
        Assert.True(error is NativeIpcError.OutOfResources or NativeIpcError.InvalidSize, error.ToString());
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
    }

    [Fact]
    [Scenario("2 →")]
    public void A_size_over_4_GiB_reaches_the_system_whole()
    {
        const long Size = (5L << 30) + 4096;
        NativeIpcKey key = NewKey();
        SharedMemory segment;
        try
        {
            segment = SharedMemory.CreateNew(key, Size);
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
        {
            Assert.Skip("This machine cannot commit 5 GiB.");
            return;
        }

        using (segment)
        using (Peer peer = Peer.Start())
        {
            Assert.Equal(Size, segment.Size);
            segment.Write(Size - 2, [0xab, 0xcd]);
            Assert.Equal($"ok {Size}", peer.Ask("open-segment", "W", key.NativeKey, "write"));
            Assert.Equal("ok abcd", peer.Ask("read", Size - 2, 2));
        }
    }

    [Fact]
    public void A_read_only_attachment_refuses_writes()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory writer = SharedMemory.CreateNew(key, 100);
        using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
        writer.Span[3] = 9;

        Assert.Equal(9, reader.ReadOnlySpan[3]);
        Assert.Equal(9, reader.GetReadOnlyReference<byte>(3));
        Assert.Throws<InvalidOperationException>(() => { _ = reader.Span; });
        Assert.Throws<InvalidOperationException>(() => reader.Memory);
        Assert.Throws<InvalidOperationException>(() => { reader.GetSpan(0, 1); });
        Assert.Throws<InvalidOperationException>(() => { reader.GetReference<byte>(0) = 1; });
        Assert.Throws<InvalidOperationException>(() => reader.Write(0, [1]));
        using Stream stream = reader.OpenStream();
        Assert.False(stream.CanWrite);
    }

    [Theory]
    [InlineData(SharedMemoryAllocation.Reserve)]
    [InlineData(SharedMemoryAllocation.Sparse)]
    [InlineData(SharedMemoryAllocation.Populate)]
    public void Every_allocation_gives_the_same_segment(SharedMemoryAllocation allocation)
    {
        NativeIpcKey key = NewKey();
        var options = new SharedMemoryOptions { Allocation = allocation };
        using SharedMemory segment = SharedMemory.CreateNew(key, 1 << 20, options);
        using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read, options);

        Assert.Equal(1 << 20, reader.Size);
        Assert.Equal(-1, reader.ReadOnlySpan.IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Options_of_Unix_change_nothing()
    {
        NativeIpcKey key = NewKey();
        var options = new SharedMemoryOptions { Mode = FileModes.Mode666, Removal = RemovalPolicy.Keep,
            RemoveAtProcessExit = false };

        SharedMemory.CreateNew(key, 1, options).Dispose();

        Assert.False(SharedMemory.TryOpenExisting(key, out _, options: options)); // Windows keeps nothing
    }

    [Fact]
    public void Removing_is_not_supported()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);

        Assert.Contains("last handle",
            Assert.Throws<PlatformNotSupportedException>(() => SharedMemory.Remove(key)).Message,
            StringComparison.Ordinal);
        Assert.Contains("last handle",
            Assert.Throws<PlatformNotSupportedException>(() => SystemSemaphore.Remove(key)).Message,
            StringComparison.Ordinal);
        SharedMemory.OpenExisting(key).Dispose();
    }

    [Fact]
    public void The_name_lives_as_long_as_somebody_is_attached()
    {
        NativeIpcKey key = NewKey();
        SharedMemory creator = SharedMemory.CreateNew(key, 1);
        SharedMemory other = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);

        creator.Dispose();
        SharedMemory.OpenExisting(key).Dispose();
        other.Dispose();
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
    }

    [Fact]
    public void An_undisposed_segment_goes_with_the_garbage()
    {
        NativeIpcKey key = NewKey();
        Forget(key);
        for (int round = 0; round < 10 && SharedMemory.TryOpenExisting(key, out SharedMemory? left); round++)
        {
            left.Dispose();
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(SharedMemory.TryOpenExisting(key, out _));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Forget(NativeIpcKey key) => _ = SharedMemory.CreateNew(key, 1);
    }
}
