using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>
/// A key file, held under its <see cref="FileLock"/>: while it is held, no other process of this library makes or
/// removes an object under its keys, or removes the file. What <c>ftok(3)</c> gives depends on the file's device and
/// inode only, so a file that was removed and made again under the same path is another key.
/// </summary>
/// <remarks>A peer that knows nothing of the lock (Qt, C) is not kept out: each caller looks at the path again after it
/// has made or attached its object.</remarks>
internal sealed class KeyFile : IDisposable
{
    /// <summary>Marks a file under which objects of more than one project id may stand.</summary>
    /// <remarks>Nobody else sets this bit on an empty file, its owner may on every file system that keeps modes, and
    /// neither chown nor a write drops it. The sticky bit has a meaning for files already: it keeps systemd-tmpfiles
    /// from removing them, and some systems let only root set it. Attributes are missing on tmpfs before Linux 6.6 and
    /// on many NFS servers.</remarks>
    private const UnixFileMode SharedMark = UnixFileMode.UserExecute;

    private readonly string _attempt;
    private readonly KeyFileRules _rules;
    private readonly KeyFileOrigin _origin;
    private readonly KeyFileWay _way;
    private int _descriptor; // -1 for none
    private FileLock _lock;
    private bool _isBare; // empty, not made by this call, and without an object of this project id

    internal KeyFile(string attempt, in NativeIpcKey key, KeyFileRules rules, int descriptor, FileLock held,
        in FileStatus status, KeyFileOrigin origin, KeyFileWay way)
    {
        _attempt = attempt;
        _rules = rules;
        _origin = origin;
        _way = way;
        _descriptor = descriptor;
        _lock = held;
        Key = key;
        Status = status;
    }

    public NativeIpcKey Key { get; }

    /// <summary>The file as it was when it was locked.</summary>
    public FileStatus Status { get; }

    /// <summary>Whether it could be locked.</summary>
    public bool IsLocked => _lock.IsHeld;

    /// <summary>Whether this call made it.</summary>
    public bool IsNew => _origin == KeyFileOrigin.Made;

    /// <summary>Whether it looks as Qt and this library make key files.</summary>
    public bool IsTypical => Status is { IsRegularFile: true, Size: 0 };

    /// <summary>Opens and locks the key file.</summary>
    /// <returns>Null when it is missing and was not to be made.</returns>
    public static KeyFile? Open(string attempt, in NativeIpcKey key, KeyFileRules rules)
        => new KeyFileOpening(attempt, key, rules).Run();

    internal static string Path(in NativeIpcKey key) => NameText.ForThisSystem(key.NativeKey);

    /// <summary>The System V key of the file.</summary>
    public int Ftok()
    {
        if (FileKeys.s_areKnown) return FileKeys.Of(Status.Identity, (int)Key.Type);
        int result = Libc.ftok(Path(Key), (int)Key.Type);
        int number = Marshal.GetLastPInvokeError();
        // -1 is a failure only with an error number: it is also the key of some file.
        return result != -1 || number == 0 ? result : throw SystemVErrors.KeyFile(_attempt, Key, "ftok", number);
    }

    /// <summary>
    /// Whether a peer may be about to make an object under the file: one that knows no file lock makes the file and the
    /// object in two calls. Only an empty file younger than <paramref name="bound"/> without any object is such a case,
    /// so nobody waits for a file that was there all along.
    /// </summary>
    public bool MayBeInTheMaking(int systemVKey, TimeSpan bound)
    {
        if (IsNew || !IsTypical) return false;
        bool? hasObject = FileKeys.HasObject(systemVKey, out _);
        if (hasObject == true) return false;
        _isBare = true; // perhaps: a mark that nobody needs costs a search
        if (hasObject is null) return false;
        if (bound < TimeSpan.Zero) return true;
        if (Libc.clock_gettime(Flags.CLOCK_REALTIME, out Timespec now) != 0) return false;
        // The one clock that file times are on. Of an unknown age: the caller waits no longer than for a young file.
        if (!TryGetTimeOfWriting(out long written)) return true;
        long age = (now.tv_sec * TimeSpan.TicksPerSecond) + (now.tv_nsec / 100) - written;
        return age < bound.Ticks && age > -bound.Ticks;
    }

