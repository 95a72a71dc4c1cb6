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
/// here was cancelled: leaving the waiters passes it on. (5) A lock is replaced: its queue says another word, and joins the waiters there; the old lock stays open as long as the
/// queue is armed. (6) A holder dies, or a name leads elsewhere: nothing wakes for that, so with such a queue the sleep ends after a slice.</para>
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

    /// <summary>A queue, and the word whose waiters it has joined.</summary>
    private sealed class Armed(WaitQueue queue, nint word)
    {
        public WaitQueue Queue => queue;

        public nint Word { get; set; } = word;
    }

    private void ArmHere(WaitQueue queue, nint word)
    {
        GlibcSemaphore.JoinWaiters(word);
        _queues.Add(new Armed(queue, word));
        Poke();
    }

    private bool DisarmHere(WaitQueue queue)
    {
        int index = _queues.FindIndex(armed => armed.Queue == queue);
        if (index < 0) return false;
        GlibcSemaphore.LeaveWaiters(_queues[index].Word);
        _queues.RemoveAt(index);
        Poke();
        return true;
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
        nint word;
        try
        {
            word = armed.Queue.Word;
        }
        catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException or PlatformNotSupportedException or InvalidOperationException)
        {
            return; // the queue's own next try says it to those who wait
        }

        if (word == armed.Word || word == 0) return;
        lock (s_gate)
        {
            if (!_queues.Contains(armed)) return;
            GlibcSemaphore.JoinWaiters(word);
            GlibcSemaphore.LeaveWaiters(armed.Word);
            armed.Word = word;
        }
    }

    private sealed class Any : IWaitSignal
    {
        public void Arm(WaitQueue queue)
        {
            nint word = queue.Word; // may open a lock, or fail
            lock (s_gate)
            {
                FutexDispatcher? free = s_dispatchers.Find(dispatcher => dispatcher._queues.Count < MostQueues);
                if (free is null)
                {
                    free = new FutexDispatcher();
                    s_dispatchers.Add(free);
                }

                free.ArmHere(queue, word);
            }
        }

        public void Disarm(WaitQueue queue)
        {
            lock (s_gate)
            {
                foreach (FutexDispatcher dispatcher in s_dispatchers)
                {
                    if (dispatcher.DisarmHere(queue)) return;
                }
            }
        }
    }
}
