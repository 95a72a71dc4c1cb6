namespace NativeIpc.Interop.Windows;

/// <summary>Numbers that GetLastError gives (winerror.h); all of them are checked in tests/NativeIpc.Abi.</summary>
internal static class Win32Error
{
    internal const int ERROR_SUCCESS = 0;
    internal const int ERROR_FILE_NOT_FOUND = 2;
    internal const int ERROR_PATH_NOT_FOUND = 3;
    internal const int ERROR_TOO_MANY_OPEN_FILES = 4;
    internal const int ERROR_ACCESS_DENIED = 5;
    internal const int ERROR_INVALID_HANDLE = 6;
    internal const int ERROR_NOT_ENOUGH_MEMORY = 8;
    internal const int ERROR_OUTOFMEMORY = 14;
    internal const int ERROR_INVALID_PARAMETER = 87;
    internal const int ERROR_DISK_FULL = 112;
    internal const int ERROR_INSUFFICIENT_BUFFER = 122;
    internal const int ERROR_INVALID_NAME = 123;
    internal const int ERROR_BAD_PATHNAME = 161;
    internal const int ERROR_ALREADY_EXISTS = 183;
    internal const int ERROR_FILENAME_EXCED_RANGE = 206;
    internal const int ERROR_TOO_MANY_POSTS = 298;
    internal const int ERROR_PRIVILEGE_NOT_HELD = 1314;
    internal const int ERROR_NO_SYSTEM_RESOURCES = 1450;
    internal const int ERROR_COMMITMENT_LIMIT = 1455;
    internal const int ERROR_NOT_ENOUGH_QUOTA = 1816;
}
