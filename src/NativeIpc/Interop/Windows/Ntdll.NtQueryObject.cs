using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Ntdll
{
    /// <summary>The class of <see cref="PUBLIC_OBJECT_BASIC_INFORMATION"/>; the one that needs no right on the
    /// handle.</summary>
    internal const int ObjectBasicInformation = 0;

    [StructLayout(LayoutKind.Sequential)]
    internal struct PUBLIC_OBJECT_BASIC_INFORMATION
    {
        internal uint Attributes;
        internal uint GrantedAccess;

        /// <summary>In all processes.</summary>
        internal uint HandleCount;

        internal uint PointerCount;
        internal Ten Reserved;
    }

    [InlineArray(10)]
    internal struct Ten
    {
        private uint _first;
    }

    /// <summary>Negative for a failure: an NTSTATUS, which is no number of GetLastError.</summary>
    [LibraryImport("ntdll.dll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    internal static partial int NtQueryObject(SafeHandle handle, int objectInformationClass,
        out PUBLIC_OBJECT_BASIC_INFORMATION objectInformation, uint objectInformationLength, nint returnLength);
}
