using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>
/// Says, on an open file description of an object, that its process has let go of the object. Linux only.
/// </summary>
/// <remarks>
/// A child has its parent's descriptors from fork(2) to execve(2), so the kernel counts the object as open although
/// nobody uses it. The mark is a lock of the description (fcntl(2)): it goes when the last such child has closed it.
/// </remarks>
internal static class ClosingMark
{
    // Beyond what holders (1 << 20) and records of permits (1 << 21) lock.
    private const long Byte = 1 << 22;

    /// <summary>Sets the mark, just before the descriptor is closed. Where there are no such locks, nothing.</summary>
    internal static void Set(UnixDescriptor file) => _ = Libc.LockByte(file, Byte, Flags.F_RDLCK);

    /// <summary>Whether a description that was let go of is still open somewhere.</summary>
    internal static bool IsThere(UnixDescriptor file) => Libc.IsByteLockedByAnother(file, Byte);
}
