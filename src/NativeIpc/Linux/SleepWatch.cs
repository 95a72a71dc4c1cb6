using NativeIpc.Interop.Unix;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Linux;

/// <summary>
/// Wakes sleepers for what does not wake them by itself: the process that holds their lock has ended, or a process died
/// between giving a permit and waking the next one. On the thread of <see cref="Reactor"/>. Linux only.
/// </summary>
/// <remarks>Both are hints: a woken thread looks, and sleeps on if there is nothing. The end of a process comes from
/// the kernel (pidfd) at once; an id from another PID namespace names no process, or another one. For the second, every
/// sleeper is woken each <see cref="RoundMilliseconds"/>, so that a sleep needs no time limit, which would make it a
/// tenth dearer.</remarks>
internal static class SleepWatch
{
    /// <summary>How long a sleeper may sleep over a permit whose giver died before waking it. Less than 0.2 wake-ups a
    /// second, the sleeper's and the thread's together.</summary>
    internal const int RoundMilliseconds = 11_000;

    /// <summary>How long a sleeper is woken again and again that does not come up, as one that a debugger
    /// holds.</summary>
    private const int PatienceMilliseconds = 1000;

    private static readonly List<WeakReference<ISleeper>> s_sleepers = [];
    private static readonly List<LateSleeper> s_notUpYet = [];
    private static readonly Reactor.Part s_part = new(Round, IsNeeded, static () => s_hasNextRound = false);
    private static int s_watches;
    private static long s_nextRound;
    private static bool s_hasNextRound; // the thread comes by itself

    // A class: a list of values of its own would be compiled by the JIT in each process.
    private sealed class LateSleeper(ISleeper sleeper, long until)
    {
        public ISleeper Sleeper => sleeper;

        public long Until => until;
    }

    /// <summary>
    /// Whether the thread runs, or there is no need of it here. Where the system gives no thread, sleepers look now
    /// and then instead.
    /// </summary>
    public static bool IsServing => Reactor.IsRunning || !OperatingSystem.IsLinux();

    /// <summary>Notes a thread that is going to sleep, once for each thread. Starts none: that is for those that have
    /// to be made to look (<see cref="Ensure"/>).</summary>
    public static void Add(ISleeper sleeper)
    {
        if (!OperatingSystem.IsLinux()) return;
        lock (Reactor.s_gate)
        {
            Sleepers.Note();
            s_sleepers.RemoveAll(static gone => !gone.TryGetTarget(out _));
            s_sleepers.Add(new(sleeper));
        }
    }

    /// <summary>Has the thread serve sleepers: starts it, should it not run, and tells it, should it run for another
    /// part of this library.</summary>
    public static void Ensure()
    {
        if (!OperatingSystem.IsLinux() || (Reactor.IsRunning && Volatile.Read(ref s_hasNextRound))) return;
        lock (Reactor.s_gate) StartOrPoke();
    }

    private static bool StartOrPoke()
    {
        bool wasRunning = Reactor.IsRunning;
        if (!Reactor.TryStart(s_part, out _)) return false;
        if (wasRunning && !s_hasNextRound) Reactor.Poke();
        Volatile.Write(ref s_hasNextRound, true);
        return true;
    }

    /// <summary>Wakes a sleeper, and returns at once: one that does not come up is woken again in the next
    /// rounds, or here where the system gives no thread.</summary>
    public static void Wake(ISleeper sleeper)
    {
        if (sleeper.TryWake()) return;
        lock (Reactor.s_gate)
        {
            if (StartOrPoke())
            {
                s_notUpYet.Add(new(sleeper, Environment.TickCount64 + PatienceMilliseconds));
                Reactor.Poke();
                return;
            }
        }

        var backoff = new Backoff(TimeSpan.FromMilliseconds(PatienceMilliseconds)); // no thread is to be had
        while (backoff.Pause() && !sleeper.TryWakeAgain())
        {
        }
    }

