using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// mmap(2), mremap(2), madvise(2).

internal static partial class Libc
{
    internal const nint MAP_FAILED = -1;

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
