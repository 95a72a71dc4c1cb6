using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>
/// A key file, held under its <see cref="FileLock"/>: while it is held, no process of ours makes or removes an object
/// under its keys, or removes the file. What <c>ftok(3)</c> gives depends on the file's device and inode only, so a
/// file that was removed and made again under the same path is another key.
/// </summary>
/// <remarks>
/// Interleavings considered. (1) The file is removed, or another one put in its place, between opening and locking it:
/// it has no name then, and the turn starts again. One that was moved away keeps a name: the users below notice. (2)
/// Two processes make it: the link (or O_EXCL) lets one be the maker, both go on with the same file. (3) A peer (Qt)
/// removes the file while we hold it, since it knows nothing of our lock: each user checks <see cref="IsStillThere"/>
/// after it has made or attached its object. (4) A file that this user may not open for reading, or for which no
/// descriptor is left when a process cleans up, cannot be locked, nor can one on a file system without such locks: then
/// only those checks protect, as against a peer. Key files of ours can be opened by those who may write the object; who
/// may only read it removes nothing, and looks once more (<see cref="SystemVSegments"/>,
/// <see cref="SystemVSemaphores"/>). (5) Objects of two project ids are made at once under one new file: the lock lets
/// its maker come first, whose object is the first; who comes second finds a file without an object of his id, and
/// marks it (<see cref="MarkIfBare"/>) before he makes his. Without locks the same holds, since only one call makes the
/// file, and it does not mark. (6) One dies between marking and making: the mark costs a search when the file goes. (7)
/// The last object of one id goes while the first one of another id is made: the file lock puts them in order; the mark
/// is read under it. A peer that knows neither lock nor mark is not seen.
/// </remarks>
internal sealed partial class KeyFile : IDisposable
{
    // Lost races before a bound that has passed counts.
    private const int FewestRounds = 100;

    // S_IXUSR. Nobody sets it on an empty file, its owner may on every file system that keeps modes, and neither chown
    // nor a write drops it. The sticky bit has a meaning for files already: it keeps
    // systemd-tmpfiles from removing them, and some systems let only root set it. Attributes are missing on tmpfs
    // before Linux 6.6 and on many NFS servers.
    private const uint SharedMark = 0x40;

    private int _descriptor; // -1 for none
    private readonly string _attempt;
    private readonly bool _trustsOthers;
    private readonly bool _isLink;
    private readonly bool _isKnown;
    private FileLock _lock;
    private bool _isBare; // empty, not made by this call, and without an object of this project id

    /// <summary>How a call uses key files.</summary>
    /// <param name="ObjectMode">The mode of the object that is made under a new file.</param>
    /// <param name="Bound">How long other holders of the lock are waited for.</param>
    /// <param name="TrustsOthers">Whether files of other users, and folders that anybody may change, are accepted. So
    /// they are for removing.</param>
    /// <param name="Group">The group of a new file; null leaves it.</param>
    /// <param name="OwnSegment">The segment that a lock is for: a file made anew may get the number, and so the key,
    /// that it had before.</param>
    /// <param name="ExpectsNone">Whether there usually is no file: then making one is tried before opening one.</param>
    /// <param name="IsShared">Whether the lock is taken shared, by who makes and removes nothing: such do not keep each
    /// other waiting.</param>
    /// <param name="Known">A file that is in use already: if the path leads there, its folder is not looked at
    /// again.</param>
    internal readonly record struct Rules(UnixFileMode ObjectMode, PeerBound Bound, bool TrustsOthers, uint? Group,
        int OwnSegment = -1, FileIdentity? Known = null, bool ExpectsNone = false, bool IsShared = false)
    {
        internal static Rules Of(SharedMemoryOptions options)
            => new(options.Mode, options.PeerTimeout, options.AllowOtherOwners, GroupOf(options.Group));

        internal static Rules Of(SystemSemaphoreOptions options)
            => new(options.Mode, options.PeerTimeout, options.AllowOtherOwners, GroupOf(options.Group));

        /// <summary>For a call that makes nothing.</summary>
        internal static Rules Opening(in PeerBound bound, bool trustsOthers)
            => new(default, bound, trustsOthers, null, IsShared: true);

        internal static Rules Removing(in PeerBound bound) => new(default, bound, TrustsOthers: true, null);

        private static uint? GroupOf(string? group) => group is null ? null : UserGroups.Resolve(group);
    }

