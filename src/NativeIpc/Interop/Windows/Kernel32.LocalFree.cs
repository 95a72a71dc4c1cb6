using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    [LibraryImport("kernel32.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial nint LocalFree(nint memory);
}
