using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Ntdll
{
    internal const int EventBasicInformation = 0;

    /// <summary>EVENT_TYPE: NotificationEvent is one with manual reset.</summary>
    internal const int NotificationEvent = 0;

    [StructLayout(LayoutKind.Sequential)]
    internal struct EVENT_BASIC_INFORMATION
    {
        internal int EventType;
        internal int EventState;
    }

    /// <summary>Not documented by Microsoft, and in every Windows since the first NT. Negative for a failure; the
    /// handle needs EVENT_QUERY_STATE.</summary>
    [LibraryImport("ntdll.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int NtQueryEvent(SafeWaitHandle handle, int informationClass,
        out EVENT_BASIC_INFORMATION information, uint length, nint returnLength);
}
