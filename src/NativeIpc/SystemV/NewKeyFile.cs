using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>How a key file is made: with its mode and group, and where the system can, locked before it has a
/// name.</summary>
internal static class NewKeyFile
{
    private const int MostSpares = 8;

    /// <summary>Makes the file, and the runtime folder of its user where Qt would have; -1 when the file
    /// exists.</summary>
    /// <remarks>
    /// Where the system can, the file gets its name when it is locked already: then the process that makes the file
    /// also makes the object, and removes both. Otherwise another process may come between, and the file stays when its
    /// object goes.
    /// </remarks>
    public static int Make(string attempt, in NativeIpcKey key, string path, KeyFileRules rules, out FileLock held,
        out FileStatus status)
    {
        UnixFileMode mode = ModeOf(rules);
        int number;
        int made;
        for (bool first = true; ; first = false)
        {
            if (MakeLocked(attempt, key, path, mode, rules, out int locked, out held, out status)) return locked;

            // R1 Race: two processes make the file at once.
            // Safe because: the link above, or O_EXCL here, lets one be the maker; the other goes on with the same
            // file.
            made = Libc.open(path, Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL | Flags.O_CLOEXEC | Flags.O_NOFOLLOW,
                (uint)mode);
            number = made == -1 ? Marshal.GetLastPInvokeError() : 0;
            if (number != Errno.ENOENT || !first) break;
            // Or another process does, at the same moment
            UserDirectories.OfThisProcess().CreateRuntimeDirectoryFor(path);
        }

        if (number is Errno.EEXIST or Errno.EISDIR or Errno.EINTR) return -1;
        if (number != 0)
        {
            // Where nothing may be made, an object under a file that exists can still be.
            return Libc.Status(path, followLink: true, out _) == 0 ? -1
                : throw SystemVErrors.MakeKeyFile(attempt, key, "open", number);
        }

        return made;
    }

    /// <summary>
    /// The mode of a new file. It is locked through a descriptor that reads, and every process that can open it can
    /// keep that lock: so whoever may write the object may read the file. To reach the object ftok(3) needs no right on
    /// the file itself. Nobody writes into it.
    /// </summary>
    public static UnixFileMode ModeOf(KeyFileRules rules)
    {
        UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        if (rules.ObjectMode.HasFlag(UnixFileMode.GroupWrite)) mode |= UnixFileMode.GroupRead;
        if (rules.ObjectMode.HasFlag(UnixFileMode.OtherWrite)) mode |= UnixFileMode.OtherRead;
        return mode;
    }

    /// <summary>Sets mode and group. Returns 0, or the error number.</summary>
    public static int Dress(int file, UnixFileMode mode, uint? group, out FileStatus status)
    {
        status = default;
        if (group is { } gid && Libc.fchown(file, uint.MaxValue, gid) != 0) return Marshal.GetLastPInvokeError();
        int number = Libc.Status(file, out status);
        if (number != 0) return number;

        // The object gets this process's group, and the file in some folders that of the folder: only the object's
        // group is let in.
        bool isOther = group is null && mode.HasFlag(UnixFileMode.GroupRead)
            && !RealIds.Groups.AreSame(status.Gid, Libc.getegid());
        if (isOther && Libc.fchown(file, uint.MaxValue, Libc.getegid()) != 0) mode &= ~UnixFileMode.GroupRead;
        return status.Permissions != (uint)mode && Libc.fchmod(file, (uint)mode) != 0
            ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>Makes the file without a name, locks it and gives it the name; no descriptor when the name is taken.
    /// False where that cannot be done.</summary>
    /// <remarks>
    /// As long as it has no name nobody else can know it, so an object that has its key by then is not its own: the
    /// file gets no name. If that object is left from a deleted file, whose inode number the new one got, another file
    /// is tried while this one keeps the number; if another file has the same key, that is an error which names it.
    /// </remarks>
    private static bool MakeLocked(string attempt, in NativeIpcKey key, string path, UnixFileMode mode,
        KeyFileRules rules, out int descriptor, out FileLock held, out FileStatus status)
    {
        descriptor = -1;
        held = default;
        status = default;
        if (!OperatingSystem.IsLinux() || System.IO.Path.GetDirectoryName(path) is not { Length: > 0 } folder)
            return false;
        Span<int> spares = stackalloc int[MostSpares + 1];
        int spared = 0;
        try
        {
            while (true)
            {
                int made = Libc.open(folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC, (uint)mode);
                if (made == -1) return false; // whatever it was, the plain way comes to it as well
                spares[spared++] = made;
                if (Dress(made, mode, rules.Group, out status) != 0) return false;
                if (IsKeyTaken(attempt, key, path, made, status.Identity, rules.OwnSegment, spared)) continue;
                if (FileLock.Take(made, TimeSpan.Zero, out held) != 0) return false;
                int number = Link(made, path);
                if (number == 0)
                {
                    descriptor = made;
                    spared--;
                    return true;
                }

                held.Dispose();
                held = default;
                return number == Errno.EEXIST;
            }
        }
        finally
        {
            foreach (int spare in spares[..spared]) _ = Libc.close(spare);
        }
    }

    /// <summary>Whether an object that is left from a deleted file has the key of a file that has no name yet. Throws
    /// when another file has the key, or so many were tried.</summary>
    private static bool IsKeyTaken(string attempt, in NativeIpcKey key, string path, int made, FileIdentity identity,
        int? ownSegment, int tried)
    {
        int ipcKey = FileKeys.s_areKnown
            ? FileKeys.Of(identity, (int)key.Type) : Libc.ftok($"/proc/self/fd/{made}", (int)key.Type);
        if (KeyFileTrust.FindStranger(path, ipcKey, ownSegment) is not { } stranger) return false;

        // Only now, since it means looking through folders.
        string? twin = KeyFileTrust.FindTwin(path, (int)key.Type, ipcKey, identity);
        if (tried > MostSpares || twin is not null)
            throw KeyFileTrust.Refuse(attempt, key, ipcKey, identity, stranger, twin);
        NativeIpcEventSource.s_log.KeyFileReplaced(
            $"An object with the System V key 0x{ipcKey:x8} is left from a key file that was deleted "
                + $"(inode {identity.Inode}): the key file {path} is made with another inode.");
        return true;
    }

    private static unsafe int Link(int file, string path)
    {
        scoped Utf8StringMarshaller.ManagedToUnmanagedIn utf8 = default;
        try
        {
            utf8.FromManaged(path, stackalloc byte[Utf8StringMarshaller.ManagedToUnmanagedIn.BufferSize]);
            return UnnamedFile.Link(file, utf8.ToUnmanaged());
        }
        finally
        {
            utf8.Free();
        }
    }
}
