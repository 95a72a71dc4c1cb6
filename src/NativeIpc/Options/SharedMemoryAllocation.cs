namespace NativeIpc;

/// <summary>When the memory behind a new segment is taken from the system, and whether the pages of a segment are
/// mapped at once.</summary>
public enum SharedMemoryAllocation
{
    /// <summary>At creation (<c>posix_fallocate</c>): a full /dev/shm is an <see cref="NativeIpcError.OutOfResources"/>
    /// error then, never a fatal SIGBUS later. The default. System V and Windows segments are charged at creation
    /// anyway; macOS cannot reserve, and pages are taken there as they are touched. Linux: a segment of 16 MiB or more
    /// that is larger than the memory and swap which the control groups of this process let it take (<c>cgroups(7)</c>)
    /// is refused with <see cref="NativeIpcError.OutOfResources"/>, since the kernel would kill the process that fills
    /// it.</summary>
    Reserve = 0,

    /// <summary>Page by page as it is touched. On POSIX, touching a page when /dev/shm is full kills the process
    /// (SIGBUS). A segment that is larger than the process's control group may take is made, and
    /// reported by the event MoreThanMemory of the source NativeIpc.
    /// On Windows the same as <see cref="Reserve"/>: a section of reserved pages (SEC_RESERVE) could not be used by
    /// peers before they commit them.</summary>
    Sparse = 1,

    /// <summary>As <see cref="Reserve"/>, and the pages are also mapped at once (<c>MAP_POPULATE</c>,
    /// <c>MADV_POPULATE_WRITE</c>; on Windows by reading a byte of each), which makes the first pass over a large
    /// segment several times faster; also when a segment that exists is opened. A new POSIX segment of 2 MiB or more
    /// gets huge pages where /dev/shm is mounted with <c>huge=advise</c> or <c>huge=always</c>. No effect beyond
    /// Reserve on macOS.</summary>
    Populate = 2,
}
