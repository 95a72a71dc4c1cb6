namespace NativeIpc.Channels;

/// <summary>How many may write to a ring and read from it.</summary>
public enum SharedRingForm
{
    /// <summary>One writer and one reader, which never wait for a lock.</summary>
    OneToOne = 0,

    /// <summary>Up to 1,024 writers, which take turns, and as many readers, which take turns, too. Each message is
    /// given to one reader. Linux.</summary>
    ManyToMany,
}
