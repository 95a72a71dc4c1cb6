using System.Diagnostics;
using System.Text;
using NativeIpc;

if (args is [string segmentKey, string writtenKey]) // the second process, which knows nothing but the two keys
{
    using var theirSegment = SharedMemory.OpenExisting(NativeIpcKey.Parse(segmentKey));
    using var theirWritten = SystemSemaphore.OpenExisting(NativeIpcKey.Parse(writtenKey));
    Encoding.UTF8.GetBytes($"Hello from process {Environment.ProcessId}", theirSegment.Span);
    theirWritten.Release();
    return;
}

using var segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey("org.example.hello"), 64);
using var written = SystemSemaphore.CreateNew(SystemSemaphore.PlatformSafeKey("org.example.written"), 0);
using var second = Process.Start(Environment.ProcessPath!, [segment.Key.ToString(), written.Key.ToString()]);
written.Acquire();
Console.WriteLine($"{segment.Key} says: {Encoding.UTF8.GetString(segment.Span).TrimEnd('\0')}");
second.WaitForExit();
