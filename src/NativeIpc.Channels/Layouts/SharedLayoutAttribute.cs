namespace NativeIpc.Channels;

/// <summary>
/// Makes a partial struct a layout of shared memory: the source generator of this package verifies that it has the same
/// bytes on every 64-bit platform and in every language, and writes its description into the assembly. From that the
/// build writes declarations for C, C++, Python and Rust.
/// </summary>
/// <remarks>
/// Fields may be of the integers from <see cref="byte"/> to <see cref="ulong"/>, <see cref="float"/>,
/// <see cref="double"/>, enums, other layouts, structs with <see cref="FixedTextAttribute"/>, structs with
/// <see cref="System.Runtime.CompilerServices.InlineArrayAttribute"/> of such, and fixed-size buffers. What overlaps by
/// <see cref="System.Runtime.InteropServices.FieldOffsetAttribute"/> is a union elsewhere.
/// </remarks>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class SharedLayoutAttribute : Attribute
{
    /// <summary>The name in other languages; that of the struct when it is null, the default. ASCII letters, digits and
    /// underscores.</summary>
    public string? Name { get; set; }

    /// <summary>A number of the author's, from 0, the default. It stands in the head of a segment
    /// (<see cref="SharedLayouts"/>); another one is another layout, whatever the fields are. That of a
    /// layout which is a field of another one does not count there: raise both.</summary>
    public int Version { get; set; }
}
