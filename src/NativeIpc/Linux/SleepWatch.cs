using NativeIpc.Interop;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Linux;

/// <summary>
/// One thread for the whole process that wakes sleepers for what does not wake them by itself: the process that holds
/// their lock has ended, or a process died between giving a permit and waking the next one. Linux only; begins when the
/// first thread goes to sleep, and ends when nobody sleeps and this library is unloaded.
/// </summary>
/// <remarks>
/// <para>Both are hints: who is woken looks, and sleeps on if there is nothing. The end of a process is told by the
/// kernel (pidfd) at once; an id from another PID namespace names no process, or another one. For the second, every
/// sleeper is woken each <see cref="RoundMilliseconds"/>, so that a sleep needs no time limit, which would make it a
/// tenth dearer.</para>
/// <para>Interleavings. (1) A watch ends while its event is under way: the event finds no one under its number, which
/// is not used again. (2) A sleeper is woken when it has left: it looks once more in its next wait. (3) A descriptor is
/// closed, which takes it out of the kernel's list, under the gate. (4) The thread ends while one goes to sleep: the
/// thread says that it does not serve, and looks who sleeps; the sleeper says where it sleeps, and looks whether the
/// thread serves. So one of the two sees the other.</para>
/// </remarks>
internal static unsafe class SleepWatch
{
    /// <summary>How long a sleeper may sleep over a permit whose giver died before waking it. Less than 0.2 wake-ups a
    /// second, the sleeper's and the thread's together.</summary>
    internal const int RoundMilliseconds = 11_000;

    // While the library is to be unloaded: how soon the thread looks whether it may end.
    private static readonly TimeSpan s_endSlice = TimeSpan.FromMilliseconds(50);

    private static readonly Lock s_gate = new();
    private static readonly List<WeakReference<ISleeper>> s_sleepers = [];
    private static readonly Dictionary<long, ISleeper> s_watches = [];
    private static long s_lastNumber;
    private static int s_epoll = -1;
    private static int s_hurry = -1;
    private static volatile Thread? s_thread;

    /// <summary>
    /// Whether the thread runs, or there is no need of it here. Where the system gives no thread, sleepers look now
    /// and then instead.
    /// </summary>
    public static bool IsServing => s_thread is not null || !OperatingSystem.IsLinux();

    /// <summary>Notes a thread that is going to sleep, once for each thread.</summary>
    public static void Add(ISleeper sleeper)
    {
        if (!OperatingSystem.IsLinux()) return;
        lock (s_gate)
        {
            s_sleepers.RemoveAll(static gone => !gone.TryGetTarget(out _));
            s_sleepers.Add(new(sleeper));
            TryStart();
        }
    }

    /// <summary>Starts the thread, should the system not have given one before.</summary>
    public static void Ensure()
    {
        if (IsServing) return;
        lock (s_gate) TryStart();
    }

    private static void TryStart()
    {
        if (s_thread is not null) return;

        Unloading.AtBegin(HurryUp);

        // -1, without a descriptor: then only the rounds are done. Kept if the thread cannot start.
        if (s_epoll < 0) s_epoll = Libc.epoll_create1(Flags.EPOLL_CLOEXEC);
        s_thread = BackgroundThread.TryStart(Run, 128 * 1024, "NativeIpc sleep watch");
    }

    /// <summary>Wakes all threads that sleep at a place. So a sleep needs no list of its object, which would cost each
    /// one two turns at a lock.</summary>
    public static void WakeAll(nint place)
    {
        List<ISleeper>? there = null;
        lock (s_gate)
        {
            foreach (WeakReference<ISleeper> reference in s_sleepers)
            {
                if (reference.TryGetTarget(out ISleeper? sleeper) && sleeper.Place == place)
                    (there ??= []).Add(sleeper);
            }
        }

        foreach (ISleeper sleeper in there ?? []) sleeper.Wake();
    }

