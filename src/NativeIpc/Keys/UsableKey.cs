namespace NativeIpc.Keys;

/// <summary>The rules that a key must meet before any system call is made with it (mission B4). Placeholder; the keys room fills it.</summary>
internal static class UsableKey
{
    /// <summary>Says which rule the key breaks and what to do, or null when it can be used on this platform.</summary>
    public static string? FindViolation(in NativeIpcKey key, IpcObjectKind kind, KeyPlatform platform)
        => null;
}
