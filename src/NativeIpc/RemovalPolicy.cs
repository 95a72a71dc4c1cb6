namespace NativeIpc;

/// <summary>Who removes the name of an object from the system. Windows removes names by itself with the last handle, whatever the policy.</summary>
public enum RemovalPolicy
{
    /// <summary>
    /// What the documents of Qt promise, per back end. POSIX segments: the instance that made it removes its name and that of its lock.
    /// POSIX semaphores: the instance that made it or took it over removes the name. System V segments: the last one to detach, whoever made it,
    /// removes the segment, its lock and the key file. System V semaphores: the instance that made it or took it over removes it, and the
    /// key file if it made that too. A key file goes only if it is an empty regular file of this user and no object is left under it.
    /// </summary>
    Default = 0,

    /// <summary>Nothing is removed: the object stays until <c>Remove</c> is called, a peer removes it, or the machine restarts.</summary>
    Keep = 1,
}
