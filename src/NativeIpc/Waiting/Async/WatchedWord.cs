using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Waiting.Async;

/// <summary>A queue for which a dispatcher watches an object: as one of its waiters, and as a counted user, so that
/// its page stays.</summary>
internal sealed class WatchedWord(FutexDispatcher home, WaitQueue queue, WaitObject watched, ulong number)
{
    public FutexDispatcher Home => home;

    public WaitQueue Queue => queue;

    public ulong Number => number;

    public bool NeedsLooks { get; } = queue.NeedsLooks;

    // Under the dispatchers' gate.
    public WaitObject Object { get; set; } = watched;

    public nint Word => Object.WaitWord;

    /// <summary>The value of the word at which there is nothing for the queue.</summary>
    public uint Value => Queue.Seen;

    /// <summary>What to watch in its place, used as well; the same object to begin anew.</summary>
    public WaitObject? Next { get; set; }

    public bool IsWanted { get; set; } = true;

    /// <summary>Whether the dispatcher has to look at what is wanted.</summary>
    public bool IsChanged { get; set; }

    /// <summary>Whether it is over; the queue may have another one by now.</summary>
    public bool HasLeft { get; set; }

    public ManualResetEventSlim? Left { get; set; }

    // The dispatcher's thread only.

    /// <summary>Whether the kernel may be watching it.</summary>
    public bool IsWatched { get; set; }

    public bool IsEnding { get; set; }

    /// <summary>Whether the kernel has said that it was woken, and not only that it has another value.</summary>
    public bool WasWoken { get; set; }
}

/// <summary>How a dispatcher sleeps on the words of many objects and on one of its own. Used by the dispatcher's
/// thread only, but for the making.</summary>
internal abstract unsafe class WordSleep : IDisposable
{
    /// <summary>Closes what it has of the system. Only before <see cref="Start"/>.</summary>
    public abstract void Dispose();

    /// <summary>How many words besides the dispatcher's own.</summary>
    public abstract int MostWords { get; }

    public virtual void Start()
    {
    }

    /// <summary>Watches a word from the next sleep on; false when the caller has to ask again after it.</summary>
    public abstract bool TryWatch(WatchedWord word);

    /// <summary>Begins to watch now what <see cref="TryWatch"/> was told of, where that can be without a
    /// sleep.</summary>
    public virtual void BeginWatching()
    {
    }

    /// <summary>Ends that, now or with one of the next sleeps; false when the caller has to ask again after the next
    /// one.</summary>
    public abstract bool TryEnd(WatchedWord word);

    /// <summary>Sleeps until a word has another value than said or is woken, the dispatcher's own is not <paramref
    /// name="seen"/> any more, or the time has passed. Adds to <paramref name="woken"/> what may have become
    /// free.</summary>
    /// <returns>False when it could not sleep, say for want of memory: then the caller looks at every word.</returns>
    public abstract bool Sleep(uint* control, uint seen, TimeSpan longest, List<WatchedWord> woken);
}

/// <summary>futex_waitv(2), Linux 5.16: 127 words, given to the kernel for each sleep.</summary>
internal sealed unsafe class WaitvSleep : WordSleep
{
    private readonly List<WatchedWord> _words = [];

    public override void Dispose()
    {
    }

    public override int MostWords => Futex.MostWords - 1;

    public override bool TryWatch(WatchedWord word)
    {
        if (word.IsWatched) return true;
        _words.Add(word);
        return word.IsWatched = true;
    }

    public override bool TryEnd(WatchedWord word)
    {
        if (word.IsWatched) _words.Remove(word);
        word.IsWatched = false;
        return true;
    }

    public override bool Sleep(uint* control, uint seen, TimeSpan longest, List<WatchedWord> woken)
    {
        FutexWord* words = stackalloc FutexWord[Futex.MostWords];
        int count = 0;
        words[count++] = FutexWord.Private(control, seen);
        foreach (WatchedWord word in _words) words[count++] = FutexWord.Shared((uint*)word.Word, word.Value);
        Timespec until = Timespec.After(longest, Flags.CLOCK_MONOTONIC);
        int number = Futex.WaitMany(words, count, &until, out int index);

        // One is named; others may have been woken with it.
        if (index > 0)
        {
            _words[index - 1].WasWoken = true;
            woken.Add(_words[index - 1]);
        }

        for (int i = 0; i < _words.Count; i++)
        {
            if (i != index - 1) woken.Add(_words[i]);
        }

        return number is 0 || number == Errno.EAGAIN || number == Errno.ETIMEDOUT
            || number == Errno.EINTR;
    }
}

/// <summary>io_uring(7), Linux 6.7: any number of words, of which only those that were woken are joined anew.</summary>
internal sealed unsafe class RingSleep : WordSleep
{
    private const ulong CancelNumber = 0, ControlNumber = 1; // those of the words are larger

    private readonly FutexRing _ring;
    private readonly Dictionary<ulong, WatchedWord> _words = [];
    private bool _watchesControl;

    private RingSleep(FutexRing ring) => _ring = ring;

    /// <summary>Null where there is none.</summary>
    public static RingSleep? TryMake() => FutexRing.TryOpen() is { } ring ? new RingSleep(ring) : null;

    public override void Dispose() => _ring.Dispose();

    public override int MostWords => int.MaxValue;

    public override void Start() => _ = _ring.Start(); // if it should fail, so do the sleeps

    public override bool TryWatch(WatchedWord word)
    {
        if (word.IsWatched) return true;
        if (!_ring.TryWait(word.Number, (uint*)word.Word, word.Value, isPrivate: false)) return false;
        _words[word.Number] = word;
        return word.IsWatched = true;
    }

    public override void BeginWatching() => _ring.Submit();

    public override bool TryEnd(WatchedWord word)
    {
        if (word.IsWatched && !word.IsEnding) word.IsEnding = _ring.TryCancel(word.Number, CancelNumber);
        return !word.IsWatched || word.IsEnding;
    }

    public override bool Sleep(uint* control, uint seen, TimeSpan longest, List<WatchedWord> woken)
    {
        _watchesControl = _watchesControl || _ring.TryWait(ControlNumber, control, seen, isPrivate: true);
        int number = _ring.Sleep(_watchesControl ? longest : TimeSpan.Zero);
        bool isFine = true, any = false;
        while (_ring.TryReap(out ulong done, out int result))
        {
            any = true;
            if (done == ControlNumber) _watchesControl = false;
            else if (done != CancelNumber && _words.Remove(done, out WatchedWord? word))
            {
                word.IsWatched = word.IsEnding = false;
                word.WasWoken |= result == 0;
                woken.Add(word);
            }

            isFine &= done == CancelNumber || result == 0 || result == -Errno.EAGAIN
                || result == -Errno.ECANCELED;
        }

        return isFine && (any || number == 0 || number == Errno.ETIME || number == Errno.EINTR);
    }
}
