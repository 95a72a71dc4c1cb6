using System.Runtime.InteropServices;

namespace NativeIpc.Yardstick;

/// <summary>What .NET does not give: the core a thread runs on, and the CPU time of any process to the
/// nanosecond.</summary>
internal static partial class Native
{
    /// <summary>Binds the calling thread to one core.</summary>
    public static unsafe void Pin(int core)
    {
        ulong mask = 1UL << core;
        if (sched_setaffinity(0, sizeof(ulong), &mask) != 0)
            throw new InvalidOperationException("sched_setaffinity failed.");
    }

    public static unsafe void Unpin()
    {
        ulong mask = ulong.MaxValue;
        _ = sched_setaffinity(0, sizeof(ulong), &mask);
    }

    /// <summary>CPU time of all threads of a process, in nanoseconds. Its clock is made as clock_getcpuclockid(3)
    /// does.</summary>
    public static long CpuTime(int process) => Time((~process << 3) | 2);

    /// <summary>CPU time of one thread, in nanoseconds.</summary>
    public static long ThreadTime(int thread) => Time((~thread << 3) | 6);

    private static unsafe long Time(int clock)
    {
        Timespec time;
        if (clock_gettime(clock, &time) != 0) throw new InvalidOperationException($"clock_gettime({clock}) failed.");
        return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }

    /// <summary>The number of the calling thread, as in /proc/self/task.</summary>
    [LibraryImport("libc", EntryPoint = "gettid")]
    public static partial int ThreadId();

    [LibraryImport("libc")]
    private static unsafe partial int sched_setaffinity(int thread, nint size, ulong* mask);

    [LibraryImport("libc")]
    private static unsafe partial int clock_gettime(int clock, Timespec* time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
