using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Linux;

/// <summary>
/// One thread for the process. It hears of changed files and of processes that end (epoll(7)), does what is due at a
/// time, and is poked by an eventfd(2). Linux only. It begins when it is first needed, and ends when this library is
/// unloaded and nobody needs it.
/// </summary>
/// <remarks>
/// <para>Without a descriptor it does its rounds, asleep on a word of memory, until the next caller gets one for it.
/// <see cref="s_gate"/> guards its tables and those of its parts (<see cref="FileWatch"/>, <see cref="SleepWatch"/>);
/// the thread never holds it while it sleeps or calls.</para>
/// <para>What a part does on the thread keeps all others waiting. So it may not wait for a thread or a process: what
/// did not succeed is tried again in its next round. It may not look at a file that may be on a network, not hold a
/// gate under which others do so, and not call the program's own code: what it reports is written on the
/// pool.</para>
/// </remarks>
internal static unsafe class Reactor
{
    /// <summary>What the thread does for a part of this library.</summary>
    internal sealed class Part(Func<int> round, Func<bool> isNeeded, Action ended)
    {
        /// <summary>What is due, each time before it sleeps: outside of the gate. For how many milliseconds it may
        /// sleep then; -1 for as long as nobody pokes it.</summary>
        public Func<int> Round => round;

        /// <summary>Whether the part still needs the thread. Under the gate.</summary>
        public Func<bool> IsNeeded => isNeeded;

        /// <summary>The thread has ended. Under the gate.</summary>
        public Action Ended => ended;
    }

    private const int MostEvents = 16;

    // While this library is to be unloaded: a sleeper that has left pokes nobody.
    private const int MillisecondsBetweenEnds = 50;

    internal static readonly Lock s_gate = new();

    private static Dictionary<long, object>? s_sources; // an ISleeper to wake once, or an Action
    private static readonly uint* s_word = (uint*)NativeMemory.AllocZeroed(sizeof(uint)); // the pokes, to sleep on
    private static Part[] s_parts = [];
    private static long s_lastNumber;
    private static int s_epoll = -1;
    private static int s_poke = -1;
    private static bool s_isRunning; // without the gate: by Volatile only

    /// <summary>Whether the thread runs.</summary>
    public static bool IsRunning => Volatile.Read(ref s_isRunning);

    /// <summary>Whether it can hear of anything: it has its descriptors.</summary>
    public static bool Hears => s_poke >= 0;

    /// <summary>Starts the thread, should it not run, and has it serve a part; one that runs does the part's first
    /// round when it is poked. The caller holds the gate.</summary>
    /// <returns>Whether it runs; 0 in <paramref name="number"/>, or why it has no descriptors.</returns>
    public static bool TryStart(Part part, out int number)
    {
        Debug.Assert(s_gate.IsHeldByCurrentThread);
        Unloading.AtBegin(Poke);
        if (!IsKnown(part))
        {
            var parts = new Part[s_parts.Length + 1];
            s_parts.CopyTo(parts, 0);
            parts[^1] = part;
            Volatile.Write(ref s_parts, parts);
        }

        number = Hears ? 0 : Open();
        if (!s_isRunning && BackgroundThread.TryStart(Run, 128 * 1024, "NativeIpc watch") is not null)
            Volatile.Write(ref s_isRunning, true);
        return s_isRunning;
    }

    private static bool IsKnown(Part part)
    {
        foreach (Part known in s_parts)
        {
            if (known == part) return true;
        }

        return false;
    }

    /// <summary>Takes a descriptor into the thread's care. The caller holds the gate.</summary>
    /// <param name="descriptor">It can be read when there is news.</param>
    /// <param name="source">An <see cref="ISleeper"/>, which is woken once, or an <see cref="Action"/>, which is called
    /// each time.</param>
    /// <returns>The number to end it by, before the descriptor is closed; 0 with the error number when that
    /// failed.</returns>
    public static long TryHear(int descriptor, object source)
    {
        Debug.Assert(s_gate.IsHeldByCurrentThread);
        if (!Hears) return 0;
        long number = ++s_lastNumber;
        if (!TryAdd(descriptor, source is ISleeper ? Flags.EPOLLIN | Flags.EPOLLONESHOT : Flags.EPOLLIN, number))
            return 0;
        (s_sources ??= []).Add(number, source);
        return number;
    }

    /// <summary>Ends what <see cref="TryHear"/> began. The caller holds the gate.</summary>
    public static void Forget(long number)
    {
        Debug.Assert(s_gate.IsHeldByCurrentThread);

        // R2 Race: its event is under way. Safe because: the event finds nobody under its number, which is not used
        // again.
        s_sources?.Remove(number);
    }

