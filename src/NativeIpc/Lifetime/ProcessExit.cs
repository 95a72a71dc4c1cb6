using System.Runtime.InteropServices;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Lifetime;

/// <summary>What is removed when the process ends without Dispose.</summary>
internal abstract class ExitDuty
{
    // The list is in the duties themselves: to list and to forget one costs no allocation.
    internal ExitDuty? Previous { get; set; }

    internal ExitDuty? Next { get; set; }

    internal bool IsListed { get; set; }

    /// <summary>Removes what is owned, once. Comes back when it is done, also when a Dispose or a finalizer got there
    /// first and is in the middle.</summary>
    public abstract void Perform();
}

/// <summary>
/// Removes, at a normal end of the process (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT), what its undisposed instances own.
/// </summary>
/// <remarks>
/// <para>Since .NET 10 neither SIGTERM nor Ctrl-C raises ProcessExit, so both need a
/// registration. Removing at a signal is right only if the signal ends the process: a program that cancels it (the
/// generic host, a CancelKeyPress handler) goes on using its objects, and gets its clean-up at ProcessExit. Handlers
/// run newest first, so the first one to be registered sees what all the others decided. <see cref="SignalEnds"/> says
/// where that of this library is the first, and whether the signal ends the process at all; where it does not know,
/// nothing is removed at the signal.</para>
/// <para>A signal that the process was started with as ignored (nohup) stays ignored.</para>
/// <para>Several copies of this library in a process: <see cref="Copies"/>.</para>
/// <para>A duty is performed once, whoever comes first, and stays listed until it is done, so that the end waits for a
/// Dispose in the middle of removing.</para>
/// </remarks>
internal static class ProcessExit
{
    private static readonly Lock s_listGate = new();
    private static ExitDuty? s_first;
    private static readonly Lock s_gate = new();
    private static List<PosixSignalRegistration>? s_registrations;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);
    private static readonly EventHandler s_atExit = static (_, _) => PerformAll(isCertain: true);
    private static readonly Action s_atSignal = static () => PerformAll(isCertain: false);
    private static readonly Action s_registerForSignals = RegisterForSignals;
    private static readonly Action s_endWhenIdle = EndWhenIdle;

    [ThreadStatic]
    private static bool t_isPerforming;

    private static int s_callsInside;
    private static volatile bool s_isEnding;
    private static long s_signalled; // when a signal began the end; 0 for an end that is certain

    /// <summary>Whether the process is ending: nothing is made anew any more. Taken back when a signal has not ended it
    /// after all.</summary>
    public static bool IsEnding
    {
        get
        {
            if (!s_isEnding) return false;
            long since = Volatile.Read(ref s_signalled);
            return since == 0 || Environment.TickCount64 - since <= s_patience.TotalMilliseconds;
        }
    }

    /// <summary>Begins a call that may make an object, or attach to one, and list a duty for it; the end of the process
    /// waits until it is disposed.</summary>
    /// <param name="key">The object's key, for messages.</param>
    /// <param name="owns">Whether there may be a duty. What can fail about that fails here, before anything is
    /// made.</param>
    public static Call Begin(in NativeIpcKey key, bool owns) => Begin(key, owns, s_patience);

    /// <inheritdoc cref="Begin(in NativeIpcKey, bool)" path="/*[not(self::param)]"/>
    /// <param name="key">As there.</param>
    /// <param name="owns">As there.</param>
    /// <param name="bound">How long the caller may be held up at the end of the process.</param>
    /// <exception cref="CallersTimeIsOverException">The process is ending, and the caller's time has
    /// passed.</exception>
    public static Call Begin(in NativeIpcKey key, bool owns, in PeerBound bound)
    {
        if (owns)
        {
            try
            {
                EnsureRegistered();
            }
            catch (IOException failure)
            {
                // Of the first one in a process, for whose handlers .NET makes a pipe and a thread.
                throw BackgroundThread.NoSignals(key, failure);
            }
        }

        // R1 Race: the process ends between the making of an object and the listing of its duty. Safe because: such
        // calls are counted before they look whether it ends, and the end waits for them, two seconds at most. That
        // also keeps a waiter from making a System V set anew that a peer removes at its own end.
        Interlocked.Increment(ref s_callsInside);
        if (IsEnding && !t_isPerforming)
        {
            // Held up, since the process is about to be gone; not for ever, in case it is a handler of the end itself.
            Interlocked.Decrement(ref s_callsInside);
            var patience = new Backoff(bound.AtMost(s_patience));
            while (IsEnding && patience.Pause())
            {
            }

            Interlocked.Increment(ref s_callsInside);
        }

        return default;
    }

    /// <summary>A call that <see cref="Begin(in NativeIpcKey, bool)"/> began.</summary>
    public readonly struct Call : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref s_callsInside);
            if (Unloading.HasBegun) EndWhenIdle();
        }
    }

    public static void Add(ExitDuty duty)
    {
        EnsureRegistered();
        lock (s_listGate)
        {
            duty.Next = s_first;
            if (s_first is not null) s_first.Previous = duty;
            s_first = duty;
            duty.IsListed = true;
        }

        // R2 Race: this library is unloaded, and the registrations ended between the two. Safe because: they end only
        // when nothing is listed, which is seen under the list's gate; so this look finds that, and registers again.
        if (Volatile.Read(ref s_registrations) is not null) return;
        try
        {
            EnsureRegistered();
        }
        catch
        {
            Forget(duty);
            throw;
        }
    }

    public static void Forget(ExitDuty duty)
    {
        if (!duty.IsListed) return; // listed by the thread that made it, before another one knew it
        lock (s_listGate)
        {
            if (!duty.IsListed) return;
            if (duty.Previous is null) s_first = duty.Next;
            else duty.Previous.Next = duty.Next;
            if (duty.Next is not null) duty.Next.Previous = duty.Previous;
            duty.Previous = duty.Next = null;
            duty.IsListed = false;
        }

        if (Unloading.HasBegun) EndWhenIdle();
    }

    private static void EnsureRegistered()
    {
        if (Volatile.Read(ref s_registrations) is not null) return;
        lock (s_gate)
        {
            if (s_registrations is not null) return;
            Unloading.AtBegin(s_endWhenIdle);
            AppDomain.CurrentDomain.ProcessExit += s_atExit;
            var registrations = new List<PosixSignalRegistration>();
            Volatile.Write(ref s_registrations, registrations);
            try
            {
                Copies.Join(s_atSignal, s_registerForSignals);
            }
            catch
            {
                End();
                throw;
            }
        }
    }

    private static void RegisterForSignals()
    {
        lock (s_gate)
        {
            if (s_registrations is { } registrations) SignalEnds.Register(Copies.RemoveAll, registrations);
        }
    }

    /// <summary>Ends the registrations when this library is unloaded and nothing is left to be removed.</summary>
    private static void EndWhenIdle()
    {
        if (IsEnding || Volatile.Read(ref s_callsInside) > 0) return;
        Action? next;
        lock (s_gate)
        {
            if (s_registrations is null) return;
            next = End();
        }

        next?.Invoke();
    }

    private static Action? End()
    {
        List<PosixSignalRegistration> registrations;
        lock (s_listGate)
        {
            if (s_first is not null) return null;
            registrations = s_registrations!;
            Volatile.Write(ref s_registrations, null);
        }

        AppDomain.CurrentDomain.ProcessExit -= s_atExit;
        foreach (PosixSignalRegistration registration in registrations) registration.Dispose();
        return Copies.Leave(s_atSignal);
    }

    private static void PerformAll(bool isCertain)
    {
        Volatile.Write(ref s_signalled, isCertain ? 0 : Math.Max(Environment.TickCount64, 1));
        s_isEnding = true;
        Interlocked.MemoryBarrier(); // R1: a call that began before does not see it, so this sees that call
        t_isPerforming = true;
        var patience = new Backoff(s_patience);
        do
        {
            while (Volatile.Read(ref s_first) is { } duty)
            {
                duty.Perform();
                Forget(duty);
            }
        }
        while (Volatile.Read(ref s_callsInside) > 0 && patience.Pause());
        t_isPerforming = false;
    }
}
