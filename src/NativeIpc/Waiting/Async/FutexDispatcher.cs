using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Interop;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Words;

namespace NativeIpc.Waiting.Async;

/// <summary>One thread that sleeps on the words of many POSIX semaphores at once, with glibc: of any number by io_uring
/// (Linux 6.7), or of 127 by futex_waitv (5.16).</summary>
/// <remarks>
/// <para>A queue's semaphore counts one waiter more while it is watched, so that whoever posts, also a peer by
/// <c>sem_post</c>, wakes this thread. Others say what they want, by the list of changes; what is joined is left by
/// this thread alone, and only when the kernel does not watch any more: a wake-up that came here until then was meant
/// for another waiter if nobody waits here by now, and leaving passes it on.</para>
/// <para>Interleavings. (1) A post between a failed try and the sleep: the word is no longer 0, and the kernel does not
/// sleep. (2) A queue comes or goes: the control word changes under the gate, and the kernel does not sleep, or is
/// woken. That call is spared while this thread is awake: it says that it is going to sleep before it reads the list.
/// (3) The object is disposed: <see cref="IWaitSignal.Drain"/> waits until this thread has left its word, so that the
/// page stays as long as it is watched. A dispatcher (a continuation that disposes) goes on with its own work instead
/// of waiting, since another one may be waiting for it in the same way. (4) A queue goes and comes back before this
/// thread has seen it go: it stays. (5) A lock is replaced, or steps aside: its queue says another word, or another
/// page is there. So each look at all begins to watch anew; an old lock stays open until it has been left. Meanwhile
/// looks find what is free. (6) A holder dies, a name leads elsewhere, or a process died between giving a permit and
/// waking: nothing wakes for that, so there is a look at all now and then. (7) The library is unloaded: a thread
/// without words ends, under the gate, so nothing is added to it any more.</para>
/// </remarks>
internal sealed unsafe class FutexDispatcher
{
    /// <summary>Finds a dispatcher with room for a queue.</summary>
    internal static readonly IWaitSignal s_any = new Any();

    private static readonly Lock s_gate = new();
    private static readonly List<FutexDispatcher> s_dispatchers = [];
    private static readonly Dictionary<WaitQueue, WatchedWord> s_words = [];
    private static readonly Action s_pokeAll = PokeAll;
    private static ulong s_lastNumber = 1;

    private readonly uint* _control = (uint*)NativeMemory.AllocZeroed(sizeof(uint));
    private readonly WordSleep _sleep;
    private readonly Thread _thread;
    private readonly List<WatchedWord> _woken = [];
    private List<WatchedWord> _changes = [], _applied = [];
    private int _count;
    private int _isAsleep;
    private bool _isOver;
    private LookPacing _pacing;
    private long _nextLook;

    private FutexDispatcher(WordSleep sleep)
    {
        _sleep = sleep;
        _thread = new Thread(Run, 1024 * 1024) { IsBackground = true, Name = "NativeIpc wait dispatcher" };
    }

    /// <summary>Starts the thread; false, with everything given back, when the system gives none.</summary>
    private bool TryStart()
    {
        Unloading.AtBegin(s_pokeAll);
        if (BackgroundThread.TryStart(_thread)) return true;
        GiveBack();
        return false;
    }

    private void GiveBack()
    {
        _sleep.Dispose();
        NativeMemory.Free(_control);
    }

    private static void PokeAll()
    {
        lock (s_gate)
        {
            foreach (FutexDispatcher dispatcher in s_dispatchers) dispatcher.Poke();
        }
    }

    /// <summary>Whether io_uring serves. The switch NativeIpc.NoIoUring turns it off.</summary>
    internal static bool UsesRing => GlibcSemaphore.s_isOffered && Kernel.s_hasRing;

    /// <summary>Whether the kernel can sleep on several words, and this process may ask for it.</summary>
    internal static bool IsOffered => GlibcSemaphore.s_isOffered && (Kernel.s_hasRing || Kernel.s_hasWaitv);

