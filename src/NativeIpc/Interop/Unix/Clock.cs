using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// clock_gettime(2), nanosleep(2).

/// <summary>struct timespec on 64-bit systems.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Timespec
{
    internal long tv_sec;
    internal long tv_nsec;

    /// <summary>The moment that is so far from now on a clock. Called only with clocks that every Linux
    /// has.</summary>
    internal static Timespec After(TimeSpan time, int clock)
    {
        Timespec now;
        _ = Libc.clock_gettime_fast(clock, &now); // fails only for a clock that is none
        long nanoseconds = now.tv_nsec + (time.Ticks % TimeSpan.TicksPerSecond * 100);
        now.tv_sec += (time.Ticks / TimeSpan.TicksPerSecond) + (nanoseconds / 1_000_000_000);
        now.tv_nsec = nanoseconds % 1_000_000_000;
        return now;
    }

    internal readonly bool IsBefore(in Timespec other)
        => tv_sec < other.tv_sec || (tv_sec == other.tv_sec && tv_nsec < other.tv_nsec);
}

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int clock_gettime(int clock, out Timespec now);

    [LibraryImport(Libraries.Libc, EntryPoint = "clock_gettime")]
    [SuppressGCTransition] // no system call in general
    internal static unsafe partial int clock_gettime_fast(int clock, Timespec* now);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int nanosleep(in Timespec duration, nint remaining);
}
