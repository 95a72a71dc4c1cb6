namespace NativeIpc;

public sealed partial class SharedMemory
{
    /// <summary>A stream over a segment: fixed length, every access through the copying calls, which are safe against a
    /// racing Dispose.</summary>
    private sealed class SegmentStream(SharedMemory segment) : Stream
    {
        private long _position;
        private bool _closed;

        public override bool CanRead => !_closed;

        public override bool CanSeek => !_closed;

        public override bool CanWrite => !_closed && segment.Access == SharedMemoryAccess.ReadWrite;

        public override long Length
        {
            get
            {
                ObjectDisposedException.ThrowIf(_closed, this);
                return segment.Size;
            }
        }

        public override long Position
        {
            get
            {
                ObjectDisposedException.ThrowIf(_closed, this);
                return _position;
            }

            set
            {
                ObjectDisposedException.ThrowIf(_closed, this);
                ArgumentOutOfRangeException.ThrowIfNegative(value);
                _position = value;
            }
        }

        public override int Read(Span<byte> buffer)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            int count = (int)Math.Min(buffer.Length, Math.Max(0, segment.Size - _position));
            segment.Read(Math.Min(_position, segment.Size), buffer[..count]);
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            ValidateBufferArguments(buffer, offset, count);
            return Read(buffer.AsSpan(offset, count));
        }

        public override int ReadByte()
        {
            Span<byte> one = stackalloc byte[1];
            return Read(one) == 0 ? -1 : one[0];
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            ValidateBufferArguments(buffer, offset, count);
            return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
        }

        // Memory does not wait: the asynchronous forms complete at once. As those of .NET's own streams they throw only
        // for wrong arguments; what fails is in the task.
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<int>(cancellationToken);
            try
            {
                return new ValueTask<int>(Read(buffer.Span));
            }
    #pragma warning disable CA1031 // Whatever it is, it belongs into the task.
            catch (Exception failure)
    #pragma warning restore CA1031
            {
                return ValueTask.FromException<int>(failure);
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            if (segment.Access == SharedMemoryAccess.Read)
                throw new NotSupportedException("The segment was opened for reading only.");
            if (buffer.Length > segment.Size - _position)
                throw new NotSupportedException(
                    $"{buffer.Length} bytes at position {_position} reach past the end of the segment ({segment.Size} "
                        + $"bytes), which cannot grow.");
            segment.Write(_position, buffer);
            _position += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            ValidateBufferArguments(buffer, offset, count);
            Write(buffer.AsSpan(offset, count));
        }

        public override void WriteByte(byte value) => Write([value]);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            ValidateBufferArguments(buffer, offset, count);
            return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
            try
            {
                Write(buffer.Span);
                return ValueTask.CompletedTask;
            }
    #pragma warning disable CA1031
            catch (Exception failure)
    #pragma warning restore CA1031
            {
                return ValueTask.FromException(failure);
            }
        }

        public override long Seek(long offset, SeekOrigin origin)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            long start = origin switch
            {
                SeekOrigin.Begin => 0,
                SeekOrigin.Current => _position,
                SeekOrigin.End => segment.Size,
                _ => throw new ArgumentOutOfRangeException(nameof(origin)),
            };
            long target = checked(start + offset);
            if (target < 0) throw new IOException("The position would be before the start of the segment.");
            return _position = target;
        }

        public override void SetLength(long value) => throw new NotSupportedException("A segment has a fixed size.");

        public override void Flush() => ObjectDisposedException.ThrowIf(_closed, this);

        protected override void Dispose(bool disposing)
        {
            _closed = true;
            base.Dispose(disposing);
        }
    }
}
