using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>How a path led to a key file.</summary>
internal enum KeyFileWay
{
    Direct,
    Link,
}

/// <summary>Where an open key file comes from.</summary>
internal enum KeyFileOrigin
{
    /// <summary>It was there.</summary>
    Found,

    /// <summary>It was there, and is the one that the caller knows (<see cref="KeyFileRules.Known"/>).</summary>
    Known,

    /// <summary>This call made it.</summary>
    Made,
}

/// <summary>Opens, makes and locks one key file: round after round, until the path leads to the locked file.</summary>
internal ref struct KeyFileOpening
{
    // Lost races before a bound that has passed counts.
    private const int FewestRounds = 100;

    private static readonly int s_flags = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NONBLOCK;

    private readonly string _attempt;
    private readonly NativeIpcKey _key;
    private readonly string _path;
    private readonly KeyFileRules _rules;
    private Backoff _backoff;
    private int _round;

    internal KeyFileOpening(string attempt, in NativeIpcKey key, KeyFileRules rules)
    {
        _attempt = attempt;
        _key = key;
        _path = KeyFile.Path(key);
        _rules = rules;
        _backoff = new Backoff(rules.Bound);
    }

    /// <returns>Null when the file is missing and was not to be made.</returns>
    internal KeyFile? Run()
    {
        if (!_rules.AllowOtherOwners && _rules.Known is null) KeyFileTrust.CheckFolder(_attempt, _key, _path);
        KeyFile? file;
        while (!TryRound(out file)) _round++;
        return file;
    }

    /// <summary>One round; false asks for another one.</summary>
    private bool TryRound(out KeyFile? file)
    {
        if (_round == 0 && _rules.Purpose == KeyFilePurpose.MakeNew)
            return TryMake(out file) && (file is not null || LoseRace());
        file = null;
        int descriptor = OpenOnce(out int failure, out KeyFileWay way);
        switch (failure)
        {
            case 0:
                file = Lock(descriptor, way, KeyFileOrigin.Found);
                return file is not null || LoseRace();
            case Errno.ENOENT or Errno.ENOTDIR:
                return TryWithoutFile(failure, out file);
            case Errno.EACCES or Errno.ENXIO:
            case Errno.EMFILE or Errno.ENFILE when _rules.Purpose == KeyFilePurpose.CleanUp:
                return TryWithoutLock(out file);
            case Errno.EINTR:
                return false;
        }

        if (failure != Errno.EAGAIN) throw SystemVErrors.KeyFile(_attempt, _key, "open", failure);
        if (_backoff.Pause()) return false;
        throw Failure.Of(NativeIpcError.LockError, _attempt, _key, "open", failure,
            $"Another process keeps a lease on the key file {_path} (fcntl, F_SETLEASE). "
            + $"End that process (fuser {_path} names it), or use another path.");
    }

    private readonly int OpenOnce(out int failure, out KeyFileWay way)
    {
        way = KeyFileWay.Direct;
        int descriptor = Libc.open(_path, s_flags | Flags.O_NOFOLLOW, 0);
        failure = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (failure != Errno.ELOOP) return descriptor;
        way = KeyFileWay.Link;
        descriptor = Libc.open(_path, s_flags, 0);
        failure = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
        return descriptor;
    }

    /// <summary>Another process has removed the file before it was locked. False: another round.</summary>
    private bool LoseRace()
    {
        if (_backoff.Pause() || _round < FewestRounds) return false;
        throw Failure.Found(NativeIpcError.LockError, _attempt, _key, "open",
            $"other processes keep removing the key file {_path}", "Try again.");
    }

    /// <summary>The path leads to no file.</summary>
    private bool TryWithoutFile(int failure, out KeyFile? file)
    {
        file = null;
        if (_rules.Makes && TryMake(out file)) return file is not null || LoseRace();
        if (Libc.Status(_path, followLink: false, out FileStatus link) == 0 && link.IsSymbolicLink
            && Libc.Status(_path, followLink: true, out _) == failure)
        {
            throw Failure.Found(NativeIpcError.KeyError, _attempt, _key, "open",
                $"the key file {_path} is a symbolic link that leads nowhere",
                "Remove the link, make what it should lead to, or use another path.", failure);
        }

        if (!_rules.Makes) return true;
        if (_round >= FewestRounds && _backoff.IsOver) throw SystemVErrors.KeyFile(_attempt, _key, "open", failure);
        return false;
    }

    /// <summary>The file cannot be locked; ftok(3) needs no more than to reach it.</summary>
    /// <remarks>R3 Race: another process removes the file, or makes or removes an object, meanwhile.
    /// Safe because: the caller looks at the path again (<see cref="KeyFile.HasPath"/>), as against a peer. A key file
    /// of this library opens for whoever may write the object; the others make and remove nothing under it.</remarks>
    private bool TryWithoutLock(out KeyFile? file)
    {
        file = null;
        int failure = Libc.Status(_path, followLink: true, out FileStatus seen);
        if (failure == Errno.ENOENT && _backoff.Pause()) return false; // removed since: it may be made anew
        if (failure != 0) throw SystemVErrors.KeyFile(_attempt, _key, "open", failure);
        if (!_rules.AllowOtherOwners) KeyFileTrust.CheckOwner(_attempt, _key, _path, seen);
        file = new KeyFile(_attempt, _key, _rules, -1, default, seen, KeyFileOrigin.Found, KeyFileWay.Direct);
        return true;
    }

    /// <summary>Makes the file; false when there is one. Without a file in the end, another process has removed it
    /// before it was locked.</summary>
    private readonly bool TryMake(out KeyFile? file)
    {
        file = null;
        if (!_rules.AllowOtherOwners && _rules.Known is not null) KeyFileTrust.CheckFolder(_attempt, _key, _path);
        int made = NewKeyFile.Make(_attempt, _key, _path, _rules, out FileLock held, out FileStatus status);
        if (made == -1) return false;
        file = held.IsHeld ? new KeyFile(_attempt, _key, _rules, made, held, status, KeyFileOrigin.Made,
            KeyFileWay.Direct) : LockNew(made);
        return true;
    }

    /// <summary>Locks a file that was made in the plain way. Nothing of it is left when that fails.</summary>
    private readonly KeyFile? LockNew(int made)
    {
        FileIdentity? identity = Libc.Status(made, out FileStatus status) == 0 ? status.Identity : null;
        KeyFile? file = null;
        bool isGood = false;
        try
        {
            file = Lock(made, KeyFileWay.Direct, KeyFileOrigin.Made);
            int number = file is null ? 0 : file.DressNew();
            isGood = number == 0;
            return isGood ? file : throw SystemVErrors.GiveKeyFile(_attempt, _key, number);
        }
        finally
        {
            if (!isGood)
            {
                // R2 Race: another process had the lock first, and has made an object of any project id.
                // Safe because: a file with an object stays. A process that has it open and waits for the lock finds
                // that the name has gone, and begins again.
                if (Libc.Status(_path, followLink: false, out FileStatus now) == 0 && now.Identity == identity)
                    KeyFile.TakeBackNew(_attempt, _key, _path, now);
                file?.Dispose();
            }
        }
    }

    /// <summary>Locks an open key file. Takes over the descriptor.</summary>
    /// <returns>Null when the path does not lead to the file any more.</returns>
    private readonly KeyFile? Lock(int descriptor, KeyFileWay way, KeyFileOrigin origin)
    {
        KeyFile? locked = null;
        FileLock held = default;
        try
        {
            int error = TakeLock(way, ref descriptor, out held);
            if (error == Errno.EAGAIN)
            {
                throw Failure.Of(NativeIpcError.LockError, _attempt, _key, "flock", error,
                    $"Another process holds a lock on the key file {_path}: it is making or removing the object, or "
                        + $"has stopped in the middle. Try again.");
            }

            if (error != 0) throw SystemVErrors.Unknown(_attempt, _key, "flock", error);
            error = Libc.Status(descriptor, out FileStatus status);
            if (error != 0) throw SystemVErrors.Unknown(_attempt, _key, "statx", error);
            if (origin == KeyFileOrigin.Found && status.Identity == _rules.Known) origin = KeyFileOrigin.Known;
            CheckTrust(status, origin);

            // R1 Race: the file is removed, or another one put in its place, between open and lock.
            // Safe because: it has no name then, and null asks for another round. One that was moved away has a name:
            // what was found under it is what the path led to when it was opened. A link may lead elsewhere by now.
            var file = new KeyFile(_attempt, _key, _rules, descriptor, held, status, origin, way);
            if ((way == KeyFileWay.Direct && KeyFile.IsNamedOnce(status)) || file.IsStillThere) locked = file;
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

    private readonly void CheckTrust(in FileStatus status, KeyFileOrigin origin)
    {
        if (_rules.AllowOtherOwners || origin == KeyFileOrigin.Known) return;
        if (_rules.Known is not null) KeyFileTrust.CheckFolder(_attempt, _key, _path);
        if (origin != KeyFileOrigin.Made) KeyFileTrust.CheckOwner(_attempt, _key, _path, status, default);
    }

    /// <summary>Takes the lock. NFSv4 gives it only to a descriptor that is open for writing (EBADF): then the file is
    /// opened anew, if that is allowed. Where there are no locks, it is not held.</summary>
    /// <returns>0, or the error number.</returns>
    private readonly int TakeLock(KeyFileWay way, ref int descriptor, out FileLock held)
    {
        FileLockMode mode = _rules.Purpose == KeyFilePurpose.Find ? FileLockMode.Shared : FileLockMode.Exclusive;
        int error = FileLock.Take(descriptor, _rules.Bound, out held, mode);
        if (error != Errno.EBADF) return error;
        int flags = Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NONBLOCK | (way == KeyFileWay.Link ? 0 : Flags.O_NOFOLLOW);
        int writing = Libc.open(_path, flags, 0);
        if (writing != -1 && Libc.Status(writing, out FileStatus opened) == 0
            && Libc.Status(descriptor, out FileStatus status) == 0 && opened.Identity == status.Identity)
        {
            (descriptor, writing) = (writing, descriptor);
            error = FileLock.Take(descriptor, _rules.Bound, out held, mode);
        }

        if (writing != -1) _ = Libc.close(writing);
        if (error != Errno.EBADF) return error;
        FileLock.SayThatThereAreNone(error);
        return 0;
    }
}
