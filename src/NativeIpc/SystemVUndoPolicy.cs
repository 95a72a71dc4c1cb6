namespace NativeIpc;

/// <summary>
/// Which operations on a System V semaphore the kernel takes back when the process ends (SEM_UNDO, <c>semop(2)</c>).
/// POSIX and Windows semaphores have no such record and ignore the policy.
/// </summary>
public enum SystemVUndoPolicy
{
    /// <summary>Acquire and release, as Qt does; the default. The permits of a process that is killed come back. It loses releases: a producer
    /// that only releases fails after 32,767 of them (ERANGE), and the kernel takes its releases back when it ends.</summary>
    Both = 0,

    /// <summary>Acquire only. Permits of a killed process come back, and the releases of a producer stay. It loses balance: a permit that one
    /// process acquires and another gives back counts twice once the first one ends.</summary>
    AcquireOnly = 1,

    /// <summary>Neither: plain counting, as POSIX and Windows have it. It loses recovery: the permits of a killed process are gone.</summary>
    None = 2,
}
