using System.Diagnostics;
using System.Runtime.CompilerServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting;

/// <content>A sleep on several words at once, of any objects: futex_waitv(2), Linux 5.16. The thread sleeps on a word
/// of its own as well, which never changes and is woken in place of the one word of other sleeps.</content>
internal sealed unsafe partial class Wakeup
{
    private const int LongestPauseMicroseconds = 10_000;

    // Pinned: the kernel reads them.
    private FutexWord[]? _words; // the first one is the thread's own
    private uint[]? _own;
    private int _wordCount;
    private SleepWatch.Watch[] _watches = [];
    private int _watchCount;

    /// <summary>Whether the kernel can sleep on several words, and this process may ask for it; never asked of one that
    /// is too old for it (<see cref="KernelCalls"/>).</summary>
    private static class Kernel
    {
        public static readonly bool s_hasWaitv = KernelCalls.s_here.FutexWaitv && Futex.HasWaitMany();
    }

    private nint Own => (nint)Unsafe.AsPointer(ref _own![0]);

    /// <summary>Begins a list of words, which <see cref="EndWords"/> ends.</summary>
    public void BeginWords()
    {
        Debug.Assert(_wordCount == 0);
        if (_words is null)
        {
            _own = GC.AllocateArray<uint>(1, pinned: true);
            _words = GC.AllocateArray<FutexWord>(Futex.MostWords, pinned: true);
            _words[0] = FutexWord.Shared((uint*)Own, 0);
        }

        Volatile.Write(ref _wordCount, 1);
    }

    /// <summary>Adds a word of an open object, and the value at which to sleep; false when that cannot be slept on. The
    /// caller makes a full barrier after it, and then looks whether the object is closed.</summary>
    public bool TryAddWord(nint word, uint value)
    {
        if (_wordCount == Futex.MostWords || !Kernel.s_hasWaitv) return false;
        _words![_wordCount] = FutexWord.Shared((uint*)word, value);
        Volatile.Write(ref _wordCount, _wordCount + 1);
        return true;
    }

    /// <summary>Ends the sleep also when a process ends, as a hint; 0 for none.</summary>
    public void WatchEndOf(int process)
    {
        if (process == 0) return;
        if (_watchCount == _watches.Length) Array.Resize(ref _watches, Math.Max(8, _watchCount * 2));
        _watches[_watchCount++] = SleepWatch.EndOf(process, this);
    }

    public void EndWords()
    {
        Volatile.Write(ref _wordCount, 0);
        while (_watchCount > 0) _watches[--_watchCount].Dispose();
    }

    private bool HasWordWithin(nint first, nint end)
    {
        // R4 Race: the thread adds a word, or ends its list. Safe because: it looks after adding whether the object is
        // closed (R1), and a sleeper that is woken for nothing looks once more.
        for (int i = 1, count = Volatile.Read(ref _wordCount); i < count; i++)
        {
            if (Volatile.Read(ref _words![i].uaddr) is var place && place >= (ulong)first && place < (ulong)end)
                return true;
        }

        return false;
    }

    /// <summary>Sleeps until one of the words is woken or has another value than said, the wake-up is set, or the time
    /// has passed (<see cref="TimeSpan.MaxValue"/>: for ever). May end earlier.</summary>
    public void SleepOnWords(TimeSpan longest)
    {
        if (!OperatingSystem.IsLinux())
        {
            PauseFor(longest < LongestSlice ? longest : LongestSlice);
            return;
        }

        Interlocked.Exchange(ref _place, Own);

        // Where no other thread makes it look again. Behind the place: see Reactor R3.
        if (!SleepWatch.IsServing && longest > LongestSlice) longest = LongestSlice;
        bool isBounded = longest != TimeSpan.MaxValue;
        Timespec until = isBounded ? Timespec.After(longest, Flags.CLOCK_MONOTONIC) : default;
        int number = IsSet ? 0
            : _wordCount > 1 ? Futex.WaitMany((FutexWord*)Unsafe.AsPointer(ref _words![0]), _wordCount,
                isBounded ? &until : null, out _)
            : Futex.Wait((uint*)Own, 0, isBounded ? &until : null, _bit);
        Volatile.Write(ref _place, 0);
        if (number == 0 || number == Errno.EAGAIN || number == Errno.ETIMEDOUT || number == Errno.EINTR) return;
        PauseFor(TimeSpan.FromMilliseconds(1)); // no memory for the list, for instance: then it looks again and again
    }

    private void PauseFor(TimeSpan time)
    {
        var pauses = new Backoff(time, LongestPauseMicroseconds);
        while (!IsSet && pauses.Pause())
        {
        }
    }
}
