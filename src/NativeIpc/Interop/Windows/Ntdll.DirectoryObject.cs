using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

// NtOpenDirectoryObject and NtQueryDirectoryObject are documented, with the warning that Windows may change them:
// what uses them must do without.
internal static partial class Ntdll
{
    internal const uint DIRECTORY_QUERY = 0x0001;

    internal const int STATUS_NO_MORE_ENTRIES = unchecked((int)0x8000001A);
    internal const int STATUS_NOT_IMPLEMENTED = unchecked((int)0xC0000002);

    [StructLayout(LayoutKind.Sequential)]
    internal struct UNICODE_STRING
    {
        /// <summary>In bytes.</summary>
        internal ushort Length;

        internal ushort MaximumLength;
        internal nint Buffer;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct OBJECT_ATTRIBUTES
    {
        internal uint Length;
        internal nint RootDirectory;
        internal nint ObjectName;
        internal uint Attributes;
        internal nint SecurityDescriptor;
        internal nint SecurityQualityOfService;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct OBJECT_DIRECTORY_INFORMATION
    {
        internal UNICODE_STRING Name;
        internal UNICODE_STRING TypeName;
    }

    /// <summary>Negative for a failure. CloseHandle closes the handle.</summary>
    [LibraryImport("ntdll.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int NtOpenDirectoryObject(out SafeWaitHandle directoryHandle, uint desiredAccess,
        in OBJECT_ATTRIBUTES objectAttributes);

    /// <summary>Negative for a failure, and at the end. The context says where the next call goes on.</summary>
    [LibraryImport("ntdll.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int NtQueryDirectoryObject(SafeWaitHandle directoryHandle, nint buffer, uint length,
        byte returnSingleEntry, byte restartScan, ref uint context, out uint returnLength);
}
