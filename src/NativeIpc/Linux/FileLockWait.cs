using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Linux;

/// <summary>A wait for a <see cref="FileLock"/> in the system's own queue. flock(2) has no timeout, so a thread of its
/// own blocks in it, and is left behind when the caller has waited long enough. Linux only.</summary>
/// <remarks>
/// It has an open file description of its own (/proc/self/fd): a lock that comes after the caller has given up, and has
/// closed its descriptor, is then nobody's but the thread's, which releases it; until then the kernel counts this
/// process among the file's users. A process has at most <see cref="MostThreads"/> of them, waited for or left behind;
/// a caller that finds as many goes on polling.
/// </remarks>
#pragma warning disable CA1001 // The event has a handle only where its WaitHandle is asked for.
internal sealed class FileLockWait
#pragma warning restore CA1001
{
    private const int Waiting = 0;
    private const int Done = 1;
    private const int GivenUp = 2;
    private const int MostThreads = 4;
    private static int s_threads;

    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
    private readonly int _file;
    private readonly int _how;
    private int _state;
    private int _number;

    // Under the gate: the waits that were left behind, and what became of each.
    private static readonly Lock s_gate = new();
    private static readonly List<FileLockWait> s_left = [];

    // How many there are, until they have released the lock: read without the gate.
    private static int s_leftCount;
    private bool _isLent;
    private bool _hasEnded;

    private FileLockWait(int file, int how)
    {
        _file = file;
        _how = how;
    }

    /// <summary>Joins the queue for an open file's lock; null where that cannot be done.</summary>
    public static FileLockWait? TryBegin(int file, int how)
    {
        if (!OperatingSystem.IsLinux()) return null;
        if (Interlocked.Increment(ref s_threads) <= MostThreads && TryStart(file, how) is { } wait) return wait;
        Interlocked.Decrement(ref s_threads);
        return null;
    }

    private static FileLockWait? TryStart(int file, int how)
    {
        int own = Libc.open(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file}"),
            Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NONBLOCK, 0);
        if (own == -1) return null;
        var wait = new FileLockWait(own, how);
        if (BackgroundThread.TryStart(wait.Run, 128 * 1024, "NativeIpc file lock wait") is not null) return wait;
        _ = Libc.close(own);
        return null;
    }

    /// <summary>Waits a while; whether the wait is over: then <see cref="End"/> says how.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public bool Wait(TimeSpan longest, CancellationToken token) => _done.Wait(longest, token);

    /// <summary>How a wait that is over has ended.</summary>
    /// <param name="held">The descriptor that has the lock, which the caller closes; -1 when there is none.</param>
    /// <returns>0, or the error number.</returns>
    public int End(out int held)
    {
        Debug.Assert(Volatile.Read(ref _state) == Done);
        held = _number == 0 ? _file : -1;
        return _number;
    }

    /// <summary>The caller does not wait any more: a lock that has come meanwhile is released.</summary>
    public void Abandon()
    {
        lock (s_gate)
        {
            // R1 Race: the lock comes while the caller gives up.
            // Safe because: one exchange on the same word says which was first, here and in Run. The second one
            // closes: the caller with the lock, the thread without the caller.
            if (Interlocked.CompareExchange(ref _state, GivenUp, Waiting) == Waiting)
            {
                s_left.Add(this);
                Interlocked.Increment(ref s_leftCount);
                return;
            }
        }

        if (_number == 0) Release();
    }

    /// <summary>Whether any wait was left behind and has not released what it may have got.</summary>
    public static bool IsAnyLeft => Volatile.Read(ref s_leftCount) != 0;

    /// <summary>Takes a file's lock through a wait that was left behind; null when that does not give it.</summary>
    /// <remarks>
    /// R2 Race: a thread that was left behind takes the file for a moment when it comes free; a try of this process in
    /// that moment finds it held, by nobody that makes or removes anything.
    /// Safe because: the try is repeated here through the left one's open file, and the kernel gives a description
    /// again what it has. Each step is under the gate. A thread that has released the lock before is no matter. One
    /// that comes to the gate later, or is still in flock(2), finds the lock lent, and leaves releasing and closing to
    /// <see cref="EndLoan"/>; after the loan it takes the lock for its moment, and releases it. If another process has
    /// the lock, the try here says so.
    /// </remarks>
    /// <param name="file">An open file.</param>
    /// <param name="how">Which lock; an exclusive one is taken for a shared one.</param>
    public static FileLockWait? TryBorrow(int file, int how)
    {
        lock (s_gate)
        {
            if (s_left.Count == 0 || Libc.Status(file, out FileStatus wanted) != 0) return null;
            foreach (FileLockWait left in s_left)
            {
                // A shared one would make an exclusive one shared when its thread comes to it.
                if (left._isLent || (left._how != how && left._how != Flags.LOCK_EX)) continue;
                if (Libc.Status(left._file, out FileStatus status) != 0
                    || status.Identity != wanted.Identity)
                    continue;
                if (Libc.flock(left._file, left._how | Flags.LOCK_NB) != 0) continue;
                left._isLent = true;
                return left;
            }
        }

        return null;
    }

    /// <summary>The borrower is done with the lock.</summary>
    public void EndLoan()
    {
        lock (s_gate)
        {
            Debug.Assert(_isLent);
            _isLent = false;
            if (_hasEnded) Release();
            // Cannot fail on an open descriptor that has flock
            else _ = Libc.flock(_file, Flags.LOCK_UN);
        }
    }

    private void Run()
    {
        do _number = Libc.flock(_file, _how) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (_number == Errno.EINTR);
        if (Interlocked.CompareExchange(ref _state, Done, Waiting) == Waiting)
        {
            if (_number != 0) _ = Libc.close(_file); // the caller looks at the number first
            _done.Set();
        }
        else
        {
            StopPoint.At("filelock.left");
            lock (s_gate)
            {
                s_left.Remove(this);
                _hasEnded = true;
                if (!_isLent) Release();
                Interlocked.Decrement(ref s_leftCount);
            }
        }

        Interlocked.Decrement(ref s_threads);
    }

    private void Release()
    {
        _ = Libc.flock(_file, Flags.LOCK_UN); // before closing: see FileLock
        _ = Libc.close(_file);
    }
}
