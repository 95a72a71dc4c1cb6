using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Channels;

/// <summary>
/// Values of a layout in a segment, by reference. With a head (<see cref="CreateLayout{T}(SharedMemory)"/> and
/// <see cref="OpenLayout{T}(SharedMemory)"/>) the segment says which layout it has, so that a program that was built
/// with another one gets an error instead of wrong numbers, in every language. Without one
/// (<see cref="GetLayout{T}(SharedMemory, long)"/>) it is as a C program has it that knows nothing of this.
/// </summary>
/// <remarks>
/// References are valid until the segment is disposed, as <see cref="SharedMemory.GetReference{T}(long)"/> says.
/// Thread-safe; the fields themselves are as safe as their declarations make them (<see cref="AtomicAttribute"/>).
/// </remarks>
public static partial class SharedLayouts
{
    /// <summary>How many bytes of the segment the head takes: the value stands behind them.</summary>
    public const int HeadSize = 64;

    private const uint Magic = 0x31484C4E; // "NLH1"
    private const int VersionAt = 4, FingerprintAt = 8, SizeAt = 16, ValueAt = 20;

    /// <summary>What is known of a layout.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <exception cref="NotSupportedException">This runtime gives the struct another size than its description
    /// says.</exception>
    public static SharedLayoutInfo InfoOf<T>() where T : unmanaged, ISharedLayout<T>
    {
        if (Unsafe.SizeOf<T>() != T.Layout.Size) ThrowSize<T>();
        return T.Layout;
    }

