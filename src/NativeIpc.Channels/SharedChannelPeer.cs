namespace NativeIpc.Channels;

/// <summary>What is known of the process that has a role of a channel, or the turn in a ring of many.</summary>
public enum SharedChannelPeerState
{
    /// <summary>Nobody has it, and the last one gave it up.</summary>
    None,

    /// <summary>A living process has it.</summary>
    Living,

    /// <summary>A process has it that is stopped (SIGSTOP, a debugger). It keeps it.</summary>
    Stopped,

    /// <summary>The last one was killed. The next one gets it at once and is told.</summary>
    Killed,
}

/// <summary>Who has a role of a channel, or the turn in a ring of many.</summary>
/// <param name="State">What is known of it: by the kernel's lock, not by a process id.</param>
/// <param name="ProcessId">Its process id, for people; 0 where it is in another PID namespace, or there is
/// none.</param>
public readonly record struct SharedChannelPeer(SharedChannelPeerState State, int ProcessId);