    private KeyFile(string attempt, in NativeIpcKey key, int descriptor, FileLock held, in FileStatus status,
        bool isNew, bool trustsOthers, bool isLink = false, bool isKnown = false)
    {
        _isLink = isLink;
        _isKnown = isKnown;
        _attempt = attempt;
        _trustsOthers = trustsOthers;
        Key = key;
        _descriptor = descriptor;
        _lock = held;
        Status = status;
        IsNew = isNew;
    }

    public NativeIpcKey Key { get; }

    /// <summary>The file as it was when it was locked.</summary>
    public FileStatus Status { get; }

    /// <summary>Whether it could be locked.</summary>
    public bool IsLocked => _lock.IsHeld;

    /// <summary>Whether this call made it.</summary>
    public bool IsNew { get; }

    /// <summary>Opens and locks the key file; with <paramref name="create"/>, makes it when it is missing; with
    /// <paramref name="cleansUp"/>, goes on without the lock when no descriptor is left.</summary>
    /// <returns>Null when it is missing and was not to be made.</returns>
    public static KeyFile? Open(string attempt, in NativeIpcKey key, bool create, in Rules rules, bool cleansUp = false)
    {
        string path = Path(key);
        if (!rules.TrustsOthers && rules.Known is null) KeyFileTrust.CheckFolder(attempt, key, path);
        var backoff = new Backoff(rules.Bound);
        for (int round = 0; ; round++)
        {
            FileLock held = default;
            FileStatus status;
            int flags = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NONBLOCK;
            bool opens = round > 0 || !rules.ExpectsNone;
            int descriptor = opens ? Libc.open(path, flags | Flags.O_NOFOLLOW, 0) : -1;
            int failure = !opens ? Errno.ENOENT : descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
            bool isLink = failure == Errno.ELOOP;
            if (isLink)
            {
                descriptor = Libc.open(path, flags, 0);
                failure = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
            }

            if (failure is Errno.ENOENT or Errno.ENOTDIR)
            {
                if (create && !rules.TrustsOthers && rules.Known is not null)
                    KeyFileTrust.CheckFolder(attempt, key, path);
                if (create && NewKeyFile.Make(attempt, key, path, rules, out held, out status) is var made
                    && made != -1)
                {
                    if (held.IsHeld)
                        return new KeyFile(attempt, key, made, held, status, isNew: true, rules.TrustsOthers);
                    if (LockNew(attempt, key, path, rules, made) is { } locked) return locked;
                }
                else
                {
                    if (!opens) continue; // there is one
                    if (Libc.Status(path, followLink: false, out FileStatus link) == 0 && link.IsSymbolicLink
                        && Libc.Status(path, followLink: true, out _) == failure)
                    {
                        throw Failure.Found(NativeIpcError.KeyError, attempt, key, "open",
                            $"the key file {path} is a symbolic link that leads nowhere",
                            "Remove the link, make what it should lead to, or use another path.", failure);
                    }

                    if (!create) return null;
                    if (round >= FewestRounds && backoff.IsOver)
                        throw SystemVErrors.KeyFile(attempt, key, "open", failure);
                    continue; // somebody else has made it between two calls
                }
            }
            else if (failure == 0)
            {
                if (Lock(attempt, key, path, rules, descriptor, isLink, isNew: false) is { } locked) return locked;
            }
            else if (failure == Errno.EINTR)
            {
                continue;
            }
            else if (failure == Errno.EAGAIN)
            {
                if (backoff.Pause()) continue;
                throw Failure.Of(NativeIpcError.LockError, attempt, key, "open", failure,
                    $"Another process keeps a lease on the key file {path} (fcntl, F_SETLEASE). "
                    + $"End that process (fuser {path} names it), or use another path.");
            }
            else if (failure is Errno.EACCES or Errno.ENXIO || (cleansUp && failure is Errno.EMFILE or Errno.ENFILE))
            {
                // Cannot be locked; ftok needs no more than to reach it.
                failure = Libc.Status(path, followLink: true, out FileStatus seen);
                if (failure == Errno.ENOENT && backoff.Pause()) continue; // removed since: it may be made anew
                if (failure != 0) throw SystemVErrors.KeyFile(attempt, key, "open", failure);
                if (!rules.TrustsOthers) KeyFileTrust.CheckOwner(attempt, key, path, seen);
                return new KeyFile(attempt, key, -1, default, seen, isNew: false, rules.TrustsOthers);
            }
            else
            {
                throw SystemVErrors.KeyFile(attempt, key, "open", failure);
            }

            if (!backoff.Pause() && round >= FewestRounds)
                throw Failure.Found(NativeIpcError.LockError, attempt, key, "open",
                    $"other processes keep removing the key file {path}", "Try again.");
        }
    }

