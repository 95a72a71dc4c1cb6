using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;

namespace NativeIpc.Posix.Users;

/// <summary>
/// Tells those that ask whether anybody uses an object, or look at it, that another one has it open for no other
/// reason. Linux only.
/// </summary>
/// <remarks>
/// <para>The kernel counts every process that has a file open, one that asks included. So each that asks or looks says
/// so from before it opens the file until it has closed it, by locks on two bytes of the folder <c>/dev/shm</c>
/// (fcntl(2), open file descriptions; readers may take them, the kernel drops them with the process). The bytes follow
/// from the file's name; two names with the same bytes only wait for each other.</para>
/// <para>The first byte: has the file open, or is about to. The second one: asks, with the object's
/// <see cref="FileLock"/>. A process that wants to open the file sets the first byte, then looks at the second one, and
/// steps back if another has it; one that asks sets the second byte, then waits until no other has the first. So one of
/// the two sees the other, and during the question only users have the file open. A process that sets bytes for no
/// reason makes others wait for as long as they wait for anybody; that nobody has the file open the kernel still
/// says.</para>
/// </remarks>
internal sealed class AskMark : IDisposable
{
    /// <summary>The call that says so, for messages.</summary>
    internal const string Call = "fcntl(F_OFD_GETLK)";

    private readonly UnixDescriptor _folder;
    private long _offset = -1;

    private AskMark(UnixDescriptor folder) => _folder = folder;

    /// <summary>Makes one that says nothing yet; null where the folder cannot be read.</summary>
    public static AskMark? TryMake()
    {
        var folder = new UnixDescriptor(Libc.open(PosixNames.Folder, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
        if (!folder.IsInvalid) return new AskMark(folder);
        folder.Dispose();
        return null;
    }

    /// <summary>Makes one and begins; null where that is refused (a system without such locks).</summary>
    public static AskMark? TryBegin(string path)
    {
        AskMark? mark = TryMake();
        if (mark?.Begin(path) != false) return mark;
        mark.Dispose();
        return null;
    }

    /// <summary>Says that a file is about to be opened; false where that is refused.</summary>
    public bool Begin(string path)
    {
        _offset = OffsetOf(path);
        return Set(_offset, 1, Flags.F_RDLCK);
    }

    /// <summary>Says that the question is asked now. The caller has the file's lock.</summary>
    public void Ask() => _ = Set(_offset + 1, 1, Flags.F_RDLCK);

    /// <summary>Takes back both, after the file was closed.</summary>
    public void End() => _ = Set(_offset, 2, Flags.F_UNLCK);

    /// <summary>Whether another process has the file open to ask or to look, or may have.</summary>
    public bool IsAnotherThere => Libc.IsByteLockedByAnother(_folder, _offset);

    /// <summary>Whether another process asks.</summary>
    public bool IsAnotherAsking => Libc.IsByteLockedByAnother(_folder, _offset + 1);

    private bool Set(long offset, long count, short type) => Libc.LockBytes(_folder, offset, count, type) == 0;

    /// <summary>FNV-1a of the file's name, shifted so that it is even and below 2^62: offsets are signed.</summary>
    internal static long OffsetOf(string path)
    {
        ulong hash = 14695981039346656037;
        ReadOnlySpan<char> name = path.AsSpan(path.LastIndexOf('/') + 1);
        Span<byte> bytes = new byte[PathText.MostBytes(name.Length)];
        foreach (byte one in bytes[..PathText.Encode(name, bytes)]) hash = (hash ^ one) * 1099511628211;
        return (long)(hash >> 3) << 1;
    }

    public void Dispose() => _folder.Dispose();
}
