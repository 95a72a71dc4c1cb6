using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>What a creating call does with an object that exists.</summary>
internal enum Existing
{
    Refuse,
    Use,
    Reset,
}

/// <summary>What became of an object under a key.</summary>
internal enum Obtained
{
    /// <summary>It was there.</summary>
    Found,

    /// <summary>This round made it.</summary>
    Made,

    /// <summary>It went between two calls: the next round says more.</summary>
    Gone,
}

/// <summary>
/// The rounds of one call under the file of a key. A round opens and locks the file, or makes it, and finds the object
/// under its key, or makes it. What a round has made, and the caller did not <see cref="Keep"/>, is undone before the
/// next one and at the end.
/// </summary>
internal sealed class KeyFileSession : IDisposable
{
    private const int MostRounds = 1000;

    private readonly string _attempt;
    private readonly NativeIpcKey _key;
    private readonly IpcObjectKind _kind;
    private readonly KeyFileRules _rules;
    private readonly TimeSpan _makersTime;
    private Backoff _backoff;
    private int _rounds;
    private KeyFile? _file;
    private FileIdentity? _madeFile;
    private int _made = -1;
    private bool _isKept;

    /// <param name="attempt">What the call is to do, for its failures.</param>
    /// <param name="key">The key.</param>
    /// <param name="kind">The kind of the object.</param>
    /// <param name="rules">How the file is opened.</param>
    /// <param name="makersTime">How long a young file without an object is left to the peer that may be making
    /// one.</param>
    internal KeyFileSession(string attempt, in NativeIpcKey key, IpcObjectKind kind, KeyFileRules rules,
        TimeSpan makersTime)
    {
        _attempt = attempt;
        _key = key;
        _kind = kind;
        _rules = rules;
        _makersTime = makersTime;
        _backoff = new Backoff(rules.Bound);
    }

    /// <summary>The file of this round.</summary>
    internal KeyFile File => _file!;

    /// <summary>Its System V key.</summary>
    internal int IpcKey { get; private set; }

    /// <summary>Whether this call made the file, in this round or in an earlier one that could not take it
    /// back.</summary>
    internal bool MadeFile => _madeFile == File.Status.Identity;

    /// <summary>A round that finds the object. A peer that may be making it is waited for.</summary>
    /// <returns>False when there is none: <see cref="NotFound"/> says why.</returns>
    internal bool Find(out int id)
    {
        do
        {
            BeginRound();
            id = -1;
            _file = KeyFile.Open(_attempt, _key, _rules);
            if (_file is null) return false;
            IpcKey = _file.Ftok();
            id = Get(out int number);
            if (id != -1) return true;
            if (number != Errno.ENOENT) throw SystemVErrors.Get(_kind, _attempt, _key, number);
        }
        // Only what looks like a key file made for the purpose is worth waiting for.
        while (!_file.IsStillThere || (_file.IsTypical && TryWaitForPeer()));

        return false;
    }

    /// <summary>Why there is no object.</summary>
    internal NativeIpcException NotFound()
    {
        if (_file is null)
            return Failure.Of(NativeIpcError.NotFound, _attempt, _key, "open", Errno.ENOENT,
                "There is no key file: start the peer that makes it, or use CreateOrOpen.");
        (string call, string what, string creating) = _kind == IpcObjectKind.SharedMemory
            ? ("shmget", "segment", "CreateNew, CreateOrOpen")
            : ("semget", _kind == IpcObjectKind.SystemSemaphore ? "semaphore" : "event",
                "CreateNew, CreateOrOpen, CreateOrReset");
        string lone = KeyFileTrust.DescribeLone(_file.Status, IpcKey);
        return _file.IsTypical
            ? Failure.Found(NativeIpcError.NotFound, _attempt, _key, call,
                $"it is half-created: the key file is there and the {what} is not; its creator may have died, or "
                    + $"{lone}", $"A creating call ({creating}) recovers it.", Errno.ENOENT)
            : Failure.Of(NativeIpcError.NotFound, _attempt, _key, call, Errno.ENOENT,
                $"No such {what}: start the peer that makes it, or use CreateOrOpen; or {lone}.");
    }

