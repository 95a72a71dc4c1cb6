using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    internal const uint SYNCHRONIZE = 0x00100000;
    // Of the driver kit: winnt.h has it in SEMAPHORE_ALL_ACCESS only
    internal const uint SEMAPHORE_QUERY_STATE = 0x0001;
    internal const uint SEMAPHORE_MODIFY_STATE = 0x0002;

    /// <summary>The largest count: MAXLONG of winnt.h.</summary>
    internal const int MAXLONG = 0x7FFFFFFF;

    /// <summary>Gives a handle and ERROR_ALREADY_EXISTS when there was a semaphore of this name; ERROR_SUCCESS when
    /// it was made now.</summary>
    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeWaitHandle CreateSemaphoreW(SecurityAttributes securityAttributes, int initialCount,
        int maximumCount, string name);

    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeWaitHandle OpenSemaphoreW(uint desiredAccess, int inheritHandle, string name);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int ReleaseSemaphore(SafeWaitHandle semaphore, int releaseCount, nint previousCount);
}
