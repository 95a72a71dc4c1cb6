using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

internal static partial class Libc
{
    internal const nint MAP_FAILED = -1;

    [LibraryImport(Libraries.LibcSharedMemory, EntryPoint = "shm_open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial int shm_open_plain(string name, int oflag, uint mode);

    [LibraryImport(Libraries.LibcSharedMemory, EntryPoint = "shm_open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial int shm_open_appleArm64(string name, int oflag, nint p2, nint p3, nint p4, nint p5,
        nint p6, nint p7, nint mode);

    /// <summary>shm_open(3): fixed on Linux, variadic on Apple. The descriptor is close-on-exec
    /// everywhere.</summary>
    internal static int shm_open(string name, int oflag, uint mode)
        => AboveStandard(Target.VariadicArgumentsOnStack
            ? shm_open_appleArm64(name, oflag, 0, 0, 0, 0, 0, 0, (nint)mode)
            : shm_open_plain(name, oflag, mode), closesOnExec: true);

    [LibraryImport(Libraries.LibcSharedMemory, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int shm_unlink(string name);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial nint mmap(nint address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int munmap(nint address, nuint length);

    /// <summary>mremap(2), variadic, which is harmless on Linux; on Apple it is never called. With an old size of 0
    /// it maps the pages a second time.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial nint mremap(nint address, nuint oldLength, nuint newLength, int flags, nint newAddress);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int madvise(nint address, nuint length, int advice);
}
