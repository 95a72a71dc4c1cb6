using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// chmod(2), chown(2), access(2).

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int chmod(string path, uint mode);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int fchmod(int fd, uint mode);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int fchown(int fd, uint uid, uint gid);

    internal const int X_OK = 1;
    internal const int W_OK = 2;

    /// <summary>access(2): asks for the real user, not the effective one.</summary>
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int access(string path, int mode);
}
