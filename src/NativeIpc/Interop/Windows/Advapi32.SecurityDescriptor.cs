using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Advapi32
{
    internal const uint SDDL_REVISION_1 = 1;
    internal const uint OWNER_SECURITY_INFORMATION = 1;

    /// <summary>The right to ask for the owner and the access control list.</summary>
    internal const uint READ_CONTROL = 0x00020000;

    /// <summary>LocalFree frees the descriptor.</summary>
    [LibraryImport("advapi32.dll", StringMarshalling = StringMarshalling.Utf16, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int ConvertStringSecurityDescriptorToSecurityDescriptorW(
        string stringSecurityDescriptor, uint stringSDRevision, out nint securityDescriptor,
        nint securityDescriptorSize);

    /// <summary>Zero for a failure; ERROR_INSUFFICIENT_BUFFER, and the length, when the buffer is too
    /// small.</summary>
    [LibraryImport("advapi32.dll", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int GetKernelObjectSecurity(SafeHandle handle, uint requestedInformation,
        nint securityDescriptor, uint length, out uint lengthNeeded);
}
