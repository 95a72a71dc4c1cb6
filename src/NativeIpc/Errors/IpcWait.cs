namespace NativeIpc;

/// <summary>A wait of this process that is over; see <see cref="IpcActivity.Waited"/>.</summary>
/// <param name="Key">The key of the semaphore, or of the segment whose lock was waited for.</param>
/// <param name="Kind">A semaphore, or a segment for its lock.</param>
/// <param name="Duration">How long it took, on the monotonic clock.</param>
/// <param name="WasAcquired">Whether it got what it waited for. False when the time passed, the token was cancelled,
/// the instance was disposed or the system refused.</param>
public readonly record struct IpcWait(NativeIpcKey Key, IpcObjectKind Kind, TimeSpan Duration, bool WasAcquired);
