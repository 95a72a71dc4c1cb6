using System.Runtime.InteropServices;
using NativeIpc.Backends.Posix;

namespace NativeIpc.Waiting;

/// <summary>One thread that sleeps on the words of up to 127 POSIX semaphores at once: futex_waitv(2), Linux 5.16 and glibc.</summary>
/// <remarks>
/// <para>A queue's semaphore counts one waiter more while the queue is armed, so that whoever posts, also a peer by <c>sem_post</c>, wakes this thread.</para>
/// <para>Interleavings. (1) A post between a failed try and the sleep: the word is no longer 0, and the kernel does not sleep. (2) A queue comes or goes: the
/// control word changes under the gate, and the kernel does not sleep on the old list, or is woken. (3) The object is closed and its page unmapped while this thread
/// sleeps: the kernel has looked at the address before, and the queue has left the waiters under the gate; a call that comes
/// after it fails with EFAULT or finds the control word changed, and the list is read anew. (4) A wake-up was meant for another waiter, since the wait
/// here was cancelled: leaving the waiters passes it on.</para>
/// </remarks>
internal sealed unsafe class FutexDispatcher : IWaitSignal
{
    private const int MostQueues = Interop.Futex.MostWords - 1;

    private static readonly Lock s_gate = new();
    private static readonly List<FutexDispatcher> s_dispatchers = [];

    /// <summary>Finds a dispatcher with room for a queue.</summary>
    internal static readonly IWaitSignal s_any = new Any();

    private readonly List<WaitQueue> _queues = [];
    private readonly uint* _control = (uint*)NativeMemory.AllocZeroed(sizeof(uint));

    private FutexDispatcher() => new Thread(Run, 256 * 1024) { IsBackground = true, Name = "NativeIpc wait dispatcher" }.Start();

    /// <summary>Whether the kernel has futex_waitv and this process may call it.</summary>
    internal static bool IsOffered { get; } = GlibcSemaphore.s_isKnown && Interop.Futex.HasWaitMany()
        && !(AppContext.TryGetSwitch("NativeIpc.PortableWaits", out bool portable) && portable);

    public void Arm(WaitQueue queue)
    {
        GlibcSemaphore.JoinWaiters(queue.Word);
        _queues.Add(queue);
        Poke();
    }

    public void Disarm(WaitQueue queue)
    {
        if (!_queues.Remove(queue)) return;
        GlibcSemaphore.LeaveWaiters(queue.Word);
        Poke();
    }

    private void Poke()
    {
        Interlocked.Increment(ref *_control);
        Interop.Futex.WakePrivate(_control, 1);
    }

    private void Run()
    {
        List<WaitQueue> round = [];
        Interop.FutexWord* words = stackalloc Interop.FutexWord[Interop.Futex.MostWords];
        while (true)
        {
            uint control;
            lock (s_gate)
            {
                control = Volatile.Read(ref *_control);
                round.Clear();
                round.AddRange(_queues);
            }

            foreach (WaitQueue queue in round) queue.Pump();
            words[0] = Interop.FutexWord.Private(_control, control);
            int count = 1;
            lock (s_gate)
            {
                if (control != Volatile.Read(ref *_control)) continue;
                foreach (WaitQueue queue in round) words[count++] = Interop.FutexWord.Shared((uint*)queue.Word, 0);
            }

            Interop.Futex.WaitMany(words, count); // whatever it says: look again
        }
    }

    private sealed class Any : IWaitSignal
    {
        public void Arm(WaitQueue queue)
        {
            lock (s_gate)
            {
                FutexDispatcher? free = s_dispatchers.Find(dispatcher => dispatcher._queues.Count < MostQueues);
                if (free is null)
                {
                    free = new FutexDispatcher();
                    s_dispatchers.Add(free);
                }

                free.Arm(queue);
            }
        }

        public void Disarm(WaitQueue queue)
        {
            lock (s_gate)
            {
                foreach (FutexDispatcher dispatcher in s_dispatchers) dispatcher.Disarm(queue);
            }
        }
    }
}
