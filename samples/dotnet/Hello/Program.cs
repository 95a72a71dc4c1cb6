using System.Diagnostics;
using System.Text;
using NativeIpc;

bool first = args.Length == 0; // the second process knows nothing but the two keys
using var segment = first ? SharedMemory.CreateNew(SharedMemory.PlatformSafeKey("org.example.hello"), 64)
    : SharedMemory.OpenExisting(NativeIpcKey.Parse(args[0]));
using var written = first ? SystemSemaphore.CreateNew(SystemSemaphore.PlatformSafeKey("org.example.written"), 0)
    : SystemSemaphore.OpenExisting(NativeIpcKey.Parse(args[1]));
using var second = first ? Process.Start(Environment.ProcessPath!, [$"{segment.Key}", $"{written.Key}"]) : null;
if (first) written.Acquire();
else Encoding.UTF8.GetBytes($"Hello from process {Environment.ProcessId}", segment.Span);
if (first) Console.WriteLine($"{segment.Key} says: {Encoding.UTF8.GetString(segment.Span).TrimEnd('\0')}");
else written.Release();
second?.WaitForExit();
