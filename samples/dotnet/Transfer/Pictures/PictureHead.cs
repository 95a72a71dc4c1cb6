using System.Runtime.CompilerServices;
using NativeIpc.Channels;

namespace Transfer.Pictures;

/// <summary>What stands before the pixels of each picture. The build writes it for C, C++ and Python as well:
/// layouts/pictures.h, .hpp and .py beside the program. Behind it are width × height pixels of four bytes: red, green,
/// blue, unused.</summary>
[SharedLayout(Name = "Picture", Version = 1)]
internal partial struct PictureHead
{
    /// <summary>In pixels.</summary>
    public uint Width;

    /// <summary>In pixels.</summary>
    public uint Height;

    /// <summary>From 1. Whoever takes over goes on with the next one.</summary>
    public ulong Number;

    /// <summary>Who drew it.</summary>
    public int ProcessId;

    /// <summary>1 when the one before was killed.</summary>
    public uint TookOver;

    /// <summary>What the picture is made from, so that another process can go on from here.</summary>
    public Balls Balls;
}

/// <summary>Place in pixels, speed in pixels per picture.</summary>
[SharedLayout]
internal partial struct Ball
{
    public float X;
    public float Y;
    public float SpeedX;
    public float SpeedY;
}

[InlineArray(Count)]
internal struct Balls
{
    public const int Count = 9;

    private Ball _first;
}