    /// <summary>As <see cref="Lock"/>, of a file that this call has made in the plain way. Nothing of it is left when
    /// that fails.</summary>
    private static KeyFile? LockNew(string attempt, in NativeIpcKey key, string path, in Rules rules, int made)
    {
        FileIdentity? identity = Libc.Status(made, out FileStatus status) == 0 ? status.Identity : null;
        KeyFile? file = null;
        bool isGood = false;
        try
        {
            file = Lock(attempt, key, path, rules, made, isLink: false, isNew: true);

            // Under the lock, and with the mark that another process may have set before.
            uint mode = NewKeyFile.ModeOf(rules) | ((file?.Status.Permissions ?? 0) & SharedMark);
            int number = file is null ? 0 : NewKeyFile.Dress(file._descriptor, mode, rules.Group, out _);
            isGood = number == 0;
            return isGood ? file : throw SystemVErrors.GiveKeyFile(attempt, key, number);
        }
        finally
        {
            if (!isGood)
            {
                // Whoever of ours has it open sees that it has gone, and starts again. Another one may have had the
                // lock before, and made an object of any id.
                bool isThere = Libc.Status(path, followLink: false, out FileStatus now) == 0
                    && now.Identity == identity;
                bool isUsed = FileKeys.HasObject(now.Identity, path, (int)key.Type)
                    || HasOthers(now, path, (int)key.Type);
                if (isThere && !isUsed) _ = Libc.unlink(path);
                file?.Dispose();
            }
        }
    }

    /// <summary>Takes the lock. NFSv4 gives it only to a descriptor that is open for writing (EBADF): then the file is
    /// opened anew, if that is allowed. Where there are no locks, it is not held.</summary>
    /// <returns>0, or the error number.</returns>
    private static int TakeLock(string path, bool isLink, in Rules rules, ref int descriptor, out FileLock held)
    {
        int error = FileLock.Take(descriptor, rules.Bound, out held, rules.IsShared);
        if (error != Errno.EBADF) return error;
        int flags = Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NONBLOCK | (isLink ? 0 : Flags.O_NOFOLLOW);
        int writing = Libc.open(path, flags, 0);
        if (writing != -1 && Libc.Status(writing, out FileStatus opened) == 0
            && Libc.Status(descriptor, out FileStatus status) == 0 && opened.Identity == status.Identity)
        {
            (descriptor, writing) = (writing, descriptor);
            error = FileLock.Take(descriptor, rules.Bound, out held, rules.IsShared);
        }

        if (writing != -1) _ = Libc.close(writing);
        if (error != Errno.EBADF) return error;
        FileLock.SayThatThereAreNone(error);
        return 0;
    }

