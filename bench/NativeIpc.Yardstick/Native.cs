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

    /// <summary>Runs a program to its end.</summary>
    /// <returns>The CPU time of all its threads, of the kernel for it as well, in nanoseconds.</returns>
    public static unsafe double Start(string program, params string[] arguments)
    {
        nint[] words = [.. ((string[])[program, .. arguments]).Select(Marshal.StringToCoTaskMemUTF8), 0];
        fixed (nint* word = words)
        {
            int process, status;
            int error = posix_spawn(&process, (byte*)words[0], null, null, word, *environ());
            if (error != 0) throw new InvalidOperationException($"posix_spawn({program}) failed: {error}.");
            ResourceUse use;
            if (wait4(process, &status, 0, &use) != process || status != 0)
                throw new InvalidOperationException($"{program} failed: {status:x}.");
            foreach (nint text in words) Marshal.FreeCoTaskMem(text);
            return use.User.Nanoseconds + use.System.Nanoseconds;
        }
    }

    // A variable of the C library, and no function.
    private static unsafe nint** environ()
        => (nint**)NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "environ");

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn(int* process, byte* path, void* actions, void* attributes,
        nint* words, nint* environment);

    [LibraryImport("libc")]
    private static unsafe partial int wait4(int process, int* status, int options, ResourceUse* use);

    [LibraryImport("libc")]
    private static unsafe partial int sched_setaffinity(int thread, nint size, ulong* mask);

    [LibraryImport("libc")]
    private static unsafe partial int clock_gettime(int clock, Timespec* time);

    // struct rusage: fourteen more numbers follow.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUse
    {
        public Timeval User;
        public Timeval System;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Timeval
    {
        public long Seconds;
        public long Microseconds;

        public readonly double Nanoseconds => (Seconds * 1e9) + (Microseconds * 1e3);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
