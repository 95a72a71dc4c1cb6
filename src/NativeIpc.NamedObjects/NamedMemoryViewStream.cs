using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace NativeIpc.NamedObjects;

/// <summary>A view of a <see cref="NamedMemory"/> as a stream: the members of .NET's
/// <see cref="MemoryMappedViewStream"/>.</summary>
/// <remarks>Thread safety: as .NET's: one thread at a time.</remarks>
public sealed class NamedMemoryViewStream : UnmanagedMemoryStream
{
    private readonly MemoryMappedViewStream? _plain;
    private readonly SafeBuffer _buffer;

    internal NamedMemoryViewStream(MemoryMappedViewStream plain, FileAccess access)
    {
        _plain = plain;
        _buffer = plain.SafeMemoryMappedViewHandle;
        PointerOffset = plain.PointerOffset;
        Initialize(_buffer, plain.PointerOffset, plain.Length, access);
    }

    internal NamedMemoryViewStream(SegmentView view, long size, FileAccess access)
    {
        _buffer = view;
        Initialize(view, 0, size, access);
    }

    /// <summary>The bytes, for <c>AcquirePointer</c> and <c>ReleasePointer</c>: the view begins
    /// <see cref="PointerOffset"/> bytes behind the pointer.</summary>
    public SafeBuffer SafeMemoryMappedViewHandle => _buffer;

    /// <summary>How many bytes behind the pointer the view begins; 0 for a named map on Linux.</summary>
    public long PointerOffset { get; }

    /// <summary>Not offered: a view has the size that it was made with.</summary>
    /// <param name="value">Of no use.</param>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override void SetLength(long value)
        => throw new NotSupportedException("A view of a map has the length that it was made with.");

    /// <summary>Writes a file's view to its file; memory without a file is shared without that.</summary>
    public override void Flush()
    {
        base.Flush();
        _plain?.Flush();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            if (_plain is not null) _plain.Dispose();
            else _buffer.Dispose();
        }

        base.Dispose(disposing);
    }
}
