using System.Runtime.InteropServices;

namespace NativeIpc.Backends;

/// <summary>
/// Ends a thread's sleep in a semaphore: a private word that a token, a Dispose or a dead holder's watcher sets, and on which the thread sleeps beside the
/// semaphore's own. One for each thread, used again for each of its waits.
/// </summary>
/// <remarks>
/// Interleavings. The sleeper resets the word, then looks at what may end its wait, then sleeps if the word is still 0; who ends it changes that first, then
/// sets the word, then wakes. So one of the two is seen, whatever comes first. A wake-up that was meant for an earlier wait of the thread makes it
/// look once more. The word takes no permit and gives none.
/// </remarks>
internal sealed unsafe class Wakeup
{
    private static readonly TimeSpan s_firstSlice = TimeSpan.FromMilliseconds(5);

    [ThreadStatic]
    private static Wakeup? t_current;

    private readonly uint* _word = (uint*)NativeMemory.AllocZeroed(sizeof(uint));
    private TimeSpan _slice;

    private Wakeup()
    {
    }

    ~Wakeup() => NativeMemory.Free(_word);

    /// <summary>That of the calling thread, for a wait that begins now.</summary>
    public static Wakeup Begin()
    {
        Wakeup current = t_current ??= new Wakeup();
        current._slice = TimeSpan.Zero;
        return current;
    }

    /// <summary>The longest slice of waits that have to look again: how late a cancellation is seen that cannot wake.</summary>
    public static TimeSpan LongestSlice { get; } = TimeSpan.FromMilliseconds(50);

    public uint* Word => _word;

    public bool IsSet => Volatile.Read(ref *_word) != 0;

    /// <summary>How long to sleep before the next look at what wakes nobody: short at first, in case it is seen soon.</summary>
    public TimeSpan NextSlice()
    {
        TimeSpan next = _slice * 2;
        _slice = next < s_firstSlice ? s_firstSlice : next < LongestSlice ? next : LongestSlice;
        return _slice;
    }

    public void Reset() => Interlocked.Exchange(ref *_word, 0);

    /// <summary>Ends the sleep, or the next one. From any thread; not after the waiter has stopped listening.</summary>
    public void Wake()
    {
        Volatile.Write(ref *_word, 1);
        if (OperatingSystem.IsLinux()) Interop.Futex.WakePrivate(_word, 1);
    }

    /// <summary>The threads that sleep in one object.</summary>
    internal sealed class Sleepers
    {
        private readonly Lock _gate = new();
        private readonly List<Wakeup> _all = [];

        public void Add(Wakeup sleeper)
        {
            lock (_gate) _all.Add(sleeper);
        }

        public void Remove(Wakeup sleeper)
        {
            lock (_gate) _all.Remove(sleeper);
        }

        public void WakeAll()
        {
            lock (_gate)
            {
                foreach (Wakeup sleeper in _all) sleeper.Wake();
            }
        }
    }
}
