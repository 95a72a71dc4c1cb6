using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// getdents64(2), mkdir(2), realpath(3). Directory.Enumerate* asks stat(2) for what each link leads to, which a file
// system that does not answer holds up for ever.

internal static partial class Libc
{
    private static readonly nint s_getdents64 = Getdents64Number(RuntimeInformation.ProcessArchitecture);

    /// <summary>SYS_getdents64; by number, since glibc has the function since 2.30 and musl has another
    /// name.</summary>
    internal static int Getdents64Number(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 217,
        Architecture.S390x => 220,
        Architecture.Ppc64le => 202,
        _ => 61, // arm64, riscv64, loongarch64: the generic table
    };

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint syscall_getdents64(nint number, nint folder, byte* buffer, nint size);

    /// <summary>What is called for each entry of a folder.</summary>
    /// <param name="name">The name, with a zero byte behind it.</param>
    internal delegate void EntryAction(ReadOnlySpan<byte> name);

    /// <summary>The names in a folder, but for . and .., as <see cref="PathText"/> has them; null where it cannot
    /// be read. Linux.</summary>
    internal static List<string>? NamesIn(string folder, out int error)
    {
        List<string> names = [];
        using UnixDescriptor opened = OpenFolder(folder, out error);
        if (error == 0) error = ForEachEntry(opened, name => names.Add(PathText.Decode(name)));
        return error == 0 ? names : null;
    }

    internal static UnixDescriptor OpenFolder(string folder, out int error)
    {
        var opened = new UnixDescriptor(open(folder, Flags.O_RDONLY | Flags.O_NONBLOCK | Flags.O_CLOEXEC, 0));
        error = opened.IsInvalid ? Marshal.GetLastPInvokeError() : 0;
        Shortage.Note(error);
        return opened;
    }

    /// <summary>Goes through the entries of an open folder, but for . and .. (getdents64(2)). Returns 0, or the
    /// error number.</summary>
    /// <remarks>The buffer is on the stack, since a look at the machine comes here once for each process.</remarks>
    [SkipLocalsInit]
    internal static unsafe int ForEachEntry(UnixDescriptor folder, EntryAction each)
    {
        // struct linux_dirent64: 64-bit inode and offset, 16-bit length of the record, 8-bit type, name.
        const int lengthAt = 16;
        const int nameAt = 19;
        const int room = 32 << 10;
        byte* first = stackalloc byte[room];
        while (true)
        {
            nint filled = syscall_getdents64(s_getdents64, (int)folder.DangerousGetHandle(), first, room);
            if (filled == 0) return 0;
            if (filled < 0) return Marshal.GetLastPInvokeError();
            for (byte* entry = first; entry < first + filled; entry += *(ushort*)(entry + lengthAt))
            {
                ReadOnlySpan<byte> name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(entry + nameAt);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8)) each(name);
            }
        }
    }

    /// <summary>What a name in an open folder leads to. Returns 0, or the error number.</summary>
    internal static unsafe int Status(UnixDescriptor folder, ReadOnlySpan<byte> name, out FileStatus status)
    {
        byte* found = stackalloc byte[Statx.Size];
        fixed (byte* of = name)
        {
            int error = syscall_statx(s_statx, (int)folder.DangerousGetHandle(), of, Flags.AT_STATX_DONT_SYNC,
                Statx.BASIC_STATS, found) == 0
                ? 0
                : Marshal.GetLastPInvokeError();
            status = error == 0 ? ReadStatus(found) : default;
            return error;
        }
    }

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int mkdir(string path, uint mode);

    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial nint realpath(string path, nint buffer);

    [LibraryImport(Libraries.Libc)]
    private static partial void free(nint memory);

    /// <summary>realpath(3): absolute, without links, dots and double slashes; null when the path does not lead
    /// anywhere.</summary>
    internal static string? RealPath(string path)
    {
        nint resolved = realpath(path, 0);
        if (resolved == 0) return null;
        try
        {
            return Marshal.PtrToStringUTF8(resolved);
        }
        finally
        {
            free(resolved);
        }
    }
}
