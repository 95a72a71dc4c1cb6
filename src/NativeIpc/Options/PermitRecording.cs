namespace NativeIpc;

/// <summary>Whether the permits that are taken through an instance are recorded beside the semaphore, so that they can
/// be given back when their holder was killed.</summary>
public enum PermitRecording
{
    /// <summary>No. A permit of a killed holder stays taken (System V gives it back by
    /// <see cref="SystemSemaphoreOptions.Undo"/>).</summary>
    None = 0,

    /// <summary>Yes. They are held as long as the instance is open in this process.</summary>
    Process = 1,

    /// <summary>
    /// Yes, and programs that this process starts while the instance is open share in them: when this process was
    /// killed, the permits are lost only after the last of those programs has ended, theirs included. They inherit a
    /// descriptor of the semaphore for that (for reading only); one that closes it takes no part.
    /// </summary>
    ProcessAndChildren = 2,
}
