using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace NativeIpc.NamedObjects;

/// <summary>A view of a <see cref="NamedMemory"/> with random access: the members of .NET's
/// <see cref="MemoryMappedViewAccessor"/>.</summary>
/// <remarks>Thread safety: as .NET's; the bytes are as unprotected as any shared memory.</remarks>
public sealed class NamedMemoryViewAccessor : UnmanagedMemoryAccessor
{
    private readonly MemoryMappedViewAccessor? _plain;
    private readonly SafeBuffer _buffer;

    internal NamedMemoryViewAccessor(MemoryMappedViewAccessor plain, FileAccess access)
    {
        _plain = plain;
        _buffer = plain.SafeMemoryMappedViewHandle;
        PointerOffset = plain.PointerOffset;
        Initialize(_buffer, plain.PointerOffset, plain.Capacity, access);
    }

    internal NamedMemoryViewAccessor(SegmentView view, long size, FileAccess access)
    {
        _buffer = view;
        Initialize(view, 0, size, access);
    }

    /// <summary>The bytes, for <c>AcquirePointer</c> and <c>ReleasePointer</c>: the view begins
    /// <see cref="PointerOffset"/> bytes behind the pointer.</summary>
    public SafeBuffer SafeMemoryMappedViewHandle => _buffer;

    /// <summary>How many bytes behind the pointer the view begins; 0 for a named map on Linux.</summary>
    public long PointerOffset { get; }

    /// <summary>Writes a file's view to its file; memory without a file is shared without that.</summary>
    public void Flush()
    {
        ObjectDisposedException.ThrowIf(!IsOpen, this);
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
