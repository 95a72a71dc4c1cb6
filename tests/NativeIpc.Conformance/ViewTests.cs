using System.Buffers;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>The ways to the bytes (mission C1, F6).</summary>
public abstract class ViewTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Size = 4096;

    [Fact]
    public void Every_view_shows_the_same_bytes()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        segment.Span[0] = 1;
        segment.Memory.Span[1] = 2;
        segment.GetSpan(2, 1)[0] = 3;
        segment.GetReference<byte>(3) = 4;
        segment.Write(4, [5]);
        using (Stream stream = segment.OpenStream())
        {
            stream.Position = 5;
            stream.WriteByte(6);
        }

        using (SharedMemoryAccessScope scope = segment.BeginAccess())
        {
            scope.GetSpan(6, 1)[0] = 7;
            scope.GetReference<byte>(7) = 8;
            Assert.Equal(segment.Size, scope.Size);
            Assert.Equal(8, Marshal.ReadByte(scope.DangerousGetAddress(), 7));
            Assert.Equal(7, scope.GetReadOnlySpan(6, 1)[0]);
        }

        byte[] expected = [1, 2, 3, 4, 5, 6, 7, 8];
        Assert.Equal(expected, segment.ReadOnlySpan[..8].ToArray());
        Assert.Equal(expected, segment.ReadOnlyMemory[..8].ToArray());
        Assert.Equal(expected, segment.GetReadOnlySpan(0, 8).ToArray());
        Assert.Equal(0x0807060504030201, segment.GetReadOnlyReference<long>(0));
        byte[] read = new byte[8];
        segment.Read(0, read);
        Assert.Equal(expected, read);
        Assert.Equal(segment.Size, segment.Span.Length);
        Assert.Equal(segment.Size, segment.Memory.Length);
    }

    [Fact]
    public void A_pinned_memory_stays_mapped_over_Dispose()
    {
        NativeIpcKey key = NextKey();
        SharedMemory segment = SharedMemory.CreateNew(key, Size);
        segment.Span[17] = 0x17;
        MemoryHandle pin = segment.Memory[17..].Pin();
        Memory<byte> memory = segment.Memory;
        segment.Dispose();
        unsafe
        {
            Assert.Equal(0x17, *(byte*)pin.Pointer);
        }

        pin.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.Span[0]);
        Assert.Throws<ObjectDisposedException>(() => memory.Pin());
    }

    [Fact]
    public void An_access_scope_stays_mapped_over_Dispose_and_ends_once()
    {
        SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        SharedMemoryAccessScope scope = segment.BeginAccess();
        segment.Dispose();
        scope.GetSpan(0, 1)[0] = 5;
        Assert.Equal(5, scope.GetReadOnlySpan(0, 1)[0]);
        scope.Dispose();
        scope.Dispose();
        Assert.Throws<ObjectDisposedException>(() => scope.GetSpan(0, 1)[0]);
        Assert.Throws<ObjectDisposedException>(() => scope.GetReadOnlySpan(0, 1)[0]);
        Assert.Throws<ObjectDisposedException>(() => scope.GetReference<int>(0));
        Assert.Throws<ObjectDisposedException>(() => scope.DangerousGetAddress());
        Assert.Throws<ObjectDisposedException>(() => scope.Size);
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, -1)]
    [InlineData(1_000_000, 1)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(long.MaxValue, int.MaxValue)]
    [InlineData(1, int.MaxValue)]
    public void What_is_not_all_inside_is_refused(long offset, int length)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetSpan(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetReadOnlySpan(offset, length));
        using SharedMemoryAccessScope scope = segment.BeginAccess();
        Assert.Throws<ArgumentOutOfRangeException>(() => scope.GetSpan(offset, length));
        if (length is >= 0 and < 100)
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => segment.Read(offset, new byte[length]));
            Assert.Throws<ArgumentOutOfRangeException>(() => segment.Write(offset, new byte[length]));
        }
    }

    [Fact]
    public void What_ends_at_the_last_byte_is_inside()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        Assert.Equal(10, segment.GetSpan(segment.Size - 10, 10).Length);
        Assert.True(segment.GetSpan(segment.Size, 0).IsEmpty);
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetSpan(segment.Size - 10, 11));
        segment.GetReference<long>(segment.Size - 8) = 1;
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetReference<long>(segment.Size));
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetReference<long>(-8));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_reference_that_is_not_aligned_is_refused(int offset)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        Assert.Throws<ArgumentException>(() => segment.GetReference<long>(offset));
        Assert.Throws<ArgumentException>(() => segment.GetReadOnlyReference<double>(offset));
        segment.GetReference<byte>(offset) = 1;
    }

    [Fact]
    public void Interlocked_works_on_a_reference_between_processes()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        Interlocked.Add(ref segment.GetReference<int>(8), 0x01020304);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} ro");
        Assert.Equal("04030201", peer.Ask("shm read a 8 4"));
    }

    [Fact]
    public void A_read_only_attachment_reads_and_its_writable_views_throw()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        segment.Span[0] = 9;
        using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
        Assert.Equal(SharedMemoryAccess.Read, reader.Access);
        Assert.Equal(segment.Size, reader.Size);
        Assert.Equal(9, reader.ReadOnlySpan[0]);
        Assert.Equal(9, reader.ReadOnlyMemory.Span[0]);
        Assert.Equal(9, reader.GetReadOnlyReference<byte>(0));
        Assert.Throws<InvalidOperationException>(() => reader.Span[0]);
        Assert.Throws<InvalidOperationException>(() => reader.Memory.Span[0]);
        Assert.Throws<InvalidOperationException>(() => reader.GetSpan(0, 1)[0]);
        Assert.Throws<InvalidOperationException>(() => reader.GetReference<byte>(0));
        Assert.Throws<InvalidOperationException>(() => reader.Write(0, [1]));
        using SharedMemoryAccessScope scope = reader.BeginAccess();
        Assert.Equal(9, scope.GetReadOnlySpan(0, 1)[0]);
        Assert.Throws<InvalidOperationException>(() => scope.GetSpan(0, 1)[0]);
        Assert.Throws<InvalidOperationException>(() => scope.GetReference<byte>(0));
        using Stream stream = reader.OpenStream();
        Assert.False(stream.CanWrite);
        Assert.Equal(9, stream.ReadByte());
        Assert.Throws<NotSupportedException>(() => stream.WriteByte(1));
        Assert.Equal(9, segment.Span[0]);
    }

    [Fact]
    public void A_process_that_writes_to_a_read_only_attachment_is_told_and_lives()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, Size);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} ro");
        Assert.Equal("Usage", peer.AskFailing("shm write a 0 ff"));
        Assert.Equal("00", peer.Ask("shm read a 0 1"));
    }

    [Fact]
    public async Task A_stream_reads_writes_and_seeks_within_its_fixed_length()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        using Stream stream = segment.OpenStream();
        Assert.True(stream.CanRead && stream.CanWrite && stream.CanSeek);
        Assert.Equal(segment.Size, stream.Length);
        Assert.Equal(0, stream.Position);

        stream.Write([1, 2, 3]);
        await stream.WriteAsync(new byte[] { 4, 5 }, Cancellation);
        await stream.WriteAsync(new byte[] { 0, 6, 0 }.AsMemory(1, 1), Cancellation);
        stream.WriteByte(7);
        await stream.FlushAsync(Cancellation);
        Assert.Equal(7, stream.Position);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], segment.ReadOnlySpan[..7].ToArray());

        Assert.Equal(2, stream.Seek(2, SeekOrigin.Begin));
        Assert.Equal(3, stream.ReadByte());
        Assert.Equal(4, stream.Seek(1, SeekOrigin.Current));
        byte[] some = new byte[3];
        Assert.Equal(3, await stream.ReadAsync(some, Cancellation));
        Assert.Equal([5, 6, 7], some);
        Assert.Equal(segment.Size - 1, stream.Seek(-1, SeekOrigin.End));
        stream.WriteByte(99);
        Assert.Equal(99, segment.ReadOnlySpan[^1]);
        Assert.Equal(-1, stream.ReadByte());
        Assert.Equal(0, await stream.ReadAsync(some, Cancellation));

        Assert.Throws<NotSupportedException>(() => stream.WriteByte(1));
        await Assert.ThrowsAsync<NotSupportedException>(() => stream.WriteAsync(some, 0, 3, Cancellation));
        Assert.Throws<NotSupportedException>(() => stream.SetLength(1));
        Assert.Throws<IOException>(() => stream.Seek(-1, SeekOrigin.Begin));
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Position = -1);
        stream.Position = segment.Size + 10;
        Assert.Equal(0, stream.Read(some));

        // At the end only what there is comes.
        stream.Position = segment.Size - 2;
        Assert.Equal(2, stream.Read(some));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => stream.ReadAsync(some, 0, 3, new CancellationToken(true)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => stream.WriteAsync(some, 0, 3, new CancellationToken(true)));
    }

    [Fact]
    public void A_stream_copies_the_whole_segment()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 300_000);
        new Random(1).NextBytes(segment.Span);
        using Stream stream = segment.OpenStream();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        Assert.True(segment.ReadOnlySpan.SequenceEqual(copy.ToArray()));
    }

    [Fact]
    public void A_closed_stream_throws_and_leaves_the_segment_open()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), Size);
        Stream stream = segment.OpenStream();
        stream.Dispose();
        Assert.False(stream.CanRead || stream.CanWrite || stream.CanSeek);
        Assert.Throws<ObjectDisposedException>(() => stream.ReadByte());
        Assert.Throws<ObjectDisposedException>(() => stream.WriteByte(1));
        Assert.Throws<ObjectDisposedException>(() => stream.Length);
        Assert.Throws<ObjectDisposedException>(() => stream.Position);
        Assert.Throws<ObjectDisposedException>(() => stream.Seek(0, SeekOrigin.Begin));
        Assert.Throws<ObjectDisposedException>(stream.Flush);
        segment.Span[0] = 1;
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_segment_over_2_GiB_is_reached_everywhere_but_not_by_one_span()
    {
        // Only a sparse POSIX segment is this large for nothing.
        const long size = 3L << 30;
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, size,
            new() { Allocation = SharedMemoryAllocation.Sparse });
        Assert.Equal(size, segment.Size);
        segment.GetSpan(size - 4, 4)[3] = 0x44;
        segment.GetReference<int>(size - 8) = 0x11223344;
        byte[] end = new byte[8];
        segment.Read(size - 8, end);
        Assert.Equal([0x44, 0x33, 0x22, 0x11, 0, 0, 0, 0x44], end);

        using Stream stream = segment.OpenStream();
        Assert.Equal(size, stream.Length);
        stream.Position = (2L << 30) + 5;
        stream.Write([1, 2, 3]);
        Assert.Equal((2L << 30) + 8, stream.Position);
        Assert.Equal(2, segment.GetReadOnlySpan((2L << 30) + 6, 1)[0]);
        stream.Seek(-8, SeekOrigin.End);
        Assert.Equal(8, stream.Read(end));
        Assert.Equal(0x44, end[7]);

        Assert.Throws<InvalidOperationException>(() => segment.Span[0]);
        Assert.Throws<InvalidOperationException>(() => segment.ReadOnlySpan[0]);
        Assert.Throws<InvalidOperationException>(() => segment.Memory);
        Assert.Throws<InvalidOperationException>(() => segment.ReadOnlyMemory);

        PeerProcess peer = Peer();
        Assert.Equal($"{size} opened", peer.Ask($"shm open a {key} ro"));
        Assert.Equal("0044", peer.Ask($"shm read a {size - 2} 2"));
    }
}
