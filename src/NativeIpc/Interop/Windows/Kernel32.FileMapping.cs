using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    internal const uint PAGE_READWRITE = 0x04;
    internal const uint FILE_MAP_WRITE = 0x0002;
    internal const uint FILE_MAP_READ = 0x0004;
    internal const uint MEM_COMMIT = 0x1000;

    /// <summary>In the place of a file: the paging file backs the section.</summary>
    internal const nint INVALID_HANDLE_VALUE = -1;

    /// <summary>Gives a handle and ERROR_ALREADY_EXISTS when there was a section of this name; ERROR_SUCCESS when
    /// it was made now.</summary>
    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeMemoryMappedFileHandle CreateFileMappingW(nint file,
        SecurityAttributes securityAttributes, uint protect, uint maximumSizeHigh, uint maximumSizeLow,
        string name);

    [LibraryImport("kernel32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial SafeMemoryMappedFileHandle OpenFileMappingW(uint desiredAccess, int inheritHandle,
        string name);

    /// <summary>Zero for a failure.</summary>
    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial nint MapViewOfFile(SafeMemoryMappedFileHandle mapping, uint desiredAccess,
        uint fileOffsetHigh, uint fileOffsetLow, nuint numberOfBytesToMap);

    [LibraryImport("kernel32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int UnmapViewOfFile(nint baseAddress);
}
