namespace NativeIpc.Inspection;

/// <summary>What can happen to an object that is watched.</summary>
public enum IpcObjectChangeKind
{
    /// <summary>It was there when the watch began.</summary>
    Found = 0,

    /// <summary>It has come since the last look; also one that took the name of another.</summary>
    Appeared = 1,

    /// <summary>Something about it changed: a count, its users, its size, mode, owner or traits. The bytes of a segment
    /// are not looked at.</summary>
    Changed = 2,

    /// <summary>It has gone.</summary>
    Disappeared = 3,
}
