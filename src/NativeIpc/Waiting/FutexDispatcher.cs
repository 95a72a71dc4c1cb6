using System.Runtime.InteropServices;
using NativeIpc.Backends;
using NativeIpc.Backends.Posix;

namespace NativeIpc.Waiting;

/// <summary>One thread that sleeps on the words of up to 127 POSIX semaphores at once: futex_waitv(2), Linux 5.16 and glibc.</summary>
/// <remarks>
/// <para>A queue's semaphore counts one waiter more while the queue is armed, so that whoever posts, also a peer by <c>sem_post</c>, wakes this thread.</para>
/// <para>Interleavings. (1) A post between a failed try and the sleep: the word is no longer 0, and the kernel does not sleep. (2) A queue comes or goes: the
/// control word changes under the gate, and the kernel does not sleep on the old list, or is woken. (3) The object is closed and its page unmapped while this thread
/// sleeps: the kernel has looked at the address before, and the queue has left the waiters under the gate; a call that comes
/// after it fails with EFAULT or finds the control word changed, and the list is read anew. (4) A wake-up was meant for another waiter, since the wait
/// here was cancelled: leaving the waiters passes it on. (5) A lock is replaced: its queue says another word, and joins the waiters there; the old lock stays open until the
/// queue has left it. (6) A holder dies, or a name leads elsewhere: nothing wakes for that, so with such a queue the sleep ends after a slice.</para>
/// </remarks>
internal sealed unsafe class FutexDispatcher
{
    private const int MostQueues = Interop.Futex.MostWords - 1;

    private static readonly Lock s_gate = new();
    private static readonly List<FutexDispatcher> s_dispatchers = [];

    /// <summary>Finds a dispatcher with room for a queue.</summary>
    internal static readonly IWaitSignal s_any = new Any();

    private readonly List<Armed> _queues = [];
    private readonly uint* _control = (uint*)NativeMemory.AllocZeroed(sizeof(uint));

    private FutexDispatcher() => new Thread(Run, 256 * 1024) { IsBackground = true, Name = "NativeIpc wait dispatcher" }.Start();

    /// <summary>Whether the kernel has futex_waitv and this process may call it.</summary>
    internal static bool IsOffered { get; } = GlibcSemaphore.s_isKnown && Interop.Futex.HasWaitMany();

    /// <summary>A queue, and the semaphore whose waiters it has joined: entered, so that it stays.</summary>
    private sealed class Armed(WaitQueue queue, SemaphoreObject semaphore)
    {
        public WaitQueue Queue => queue;

        public nint Word => Semaphore.WaitWord;

        public SemaphoreObject Semaphore { get; set; } = semaphore;
    }

    private void ArmHere(WaitQueue queue, SemaphoreObject semaphore)
    {
        GlibcSemaphore.JoinWaiters(semaphore.WaitWord);
        _queues.Add(new Armed(queue, semaphore));
        Poke();
    }

    /// <summary>Leaves the waiters; what is to be left by the caller, or null.</summary>
    private SemaphoreObject? DisarmHere(WaitQueue queue)
    {
        int index = _queues.FindIndex(armed => armed.Queue == queue);
        if (index < 0) return null;
        Armed armed = _queues[index];
        GlibcSemaphore.LeaveWaiters(armed.Word);
        _queues.RemoveAt(index);
        Poke();
        return armed.Semaphore;
    }

    private void Poke()
    {
        Interlocked.Increment(ref *_control);
        Interop.Futex.WakePrivate(_control, 1);
    }

    private void Run()
    {
        List<Armed> round = [];
        Interop.FutexWord* words = stackalloc Interop.FutexWord[Interop.Futex.MostWords];
        Wakeup pacing = Wakeup.Begin();
        while (true)
        {
            uint control;
            lock (s_gate)
            {
                control = Volatile.Read(ref *_control);
                round.Clear();
                round.AddRange(_queues);
            }

            bool needsLooks = false;
            foreach (Armed armed in round)
            {
                if (armed.Queue.Pump()) pacing = Wakeup.Begin();
                if (!armed.Queue.NeedsLooks) continue;
                needsLooks = true;
                Follow(armed);
            }

            words[0] = Interop.FutexWord.Private(_control, control);
            int count = 1;
            lock (s_gate)
            {
                if (control != Volatile.Read(ref *_control)) continue;
                foreach (Armed armed in round) words[count++] = Interop.FutexWord.Shared((uint*)armed.Word, 0);
            }

            // A process may also have died between giving a permit and waking. Whatever the sleep says: look again.
            Interop.Timespec until = Interop.Timespec.After(needsLooks ? pacing.NextSlice() : TimeSpan.FromMilliseconds(SleepWatch.RoundMilliseconds), Interop.Flags.CLOCK_MONOTONIC);
            Interop.Futex.WaitMany(words, count, &until);
        }
    }

    /// <summary>Joins the waiters of the word that a queue waits on by now.</summary>
    private void Follow(Armed armed)
    {
        SemaphoreObject entered;
        try
        {
            if (armed.Queue.Word == armed.Word) return;
            entered = armed.Queue.Enter();
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException or PlatformNotSupportedException or InvalidOperationException)
        {
            return; // the queue's own next try says it to those who wait
        }

        lock (s_gate)
        {
            if (_queues.Contains(armed))
            {
                GlibcSemaphore.JoinWaiters(entered.WaitWord);
                GlibcSemaphore.LeaveWaiters(armed.Word);
                (armed.Semaphore, entered) = (entered, armed.Semaphore);
            }
        }

        entered.Leave();
    }

    private sealed class Any : IWaitSignal
    {
        public void Arm(WaitQueue queue)
        {
            SemaphoreObject semaphore = queue.Enter(); // may open a lock, or fail
            try
            {
                lock (s_gate) FreeOne().ArmHere(queue, semaphore);
            }
            catch
            {
                semaphore.Leave();
                throw;
            }
        }

        private static FutexDispatcher FreeOne()
        {
            if (s_dispatchers.Find(dispatcher => dispatcher._queues.Count < MostQueues) is { } free) return free;
            free = new FutexDispatcher();
            s_dispatchers.Add(free);
            return free;
        }

        public void Disarm(WaitQueue queue)
        {
            SemaphoreObject? left = null;
            lock (s_gate)
            {
                foreach (FutexDispatcher dispatcher in s_dispatchers) left ??= dispatcher.DisarmHere(queue);
            }

            left?.Leave();
        }
    }
}
