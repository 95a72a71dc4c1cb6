using NativeIpc.Contracts;

namespace NativeIpc;

/// <summary>Access to a segment's bytes that cannot be unmapped while the scope is open. Thread-safe.</summary>
public sealed class SharedMemoryAccessScope : IDisposable
{
    private Segment? _segment;

    internal SharedMemoryAccessScope(Segment segment) => _segment = segment;

    // A scope that is dropped without Dispose keeps the memory mapped until it is collected.
    /// <summary>Ends the scope.</summary>
    ~SharedMemoryAccessScope() => Interlocked.Exchange(ref _segment, null)?.ReleaseFromFinalizer();

    /// <summary>The number of bytes.</summary>
    /// <exception cref="ObjectDisposedException">The scope has ended.</exception>
    public long Size => Open().Size;

    /// <summary>Some of the bytes, to read and write, inside the scope.</summary>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="InvalidOperationException">The attachment is read-only.</exception>
    /// <exception cref="ObjectDisposedException">The scope has ended.</exception>
    public Span<byte> GetSpan(long offset, int length) => Writable().Slice(offset, length);

    /// <summary>Some of the bytes, to read, inside the scope.</summary>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="ObjectDisposedException">The scope has ended.</exception>
    public ReadOnlySpan<byte> GetReadOnlySpan(long offset, int length) => Open().Slice(offset, length);

    /// <summary>A value in the segment, to read and write, inside the scope.</summary>
    /// <typeparam name="T">A type without references.</typeparam>
    /// <param name="offset">In bytes, from the start; a multiple of the type's alignment.</param>
    /// <returns>The value's place.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is not all inside the segment.</exception>
    /// <exception cref="ArgumentException">The offset is not aligned for the type.</exception>
    /// <exception cref="InvalidOperationException">The attachment is read-only.</exception>
    /// <exception cref="ObjectDisposedException">The scope has ended.</exception>
    public ref T GetReference<T>(long offset)
        where T : unmanaged
        => ref Writable().At<T>(offset);

    /// <summary>The address of the first byte, inside the scope.</summary>
    /// <returns>The address; the memory behind it can be written only if the attachment allows it.</returns>
    /// <exception cref="ObjectDisposedException">The scope has ended.</exception>
    public unsafe nint DangerousGetAddress() => (nint)Open().Pointer;

    /// <summary>Ends the scope; once, however often it is called.</summary>
    public void Dispose()
    {
        Interlocked.Exchange(ref _segment, null)?.DangerousRelease();
        GC.SuppressFinalize(this);
    }

    private Segment Open() => Volatile.Read(ref _segment)
        ?? throw new ObjectDisposedException(nameof(SharedMemoryAccessScope));

    private Segment Writable()
    {
        Segment segment = Open();
        SharedMemory.ThrowIfReadOnly(segment);
        return segment;
    }
}