    /// <summary>Wakes a sleeper when a process ends, until the watch is disposed; no watch where the kernel cannot
    /// say.</summary>
    public static Watch EndOf(int process, ISleeper sleeper)
    {
        if (process <= 0 || s_thread is null || !KernelCalls.s_here.PidfdOpen) return default;
        int descriptor = Libc.pidfd_open(process);
        if (descriptor < 0) return default;
        byte* wanted = stackalloc byte[Layout.SizeOfEpollEvent];
        lock (s_gate)
        {
            long number = ++s_lastNumber;
            new Span<byte>(wanted, Layout.SizeOfEpollEvent).Clear();
            *(int*)wanted = Flags.EPOLLIN | Flags.EPOLLONESHOT; // the descriptor stays readable
            *(long*)(wanted + Layout.EpollData) = number;
            if (s_epoll >= 0 && s_thread is not null
                && Libc.epoll_ctl(s_epoll, Flags.EPOLL_CTL_ADD, descriptor, wanted) == 0)
            {
                s_watches.Add(number, sleeper);
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
            lock (s_gate)
            {
                s_watches.Remove(number);
                _ = Libc.close_number(descriptor);
            }
        }
    }

    private static void Run()
    {
        const int most = 16;
        byte* events = stackalloc byte[most * Layout.SizeOfEpollEvent];
        List<ISleeper> toWake = [];
        while (true)
        {
            int count = 0;
            int round = Unloading.HasBegun ? (int)s_endSlice.TotalMilliseconds : RoundMilliseconds;
            if (s_epoll >= 0) count = Libc.epoll_wait(s_epoll, events, most, round);
            else Pause.Microseconds(round * 1000);
            lock (s_gate)
            {
                for (int i = 0; i < count; i++)
                {
                    if (s_watches.Remove(*(long*)(events + (i * Layout.SizeOfEpollEvent) + Layout.EpollData),
                        out ISleeper? sleeper))
                        toWake.Add(sleeper);
                }

                if (count <= 0)
                {
                    foreach (WeakReference<ISleeper> reference in s_sleepers)
                    {
                        if (reference.TryGetTarget(out ISleeper? sleeper)) sleeper.Nudge();
                    }
                }
            }

            foreach (ISleeper sleeper in toWake) sleeper.Wake();
            toWake.Clear();
            if (Unloading.HasBegun && TryEnd()) return;
        }
    }

    /// <summary>Wakes the thread: something that can be read, and nobody's number. Fails only for want of a
    /// descriptor; then the thread ends after its round.</summary>
    private static void HurryUp()
    {
        byte* wanted = stackalloc byte[Layout.SizeOfEpollEvent];
        new Span<byte>(wanted, Layout.SizeOfEpollEvent).Clear();
        *(int*)wanted = Flags.EPOLLIN | Flags.EPOLLONESHOT;
        lock (s_gate)
        {
            if (s_epoll < 0 || s_thread is null) return;
            int one = Libc.eventfd(1, Flags.EFD_CLOEXEC);
            if (one < 0) return;
            if (Libc.epoll_ctl(s_epoll, Flags.EPOLL_CTL_ADD, one, wanted) == 0) s_hurry = one;
            else _ = Libc.close_number(one);
        }
    }

    private static bool TryEnd()
    {
        lock (s_gate)
        {
            Thread? thread = s_thread;
            s_thread = null;
            Interlocked.MemoryBarrier();
            bool isNeeded = s_watches.Count > 0;
            foreach (WeakReference<ISleeper> reference in s_sleepers)
                isNeeded |= reference.TryGetTarget(out ISleeper? sleeper) && sleeper.Place != 0;
            if (isNeeded)
            {
                s_thread = thread;
                return false;
            }

            if (s_hurry >= 0) _ = Libc.close_number(s_hurry);
            if (s_epoll >= 0) _ = Libc.close_number(s_epoll);
            s_hurry = s_epoll = -1;
            return true;
        }
    }
}
