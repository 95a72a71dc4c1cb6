namespace NativeIpc.Keys;

/// <summary>The two kinds of object that a key can name; they differ in prefixes and length limits.</summary>
internal enum IpcObjectKind
{
    SharedMemory,
    SystemSemaphore,
}