    /// <summary>
    /// What the kernel and the filters of this process allow, asked once; never for what the kernel is too old for
    /// (<see cref="KernelCalls"/>).
    /// </summary>
    private static class Kernel
    {
        public static readonly bool s_hasRing = KernelCalls.s_here.FutexRing && FutexRing.IsOffered();
        public static readonly bool s_hasWaitv = !s_hasRing && KernelCalls.s_here.FutexWaitv
            && Futex.HasWaitMany();
    }

    private void Run()
    {
        _sleep.Start();
        while (!_isOver) Round();
        GiveBack();
    }

    // A method of its own: this thread's next sleep may last for ever, and variables of the method that never ends
    // would keep the last object that was served, with its page, from the garbage collector.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Round()
    {
        bool hasSlept = Turn();
        if (_isOver) return;
        for (int i = 0; i < _woken.Count; i++) Serve(_woken[i]); // a continuation that disposes may add some
        _woken.Clear();
        if (!hasSlept) Pause.Microseconds(1000);
        if (!hasSlept || Stopwatch.GetTimestamp() >= _nextLook) LookAtAll();
    }

    /// <summary>Does what is wanted, and sleeps; false when that was not possible.</summary>
    private bool Turn()
    {
        bool isDone = Apply(out uint seen);
        if (_isOver) return true;
        TimeSpan longest = isDone ? Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), _nextLook) : TimeSpan.Zero;
        bool hasSlept = _sleep.Sleep(_control, seen, longest > TimeSpan.Zero ? longest : TimeSpan.Zero, _woken);
        Volatile.Write(ref _isAsleep, 0);
        return hasSlept;
    }

    private bool Apply(out uint seen)
    {
        Interlocked.Exchange(ref _isAsleep, 1); // before the list is read: who changes it after that wakes
        bool isDone = true;
        lock (s_gate)
        {
            seen = Volatile.Read(ref *_control);
            (_applied, _changes) = (_changes, _applied);
            foreach (WatchedWord word in _applied)
            {
                word.IsChanged = false;
                if (TryApply(word)) continue;
                isDone = false;
                Change(word);
            }

            _applied.Clear();

            // Nobody can come to it any more, and it has no words.
            if (Unloading.HasBegun && _count == 0 && _changes.Count == 0)
                _isOver = s_dispatchers.Remove(this) || _isOver;
        }

        return isDone;
    }

    private bool TryApply(WatchedWord word)
    {
        if (!word.IsWanted || word.Next is not null)
        {
            if (!_sleep.TryEnd(word)) return false;
            if (word.IsWatched) return true; // comes again when it has ended
            if (!word.IsWanted)
            {
                GlibcSemaphore.RemoveWaiter(word.Word);
                s_words.Remove(word.Queue);
                word.HasLeft = true;
                word.Semaphore.EndUse(); // closes a lock that was replaced; any other waits for this in Drain
                word.Next?.EndUse();
                _count--;
                word.Left?.Set();
                return true;
            }

            GlibcSemaphore.AddWaiter(word.Next!.WaitWord);
            GlibcSemaphore.RemoveWaiter(word.Word);
            word.Semaphore.EndUse();
            (word.Semaphore, word.Next) = (word.Next, null);
        }

        if (word.NeedsLooks) _nextLook = Math.Min(_nextLook, Stopwatch.GetTimestamp() + ToTicks(LookPacing.Shortest));
        return _sleep.TryWatch(word);
    }

    private static long ToTicks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    private void Serve(WatchedWord word)
    {
        if (word.Queue.Pump()) _pacing = default;
        if (word.IsWatched) return;
        lock (s_gate) Change(word);
    }

    private void LookAtAll()
    {
        List<WatchedWord> round = [];
        lock (s_gate)
        {
            // Without LINQ, whose assembly cannot be loaded when no descriptor is left: that would end the process.
            foreach (WatchedWord word in s_words.Values)
            {
                if (word.Home == this) round.Add(word);
            }
        }

        foreach (WatchedWord word in round)
        {
            if (word.Queue.Pump()) _pacing = default;
            if (word.NeedsLooks) Follow(word);
        }

        bool needsLooks = round.Exists(static word => word.NeedsLooks);
        _nextLook = Stopwatch.GetTimestamp()
            + ToTicks(needsLooks ? _pacing.Next() : TimeSpan.FromMilliseconds(SleepWatch.RoundMilliseconds));
    }

    /// <summary>Moves to the word that a queue waits on by now, also to the same one: a lock that has stepped aside for
    /// a moment stands in another page since.</summary>
    private static void Follow(WatchedWord word)
    {
        SemaphoreObject entered;
        try
        {
            entered = word.Queue.BeginUse();
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException
            or PlatformNotSupportedException or InvalidOperationException)
        {
            return; // the queue's own next try says it to those who wait
        }

        SemaphoreObject? toLeave = entered;
        lock (s_gate)
        {
            if (word.IsWanted)
            {
                (word.Next, toLeave) = (entered, word.Next);
                word.Home.Change(word);
            }
        }

        toLeave?.EndUse();
    }

    private void Change(WatchedWord word)
    {
        if (word.IsChanged || word.HasLeft) return;
        word.IsChanged = true;
        _changes.Add(word);
    }

    private void Poke()
    {
        Interlocked.Increment(ref *_control);
        if (Volatile.Read(ref _isAsleep) != 0) Futex.WakePrivate(_control, 1);
    }

    private static FutexDispatcher WithRoom(WaitQueue queue)
    {
        FutexDispatcher? found = s_dispatchers.Find(
            static dispatcher => dispatcher._count < dispatcher._sleep.MostWords);
        if (found is not null) return found;

        // When no descriptor is left for a ring: the older call needs none, and should it be forbidden, each turn is a
        // look at all.
        WordSleep? ring = UsesRing ? RingSleep.TryMake() : null;
        found = new FutexDispatcher(ring ?? new WaitvSleep());
        if (!found.TryStart()) throw BackgroundThread.Refused(queue.Key);
        s_dispatchers.Add(found);
        return found;
    }

    private sealed class Any : IWaitSignal
    {
        public void Arm(WaitQueue queue)
        {
            SemaphoreObject? entered = queue.BeginUse(); // may open a lock, or fail
            try
            {
                lock (s_gate)
                {
                    if (s_words.TryGetValue(queue, out WatchedWord? word))
                    {
                        word.IsWanted = true;
                        if (entered != word.Semaphore) (word.Next, entered) = (entered, word.Next);
                    }
                    else
                    {
                        FutexDispatcher home = WithRoom(queue);
                        word = new WatchedWord(home, queue, entered, ++s_lastNumber);
                        entered = null;
                        GlibcSemaphore.AddWaiter(word.Word);
                        s_words.Add(queue, word);
                        home._count++;
                    }

                    word.Home.Change(word);
                    word.Home.Poke();
                }
            }
            finally
            {
                entered?.EndUse();
            }
        }

        public void Disarm(WaitQueue queue)
        {
            lock (s_gate)
            {
                WatchedWord word = s_words[queue];
                word.IsWanted = false;
                word.Home.Change(word);
                word.Home.Poke();
            }
        }

        public void Drain(WaitQueue queue)
        {
            WatchedWord? word;
            FutexDispatcher? here;
            lock (s_gate)
            {
                if (!s_words.TryGetValue(queue, out word)) return;
                here = s_dispatchers.Find(static dispatcher => dispatcher._thread == Thread.CurrentThread);
                if (here is null) word.Left ??= new ManualResetEventSlim();
            }

            if (here is null) word.Left!.Wait();
            else here.Withdraw(queue);
        }
    }

    /// <summary>Goes on sleeping and leaving words, without serving, until a queue's word was left, by this dispatcher
    /// or another one.</summary>
    private void Withdraw(WaitQueue queue)
    {
        while (true)
        {
            _ = Apply(out uint seen);
            lock (s_gate)
            {
                if (!s_words.ContainsKey(queue)) break;
            }

            int before = _woken.Count;
            _ = _sleep.Sleep(_control, seen, LookPacing.Shortest, _woken);
            lock (s_gate)
            {
                for (int i = before; i < _woken.Count; i++)
                {
                    // Their queues are served when the continuation has returned
                    if (!_woken[i].IsWatched) Change(_woken[i]);
                }
            }
        }

        Volatile.Write(ref _isAsleep, 0);
    }
}