    /// <summary>Has the thread do its rounds soon. From any thread, with the gate or without.</summary>
    public static void Poke()
    {
        Interlocked.Increment(ref *s_word);
        lock (s_gate)
        {
            ulong one = 1;
            // Fails only when it is poked already 2^64 times.
            if (s_poke >= 0) _ = Libc.write_number(s_poke, (byte*)&one, sizeof(ulong));
            else Futex.WakeAll(s_word, uint.MaxValue);
        }
    }

    private static int Open()
    {
        s_epoll = Libc.epoll_create1(Flags.EPOLL_CLOEXEC);
        int poke = s_epoll < 0 ? -1 : Libc.eventfd(0, Flags.EFD_CLOEXEC | Flags.EFD_NONBLOCK);
        if (poke >= 0 && TryAdd(poke, Flags.EPOLLIN, 0))
        {
            // R1 Race: the thread has seen that there are no descriptors, and sleeps on the word, or is about to.
            // Safe because: the word changes after they are there, and whoever sleeps on it is woken.
            s_poke = poke;
            Interlocked.Increment(ref *s_word);
            Futex.WakeAll(s_word, uint.MaxValue);
            return 0;
        }

        int number = Marshal.GetLastPInvokeError();
        if (poke >= 0) _ = Libc.close_number(poke);
        if (s_epoll >= 0) _ = Libc.close_number(s_epoll);
        s_epoll = -1;
        return number;
    }

    private static bool TryAdd(int descriptor, int events, long number)
    {
        byte* wanted = stackalloc byte[Layout.SizeOfEpollEvent];
        new Span<byte>(wanted, Layout.SizeOfEpollEvent).Clear();
        *(int*)wanted = events;
        *(long*)(wanted + Layout.EpollData) = number;
        return Libc.epoll_ctl(s_epoll, Flags.EPOLL_CTL_ADD, descriptor, wanted) == 0;
    }

    private static void Run()
    {
        byte* events = stackalloc byte[MostEvents * Layout.SizeOfEpollEvent];
        using var reports = HeldReports.Begin();
        while (true)
        {
            uint pokes = Volatile.Read(ref *s_word);
            int milliseconds = -1;
            foreach (Part part in Volatile.Read(ref s_parts)) milliseconds = Sooner(milliseconds, part.Round());
            HeldReports.PassOn(); // before it sleeps
            if (Unloading.HasBegun)
            {
                if (TryEnd(pokes)) return;
                milliseconds = Sooner(milliseconds, MillisecondsBetweenEnds);
            }

            if (s_poke < 0)
            {
                Timespec until = milliseconds < 0 ? default
                    : Timespec.After(TimeSpan.FromMilliseconds(milliseconds), Flags.CLOCK_MONOTONIC);
                _ = Futex.Wait(s_word, pokes, milliseconds < 0 ? null : &until, uint.MaxValue);
                continue;
            }

            int count = Libc.epoll_wait(s_epoll, events, MostEvents, milliseconds);
            for (int i = 0; i < count; i++)
                Tell(*(long*)(events + (i * Layout.SizeOfEpollEvent) + Layout.EpollData));
        }
    }

    private static int Sooner(int milliseconds, int other)
        => milliseconds < 0 ? other : other < 0 ? milliseconds : Math.Min(milliseconds, other);

    private static void Tell(long number)
    {
        object? source;
        lock (s_gate)
        {
            if (number == 0)
            {
                ulong poked;
                _ = Libc.read_number(s_poke, (byte*)&poked, sizeof(ulong));
                return;
            }

            if (s_sources is null || !s_sources.TryGetValue(number, out source)) return;
            if (source is ISleeper) s_sources.Remove(number);
        }

        if (source is ISleeper sleeper) SleepWatch.Wake(sleeper);
        else ((Action)source)();
    }

    private static bool IsAnyNeeded()
    {
        foreach (Part part in s_parts)
        {
            if (part.IsNeeded()) return true;
        }

        return false;
    }

    /// <summary>Ends the thread if nobody needs it.</summary>
    private static bool TryEnd(uint pokes)
    {
        lock (s_gate)
        {
            // R3 Race: somebody goes to sleep meanwhile.
            // Safe because: this says that the thread does not run, then looks for sleepers; the sleeper says where it
            // sleeps, then looks whether the thread runs. One sees the other.
            // R4 Race: the thread is poked meanwhile.
            // Safe because: pokes are counted.
            Volatile.Write(ref s_isRunning, false);
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref *s_word) != pokes || IsAnyNeeded())
            {
                Volatile.Write(ref s_isRunning, true);
                return false;
            }

            foreach (Part part in s_parts) part.Ended();
            s_sources?.Clear();
            if (s_poke >= 0) _ = Libc.close_number(s_poke);
            if (s_epoll >= 0) _ = Libc.close_number(s_epoll);
            s_poke = s_epoll = -1;
            return true;
        }
    }
}
