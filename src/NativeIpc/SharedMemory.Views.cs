using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using NativeIpc.Contracts;
using NativeIpc.Errors;

namespace NativeIpc;

public sealed partial class SharedMemory
{
    /// <summary>All bytes, to read and write. Fast and raw: it must not be used after Dispose, nor after the last use
    /// of this instance, which a collection then lets go of: hold it with <c>using</c>.</summary>
    /// <exception cref="InvalidOperationException">The attachment is read-only, or the segment is over 2 GiB: use
    /// <see cref="GetSpan"/>.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public Span<byte> Span
    {
        get
        {
            CheckWritable();
            return _segment.Slice(0, WholeLength());
        }
    }

    /// <summary>All bytes, to read. Fast and raw: it must not be used after Dispose, nor after the last use of this
    /// instance, which a collection then lets go of: hold it with <c>using</c>.</summary>
    /// <exception cref="InvalidOperationException">The segment is over 2 GiB: use
    /// <see cref="GetReadOnlySpan"/>.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public ReadOnlySpan<byte> ReadOnlySpan
    {
        get
        {
            CheckOpen();
            return _segment.Slice(0, WholeLength());
        }
    }

    /// <summary>All bytes, to read and write, for APIs that take memory. Its spans must not be used after Dispose;
    /// asking it for one then throws.</summary>
    /// <exception cref="InvalidOperationException">The attachment is read-only, or the segment is over 2
    /// GiB.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public Memory<byte> Memory
    {
        get
        {
            CheckWritable();
            return new Manager(this, WholeLength()).Memory;
        }
    }

    /// <summary>All bytes, to read, for APIs that take memory. Its spans must not be used after Dispose; asking it for
    /// one then throws.</summary>
    /// <exception cref="InvalidOperationException">The segment is over 2 GiB.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public ReadOnlyMemory<byte> ReadOnlyMemory
    {
        get
        {
            CheckOpen();
            return new Manager(this, WholeLength()).Memory;
        }
    }

    /// <summary>Some of the bytes, to read and write. Fast and raw: it must not be used after Dispose, nor after the
    /// last use of this instance, which a collection then lets go of: hold it with <c>using</c>.</summary>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="InvalidOperationException">The attachment is read-only.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public Span<byte> GetSpan(long offset, int length)
    {
        CheckWritable();
        return _segment.Slice(offset, length);
    }

    /// <summary>Some of the bytes, to read. Fast and raw: it must not be used after Dispose, nor after the last use of
    /// this instance, which a collection then lets go of: hold it with <c>using</c>.</summary>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public ReadOnlySpan<byte> GetReadOnlySpan(long offset, int length)
    {
        CheckOpen();
        return _segment.Slice(offset, length);
    }

    /// <summary>A value in the segment, to read and write in place, also with <see cref="Volatile"/> and
    /// <see cref="Interlocked"/>. It must not be used after Dispose, nor after the last use of this instance: hold it
    /// with <c>using</c>.</summary>
    /// <typeparam name="T">A type without references, laid out as the peer lays it out.</typeparam>
    /// <param name="offset">In bytes, from the start; a multiple of the type's alignment.</param>
    /// <returns>The value's place.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is not all inside the segment.</exception>
    /// <exception cref="ArgumentException">The offset is not aligned for the type.</exception>
    /// <exception cref="InvalidOperationException">The attachment is read-only.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public ref T GetReference<T>(long offset)
        where T : unmanaged
    {
        CheckWritable();
        return ref _segment.At<T>(offset);
    }

    /// <summary>A value in the segment, to read in place. It must not be used after Dispose, nor after the last use of
    /// this instance: hold it with <c>using</c>.</summary>
    /// <typeparam name="T">A type without references, laid out as the peer lays it out.</typeparam>
    /// <param name="offset">In bytes, from the start; a multiple of the type's alignment.</param>
    /// <returns>The value's place.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is not all inside the segment.</exception>
    /// <exception cref="ArgumentException">The offset is not aligned for the type.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public ref readonly T GetReadOnlyReference<T>(long offset)
        where T : unmanaged
    {
        CheckOpen();
        return ref _segment.At<T>(offset);
    }

