using System.Runtime.Versioning;

namespace NativeIpc.Channels;

/// <summary>A stream that writes to a ring.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class RingWriteStream(SharedRingWriter writer) : Stream
{
    // So that the other side begins while this one still copies
    private readonly int _longest = Math.Max(1, writer.LongestMessage / 2);
    private bool _isClosed;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => !_isClosed;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => ObjectDisposedException.ThrowIf(_isClosed, this);

    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        while (buffer.Length > 0)
        {
            int length = Math.Min(buffer.Length, _longest);
            writer.Write(buffer[..length]);
            buffer = buffer[length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer,
        CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        while (buffer.Length > 0)
        {
            int length = Math.Min(buffer.Length, _longest);
            await writer.WriteAsync(buffer[..length], cancellationToken).ConfigureAwait(false);
            buffer = buffer[length..];
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isClosed)
        {
            _isClosed = true;
            if (!writer.IsClosed) writer.Complete();
        }

        base.Dispose(disposing);
    }
}

/// <summary>A stream that reads a ring's messages one behind the other.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class RingReadStream(SharedRingReader reader) : Stream
{
    private ReadOnlyMemory<byte> _rest; // of the message that was given and not released
    private bool _hasMessage;
    private bool _isClosed;

    public override bool CanRead => !_isClosed;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush()
    {
        // Nothing is kept.
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (buffer.IsEmpty) return 0;
        while (true)
        {
            if (TryTake(buffer, out int length)) return length;
            if (reader.IsCompleted || !reader.WaitToRead()) return 0;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isClosed, this);
        if (buffer.IsEmpty) return 0;
        while (true)
        {
            if (TryTake(buffer.Span, out int length)) return length;
            if (!await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false)) return 0;
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _isClosed = true;
        base.Dispose(disposing);
    }

    /// <summary>Copies what fits of the messages that are there.</summary>
    private bool TryTake(Span<byte> buffer, out int length)
    {
        length = 0;
        while (length < buffer.Length && (_hasMessage || reader.TryReadMemory(out _rest)))
        {
            int taken = Math.Min(_rest.Length, buffer.Length - length);
            _rest.Span[..taken].CopyTo(buffer[length..]);
            length += taken;
            _rest = _rest[taken..];
            _hasMessage = !_rest.IsEmpty;
            if (!_hasMessage) reader.Release();
        }

        return length > 0;
    }
}