    /// <summary>Locks an open key file, if the path still leads there when it is locked; otherwise null. Takes over the
    /// descriptor.</summary>
    private static KeyFile? Lock(string attempt, in NativeIpcKey key, string path, in Rules rules, int descriptor,
        bool isLink, bool isNew)
    {
        KeyFile? locked = null;
        FileLock held = default;
        try
        {
            int error = TakeLock(path, isLink, rules, ref descriptor, out held);
            if (error == Errno.EAGAIN)
            {
                throw Failure.Of(NativeIpcError.LockError, attempt, key, "flock", error,
                    $"Another process holds a lock on the key file {path}: it is making or removing the object, or "
                        + $"has stopped in the middle. Try again.");
            }

            if (error != 0) throw SystemVErrors.Unknown(attempt, key, "flock", error);
            error = Libc.Status(descriptor, out FileStatus status);
            if (error != 0) throw SystemVErrors.Unknown(attempt, key, "statx", error);

            bool isKnown = status.Identity == rules.Known;
            if (!rules.TrustsOthers && rules.Known is not null && !isKnown)
                KeyFileTrust.CheckFolder(attempt, key, path);
            if (!rules.TrustsOthers && !isNew && !isKnown) KeyFileTrust.CheckOwner(attempt, key, path, status, default);
            var file = new KeyFile(attempt, key, descriptor, held, status, isNew, rules.TrustsOthers, isLink, isKnown);

            // The status tells that a file with one name has not lost it. A link may lead elsewhere meanwhile, and is
            // looked at.
            if ((!isLink && IsNamedOnce(status)) || file.IsStillThere) locked = file;
            return locked;
        }
        finally
        {
            if (locked is null)
            {
                held.Dispose();
                _ = Libc.close(descriptor);
            }
        }
    }

    internal static string Path(in NativeIpcKey key) => NameText.ForThisSystem(key.NativeKey);

    /// <summary>
    /// Whether a peer may be about to make an object under the file: one that knows no file lock makes the file and the
    /// object in two calls. Only an empty file younger than <paramref name="bound"/> without any object is such a case,
    /// so nobody waits for a file that was there all along.
    /// </summary>
    public bool MayBeInTheMaking(int systemVKey, TimeSpan bound)
    {
        if (IsNew || !Status.IsRegularFile || Status.Size != 0 || Libc.shmget(systemVKey, 0, 0) != -1
            || Libc.semget(systemVKey, 0, 0) != -1)
            return false;
        _isBare = true;
        if (bound < TimeSpan.Zero) return true;
        if (Libc.clock_gettime(Flags.CLOCK_REALTIME, out Timespec now) != 0) return false;
        try
        {
            // The one clock that file times are on.
            TimeSpan age = DateTime.UnixEpoch.AddSeconds(now.tv_sec) - File.GetLastWriteTimeUtc(Path(Key));
            return age < bound && age > -bound;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return true; // not told is not old: who asks waits no longer than for a young one
        }
    }

    /// <summary>Whether objects of more than one project id may stand under the file, as far as ours have made
    /// them.</summary>
    public bool IsMarked => (Status.Permissions & SharedMark) != 0;

    /// <summary>
    /// Before an object is made: marks a file that was there and has no object of this project id, since objects of
    /// another one may stand under it. So before a marked file is removed, all ids are
    /// searched, and others are not. Who is not the file's owner cannot mark it, nor remove it.
    /// </summary>
    public void MarkIfBare()
    {
        // What a link leads to is never removed, and is not ours to change.
        if (!_isBare || IsMarked || _isLink || _descriptor == -1) return;
        uint user = Libc.geteuid();
        if (user != Status.Uid && user != 0) return;
        if (Libc.fchmod(_descriptor, Status.Permissions | SharedMark) == 0) return;
        NativeIpcEventSource.s_log.KeyFileLimit(
            $"The key file {Path(Key)} cannot be marked as one of several project ids "
            + $"(fchmod, error {Marshal.GetLastPInvokeError()}): the last object of one id removes it under the others.");
    }

