using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

internal static partial class Libc
{
    internal const int X_OK = 1;
    internal const int W_OK = 2;

    /// <summary>access(2): asks for the real user, not the effective one.</summary>
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int access(string path, int mode);
}
