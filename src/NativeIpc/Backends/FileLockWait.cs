using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Backends;

/// <summary>A wait for a <see cref="FileLock"/> in the system's own queue. flock(2) has no timeout, so a thread of its own blocks in it, and is left behind when the time has passed.</summary>
/// <remarks>
/// <para>It has an open file description of its own (/proc/self/fd; so Linux only): a lock that comes after the caller has given up, and has closed its descriptor, is then nobody's but the thread's, which
/// gives it back; until then the kernel counts this process among the file's users. A process has <see cref="MostThreads"/> of them, waited for or left behind; whoever finds as many goes on polling.</para>
/// <para>The queue is not fair: who runs takes a lock that has just been given back before those who were woken for it. So the time is only counted while one process has it.</para>
/// <para>Interleavings: the thread says that it has the lock, or the caller that it has given up, in one exchange on the same word. Who comes second closes: the caller with the lock, the thread without the caller.</para>
/// </remarks>
#pragma warning disable CA1001 // The event has a handle only where its WaitHandle is asked for.
internal sealed class FileLockWait
#pragma warning restore CA1001
{
    private const int Waiting = 0;
    private const int Done = 1;
    private const int GivenUp = 2;
    private const int MostThreads = 4;
    private const int MostTimes = 10; // how often the wait begins anew
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private static int s_threads;

    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
    private readonly int _file;
    private int _state;
    private int _number;

    private FileLockWait(int file) => _file = file;

    /// <summary>Joins the queue for an open file's lock; null where that cannot be done.</summary>
    public static FileLockWait? TryBegin(int file)
    {
        if (!OperatingSystem.IsLinux()) return null;
        if (Interlocked.Increment(ref s_threads) <= MostThreads && TryStart(file) is { } wait) return wait;
        Interlocked.Decrement(ref s_threads);
        return null;
    }

    private static FileLockWait? TryStart(int file)
    {
        int own = Interop.Libc.open(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file}"), Interop.Flags.O_RDONLY | Interop.Flags.O_CLOEXEC | Interop.Flags.O_NONBLOCK, 0);
        if (own == -1) return null;
        var wait = new FileLockWait(own);
        if (BackgroundThread.TryStart(wait.Run, 128 * 1024, "NativeIpc file lock wait") is not null) return wait;
        _ = Interop.Libc.close(own);
        return null;
    }

    /// <summary>Waits for the lock.</summary>
    /// <param name="longest">How long one process may have it; infinite for ever. In all, ten times that.</param>
    /// <param name="held">The descriptor that has it, which the caller closes.</param>
    /// <returns>0, or the error number: EAGAIN when the time passed.</returns>
    public int End(TimeSpan longest, out int held)
    {
        bool wasInterrupted = true;
        bool isDone = false;
        try
        {
            WaitWhileItMoves(longest);
            wasInterrupted = false;
        }
        finally
        {
            isDone = Interlocked.CompareExchange(ref _state, GivenUp, Waiting) == Done;
            if (isDone && wasInterrupted && _number == 0) GiveBack();
        }

        held = isDone && _number == 0 ? _file : -1;
        return isDone ? _number : Interop.Errno.EAGAIN;
    }

    /// <summary>Waits until the lock is there, or one and the same process has had it, at every look, for as long as is waited for one; not for ever, even if it is always another one.</summary>
    private void WaitWhileItMoves(TimeSpan longest)
    {
        if (longest < TimeSpan.Zero || longest.TotalMilliseconds > int.MaxValue)
        {
            _done.Wait(); // 25 days and for ever are the same
            return;
        }

        long begin = Stopwatch.GetTimestamp();
        long since = begin;
        string? holder = Holder();
        while (!_done.Wait(longest < s_look ? longest : s_look))
        {
            string? next = Holder();
            if (next != holder && Stopwatch.GetElapsedTime(begin) < longest * MostTimes) since = Stopwatch.GetTimestamp();
            holder = next;
            if (Stopwatch.GetElapsedTime(since) >= longest) return;
        }
    }

    /// <summary>Who has the lock, as proc_locks(5) says; null for nobody, or a process that is not to be seen from here.</summary>
    private string? Holder()
    {
        if (Interop.Libc.Status(_file, out Interop.FileStatus status) != 0) return null;
        string inode = string.Create(CultureInfo.InvariantCulture, $":{status.Identity.Inode}");
        foreach (string line in SystemText.Lines("/proc/locks"))
        {
            // 5: FLOCK  ADVISORY  WRITE 1234 fe:00:5767 0 EOF; who waits for it has an arrow before FLOCK.
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 5 && words[1] == "FLOCK" && words[5].EndsWith(inode, StringComparison.Ordinal)) return words[4];
        }

        return null;
    }

    private void Run()
    {
        do _number = Interop.Libc.flock(_file, Interop.Flags.LOCK_EX) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (_number == Interop.Errno.EINTR);
        if (_number != 0) _ = Interop.Libc.close(_file);
        if (Interlocked.CompareExchange(ref _state, Done, Waiting) == Waiting) _done.Set();
        else if (_number == 0) GiveBack();
        Interlocked.Decrement(ref s_threads);
    }

    private void GiveBack()
    {
        _ = Interop.Libc.flock(_file, Interop.Flags.LOCK_UN); // before closing: see FileLock
        _ = Interop.Libc.close(_file);
    }
}
