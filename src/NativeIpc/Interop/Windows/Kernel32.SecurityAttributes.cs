using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

internal static partial class Kernel32
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct SECURITY_ATTRIBUTES
    {
        internal uint nLength;
        internal nint lpSecurityDescriptor;
        internal int bInheritHandle;
    }
}
