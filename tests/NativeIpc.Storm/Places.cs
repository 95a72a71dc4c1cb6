using System.Runtime.InteropServices;

namespace NativeIpc.Storm;

/// <summary>Where a worker is, as it last said.</summary>
internal enum Phase
{
    Starting,
    Waiting,
    Inside,
    Leaving,
    Between,

    /// <summary>At the named point at which it was told to stop.</summary>
    Stopped,
}

/// <summary>What the workers change while they hold the lock, by plain reads and writes: two inside at once
/// show.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Guarded
{
    public const int Size = 4096;

    /// <summary>The one inside, 1 to 8; 0 for nobody.</summary>
    public long Inside;

    /// <summary>All turns.</summary>
    public long Counter;

    /// <summary>Times that somebody was told that the last holder died.</summary>
    public long Takeovers;

    /// <summary>Of these, times that the dead one had been between entering and leaving.</summary>
    public long TakeoversFromInside;

    /// <summary>Somebody else was inside, and this was not told.</summary>
    public long Intruders;

    /// <summary>The turns of all did not add up, and nobody had died.</summary>
    public long LostUpdates;

    /// <summary>The turns of each.</summary>
    public Eight Turns;
}

/// <summary>Eight numbers.</summary>
[System.Runtime.CompilerServices.InlineArray(8)]
internal struct Eight
{
    private long _first;
}

/// <summary>What one worker tells the killer, without the lock.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct Report
{
    public const int SizeOfAll = 8 * 64;

    public int ProcessId;
    public int Phase;
    public long Turns;
}
