using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// sem_overview(7).

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

    // The same where LibcHasSemaphores.
    [LibraryImport(Libraries.Libc, EntryPoint = "sem_init", SetLastError = true)]
    internal static partial int sem_init_in_libc(nint semaphore, int shared, uint value);

    [LibraryImport(Libraries.Libc, EntryPoint = "sem_trywait", SetLastError = true)]
    internal static partial int sem_trywait_in_libc(nint semaphore);

    [LibraryImport(Libraries.Libc, EntryPoint = "sem_post", SetLastError = true)]
    internal static partial int sem_post_in_libc(nint semaphore);

    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_getvalue(nint semaphore, out int value); // ENOSYS on Apple

    /// <summary>glibc 2.30 and later.</summary>
    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_clockwait(nint semaphore, int clock, in Timespec deadline);

    /// <summary>Wall clock; not on Apple.</summary>
    [LibraryImport(Libraries.LibcSemaphores, SetLastError = true)]
    internal static partial int sem_timedwait(nint semaphore, in Timespec deadline);
}
