namespace NativeIpc.Tests;

/// <summary>The kinds of objects that Qt has, too: all but events.</summary>
internal static class QtKinds
{
    internal static IpcObjectKind[] All { get; } = [IpcObjectKind.SharedMemory, IpcObjectKind.SystemSemaphore];
}
