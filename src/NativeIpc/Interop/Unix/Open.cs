using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;

namespace NativeIpc.Interop.Unix;

// open(2), close(2): every descriptor goes through AboveStandard.

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "open", SetLastError = true)]
    private static partial int open_plain([MarshalUsing(typeof(PathMarshaller))] string path, int oflag, uint mode);

    [LibraryImport(Libraries.Libc, EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8,
        SetLastError = true)]
    private static partial int open_appleArm64(string path, int oflag, nint p2, nint p3, nint p4, nint p5, nint p6,
        nint p7, nint mode);

    /// <summary>open(2), variadic; again after a signal, which a file system that asks a server lets in.</summary>
    internal static int open(string path, int oflag, uint mode)
    {
        int opened;
        do opened = Target.VariadicArgumentsOnStack
            ? open_appleArm64(path, oflag, 0, 0, 0, 0, 0, 0, (nint)mode) : open_plain(path, oflag, mode);
        while (opened == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return AboveStandard(opened, (oflag & Flags.O_CLOEXEC) != 0);
    }

    // The forms with a path that is UTF-8 already, on the stack, are for what is done at each open and close.
    [LibraryImport(Libraries.Libc, EntryPoint = "open", SetLastError = true)]
    private static unsafe partial int open_utf8_plain(byte* path, int oflag, uint mode); // Linux

    /// <summary>As <see cref="open(string, int, uint)"/>; Linux only.</summary>
    internal static unsafe int open_utf8(byte* path, int oflag, uint mode)
    {
        int opened;
        do opened = open_utf8_plain(path, oflag, mode);
        while (opened == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return AboveStandard(opened, (oflag & Flags.O_CLOEXEC) != 0);
    }

    /// <summary>Opens a file to read it without a trace and without waiting: no link followed, a FIFO not waited
    /// for, no time of reading left where the file is this user's.</summary>
    internal static UnixDescriptor OpenToLook(string path, out int error)
    {
        int flags = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;
        int fd = open(path, flags | Flags.O_NOATIME, 0);
        error = fd == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (error == Errno.EPERM) // another user's
        {
            fd = open(path, flags, 0);
            error = fd == -1 ? Marshal.GetLastPInvokeError() : 0;
        }

        Shortage.Note(error);
        return new UnixDescriptor(fd);
    }

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport(Libraries.Libc, EntryPoint = "close")]
    internal static partial int close_number(int descriptor);
}
