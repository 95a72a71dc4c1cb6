using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

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
        _ = Libc.clock_gettime_at_once(clock, &now); // fails only for a clock that is none
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
    /// <summary>What sem_open gives for a failure.</summary>
    internal static readonly nint SEM_FAILED = Flags.SEM_FAILED;

    [LibraryImport(Libraries.LibcSemaphores, EntryPoint = "sem_open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    internal static partial nint sem_open_existing(string name, int oflag);

    [LibraryImport(Libraries.LibcSemaphores, EntryPoint = "sem_open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial nint sem_open_plain(string name, int oflag, uint mode, uint value);

    [LibraryImport(Libraries.LibcSemaphores, EntryPoint = "sem_open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial nint sem_open_appleArm64(string name, int oflag, nint p2, nint p3, nint p4, nint p5,
        nint p6, nint p7, nint mode, nint value);

    /// <summary>sem_open(3) with O_CREAT, variadic.</summary>
    internal static nint sem_open(string name, int oflag, uint mode, uint value)
        => Target.VariadicArgumentsOnStack
            ? sem_open_appleArm64(name, oflag, 0, 0, 0, 0, 0, 0, (nint)mode, (nint)value)
            : sem_open_plain(name, oflag, mode, value);

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_close(nint semaphore);

    [LibraryImport(Libraries.LibcSemaphores, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int sem_unlink(string name);

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_init(nint semaphore, int shared, uint value); // not on Apple

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_trywait(nint semaphore);

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_post(nint semaphore);

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_getvalue(nint semaphore, out int value); // ENOSYS on Apple

    /// <summary>glibc 2.30 and later.</summary>
    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_clockwait(nint semaphore, int clock, in Timespec deadline);

    /// <summary>Wall clock; not on Apple.</summary>
    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_timedwait(nint semaphore, in Timespec deadline);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int clock_gettime(int clock, out Timespec now);

    [LibraryImport(Libraries.Libc, EntryPoint = "clock_gettime")]
    [SuppressGCTransition] // no system call in general
    internal static unsafe partial int clock_gettime_at_once(int clock, Timespec* now);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int nanosleep(in Timespec duration, nint remaining);
}