    /// <summary>How large a segment with a head and values is, in bytes.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="count">How many values, one after the other; 1 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is less than 1.</exception>
    public static long SizeWithHead<T>(int count = 1) where T : unmanaged, ISharedLayout<T>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return HeadSize + (long)InfoOf<T>().Size * count;
    }

    /// <summary>Writes the head of a segment, or verifies the one that is there, and gives the value behind it. The
    /// value's bytes stay as they are: zero in a new segment. A head of this layout that its maker was killed at is
    /// finished. For one process at a time: the one that made the segment (<see cref="SharedMemory.CreatedNew"/>), or
    /// under its lock.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="segment">The segment, attached for reading and writing.</param>
    /// <exception cref="SharedLayoutException">The segment has the head of another layout, or begins with other
    /// bytes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The segment is too small.</exception>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static ref T CreateLayout<T>(this SharedMemory segment) where T : unmanaged, ISharedLayout<T>
    {
        ArgumentNullException.ThrowIfNull(segment);
        SharedLayoutInfo info = InfoOf<T>();
        ref T value = ref segment.GetReference<T>(HeadSize); // verifies the size before anything is written
        Span<byte> head = segment.GetSpan(0, HeadSize);
        if (Volatile.Read(in MemoryMarshal.AsRef<uint>(head)) != 0)
        {
            Verify(head, info, segment);
            return ref value;
        }

        // R2 Race: the maker of a head without a magic lives. Safe because: where each word is still zero or what is
        // written here, both write the same; anything else is left alone.
        if (!IsBegun(head, info))
            throw new SharedLayoutException(
                $"The segment {segment.Key} has no head of a layout and does not begin with zeros: its creator writes "
                    + "other data or another head there, or was killed at writing another one. In that case remove it.",
                found: null);

        MemoryMarshal.Write(head[FingerprintAt..], info.Fingerprint);
        MemoryMarshal.Write(head[SizeAt..], info.Size);
        MemoryMarshal.Write(head[ValueAt..], HeadSize);
        MemoryMarshal.Write(head[VersionAt..], info.Version);
        // R1 Race: another process opens the segment meanwhile. Safe because: the magic comes last, with release order,
        // and who finds none says that there is no head yet.
        Volatile.Write(ref segment.GetReference<uint>(0), Magic);
        return ref value;
    }

    /// <summary>Verifies the head of a segment and gives the value behind it.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="segment">The segment, attached for reading and writing.</param>
    /// <exception cref="SharedLayoutException">The segment has no head (yet), or that of another layout.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The segment is too small.</exception>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static ref T OpenLayout<T>(this SharedMemory segment) where T : unmanaged, ISharedLayout<T>
    {
        VerifyLayout<T>(segment);
        return ref segment.GetReference<T>(HeadSize);
    }

    /// <summary>As <see cref="OpenLayout{T}(SharedMemory)"/>, for an attachment that may be for reading only.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="segment">The segment.</param>
    /// <exception cref="SharedLayoutException">The segment has no head (yet), or that of another layout.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The segment is too small.</exception>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static ref readonly T OpenReadOnlyLayout<T>(this SharedMemory segment)
        where T : unmanaged, ISharedLayout<T>
    {
        VerifyLayout<T>(segment);
        return ref segment.GetReadOnlyReference<T>(HeadSize);
    }

    /// <summary>A value of a layout in a segment without a head.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="segment">The segment, attached for reading and writing.</param>
    /// <param name="offset">Where it begins, in bytes; a multiple of its alignment.</param>
    /// <exception cref="ArgumentException">The offset is no multiple of the alignment.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The value is not within the segment.</exception>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static ref T GetLayout<T>(this SharedMemory segment, long offset = 0)
        where T : unmanaged, ISharedLayout<T>
    {
        ArgumentNullException.ThrowIfNull(segment);
        VerifyAlignment(InfoOf<T>(), offset);
        return ref segment.GetReference<T>(offset);
    }

    /// <summary>As <see cref="GetLayout{T}(SharedMemory, long)"/>, for an attachment that may be for reading
    /// only.</summary>
    /// <typeparam name="T">The layout.</typeparam>
    /// <param name="segment">The segment.</param>
    /// <param name="offset">Where it begins, in bytes; a multiple of its alignment.</param>
    /// <exception cref="ArgumentException">The offset is no multiple of the alignment.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The value is not within the segment.</exception>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static ref readonly T GetReadOnlyLayout<T>(this SharedMemory segment, long offset = 0)
        where T : unmanaged, ISharedLayout<T>
    {
        ArgumentNullException.ThrowIfNull(segment);
        VerifyAlignment(InfoOf<T>(), offset);
        return ref segment.GetReadOnlyReference<T>(offset);
    }

    /// <summary>What the head of a segment says; null when it has none (yet).</summary>
    /// <param name="segment">The segment.</param>
    /// <exception cref="ObjectDisposedException">The segment was disposed.</exception>
    public static SharedLayoutHead? ReadLayoutHead(this SharedMemory segment)
    {
        ArgumentNullException.ThrowIfNull(segment);
        if (segment.Size < HeadSize) return null;
        return Volatile.Read(in segment.GetReadOnlyReference<uint>(0)) == Magic
            ? HeadIn(segment.GetReadOnlySpan(0, HeadSize)) : null;
    }

    private static void VerifyLayout<T>(SharedMemory segment) where T : unmanaged, ISharedLayout<T>
    {
        ArgumentNullException.ThrowIfNull(segment);
        Verify(segment.Size < HeadSize ? default : segment.GetReadOnlySpan(0, HeadSize), InfoOf<T>(), segment);
    }

    private static void Verify(ReadOnlySpan<byte> head, SharedLayoutInfo expected, SharedMemory segment)
    {
        // The other side of R1: what stands behind the magic is read after it.
        uint magic = head.IsEmpty ? 0 : Volatile.Read(in MemoryMarshal.AsRef<uint>(head));
        if (magic == 0)
            throw new SharedLayoutException(
                $"The segment {segment.Key} has no head of a layout: its creator does not write one, or has not yet.",
                found: null);
        if (magic != Magic)
            throw new SharedLayoutException(
                $"The segment {segment.Key} does not begin with the head of a layout, but with other data.",
                found: null);
        SharedLayoutHead found = HeadIn(head);
        if (found.Fingerprint == expected.Fingerprint && found.Version == expected.Version
            && found.Size == expected.Size)
        {
            int at = MemoryMarshal.Read<int>(head[ValueAt..]);
            if (at == HeadSize) return;
            throw new SharedLayoutException(string.Create(CultureInfo.InvariantCulture,
                $"The segment {segment.Key} has {expected.Name} at offset {at}, instead of {HeadSize}."), found);
        }

        throw new SharedLayoutException(string.Create(CultureInfo.InvariantCulture,
            $"The segment {segment.Key} has another layout than {expected.Name} of this program: version ")
            + string.Create(CultureInfo.InvariantCulture,
                $"{found.Version}, fingerprint {found.Fingerprint:x16}, {found.Size} bytes, instead of version ")
            + string.Create(CultureInfo.InvariantCulture,
                $"{expected.Version}, fingerprint {expected.Fingerprint:x16}, {expected.Size} bytes. ")
            + "Build both programs with the same declarations.", found);
    }

    /// <summary>Whether the head is empty but for words of this layout, as a maker that was killed leaves it.</summary>
    private static bool IsBegun(ReadOnlySpan<byte> head, SharedLayoutInfo info)
    {
        SharedLayoutHead found = HeadIn(head);
        return (found.Version == 0 || found.Version == info.Version)
            && (found.Fingerprint == 0 || found.Fingerprint == info.Fingerprint)
            && (found.Size == 0 || found.Size == info.Size) && MemoryMarshal.Read<int>(head[ValueAt..]) is 0 or HeadSize
            && !head[(ValueAt + sizeof(int))..].ContainsAnyExcept((byte)0);
    }

    private static SharedLayoutHead HeadIn(ReadOnlySpan<byte> head)
        => new(MemoryMarshal.Read<int>(head[VersionAt..]), MemoryMarshal.Read<ulong>(head[FingerprintAt..]),
            MemoryMarshal.Read<int>(head[SizeAt..]));

    private static void VerifyAlignment(SharedLayoutInfo info, long offset)
    {
        if (offset % info.Alignment != 0)
            throw new ArgumentException($"A value of {info.Name} begins at a multiple of {info.Alignment} bytes.",
                nameof(offset));
    }

    [DoesNotReturn]
    private static void ThrowSize<T>() where T : unmanaged, ISharedLayout<T>
        => throw new NotSupportedException(string.Create(CultureInfo.InvariantCulture,
            $"This runtime gives {typeof(T)} {Unsafe.SizeOf<T>()} bytes, and its layout has {T.Layout.Size}."));
}
