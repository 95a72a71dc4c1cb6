// All that a program changes to move from Windows. Built for Windows, the same source has .NET's own types.
#if NAMED_OBJECTS
global using EventWaitHandle = NativeIpc.NamedObjects.NamedEvent;
global using MemoryMappedFile = NativeIpc.NamedObjects.NamedMemory;
global using MemoryMappedViewAccessor = NativeIpc.NamedObjects.NamedMemoryViewAccessor;
global using Mutex = NativeIpc.NamedObjects.NamedMutex;
global using Semaphore = NativeIpc.NamedObjects.NamedSemaphore;
global using WaitHandle = NativeIpc.NamedObjects.NamedWaitHandle;
#else
global using System.IO.MemoryMappedFiles;

[assembly: System.Runtime.Versioning.SupportedOSPlatform("windows")]
#endif
