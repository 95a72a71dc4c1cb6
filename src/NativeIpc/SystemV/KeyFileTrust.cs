using System.Text;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>Which key files and folders are safe to use, and what else has the key of one.</summary>
internal static class KeyFileTrust
{
    // A folder of more is not searched to its end: the name is a help, not a proof.
    private const int MostFiles = 100_000;

    /// <summary>Refuses a folder in which every user may replace the files of the others.</summary>
    public static void CheckFolder(string attempt, in NativeIpcKey key, string path)
    {
        // The usual end, without a string
        if (OperatingSystem.IsLinux() && Encoding.UTF8.GetMaxByteCount(path.Length) <= Utf8Path.Longest
            && IsGoodFolder(new Utf8Path(default, path)))
            return;
        string folder = FolderOf(path);
        if (Libc.Status(folder, followLink: true, out FileStatus status) != 0) return; // opening the file says why
        if (IsGood(status)) return;
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "key file check",
            $"every user may replace the files in the folder {folder}: it is writable by all and not sticky",
            $"Use another folder, or set its sticky bit (chmod +t {folder}); or set AllowOtherOwners.", Errno.EACCES);
    }

    /// <summary>As <see cref="CheckFolder"/>, without a word: whether the folder is there and good, and is named by the
    /// path's all but last component.</summary>
    public static unsafe bool IsGoodFolder(Utf8Path path)
    {
        int slash = new Span<byte>(path.Pointer, path.Length).LastIndexOf((byte)'/');
        if (slash <= 0 || slash == path.Length - 1) return false;
        path.Pointer[slash] = 0; // in this method's own copy
        return Libc.Status(path.Pointer, followLink: true, out FileStatus folder) == 0 && IsGood(folder);
    }

    private static bool IsGood(in FileStatus folder)
        => ((UnixFileMode)folder.Permissions & (UnixFileMode.OtherWrite | UnixFileMode.StickyBit))
            != UnixFileMode.OtherWrite;

    /// <summary>Refuses a file, or a link to one, that neither this user nor root owns.</summary>
    public static void CheckOwner(string attempt, in NativeIpcKey key, string path, in FileStatus file)
    {
        _ = Libc.Status(path, followLink: false, out FileStatus link);
        CheckOwner(attempt, key, path, file, link);
    }

    /// <summary>As <see cref="CheckOwner(string, in NativeIpcKey, string, in FileStatus)"/>, when what stands under the
    /// path, not followed, is known already.</summary>
    public static void CheckOwner(string attempt, in NativeIpcKey key, string path, in FileStatus file,
        in FileStatus link)
    {
        uint owner = file.Uid;
        if (RealIds.IsTrusted(owner) && link.IsSymbolicLink) owner = link.Uid;
        if (RealIds.IsTrusted(owner)) return;
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "key file check",
            $"the key file {path} belongs to user {RealIds.Users.Describe(owner)}, and this is user "
                + $"{Libc.geteuid()}: somebody may have planted it",
            RealIds.Users.IsReal(owner)
                ? "Remove it, use a key in a folder of this user's own, or set AllowOtherOwners where users share "
                + "objects." : RealIds.Remedy, Errno.EACCES);
    }

    /// <summary>Which objects have the key of a file that is only just being made, in words; null when there is
    /// none.</summary>
    public static string? FindStranger(string path, int ipcKey, int? ownSegment)
    {
        bool segment = Libc.shmget(ipcKey, 0, 0) is var id && id != -1 && id != ownSegment;
        bool semaphore = Libc.semget(ipcKey, 0, 0) != -1;
        if (!segment && !semaphore) return null;
        // Somebody else has made the file: it is that one's
        if (Libc.Status(path, followLink: false, out _) != Errno.ENOENT) return null;
        return segment ? semaphore ? "a segment and a semaphore have" : "a segment has" : "a semaphore has";
    }

    /// <summary>What to throw for a stranger: it is another file's with the same key, or a deleted file's.</summary>
    public static NativeIpcException Refuse(string attempt, in NativeIpcKey key, int ipcKey, FileIdentity made,
        string stranger, string? twin)
    {
        string whose = twin is not null
            ? $"the key file {twin} has the same key (ftok takes 16 bits of the inode and 8 of the device)"
            : "it is left from a key file that was deleted, or belongs to one in another folder with the same key "
                + "(ftok takes 16 bits of the inode and 8 of the device)";
        return Failure.Found(NativeIpcError.KeyError, attempt, key, "ftok",
            $"there was no key file, and {stranger} the System V key 0x{ipcKey:x8} of a new one (inode {made.Inode}) "
                + $"already: {whose}",
            twin is not null ? "Use another path."
                : OperatingSystem.IsLinux() ? $"Remove the leftover ('nipc rm 0x{ipcKey:x8}'), or use another path."
                : "Remove the leftover (ipcs, ipcrm -M or -S with that key), or use another path.", Errno.EEXIST);
    }

    /// <summary>Another file with the same key, in the folder of a key file or one of the default folders; null when
    /// there is none to be found.</summary>
    public static string? FindTwin(string path, int projectId, int ipcKey, FileIdentity identity)
    {
        UserDirectories directories = UserDirectories.OfThisProcess();
        foreach (string folder in new[] { FolderOf(path), directories.RuntimeDirectory().Path,
            directories.TemporaryDirectory() })
        {
            if (folder.Length == 0) continue;
            int left = MostFiles;

            // A folder that cannot be read names nothing.
            foreach (string other in SystemText.Entries(folder))
            {
                if (left-- == 0) break;
                if (other != path && Libc.ftok(other, projectId) == ipcKey
                    && Libc.Status(other, followLink: true, out FileStatus status) == 0
                    && !status.IsDirectory && status.Identity != identity)
                    return other;
            }
        }

        return null;
    }

    /// <summary>Why a key file may stand without its object: for the message of NotFound.</summary>
    public static string DescribeLone(in FileStatus file, int ipcKey)
        => $"the key file may have been deleted and made anew while the object was in use (now "
            + $"inode {file.Identity.Inode}, System V key 0x{ipcKey:x8})";

    internal static string FolderOf(string path)
        => Path.GetDirectoryName(path.TrimEnd('/')) is { Length: > 0 } folder ? folder : path.StartsWith('/') ? "/"
        : ".";
}
