using System.Runtime.CompilerServices;
using System.Text;

namespace NativeIpc.Interop.Unix;

/// <summary>A path in UTF-8 with its terminating zero, as the system calls take it. A local variable: it costs no
/// allocation, and does not move.</summary>
internal unsafe ref struct Utf8Path
{
    /// <summary>The longest path that fits, in bytes, more than a POSIX object's has.</summary>
    internal const int Longest = Size - 1;

    private const int Size = 384;

    private Bytes _bytes;

    [SkipLocalsInit]
    public Utf8Path(ReadOnlySpan<byte> start, ReadOnlySpan<char> rest)
    {
        Unsafe.SkipInit(out _bytes);
        Span<byte> bytes = _bytes;
        start.CopyTo(bytes);
        Length = start.Length + Encoding.UTF8.GetBytes(rest, bytes[start.Length..Longest]);
        bytes[Length] = 0;
    }

    /// <summary>In bytes, without the zero.</summary>
    public int Length { get; }

    /// <summary>The first byte.</summary>
    public byte* Pointer => (byte*)Unsafe.AsPointer(ref _bytes);

    [InlineArray(Size)]
    private struct Bytes
    {
        private byte _first;
    }
}
