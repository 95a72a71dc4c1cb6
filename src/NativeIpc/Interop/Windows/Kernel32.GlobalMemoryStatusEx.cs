using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct MEMORYSTATUSEX
    {
        internal uint dwLength;
        internal uint dwMemoryLoad;
        internal ulong ullTotalPhys;
        internal ulong ullAvailPhys;

        /// <summary>What may be promised, to this process or the system, whichever is less; memory and paging
        /// file.</summary>
        internal ulong ullTotalPageFile;

        internal ulong ullAvailPageFile;
        internal ulong ullTotalVirtual;
        internal ulong ullAvailVirtual;
        internal ulong ullAvailExtendedVirtual;
    }

    /// <summary>The length must be set.</summary>
    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int GlobalMemoryStatusEx(ref MEMORYSTATUSEX buffer);
}