    /// <summary>Whether an object of another project id stands under a file, as far as ours have made them: only a
    /// marked file can have one.</summary>
    private static bool HasOthers(in FileStatus file, string path, int projectId)
    {
        if ((file.Permissions & SharedMark) == 0) return false;
        for (int project = 1; project <= 255; project++)
        {
            if (project != (projectId & 0xFF) && FileKeys.HasObject(file.Identity, path, project)) return true;
        }

        return false;
    }

    /// <summary>The System V key of the file.</summary>
    public int Ftok(string attempt)
    {
        if (FileKeys.s_areKnown) return FileKeys.Of(Status.Identity, (int)Key.Type);
        int result = Libc.ftok(Path(Key), (int)Key.Type);
        int number = Marshal.GetLastPInvokeError();
        // -1 is a failure only with an error number: it is also the key of some file.
        return result != -1 || number == 0 ? result : throw SystemVErrors.KeyFile(attempt, Key, "ftok", number);
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
            if (!_trustsOthers) KeyFileTrust.CheckOwner(_attempt, Key, path, Status, now);
            return Libc.Status(path, followLink: true, out now) == 0 && now.Identity == Status.Identity;
        }
    }

    /// <summary>
    /// Whether an object that was just made under the file can be found by its path. A new file got the path while it
    /// was locked already; in one that is in use the object belongs beside the others, wherever it was moved; another
    /// one may have been waited for.
    /// </summary>
    public bool HasPath => IsNew || _isKnown ? HasItsName : IsStillThere;

    /// <summary>
    /// Whether the file was not removed or replaced since it was opened, in one look that needs no path. One that was
    /// moved away has its name still: what is found under it is what was under the path when it was opened. (Some FUSE
    /// file systems keep the name of a removed file that is open: there a peer's removal in between goes unnoticed.)
    /// </summary>
    public bool HasItsName => (!_isLink && _descriptor != -1 && Libc.Status(_descriptor, out FileStatus now) == 0
        && IsNamedOnce(now)) || IsStillThere;

    private static bool IsNamedOnce(in FileStatus status) => status is { Links: 1, IsDirectory: false };

    /// <summary>
    /// Removes the file if it is an empty regular file of this user, reached without a link, and nothing stands under
    /// its key any more; if it is marked, under any of its keys.
    /// </summary>
    public void RemoveIfOurs(int systemVKey)
    {
        string path = Path(Key);
        int error = Libc.Status(path, followLink: false, out FileStatus now);
        if (error == Errno.ENOENT) return;

        // Not told is not gone.
        if (error != 0) throw SystemVErrors.RemoveKeyFile("remove the key file of", Key, "statx", error);
        if (now.Identity != Status.Identity) return;
        if (!now.IsRegularFile || now.Size != 0 || !IsOwn(now)) return;
        if (Libc.shmget(systemVKey, 0, 0) != -1 || Libc.semget(systemVKey, 0, 0) != -1) return;
        if (HasOthers(now, path, (int)Key.Type)) return;
        if (Libc.unlink(path) != 0 && Marshal.GetLastPInvokeError() is var number && number != Errno.ENOENT)
            throw SystemVErrors.RemoveKeyFile("remove the key file of", Key, "unlink", number);
    }

    /// <summary>Whether the file is this user's; where the numbers do not tell (<see cref="RealIds"/>), the kernel
    /// does.</summary>
    private bool IsOwn(in FileStatus file)
        => RealIds.IsThisUser(file.Uid)
            || (!RealIds.Users.IsReal(file.Uid) && RealIds.MayBeThisUser(file.Uid) && _descriptor != -1
            && Libc.IsOwner(_descriptor));

    /// <summary>Removes the file after a failure, which the caller is to hear: another one goes to the log.</summary>
    public void TakeBack(int systemVKey)
    {
        try
        {
            RemoveIfOurs(systemVKey);
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    public void Dispose()
    {
        _lock.Dispose();
        _lock = default;
        if (_descriptor != -1) _ = Libc.close(_descriptor);
        _descriptor = -1;
    }
}
