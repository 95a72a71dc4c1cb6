namespace NativeIpc;

/// <summary>Who removes the name of an object from the system. Windows removes names by itself with the last handle,
/// whatever the policy.</summary>
public enum RemovalPolicy
{
    /// <summary>
    /// What the documents of Qt promise, per back end. POSIX segments: the instance that made it removes its name and
    /// that of its lock. POSIX semaphores: the instance that made it or took it over removes the name. System V
    /// segments: the last one to detach, whoever made it, removes the segment, its lock and the key file. System V
    /// semaphores: the instance that made it or took it over removes it, and the key file if it made that too, or
    /// objects of several project ids stood under it. A key file goes only if it is an empty regular file of this user
    /// and no object is left under it.
    /// </summary>
    Default = 0,

    /// <summary>Nothing is removed: the object stays until <c>Remove</c> is called, a peer removes it, or the machine
    /// restarts. Linux with
    /// <c>kernel.shm_rmid_forced=1</c>: the kernel removes a System V segment at the last detach all the same; the
    /// event RemovedWithoutUsers of the source NativeIpc says so.</summary>
    Keep = 1,

    /// <summary>The instance that made the object (or took it over with CreateOrReset) removes it when it lets go,
    /// whoever else uses it. As <see cref="Default"/>, except for System V segments, which are marked for removal then:
    /// attached processes go on, newcomers do not find it.</summary>
    Creator = 2,

    /// <summary>
    /// The last one to let go removes the object, whoever made it, also after users were killed: the kernel says who is
    /// left, processes that know nothing of this library (Qt, C) included. Where that cannot be told, as when another
    /// process keeps a lock on the object, it stays, and the event source NativeIpc says so. System V segments do that
    /// by default. Not for System V semaphores, of which the kernel knows no users, nor for POSIX on macOS:
    /// <see cref="PlatformNotSupportedException"/>.
    /// </summary>
    LastOneOut = 3,
}
