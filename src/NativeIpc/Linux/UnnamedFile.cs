using System.Runtime.InteropServices;
using System.Text.Unicode;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Linux;

/// <summary>A file that was made without a name (<c>O_TMPFILE</c>, open(2)) and gets one when it is complete. Linux
/// only.</summary>
internal static unsafe class UnnamedFile
{
    // Linux 6.10 lets whoever opened a file name it by its descriptor; before that it took CAP_DAC_READ_SEARCH. It
    // saves the way through /proc.
    private static volatile bool s_linksByDescriptor = true;

    /// <summary>Whether the direct way is tried.</summary>
    internal static bool LinksByDescriptor
    {
        get => s_linksByDescriptor;
        set => s_linksByDescriptor = value;
    }

    /// <summary>Gives the file its name, unless that is taken.</summary>
    /// <param name="file">The descriptor.</param>
    /// <param name="path">The name, in UTF-8.</param>
    /// <returns>0, or the error number: EEXIST when the name is taken; ENOENT also when the system has no
    /// /proc.</returns>
    internal static int Link(int file, byte* path)
    {
        bool refused = false;
        if (s_linksByDescriptor)
        {
            byte empty = 0;
            if (Libc.linkat_utf8(file, &empty, Flags.AT_FDCWD, path, Flags.AT_EMPTY_PATH) == 0) return 0;
            int number = Marshal.GetLastPInvokeError();
            if (number != Errno.ENOENT) return number;
            refused = true; // or the folder is gone, which the other way finds as well
        }

        Span<byte> self = stackalloc byte[32];
        Utf8.TryWrite(self, $"/proc/self/fd/{file}\0", out _);
        fixed (byte* start = self)
        {
            if (Libc.linkat_utf8(Flags.AT_FDCWD, start, Flags.AT_FDCWD, path, Flags.AT_SYMLINK_FOLLOW) != 0)
                return Marshal.GetLastPInvokeError();
        }

        if (refused) s_linksByDescriptor = false;
        return 0;
    }
}
