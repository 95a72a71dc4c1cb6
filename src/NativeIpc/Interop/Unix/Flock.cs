using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// flock(2).

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int flock(int fd, int operation);
}
