namespace NativeIpc.Channels;

/// <summary>What is wrong with a ring or a topic.</summary>
public enum SharedChannelError
{
    /// <summary>Nothing that has a name here.</summary>
    Unknown = 0,

    /// <summary>The segment holds no such channel, or one of another version or kind.</summary>
    OtherContent,

    /// <summary>The process that makes it has not ended that in time, or was killed at it.</summary>
    HalfMade,

    /// <summary>A control word has a value that no peer writes that keeps to the layout. Nothing was read or written by
    /// it.</summary>
    Damaged,

    /// <summary>Another one has the role, and lives.</summary>
    RoleTaken,

    /// <summary>Its messages have another layout, or none was said yet.</summary>
    OtherLayout,
}
