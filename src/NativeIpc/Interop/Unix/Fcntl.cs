using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>struct flock on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Flock
{
    internal short l_type;
    internal short l_whence;
    internal long l_start;
    internal long l_len;
    internal int l_pid;
}

internal static partial class Libc
{
    // fcntl(2) is variadic, which is harmless on Linux; on Apple it is never called.
    [LibraryImport(Libraries.Libc, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int fcntl_lock(UnixDescriptor fd, int command, ref Flock range);

    [LibraryImport(Libraries.Libc, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int fcntl_number(UnixDescriptor fd, int command, nint argument);

    [LibraryImport(Libraries.Libc, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int fcntl_descriptor(int fd, int command, nint argument);

    /// <summary>
    /// The one place through which every descriptor goes that this library opens: in a process that was started
    /// with standard input, output or error closed, the system gives the
    /// number of one of them, and what the program prints would land in the object. Such a one is moved to 3 or
    /// above. (Linux; not tried on Apple, where fcntl(2) takes another number and way.)
    /// </summary>
    /// <param name="descriptor">A new one; negative for a failure.</param>
    /// <param name="closesOnExec">Whether programs that this process starts do not inherit it.</param>
    /// <returns>A descriptor for the same open file; -1, with the error number, for a failure, also when none is
    /// left from 3 up.</returns>
    internal static int AboveStandard(int descriptor, bool closesOnExec)
        => descriptor is < 0 or > 2 || Target.IsApple ? descriptor : Move(descriptor, closesOnExec);

    private static int Move(int descriptor, bool closesOnExec)
    {
        int moved = fcntl_descriptor(descriptor, closesOnExec ? Flags.F_DUPFD_CLOEXEC : Flags.F_DUPFD, 3);
        int number = moved == -1 ? Marshal.GetLastPInvokeError() : 0;
        _ = close(descriptor);
        Marshal.SetLastPInvokeError(number);
        return moved;
    }

    // Above what scripts name by hand, below the usual limit of 1,024.
    private const int FirstAboveScripts = 64;

    /// <summary>Moves a descriptor that programs inherit to where a shell script does not close it unknowingly: a
    /// script says "exec 5&lt;&gt;file" without asking what has the number 5. Linux.</summary>
    /// <param name="descriptor">A new one; negative for a failure.</param>
    /// <returns>A descriptor for the same open file; the one that was given where there are no such numbers.</returns>
    internal static int AboveScripts(int descriptor)
    {
        if (descriptor is < 0 or >= FirstAboveScripts) return descriptor;
        int moved = fcntl_descriptor(descriptor, Flags.F_DUPFD, FirstAboveScripts);
        if (moved == -1) return descriptor;
        _ = close(descriptor);
        return moved;
    }

    /// <summary>Takes (F_WRLCK, F_RDLCK) or drops (F_UNLCK) a lock on one byte, without waiting; it belongs to the
    /// open file description, and the kernel drops it with the last descriptor of that.</summary>
    /// <returns>0, or the error number: EAGAIN when another description has it.</returns>
    internal static int LockByte(UnixDescriptor fd, long offset, int type) => LockBytes(fd, offset, 1, (short)type);

    /// <inheritdoc cref="LockByte"/>
    internal static int LockBytes(UnixDescriptor fd, long offset, long count, short type)
    {
        var range = new Flock { l_type = type, l_start = offset, l_len = count };
        return fcntl_lock(fd, Flags.F_OFD_SETLK, ref range) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Whether another open file description has a lock on a byte that excludes this one's. Changes
    /// nothing.</summary>
    internal static bool IsByteLockedByAnother(UnixDescriptor fd, long offset)
        => AreBytesLockedByAnother(fd, offset, 1);

    /// <summary>Whether another open file description has a shared lock on this one byte and no other. Changes
    /// nothing.</summary>
    internal static bool IsByteMarked(UnixDescriptor fd, long offset)
    {
        var range = new Flock { l_type = Flags.F_WRLCK, l_start = offset, l_len = 1 };
        return fcntl_lock(fd, Flags.F_OFD_GETLK, ref range) == 0
            && range is { l_type: Flags.F_RDLCK, l_len: 1, l_pid: -1 } && range.l_start == offset;
    }

    /// <inheritdoc cref="IsByteLockedByAnother"/>
    internal static bool AreBytesLockedByAnother(UnixDescriptor fd, long offset, long count)
    {
        var range = new Flock { l_type = Flags.F_WRLCK, l_start = offset, l_len = count };
        return fcntl_lock(fd, Flags.F_OFD_GETLK, ref range) != 0 || range.l_type != Flags.F_UNLCK;
    }

    /// <summary>Whether the kernel takes this process for the owner of an open file, whatever number the owner
    /// shows as: O_NOATIME is for the owner
    /// (open(2), fcntl(2)). The flag stays with the descriptor and does no harm to one that nobody reads
    /// from.</summary>
    internal static bool IsOwner(int fd) => fcntl_descriptor(fd, Flags.F_SETFL, Flags.O_NOATIME) == 0;

    /// <summary>
    /// Takes a lease to write, which the kernel gives only while no other process has the file open or mapped: in
    /// whatever language, user or namespace. A process that opens the file meanwhile waits, or gets EAGAIN with
    /// O_NONBLOCK, so it is held for a few system calls at most.
    /// </summary>
    /// <returns>0; EAGAIN when somebody else has the file; EACCES or EPERM when this user may not ask (not the
    /// owner, no CAP_LEASE).</returns>
    internal static int TakeLease(UnixDescriptor fd)
    {
        // The kernel would tell of an opener by SIGIO, which ends a process that does not expect it; SIGURG is
        // ignored by default.
        if (fcntl_number(fd, Flags.F_SETSIG, Flags.SIGURG) != 0) return Marshal.GetLastPInvokeError();
        return fcntl_number(fd, Flags.F_SETLEASE, Flags.F_WRLCK) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Makes a descriptor's number mean what another one means, in one step; what it meant before is
    /// closed. dup3(2).</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int dup3(int from, int to, int flags); // Linux

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static partial int futimens(UnixDescriptor fd, nint times);

    /// <summary>Sets the file's times to now, of which everybody that watches it hears (IN_ATTRIB).</summary>
    // Fails only where this process may not write; then nobody hears, and asks later
    internal static void Touch(UnixDescriptor fd) => _ = futimens(fd, 0);

    // Cannot fail for a lease that is held
    internal static void DropLease(UnixDescriptor fd) => _ = fcntl_number(fd, Flags.F_SETLEASE, Flags.F_UNLCK);
}
