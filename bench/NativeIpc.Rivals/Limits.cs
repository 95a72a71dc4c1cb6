using System.Threading.RateLimiting;
using NativeIpc.Extensions;
using NativeIpc.Yardstick;

namespace NativeIpc.Rivals;

/// <summary>A lease of the machine's limiter beside the permit of a recorded semaphore, which is behind it.</summary>
internal static class Limits
{
    private const string Name = "yard_o_limiter";

    public static void Pair(string name)
    {
        using MachineConcurrencyLimiter limiter = Fresh();
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0) limiter.AttemptAcquire().Dispose();
        }));
        MachineConcurrencyLimiter.Remove(Name);
    }

    public static void Semaphore(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "recorded");
        using SystemSemaphore semaphore = Harness.Fresh(key, 2, new() { Recording = PermitRecording.Process });
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0)
            {
                semaphore.TryAcquire();
                semaphore.Release();
            }
        }));
    }

    public static void Bytes(string name)
    {
        const int Times = 10_000;
        using MachineConcurrencyLimiter limiter = Fresh();
        for (int i = 0; i < Times; i++) limiter.AttemptAcquire().Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Times; i++) limiter.AttemptAcquire().Dispose();
        Harness.Print(name, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Times);
        MachineConcurrencyLimiter.Remove(Name);
    }

    private static MachineConcurrencyLimiter Fresh()
    {
        MachineConcurrencyLimiter.Remove(Name);
        var limiter = new MachineConcurrencyLimiter(new() { Name = Name, PermitLimit = 2 });
        using RateLimitLease lease = limiter.AttemptAcquire();
        return lease.IsAcquired ? limiter : throw new InvalidOperationException("A fresh limiter has no permit.");
    }
}
