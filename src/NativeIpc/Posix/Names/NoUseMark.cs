using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Names;

/// <summary>
/// Says, on an open file description of an object, that whoever has it does not use the object, or not any more. Linux
/// only.
/// </summary>
/// <remarks>
/// A child has its parent's descriptors from fork(2) to execve(2), so the kernel counts the object as open although
/// nobody uses it. The mark is a lock of the description (fcntl(2)): it goes when the last such child has closed it.
/// Not marked are the descriptors of users with another policy than <see cref="RemovalPolicy.LastOneOut"/>, and
/// mappings: what a child of fork(2) itself, not of vfork(2), has mapped is in use until it executes its program.
/// </remarks>
internal static class NoUseMark
{
    /// <summary>How long a mark is waited for: a child that never executes a program keeps it.</summary>
    internal static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    // Beyond what holders (1 << 20) and records of permits (1 << 21) lock.
    private const long Byte = 1 << 22;

    /// <summary>Sets the mark: of who asks or looks, at once; of a user, just before it closes. Does nothing where
    /// there are no such locks, and where the descriptor is closed already: process end, Dispose and finalizer may come
    /// together.</summary>
    internal static void Set(UnixDescriptor file)
    {
        try
        {
            _ = Libc.LockByte(file, Byte, Flags.F_RDLCK);
        }
        catch (ObjectDisposedException)
        {
            return;
        }
    }

    /// <summary>Whether such a description is open, but for this one. A lock of more than the mark's byte is
    /// somebody's who uses the file.</summary>
    internal static bool IsThere(UnixDescriptor file) => Libc.IsByteMarked(file, Byte);
}
