namespace NativeIpc;

/// <summary>stub</summary>
public sealed partial class SystemSemaphore
{
    /// <summary>stub</summary>
    public static bool IsKeyTypeSupported(NativeIpcKeyType type) => throw new NotImplementedException();
    /// <summary>stub</summary>
    public static SystemSemaphore CreateOrReset(NativeIpcKey key, int initialCount, SystemSemaphoreOptions? options = null) => throw new NotImplementedException();
    /// <summary>stub</summary>
    public void Release(int count = 1) => throw new NotImplementedException();
}
