namespace NativeIpc;

/// <summary>Who removes the name of an object from the system. Windows removes names by itself with the last handle, whatever the policy.</summary>
public enum RemovalPolicy
{
    /// <summary>
    /// What the documents of Qt promise, per back end. POSIX: the instance that made the object removes the name when it lets go.
    /// System V segments: the last one to detach removes the segment, its lock and the key file. System V semaphores: the
    /// instance that made it or took ownership of it removes it, and the key file if it made that too.
    /// </summary>
    Default = 0,

    /// <summary>Nothing is removed: the object stays until <c>Remove</c> is called, or the machine restarts.</summary>
    Keep = 1,
}
