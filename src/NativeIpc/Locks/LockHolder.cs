namespace NativeIpc;

/// <summary>Who holds a lock, as far as the system can tell.</summary>
public enum LockHolder
{
    /// <summary>
    /// There is no record here (macOS; Linux with the plain POSIX calls or the switch NativeIpc.PortableWaits, and with
    /// musl any semaphore but glibc's; on Windows, where it could not be had), or the system refuses to say whether the
    /// holder lives (Linux: fcntl(2) with F_OFD_SETLK, refused by a filter or a kernel without it).
    /// </summary>
    CannotTell = 0,

    /// <summary>It is free.</summary>
    Nobody = 1,

    /// <summary>A living process that uses this library.</summary>
    Process = 2,

    /// <summary>A process that used this library and is dead: the next one to lock gets the lock.</summary>
    DeadProcess = 3,

    /// <summary>
    /// It is taken, and not by a process that uses this library, as far as can be proven: a Qt or C program may be
    /// inside. It is never taken away; if its holder was killed, it stays taken until no process has it open any more,
    /// or until it is removed by hand.
    /// </summary>
    Unknown = 4,
}
