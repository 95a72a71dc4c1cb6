namespace NativeIpc.Keys;

/// <summary>From a portable name to a native key (mission B1 to B3). Placeholder; the keys room fills it.</summary>
internal static class NameRules
{
    /// <summary>The key that Qt's platformSafeKey makes of a name, and whether the name had to be cut for it.</summary>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type, IpcObjectKind kind, KeyEnvironment environment, out bool wasCut)
        => throw new NotImplementedException();

    /// <summary>The key that Qt 4.4 to 6.5 made of a name.</summary>
    public static NativeIpcKey LegacyNativeKey(string name, NativeIpcKeyType type, IpcObjectKind kind, KeyEnvironment environment)
        => throw new NotImplementedException();

    /// <summary>The key of the semaphore that Qt uses as the lock of a segment (mission C3).</summary>
    public static NativeIpcKey LockKey(in NativeIpcKey segment, KeyEnvironment environment)
        => throw new NotImplementedException();
}
