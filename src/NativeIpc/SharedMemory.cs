namespace NativeIpc;

/// <summary>stub</summary>
public sealed partial class SharedMemory
{
    /// <summary>stub</summary>
    public static bool IsKeyTypeSupported(NativeIpcKeyType type) => throw new NotImplementedException();
    /// <summary>stub</summary>
    public static SharedMemory CreateOrOpen(NativeIpcKey key, long size, SharedMemoryOptions? options = null) => throw new NotImplementedException();
    /// <summary>stub</summary>
    public SharedMemoryLock Lock() => throw new NotImplementedException();
}

/// <summary>stub</summary>
public readonly struct SharedMemoryLock { }
