namespace NativeIpc;

/// <summary>
/// Which operations on a System V semaphore the kernel takes back when the process ends (SEM_UNDO, <c>semop(2)</c>).
/// POSIX and Windows semaphores have no such record and ignore the policy.
/// </summary>
public enum SystemVUndoPolicy
{
    /// <summary>Acquire and release, as Qt does; the default. The permits of a process that is killed come back. It
    /// loses releases: a producer that only releases fails after 32,768 of them (ERANGE), however many others acquire,
    /// and the kernel takes its releases back when it ends.</summary>
    Both = 0,

    /// <summary>Acquire only, for a consumer: the permits of a killed process come back, and the releases of a producer
    /// stay. It loses balance: what a process acquired comes back when it ends even if somebody has released it in
    /// between, so that a permit counts twice; and a process that acquires more than 32,767 times fails then
    /// (ERANGE).</summary>
    AcquireOnly = 1,

    /// <summary>Neither: plain counting, as POSIX and Windows have it, without the limit of 32,767 operations. It loses
    /// recovery: the permits of a killed process are gone.</summary>
    None = 2,
}
