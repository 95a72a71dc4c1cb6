using System.Runtime.Intrinsics.X86;

namespace NativeIpc.NamedObjects;

/// <summary>Sees that a thread ended while it owned a mutex, in a process that lives. No system tells that to others,
/// so the process itself looks, four times a second, while any of its threads owns a mutex.</summary>
internal static class OwnerWatch
{
    private static readonly TimeSpan s_period = TimeSpan.FromMilliseconds(250);
    private static readonly Timer s_timer =
        new(static _ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private static int s_isOn;

    /// <summary>Has a thread watched that has just noted itself as the owner.</summary>
    public static void Ensure()
    {
        // R1 Race: the watch ends at this moment. Safe because: it says so, has every processor see that, and then
        // looks once more; so either this sees that it is off, or that look sees the owner. On other processors than
        // x64's this makes the barrier: where a filter refuses membarrier(2), .NET has another way there, which need
        // not reach those that run.
        if (!X86Base.IsSupported) Interlocked.MemoryBarrier();
        if (Volatile.Read(ref s_isOn) == 0) Start();
    }

    private static void Start()
    {
        if (Interlocked.Exchange(ref s_isOn, 1) == 0) s_timer.Change(s_period, Timeout.InfiniteTimeSpan);
    }

    private static void Look()
    {
        if (!LookAtAll())
        {
            Volatile.Write(ref s_isOn, 0);
            Interlocked.MemoryBarrierProcessWide();
            if (!LookAtAll() || Interlocked.Exchange(ref s_isOn, 1) != 0) return;
        }

        s_timer.Change(s_period, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Gives up what threads own that have ended; whether anything is owned.</summary>
    private static bool LookAtAll()
    {
        bool isAny = false;
        foreach (MutexObject mutex in MutexTable.All())
        {
            mutex.AbandonIfOwnerEnded();
            isAny |= mutex.IsOwned;
        }

        return isAny;
    }
}
