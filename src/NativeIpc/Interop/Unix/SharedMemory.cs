using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// shm_overview(7).

internal static partial class Libc
{
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
}