    /// <summary>Wakes all threads that sleep at a place, and returns at once. So a sleep needs no list of its object,
    /// which would cost each one two turns at a lock.</summary>
    public static void WakeAll(nint place) => WakeAll(place, place + 1);

    /// <summary>The same for all places between two addresses.</summary>
    public static void WakeAll(nint first, nint end)
    {
        // R2 Race: a thread is about to sleep there for the first time. Safe because: it is in the list before it says
        // where it sleeps, and then looks whether the object is closed; the caller has closed it before this look.
        Interlocked.MemoryBarrier();
        if (Sleepers.HaveBeen) WakeListed(first, end);
    }

    /// <summary>Whether a thread has ever slept. Apart from the list, whose types a process without sleepers need not
    /// load.</summary>
    private static class Sleepers
    {
        private static bool s_haveBeen;

        public static bool HaveBeen => Volatile.Read(ref s_haveBeen);

        public static void Note() => Volatile.Write(ref s_haveBeen, true);
    }

    private static void WakeListed(nint first, nint end)
    {
        List<ISleeper>? there = null;
        lock (Reactor.s_gate)
        {
            foreach (WeakReference<ISleeper> reference in s_sleepers)
            {
                if (reference.TryGetTarget(out ISleeper? sleeper) && sleeper.SleepsWithin(first, end))
                    (there ??= []).Add(sleeper);
            }
        }

        foreach (ISleeper sleeper in there ?? []) Wake(sleeper);
    }

    /// <summary>Wakes a sleeper when a process ends, until the watch is disposed; no watch where the kernel cannot
    /// say.</summary>
    public static Watch EndOf(int process, ISleeper sleeper)
    {
        if (process <= 0 || !Reactor.Hears || !KernelCalls.s_here.PidfdOpen) return default;
        int descriptor = Libc.pidfd_open(process);
        if (descriptor < 0) return default;
        lock (Reactor.s_gate)
        {
            if (Reactor.TryHear(descriptor, sleeper) is not 0 and var number)
            {
                s_watches++;
                return new Watch(number, descriptor);
            }
        }

        _ = Libc.close_number(descriptor);
        return default;
    }

    /// <summary>A watch on a process; <c>default</c> for none.</summary>
    internal readonly struct Watch(long number, int descriptor) : IDisposable
    {
        public void Dispose()
        {
            if (number == 0) return;
            lock (Reactor.s_gate)
            {
                s_watches--;
                Reactor.Forget(number);
                _ = Libc.close_number(descriptor); // which takes it out of the kernel's list
            }
        }
    }

    /// <summary>Makes all sleepers look, if it is time, and wakes those again that are not up yet.</summary>
    private static int Round()
    {
        lock (Reactor.s_gate)
        {
            s_hasNextRound = s_sleepers.Count > 0;
            if (!s_hasNextRound) return -1;
            long now = Environment.TickCount64;
            s_notUpYet.RemoveAll(static late => late.Sleeper.TryWakeAgain());
            s_notUpYet.RemoveAll(late => now >= late.Until);
            if (s_nextRound == 0) s_nextRound = now + RoundMilliseconds;
            if (now >= s_nextRound)
            {
                s_nextRound = now + RoundMilliseconds;
                foreach (WeakReference<ISleeper> reference in s_sleepers)
                {
                    // R1 Race: it has left. Safe because: it looks once more in its next wait.
                    if (reference.TryGetTarget(out ISleeper? sleeper)) sleeper.Nudge();
                }
            }

            return s_notUpYet.Count > 0 ? 1 : (int)(s_nextRound - now);
        }
    }

    private static bool IsNeeded()
    {
        bool isNeeded = s_watches > 0 || s_notUpYet.Count > 0;
        foreach (WeakReference<ISleeper> reference in s_sleepers)
            isNeeded |= reference.TryGetTarget(out ISleeper? sleeper) && sleeper.IsAsleep;
        return isNeeded;
    }
}
