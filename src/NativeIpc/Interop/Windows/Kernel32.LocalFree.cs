using System.Runtime.InteropServices;

namespace NativeIpc;

internal static partial class Interop
{
    internal static partial class Kernel32
    {
        [LibraryImport("kernel32.dll")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        internal static partial nint LocalFree(nint memory);
    }
}
