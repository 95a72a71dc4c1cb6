using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace NativeIpc.Interop.Unix;

// Extended attributes of files, xattr(7), Linux; and whether a process lives.

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

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static partial int kill(int process, int signal);

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

    /// <summary>Whether the system has a process of this number, in this PID namespace; one that may not be seen
    /// (hidepid of proc(5)) counts, too.</summary>
    internal static bool HasProcess(int process)
        => kill(process, 0) == 0 || Marshal.GetLastPInvokeError() != Errno.ESRCH;
}
