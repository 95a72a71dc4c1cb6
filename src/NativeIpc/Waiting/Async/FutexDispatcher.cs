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

/// <summary>One thread that sleeps on the words of many POSIX objects at once: of any number by io_uring
/// (Linux 6.7), or of 127 by futex_waitv (5.16).</summary>
/// <remarks>A queue's object counts one waiter more while it is watched, so that each post, also a peer's
/// <c>sem_post</c>, wakes this thread. Other threads say what they want by the list of changes; only this thread
/// removes a waiter, once the kernel does not watch any more. Not everything wakes: the death of a holder, a name that
/// leads elsewhere, a process that died between giving a permit and waking. So now and then it looks at all
/// words.</remarks>
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

    /// <summary>Whether the kernel can sleep on several words, and this process may ask for it, for
    /// semaphores.</summary>
    internal static bool IsOffered => GlibcSemaphore.s_isOffered && IsOfferedForEvents;

    /// <summary>The same for events, whose word is this library's own.</summary>
    internal static bool IsOfferedForEvents => Kernel.s_hasRing || Kernel.s_hasWaitv;

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
        // R1 Race: a queue comes or goes meanwhile. Safe because: the thread says that it sleeps before it reads the
        // list, and a change comes with a new control word and then a look whether to wake: so the kernel does not
        // sleep, or is woken, and an awake thread costs no call.
        Interlocked.Exchange(ref _isAsleep, 1);
        bool isDone;
        lock (s_gate)
        {
            seen = Volatile.Read(ref *_control);
            (_applied, _changes) = (_changes, _applied);

            // First those that come: what goes may pass a wake-up on to them.
            isDone = ApplyAll(areWanted: true);
            if (_applied.Exists(static word => !word.IsWanted && !word.IsWatched)) _sleep.BeginWatching();
            isDone &= ApplyAll(areWanted: false);
            _applied.Clear();

            // R2 Race: a queue is added to a thread that ends. Safe because: it leaves the list under the gate, without
            // words.
            if (Unloading.HasBegun && _count == 0 && _changes.Count == 0)
                _isOver = s_dispatchers.Remove(this) || _isOver;
        }

        return isDone;
    }

    private bool ApplyAll(bool areWanted)
    {
        bool isDone = true;
        foreach (WatchedWord word in _applied)
        {
            if (word.IsWanted != areWanted) continue;
            word.IsChanged = false;
            if (TryApply(word)) continue;
            isDone = false;
            Change(word);
        }

        return isDone;
    }

    private bool TryApply(WatchedWord word)
    {
        if (!word.IsWanted || word.Next is not null)
        {
            if (!_sleep.TryEnd(word)) return false;
            if (word.IsWatched) return true; // comes again when it has ended

            // R8 Race: it was woken, and this thread disposes of it in a continuation before it is served. Safe
            // because: that it was woken is noted here as well, so that it is passed on.
            NoteWoken(word);
            if (!word.IsWanted)
            {
                // R3 Race: a wake-up came here that was meant for another waiter. Safe because: to remove the waiter
                // passes it on, and the kernel watches no longer, but for those that have come meanwhile.
                word.Object.RemoveWaiter();
                s_words.Remove(word.Queue);
                word.HasLeft = true;
                word.Object.EndUse(); // closes a lock that was replaced; any other waits for this in Drain
                word.Next?.EndUse();
                _count--;
                word.Left?.Set();
                return true;
            }

            // R4 Race: a lock is replaced, or steps aside: its word is another one, or in another page. Safe because:
            // each look at all begins to watch anew, and the old lock stays open until its waiter is removed.
            word.Next!.AddWaiter();
            word.Object.RemoveWaiter();
            word.Object.EndUse();
            (word.Object, word.Next) = (word.Next, null);
        }

        if (word.NeedsLooks) _nextLook = Math.Min(_nextLook, Stopwatch.GetTimestamp() + ToTicks(LookPacing.Shortest));
        return _sleep.TryWatch(word);
    }

    private static long ToTicks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    private void Serve(WatchedWord word)
    {
        NoteWoken(word);
        if (word.Queue.Pump()) _pacing = default;
        if (word.IsWatched) return;
        lock (s_gate) Change(word);
    }

    private static void NoteWoken(WatchedWord word)
    {
        if (word.WasWoken) word.Queue.NoteWoken();
        word.WasWoken = false;
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

    /// <summary>Moves to the word that a queue waits on by now, also to the same one: the page of a lock that has
    /// stepped aside is another one since.</summary>
    private static void Follow(WatchedWord word)
    {
        WaitObject used;
        try
        {
            used = word.Queue.BeginUse();
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException
            or PlatformNotSupportedException or InvalidOperationException)
        {
            return; // the queue's own next try tells the waits
        }

        WaitObject? unused = used;
        lock (s_gate)
        {
            if (word.IsWanted)
            {
                (word.Next, unused) = (used, word.Next);
                word.Home.Change(word);
            }
        }

        unused?.EndUse();
    }

    private void Change(WatchedWord word)
    {
        Debug.Assert(s_gate.IsHeldByCurrentThread);
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

        // When no descriptor is left for a ring: the older call needs none, and where that is forbidden, each round is
        // a look at all.
        WordSleep? ring = Kernel.s_hasRing ? RingSleep.TryMake() : null;
        found = new FutexDispatcher(ring ?? new WaitvSleep());
        if (!found.TryStart()) throw BackgroundThread.Refused(queue.Key);
        s_dispatchers.Add(found);
        return found;
    }

    private sealed class Any : IWaitSignal
    {
        public void Arm(WaitQueue queue)
        {
            WaitObject? used = queue.BeginUse(); // may open a lock, or fail
            try
            {
                lock (s_gate)
                {
                    if (s_words.TryGetValue(queue, out WatchedWord? word))
                    {
                        // R5 Race: a queue goes and comes back before the thread has seen it go. Safe because: it
                        // stays.
                        word.IsWanted = true;
                        if (used != word.Object) (word.Next, used) = (used, word.Next);
                    }
                    else
                    {
                        FutexDispatcher home = WithRoom(queue);
                        word = new WatchedWord(home, queue, used, ++s_lastNumber);
                        used = null;

                        // R6 Race: a post between the queue's failed try and the sleep. Safe because: the word has
                        // another value then, and the kernel does not sleep.
                        word.Object.AddWaiter();
                        s_words.Add(queue, word);
                        home._count++;
                    }

                    word.Home.Change(word);
                    word.Home.Poke();
                }
            }
            finally
            {
                used?.EndUse();
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

            // R7 Race: the object is disposed while its word is watched. Safe because: its page stays until the waiter
            // is removed. A dispatcher whose continuation disposes goes on with its own work instead of waiting, since
            // another one may wait for it in the same way.
            if (here is null) word.Left!.Wait();
            else here.Withdraw(queue);
        }
    }

    /// <summary>Goes on sleeping and removing waiters, without serving, until a queue's waiter is removed, by this
    /// dispatcher or another one.</summary>
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
                    // Their queues are served when the continuation has returned.
                    if (!_woken[i].IsWatched) Change(_woken[i]);
                }
            }
        }

        Volatile.Write(ref _isAsleep, 0);
    }
}
