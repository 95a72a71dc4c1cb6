using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Ntdll
{
    internal const int SemaphoreBasicInformation = 0;
    internal const int STATUS_ACCESS_DENIED = unchecked((int)0xC0000022);

    [StructLayout(LayoutKind.Sequential)]
    internal struct SEMAPHORE_BASIC_INFORMATION
    {
        internal int CurrentCount;
        internal int MaximumCount;
    }

    /// <summary>Not documented by Microsoft, and in every Windows since the first NT. Negative for a failure; the
    /// handle needs SEMAPHORE_QUERY_STATE.</summary>
    [LibraryImport("ntdll.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int NtQuerySemaphore(SafeWaitHandle handle, int informationClass,
        out SEMAPHORE_BASIC_INFORMATION information, uint length, nint returnLength);
}
