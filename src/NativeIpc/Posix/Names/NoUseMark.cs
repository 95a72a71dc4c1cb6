using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Names;

/// <summary>
/// Says, on an open file description of an object, that its processes do not use the object, or not any more. Linux
/// only.
/// </summary>
/// <remarks>
/// A child has its parent's descriptors from fork(2) to execve(2), so the kernel counts the object as open although
/// nobody uses it. The mark is a lock of the description (fcntl(2)): it goes when the last such child has closed it.
/// Only descriptors of <see cref="RemovalPolicy.LastOneOut"/> are marked, and no mappings: what a child of fork(2), not
/// of vfork(2), has mapped is in use until its execve.
/// </remarks>
internal static class NoUseMark
{
    /// <summary>How long to wait for a mark to go: a child that never executes a program keeps it.</summary>
    internal static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    // Beyond the bytes of slots (1 << 20) and of records of permits (1 << 21).
    private const long Byte = 1 << 22;

    /// <summary>Sets the mark: at once for a descriptor that only asks or looks, just before it closes for a user's.
    /// Does nothing where there are no such locks.</summary>
    internal static void Set(UnixDescriptor file)
    {
        try
        {
            _ = Libc.LockByte(file, Byte, Flags.F_RDLCK);
        }
        catch (ObjectDisposedException)
        {
            // R1 Race: process end, Dispose and finalizer come together. Safe because: a closed descriptor is no use.
        }
    }

    /// <summary>Whether another marked description is open. A lock of more than the mark's byte is one of a program
    /// that uses the file.</summary>
    internal static bool IsThere(UnixDescriptor file) => Libc.IsByteMarked(file, Byte);
}