    /// <summary>A round that is to make an object: opens the file or makes it, and leaves a young one without an object
    /// to the peer that may be making it.</summary>
    internal void Open()
    {
        do
        {
            BeginRound();
            _file = OpenOrMake();
            if (_file.IsNew) _madeFile = _file.Status.Identity;
            IpcKey = _file.Ftok();
        }
        while (_file.MayBeInTheMaking(IpcKey, _makersTime) && TryWaitForPeer());
    }

    private KeyFile OpenOrMake()
    {
        try
        {
            return KeyFile.Open(_attempt, _key, _rules)!;
        }
        catch (NativeIpcException failure) when (_rules.Purpose == KeyFilePurpose.MakeNew
            && failure is { Error: NativeIpcError.KeyError, NativeErrorCode: Errno.EEXIST })
        {
            // To CreateNew, an object that is not the new file's is one that exists.
            throw new NativeIpcException(NativeIpcError.AlreadyExists, failure.Operation, _key,
                failure.NativeErrorCode, failure.Message);
        }
    }

    /// <summary>Makes the object, unless there is one.</summary>
    /// <param name="size">The bytes of a segment, or the semaphores of a set.</param>
    /// <param name="mode">Its mode.</param>
    /// <param name="id">The object; -1 when it has gone.</param>
    internal Obtained Obtain(long size, UnixFileMode mode, out int id)
    {
        Debug.Assert(_rules.Makes && _made == -1);
        File.MarkIfBare();
        id = Make(size, mode, out int number);
        if (number == 0) return Obtained.Made;

        // macOS looks at the size (EINVAL) and the mode (EACCES) before it says that the object exists.
        id = Get(out int second);
        if (second == 0) return Obtained.Found;
        if (number == Errno.EEXIST && second == Errno.ENOENT) return Obtained.Gone;
        throw number == Errno.EEXIST ? SystemVErrors.Get(_kind, _attempt, _key, second)
            : SystemVErrors.Make(_kind, _attempt, _key, number, size);
    }

    /// <summary>Makes the object anew, at once, while the file is held: without an object the file looks as if a peer
    /// were in the middle of making one.</summary>
    internal Obtained MakeAnew(long size, UnixFileMode mode, out int id)
    {
        id = Make(size, mode, out int number);
        if (number == Errno.EEXIST) return Obtained.Gone; // a peer that knows no lock was faster
        return number == 0 ? Obtained.Made
            : throw SystemVErrors.Make(_kind, _attempt, _key, number, size);
    }

    private int Make(long size, UnixFileMode mode, out int number)
    {
        int flags = (int)mode | Flags.IPC_CREAT | Flags.IPC_EXCL;
        _made = _kind == IpcObjectKind.SharedMemory ? Libc.shmget(IpcKey, (nuint)size, flags)
            : Libc.semget(IpcKey, (int)size, flags);
        number = _made == -1 ? Marshal.GetLastPInvokeError() : 0;
        return _made;
    }

    private int Get(out int number)
    {
        int id = _kind == IpcObjectKind.SharedMemory ? Libc.shmget(IpcKey, 0, 0) : Libc.semget(IpcKey, 0, 0);
        number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
        return id;
    }

    /// <summary>Ends the round, so that no other process is kept waiting for the file, and waits a little for a peer.
    /// False, and nothing is done, when the bound has passed.</summary>
    internal bool TryWaitForPeer()
    {
        if (_backoff.IsOver) return false;
        EndRound();
        _rounds--; // this one was not lost
        _backoff.Pause();
        return true;
    }

    /// <summary>What this round has made stays.</summary>
    internal void Keep() => _isKept = true;

    public void Dispose() => EndRound();

    private void BeginRound()
    {
        EndRound();
        if (_rounds++ < MostRounds) return;
        throw Failure.Found(NativeIpcError.LockError, _attempt, _key,
            _kind == IpcObjectKind.SharedMemory ? "shmget" : "semget",
            "other processes keep making and removing it", "Try again.");
    }

    private void EndRound()
    {
        if (_file is null) return;
        if (!_isKept)
        {
            // The object first: a file with an object stays.
            if (_made != -1) SystemVSupport.TakeBack(_kind, _attempt, _key, _made);
            // The number of its inode may go to the file of a peer.
            if (_file.IsNew && _file.TakeBack()) _madeFile = null;
        }

        _made = -1;
        _file.Dispose();
        _file = null;
    }
}
