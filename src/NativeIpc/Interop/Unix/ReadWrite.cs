using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Interop.Unix;

// read(2), write(2), pread(2), ftruncate(2), posix_fallocate(3).

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint read(UnixDescriptor fd, byte* buffer, nuint count);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint write(UnixDescriptor fd, byte* buffer, nuint count);

    [LibraryImport(Libraries.Libc, EntryPoint = "read", SetLastError = true)]
    internal static unsafe partial nint read_number(int fd, byte* buffer, nuint count);

    [LibraryImport(Libraries.Libc, EntryPoint = "write", SetLastError = true)]
    internal static unsafe partial nint write_number(int fd, byte* buffer, nuint count);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint pread(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial nint pwrite(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    /// <summary>posix_fallocate(3) returns the error number; errno is not set.</summary>
    [LibraryImport(Libraries.Libc)]
    internal static partial int posix_fallocate(int fd, long offset, long length); // Linux

    /// <summary>The text of a small file of /proc or /sys; null, with the error number, when it cannot be read.
    /// Throws nothing and loads nothing.</summary>
    /// <param name="path">The file.</param>
    /// <param name="error">0, or the error number.</param>
    /// <param name="most">How many bytes are read at most.</param>
    internal static string? TextOf(string path, out int error, int most = 64 << 10)
        => BytesOf(path, out error, most, out int length) is { } text ? Encoding.UTF8.GetString(text, 0, length) : null;

    /// <summary>The same as bytes.</summary>
    internal static unsafe byte[]? BytesOf(string path, out int error, int most, out int length)
    {
        length = 0;
        int file = open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0);
        error = file == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (error != 0) return null;
        byte[] text = new byte[1024];
        try
        {
            while (length < most)
            {
                if (length == text.Length) Array.Resize(ref text, text.Length * 4);
                nint read;
                fixed (byte* start = text) read =
                    pread(file, start + length, (nuint)(text.Length - length), length);
                error = read < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (error == Errno.EINTR) continue;
                if (error != 0) return null;
                if (read == 0) break;
                length += (int)read;
            }
        }
        finally
        {
            _ = close(file);
        }

        return text;
    }
}
