using System.Buffers;

namespace NativeIpc.Channels.Segments;

/// <summary>A place in a segment as <see cref="Memory{T}"/>, until the next one is set.</summary>
internal sealed unsafe class PlaceMemory : MemoryManager<byte>
{
    private byte* _start;
    private int _length;

    public ReadOnlyMemory<byte> Set(ReadOnlySpan<byte> place)
    {
        fixed (byte* start = place) _start = start; // not of the heap: it does not move
        _length = place.Length;
        return _length == 0 ? ReadOnlyMemory<byte>.Empty : CreateMemory(_length);
    }

    public void Clear() => _start = null;

    public override Span<byte> GetSpan() => _start is null
        ? throw new ObjectDisposedException("SharedChannel", "The message was released.") : new(_start, _length);

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length, nameof(elementIndex));
        return new MemoryHandle(_start + elementIndex);
    }

    public override void Unpin()
    {
        // Nothing moves.
    }

    protected override void Dispose(bool disposing) => Clear();
}
