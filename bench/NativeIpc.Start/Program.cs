#if EMPTY
return;
#else
using NativeIpc;

// NativeIpc.Start lock NAME: opens a segment, takes its lock, writes, and ends. NativeIpc.Start wait NAME: opens a
// semaphore and waits for a permit. As small as such a program can be, since its size and its start are measured.
if (args[0] == "lock") Lock(args[1]);
else Wait(args[1]);

static void Lock(string name)
{
    using SharedMemory segment = SharedMemory.OpenExisting(SharedMemory.PlatformSafeKey(name));
    using (segment.Lock()) segment.Write(0, "written"u8);
}

static void Wait(string name)
{
    using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(SystemSemaphore.PlatformSafeKey(name));
    semaphore.Acquire();
}
#endif
