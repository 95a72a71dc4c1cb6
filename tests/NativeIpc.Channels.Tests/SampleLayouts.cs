using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Tests;

public enum PixelFormat : uint
{
    None,
    Rgb24,
    Bgra32 = 7,
}

[Flags]
public enum Marks : byte
{
    None = 0,
    Key = 1,
    Late = 2,
    Lost = 128,
}

public enum Depth : long
{
    Lowest = long.MinValue,
    Zero = 0,
    Highest = long.MaxValue,
}

[SharedLayout]
public partial struct Point
{
    public double X;
    public double Y;
    public float Weight;
}

[FixedText(12)]
public partial struct Title;

[InlineArray(3)]
public struct Three
{
    private short _first;
}

[InlineArray(2)]
public struct TwoOfThree
{
    private Three _first;
}

[InlineArray(2)]
public struct TwoPoints
{
    private Point _first;
}

[InlineArray(2)]
public struct TwoTitles
{
    private Title _first;
}

/// <summary>A shape: what it is, and one of two bodies.</summary>
[SharedLayout]
[StructLayout(LayoutKind.Explicit)]
public partial struct Shape
{
    [FieldOffset(0)] public int Kind;
    [FieldOffset(8)] public Point Centre;
    [FieldOffset(8)] public ulong Code;
    [FieldOffset(10)] public ushort Middle;
    [FieldOffset(32)] public byte Last;
}

#pragma warning disable CA1720 // names of types, which are keywords of other languages, on purpose

/// <summary>Everything that a layout can have.</summary>
[SharedLayout(Version = 3)]
public partial struct Frame
{
    public byte Type;
    public sbyte Small;
    public ushort Width;
    public short Height;
    public uint Stride;
    public int Signed;
    public ulong Large;
    public long Negative;
    public float Single;
    public double Double;
    public PixelFormat Format;
    public Marks Marks;
    public Depth Depth;
    public Point Camera;
    public TwoPoints Corners;
    public Three Samples;
    public TwoOfThree Matrix;
    public Title Title;
    public TwoTitles Titles;
    public Shape Shape;
    [Atomic] private long _sequence;
    [Atomic] private uint _readers;
}
