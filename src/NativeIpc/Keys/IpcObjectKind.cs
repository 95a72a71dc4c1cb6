namespace NativeIpc;

/// <summary>The kinds of object that a key can name.</summary>
public enum IpcObjectKind
{
    /// <summary>A segment of shared memory; see <see cref="NativeIpc.SharedMemory"/>.</summary>
    SharedMemory = 0,

    /// <summary>A counting semaphore; see <see cref="NativeIpc.SystemSemaphore"/>. On System V: a set, of which number
    /// 0 is used.</summary>
    SystemSemaphore = 1,

    /// <summary>An event, set or not; see <see cref="NativeIpc.SystemEvent"/>. On Unix a kind of this library's
    /// own.</summary>
    SystemEvent = 2,
}
