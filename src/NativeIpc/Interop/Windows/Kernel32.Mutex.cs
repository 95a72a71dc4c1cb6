using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    internal const uint CREATE_MUTEX_INITIAL_OWNER = 0x00000001;
    internal const uint WAIT_OBJECT_0 = 0;

    /// <summary>Also a success: the mutex is owned now, and the thread that owned it before has ended.</summary>
    internal const uint WAIT_ABANDONED = 0x80;

    internal const uint WAIT_TIMEOUT = 258;

    /// <summary>Gives a handle and ERROR_ALREADY_EXISTS, and no ownership, when there was a mutex of this
    /// name.</summary>
    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeWaitHandle CreateMutexExW(SecurityAttributes securityAttributes, string name,
        uint flags, uint desiredAccess);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int ReleaseMutex(SafeWaitHandle mutex);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial uint WaitForSingleObject(SafeWaitHandle handle, uint milliseconds);
}
