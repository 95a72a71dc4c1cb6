namespace NativeIpc.Inspection;

/// <summary>What a process does with a semaphore.</summary>
public enum IpcUse
{
    /// <summary>It has it open. Whether it holds a permit is not known: the system records that for nobody, and this
    /// library for a user that asked (<see cref="SystemSemaphoreOptions.Recording"/>,
    /// <see cref="SystemSemaphoreOptions.Robust"/>, the lock of a segment), on Linux with glibc.</summary>
    Open = 0,

    /// <summary>It holds permits, as is recorded.</summary>
    Holds = 1,

    /// <summary>A thread of it waits for a permit: it sleeps in a system call that waits for this semaphore. Waits of
    /// <c>AcquireAsync</c> sleep elsewhere, and are not seen.</summary>
    Waits = 2,
}
