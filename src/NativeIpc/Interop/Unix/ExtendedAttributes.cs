using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace NativeIpc.Interop.Unix;

// xattr(7), Linux.

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static unsafe partial int fsetxattr(int fd, byte* name, byte* value, nuint size, int flags); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static unsafe partial nint fgetxattr(int fd, byte* name, byte* value, nuint size); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static unsafe partial int fremovexattr(int fd, byte* name); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    // Linux
    private static unsafe partial nint lgetxattr([MarshalUsing(typeof(PathMarshaller))] string path, byte* name,
        byte* value, nuint size);

    /// <summary>Sets an attribute of a file.</summary>
    /// <param name="fd">The file, open in whatever way.</param>
    /// <param name="name">The attribute's name, with a zero at its end.</param>
    /// <param name="value">What it is to be.</param>
    /// <returns>0, or the error number.</returns>
    internal static unsafe int SetAttribute(int fd, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        fixed (byte* called = name, from = value)
        {
            return fsetxattr(fd, called, from, (nuint)value.Length, 0) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Removes an attribute of a file, if it has it: asking costs half as much.</summary>
    internal static unsafe void RemoveAttribute(int fd, ReadOnlySpan<byte> name)
    {
        fixed (byte* called = name)
        {
            if (fgetxattr(fd, called, null, 0) >= 0) _ = fremovexattr(fd, called);
        }
    }

    /// <summary>Reads an attribute of what a path leads to, or of the link itself; how many bytes, or -1.</summary>
    internal static unsafe int ReadAttribute(string path, ReadOnlySpan<byte> name, Span<byte> value)
    {
        fixed (byte* called = name, to = value)
        {
            return (int)lgetxattr(path, called, to, (nuint)value.Length);
        }
    }
}