    /// <summary>Copies bytes out of the segment. Safe against a Dispose on another thread.</summary>
    /// <remarks>For POSIX on Linux by a system call on the descriptor: slower for a few bytes than a span, but safe
    /// when a peer has shortened the segment, which ends a process that touches the missing bytes through a span
    /// (SIGBUS).</remarks>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="destination">Where they go; its length says how many.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when a peer has shortened the segment (POSIX).</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        bool added = false;
        try
        {
            Enter(ref added);
            _segment.CopyOut(offset, destination);
        }
        finally
        {
            if (added) _segment.DangerousRelease();
        }
    }

    /// <summary>Copies bytes into the segment. Safe against a Dispose on another thread.</summary>
    /// <remarks>For POSIX on Linux by a system call on the descriptor: slower for a few bytes than a span, but safe
    /// when a peer has shortened the segment, which ends a process that touches the missing bytes through a span
    /// (SIGBUS).</remarks>
    /// <param name="offset">In bytes, from the start.</param>
    /// <param name="source">The bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all inside the segment.</exception>
    /// <exception cref="InvalidOperationException">The attachment is read-only.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        bool added = false;
        try
        {
            Enter(ref added);
            CheckWritable();
            _segment.CopyIn(offset, source);
        }
        finally
        {
            if (added) _segment.DangerousRelease();
        }
    }

    /// <summary>Whether the segment that this instance is attached to is not the one that its key leads to now: a peer
    /// removed it, or its name, or made another one under the name. A process that attaches by the key does not meet
    /// this instance any more.</summary>
    /// <remarks>A look each time (<c>statx(2)</c>, <c>shmget(2)</c>). Windows and POSIX on macOS: always false.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool WasReplaced
    {
        get
        {
            bool added = false;
            try
            {
                Enter(ref added);
                return _segment.WasReplaced;
            }
            finally
            {
                if (added) _segment.DangerousRelease();
            }
        }
    }

    /// <summary>Asks the system for the size of the segment now, which a POSIX peer may have changed since it was
    /// opened.</summary>
    /// <remarks>Spans reach as far as the segment did when it was opened: while it is shorter, touching the missing
    /// bytes ends the process (SIGBUS), and no check can exclude that it happens right after this one.
    /// <see cref="Read"/>, <see cref="Write"/> and streams are safe at any time.</remarks>
    /// <returns>The size in bytes: <see cref="Size"/> or more.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when it has become shorter.</exception>
    public long VerifySize()
    {
        bool added = false;
        try
        {
            Enter(ref added);
            return _segment.VerifySize();
        }
        finally
        {
            if (added) _segment.DangerousRelease();
        }
    }

    /// <summary>A stream over all bytes, of fixed length, starting at 0; writable if the attachment is. Safe against a
    /// Dispose on another thread. Closing it does not dispose the segment.</summary>
    /// <returns>The stream. As other streams, it is for one thread at a time.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public Stream OpenStream()
    {
        CheckOpen();
        return new SegmentStream(this);
    }

    /// <summary>Keeps the memory mapped until the scope is disposed, whoever disposes the segment meanwhile: spans,
    /// references and pointers of the scope are safe inside it.</summary>
    /// <returns>The scope; dispose it.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public SharedMemoryAccessScope BeginAccess()
    {
        bool added = false;
        Enter(ref added);
        return new SharedMemoryAccessScope(_segment);
    }

    private void Enter(ref bool added)
    {
        CheckOpen();
        try
        {
            _segment.DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            ThrowDisposed(); // between the check and here; the handle's own message would name the wrong object
        }
    }

    private int WholeLength()
    {
        if (Size > int.MaxValue) ThrowTooLong();
        return (int)Size;
    }

    private void CheckOpen()
    {
        if (Volatile.Read(ref _disposed) != 0) ThrowDisposed();
    }

    private void CheckWritable()
    {
        CheckOpen();
        ThrowIfReadOnly(_segment);
    }

    internal static void ThrowIfReadOnly(Segment segment)
    {
        if (segment.Access == SharedMemoryAccess.Read) Throw(segment);

        [DoesNotReturn]
        static void Throw(Segment segment)
            => throw new InvalidOperationException(
                $"The segment {Failure.Describe(segment.Key)} was opened for reading only; open it with "
                    + $"SharedMemoryAccess.ReadWrite to write.");
    }

    [DoesNotReturn]
    private static void ThrowDisposed() => throw new ObjectDisposedException("NativeIpc.SharedMemory");

    [DoesNotReturn]
    private void ThrowTooLong()
        => throw new InvalidOperationException(
            $"The segment {Failure.Describe(Key)} has {Size} bytes, more than one span can hold; use GetSpan, Read, "
                + $"Write or OpenStream.");

    private sealed class Manager(SharedMemory owner, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan()
        {
            owner.CheckOpen();
            return owner._segment.Slice(0, length);
        }

        public override unsafe MemoryHandle Pin(int elementIndex = 0)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(elementIndex, length);
            bool added = false;
            owner.Enter(ref added);
            return new MemoryHandle(owner._segment.Pointer + elementIndex, pinnable: this);
        }

        public override void Unpin() => owner._segment.DangerousRelease();

        protected override void Dispose(bool disposing)
        {
            // The segment belongs to its SharedMemory.
        }
    }
}
