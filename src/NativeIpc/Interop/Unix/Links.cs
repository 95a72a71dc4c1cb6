using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using System.Text;

namespace NativeIpc.Interop.Unix;

// linkat(2), unlink(2), readlink(2): names, and what symbolic links say, without following one.

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int unlink([MarshalUsing(typeof(PathMarshaller))] string path);

    [LibraryImport(Libraries.Libc, EntryPoint = "unlink", SetLastError = true)]
    internal static unsafe partial int unlink_utf8(byte* path);

    [LibraryImport(Libraries.Libc, EntryPoint = "linkat", SetLastError = true)]
    // Linux
    internal static unsafe partial int linkat_utf8(int oldDirectory, byte* oldPath, int newDirectory,
        byte* newPath, int flags);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial nint readlink(string path, byte* buffer, nuint size);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static unsafe partial nint readlinkat(int folder, byte* name, byte* buffer, nuint size);

    /// <summary>The text of a symbolic link, which is not followed; null when there is none, or none that this user
    /// may read.</summary>
    internal static unsafe string? LinkText(string path)
    {
        const int longest = 4096; // PATH_MAX
        byte* buffer = stackalloc byte[longest];
        nint length = readlink(path, buffer, longest);
        return length < 0 ? null : Encoding.UTF8.GetString(buffer, (int)length);
    }

    /// <summary>The text of a symbolic link in an open folder; empty when there is none, or none that this user may
    /// read.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">As <see cref="ForEachEntry"/> gives it.</param>
    /// <param name="buffer">Where it is put, cut at its end.</param>
    internal static unsafe ReadOnlySpan<byte> LinkText(UnixDescriptor folder, ReadOnlySpan<byte> name,
        Span<byte> buffer)
    {
        fixed (byte* of = name)
        fixed (byte* to = buffer)
        {
            nint length = readlinkat((int)folder.DangerousGetHandle(), of, to, (nuint)buffer.Length);
            return length < 0 ? default : buffer[..(int)length];
        }
    }
}