    // In ticks since 1970. On Linux by a system call: SystemText says why.
    private bool TryGetTimeOfWriting(out long written)
    {
        if (OperatingSystem.IsLinux()) return Libc.WrittenAt(Path(Key), out written) == 0;
        written = 0;
        try
        {
            written = (File.GetLastWriteTimeUtc(Path(Key)) - DateTime.UnixEpoch).Ticks;
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Whether objects of more than one project id may stand under the file, as far as this library has made
    /// them.</summary>
    public bool IsMarked => IsMarkedAt(Status);

    private static bool IsMarkedAt(in FileStatus file) => ((UnixFileMode)file.Permissions & SharedMark) != 0;

    /// <summary>
    /// Before an object is made: marks a file that was there and has no object of this project id, since objects of
    /// another one may stand under it. So before a marked file is removed, all ids are searched, and for others one. A
    /// process that is not the file's owner cannot mark it, nor remove it.
    /// </summary>
    /// <remarks>
    /// R2 Race: objects of two project ids are made at once under one new file.
    /// Safe because: its maker has the lock first, and makes the first object; the second one finds a file without an
    /// object of its id and marks it before it makes its own. Without locks only one call makes the file, and it does
    /// not mark it.
    /// R3 Race: a process dies between marking and making.
    /// Safe because: a mark without an object costs a search when the file goes, and nothing else.
    /// </remarks>
    public void MarkIfBare()
    {
        // What a link leads to is never removed, and is not this library's to change.
        if (!_isBare || IsMarked || _way == KeyFileWay.Link || _descriptor == -1) return;
        Debug.Assert(_rules.Makes, "A file is marked for an object that is about to be made.");
        uint user = Libc.geteuid();
        if (user != Status.Uid && user != 0) return;
        if (Libc.fchmod(_descriptor, Status.Permissions | (uint)SharedMark) == 0) return;
        NativeIpcEventSource.s_log.KeyFileLimit(
            $"The key file {Path(Key)} cannot be marked as one of several project ids "
            + $"(fchmod, error {Marshal.GetLastPInvokeError()}): the last object of one id removes it under the "
            + "others.");
    }

    /// <summary>Whether an object stands under a file: of the key's project id, or of another one, as far as this
    /// library has made it, since only a marked file can have those.</summary>
    /// <exception cref="NativeIpcException">The system does not say: unknown is not unused.</exception>
    private static bool IsUsed(string attempt, in NativeIpcKey key, string path, in FileStatus file)
    {
        int own = (int)key.Type & 0xFF;
        if (IsUsed(attempt, key, path, file, own)) return true;
        if (!IsMarkedAt(file)) return false;
        for (int project = 1; project <= 255; project++)
        {
            if (project != own && IsUsed(attempt, key, path, file, project)) return true;
        }

        return false;
    }

    private static bool IsUsed(string attempt, in NativeIpcKey key, string path, in FileStatus file, int project)
        => FileKeys.HasObject(file.Identity, path, project, out (string Call, int Number) refused)
            ?? throw (refused.Call switch
            {
                "shmget" => SystemVErrors.UseSegment(attempt, key, refused.Call, refused.Number),
                "semget" => SystemVErrors.GetSemaphore(attempt, key, refused.Number),
                _ => SystemVErrors.KeyFile(attempt, key, refused.Call, refused.Number),
            });

    /// <summary>Removes a file that could not be locked or dressed, after a failure which the caller is to hear, if no
    /// object stands under it.</summary>
    internal static void TakeBackNew(string attempt, in NativeIpcKey key, string path, in FileStatus file)
    {
        try
        {
            if (!IsUsed(attempt, key, path, file)) _ = Libc.unlink(path);
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    /// <summary>Gives a file that was made in the plain way its mode and group, and keeps a mark that another process
    /// has set before. Returns 0, or the error number.</summary>
    internal int DressNew()
    {
        Debug.Assert(IsNew, "The mode of a file that others made is theirs.");
        UnixFileMode mark = (UnixFileMode)Status.Permissions & SharedMark;
        return NewKeyFile.Dress(_descriptor, NewKeyFile.ModeOf(_rules) | mark, _rules.Group, out _);
    }

    /// <summary>Whether the path still leads to this file; refuses a link of another user on the way.</summary>
    public bool IsStillThere
    {
        get
        {
            // One look, unless a link stands there.
            string path = Path(Key);
            if (Libc.Status(path, followLink: false, out FileStatus now) != 0) return false;
            if (!now.IsSymbolicLink) return now.Identity == Status.Identity;
            if (!_rules.AllowOtherOwners) KeyFileTrust.CheckOwner(_attempt, Key, path, Status, now);
            return Libc.Status(path, followLink: true, out now) == 0 && now.Identity == Status.Identity;
        }
    }

    /// <summary>Whether an object that was just made under the file can be found by its path.</summary>
    /// <remarks>
    /// R1 Race: a peer that knows no lock (Qt) removes or replaces the file before the object is made under it.
    /// Safe because: this looks again. A new file got the path while it was locked, and in a known one the object
    /// belongs beside the others, wherever it was moved: for those its name is enough. Another file may have been
    /// waited for, and its path is looked at.
    /// </remarks>
    public bool HasPath => _origin == KeyFileOrigin.Found ? IsStillThere : HasItsName;

    /// <summary>
    /// Whether the file was not removed or replaced since it was opened, in one look that needs no path. One that was
    /// moved away has its name still: what is found under it is what was under the path when it was opened. (Some FUSE
    /// file systems keep the name of a removed file that is open: there a peer's removal in between goes unnoticed.)
    /// </summary>
    public bool HasItsName => (_way == KeyFileWay.Direct && _descriptor != -1
        && Libc.Status(_descriptor, out FileStatus now) == 0 && IsNamedOnce(now)) || IsStillThere;

    internal static bool IsNamedOnce(in FileStatus status) => status is { Links: 1, IsDirectory: false };

    /// <summary>
    /// Removes the file if it is an empty regular file of this user, reached without a link, and nothing stands under
    /// its key any more; if it is marked, under any of its keys.
    /// </summary>
    /// <returns>Whether the path leads to it no more.</returns>
    /// <remarks>
    /// R4 Race: the last object of one project id goes while the first one of another id is made.
    /// Safe because: the file lock puts the two in order, and the mark is read under it. A peer that knows neither lock
    /// nor mark is not seen.
    /// </remarks>
    public bool RemoveIfUnused()
    {
        Debug.Assert(_rules.Purpose != KeyFilePurpose.Find, "A shared lock keeps nobody from making objects.");
        const string attempt = "remove the key file of";
        string path = Path(Key);
        int error = Libc.Status(path, followLink: false, out FileStatus now);
        if (error == Errno.ENOENT) return true;

        // Unknown is not gone.
        if (error != 0) throw SystemVErrors.RemoveKeyFile(attempt, Key, "statx", error);
        if (now.Identity != Status.Identity) return true;
        if (!now.IsRegularFile || now.Size != 0 || !IsOwn(now) || IsUsed(attempt, Key, path, now)) return false;
        if (Libc.unlink(path) != 0 && Marshal.GetLastPInvokeError() is var number && number != Errno.ENOENT)
            throw SystemVErrors.RemoveKeyFile(attempt, Key, "unlink", number);
        return true;
    }

    /// <summary>Whether the file is this user's; where the numbers do not tell (<see cref="RealIds"/>), the kernel
    /// does.</summary>
    private bool IsOwn(in FileStatus file)
        => RealIds.IsThisUser(file.Uid)
            || (!RealIds.Users.IsReal(file.Uid) && RealIds.MayBeThisUser(file.Uid) && _descriptor != -1
            && Libc.IsOwner(_descriptor));

    /// <summary>Removes the file after a failure, which the caller is to hear: another one goes to the log.</summary>
    /// <returns>Whether the path leads to it no more.</returns>
    public bool TakeBack()
    {
        try
        {
            return RemoveIfUnused();
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
            return false;
        }
    }

    // What is not removed with its objects is not this library's to change either.
    private bool TakesRecords => _way == KeyFileWay.Direct && _descriptor != -1 && IsTypical
        && (IsNew || IsOwn(Status));

    /// <summary>Records that this process has to remove an object that it has just made under the file
    /// (<see cref="RemovalRecord"/>).</summary>
    public void Record(IpcObjectKind kind, int id)
    {
        Debug.Assert(_rules.Makes, "What is recorded was made under the exclusive lock.");
        if (TakesRecords) RemovalRecord.Write(_descriptor, kind, (int)Key.Type, id);
    }

    /// <summary>Takes away what is recorded: the object is to be kept.</summary>
    public void EraseRecord(IpcObjectKind kind)
    {
        if (!IsNew && TakesRecords) RemovalRecord.Erase(_descriptor, kind, (int)Key.Type);
    }

    public void Dispose()
    {
        _lock.Dispose();
        _lock = default;
        if (_descriptor != -1) _ = Libc.close(_descriptor);
        _descriptor = -1;
    }
}
