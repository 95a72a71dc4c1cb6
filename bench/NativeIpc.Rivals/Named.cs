using NativeIpc.NamedObjects;
using NativeIpc.Yardstick;

namespace NativeIpc.Rivals;

/// <summary>The named objects of Windows on Linux, what they stand on, and .NET's own named Mutex.</summary>
internal static class Named
{
    private const string Name = "yard_o_named";

    public static void SemaphorePair(string name)
    {
        using var semaphore = new NamedSemaphore(1, 10, Name);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                semaphore.WaitOne();
                semaphore.Release();
            }
        }));
    }

    public static void SemaphoreBelow(string name)
    {
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "named"), 1,
            new() { MaximumCount = 10 });
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                semaphore.Acquire();
                semaphore.Release();
            }
        }));
    }

    public static void EventPair(string name)
    {
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, Name);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                signal.Set();
                signal.WaitOne();
            }
        }));
    }

    public static void EventBelow(string name)
    {
        NativeIpcKey key = SystemEvent.PlatformSafeKey("yard_o_event");
        SystemEvent.Remove(key);
        using SystemEvent signal = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                signal.Set();
                signal.Wait();
            }
        }));
    }

    public static void MutexPair(string name)
    {
        using var mutex = new NamedMutex(false, Name);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                mutex.WaitOne();
                mutex.ReleaseMutex();
            }
        }));
    }

    public static void MutexBelow(string name)
    {
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(name, "robust"), 1,
            new() { Robust = true });
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                semaphore.Acquire();
                semaphore.Release();
            }
        }));
    }

    public static void MutexOfNet(string name)
    {
        using var mutex = new Mutex(false, Name);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                mutex.WaitOne();
                mutex.ReleaseMutex();
            }
        }));
    }

    /// <summary>A wait and a release of each kind, and a wait for any of them.</summary>
    public static void Bytes(string name)
    {
        const int Times = 10_000;
        using var semaphore = new NamedSemaphore(1, 10, Name);
        using var mutex = new NamedMutex(false, Name);
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, Name);
        WaitHandle[] all = [signal, semaphore, mutex];
        Use(Times);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Use(Times);
        Harness.Print(name, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Times);

        void Use(int times)
        {
            while (times-- > 0)
            {
                semaphore.WaitOne();
                semaphore.Release();
                mutex.WaitOne();
                mutex.ReleaseMutex();
                signal.Set();
                signal.WaitOne();
                NamedWaitHandle.WaitAny(all);
                semaphore.Release();
            }
        }
    }
}
