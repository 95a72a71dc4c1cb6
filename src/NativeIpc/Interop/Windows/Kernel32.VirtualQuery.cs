using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    /// <summary>
    /// What VirtualQuery tells of pages alike. On 64-bit systems the header has a PartitionId in the gap after
    /// AllocationProtect; leaving it out makes this the right layout on 32-bit ones too.
    /// </summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct MEMORY_BASIC_INFORMATION
    {
        internal nint BaseAddress;
        internal nint AllocationBase;
        internal uint AllocationProtect;
        internal nuint RegionSize;
        internal uint State;
        internal uint Protect;
        internal uint Type;
    }

    /// <summary>The number of bytes written; zero for a failure.</summary>
    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial nuint VirtualQuery(nint address, out MEMORY_BASIC_INFORMATION buffer, nuint length);
}
