using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    // Of the driver kit: winnt.h has it in EVENT_ALL_ACCESS only
    internal const uint EVENT_QUERY_STATE = 0x0001;
    internal const uint EVENT_MODIFY_STATE = 0x0002;

    /// <summary>Gives a handle and ERROR_ALREADY_EXISTS when there was an event of this name, of whatever mode;
    /// ERROR_SUCCESS when it was made now.</summary>
    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeWaitHandle CreateEventW(SecurityAttributes securityAttributes, int manualReset,
        int initialState, string name);

    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeWaitHandle OpenEventW(uint desiredAccess, int inheritHandle, string name);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int SetEvent(SafeWaitHandle handle);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int ResetEvent(SafeWaitHandle handle);
}
