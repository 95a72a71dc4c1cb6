using System.Runtime.InteropServices;

namespace NativeIpc.Backends;

/// <summary>What is removed when the process ends without Dispose.</summary>
internal abstract class ExitDuty
{
    // The list is in the duties themselves: to list and to forget one costs no allocation.
    internal ExitDuty? Previous { get; set; }

    internal ExitDuty? Next { get; set; }

    internal bool IsListed { get; set; }

    /// <summary>Removes what is owned, once. Comes back when it is done, also when a Dispose or a finalizer got there first and is in the middle.</summary>
    public abstract void Perform();
}

/// <summary>
/// Removes, at a normal end of the process (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT), what its undisposed instances own.
/// </summary>
/// <remarks>
/// <para>Since .NET 10 neither SIGTERM nor Ctrl-C raises ProcessExit, so both need a
/// registration. Removing at a signal is right only if the signal ends the process: a program that cancels it (the generic host, a
/// CancelKeyPress handler) goes on using its objects, and gets its clean-up at ProcessExit. Handlers run newest first, so the first one to
/// be registered sees what all the others decided. <see cref="SignalEnds"/> says where ours is the first, and whether the signal ends the process at all; where
/// it does not know, nothing is removed at the signal.</para>
/// <para>A signal that the process was started with as ignored (nohup) stays ignored.</para>
/// <para>Several copies of this library in a process (AssemblyLoadContext): the first one's registration is the one that sees all decisions, so it performs the
/// duties of the others, too. They meet at an object of the application domain.</para>
/// <para>Interleavings. (1) A duty is performed once, whoever comes first, and stays listed until it is done, so that the end waits for a
/// Dispose in the middle of removing. (2) A thread is between making an object and listing its duty: such calls are counted, and the end waits
/// for them, for two seconds at most. (3) A thread begins to make an object after that: it is held up, since the process is about to be gone;
/// for two seconds, in case it is a handler of the end itself. (4) A peer that ends as well removes a System V set under a waiter of ours, which
/// would make it anew: see <see cref="IsEnding"/> and the count of calls.</para>
/// </remarks>
internal static class ProcessExit
{
    private static readonly Lock s_listGate = new();
    private static ExitDuty? s_first;
    private static readonly Lock s_gate = new();
    private static List<PosixSignalRegistration>? s_registrations;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    [ThreadStatic]
    private static bool t_isPerforming;

    private static int s_callsInside;
    private static volatile bool s_isEnding;
    private static long s_signalled; // when a signal began the end; 0 for an end that is certain

    /// <summary>Whether the process is ending: nothing is made anew any more. Taken back when a signal has not ended it after all.</summary>
    public static bool IsEnding
    {
        get
        {
            if (!s_isEnding) return false;
            long since = Volatile.Read(ref s_signalled);
            return since == 0 || Environment.TickCount64 - since <= s_patience.TotalMilliseconds;
        }
    }

    /// <summary>Begins a call that may make an object, or attach to one, and list a duty for it; the end of the process waits until it is disposed.</summary>
    /// <param name="owns">Whether there may be a duty. What can fail about that fails here, before anything is made.</param>
    public static Call Begin(bool owns)
    {
        if (owns) EnsureRegistered();
        Interlocked.Increment(ref s_callsInside);
        if (IsEnding && !t_isPerforming)
        {
            Interlocked.Decrement(ref s_callsInside);
            var patience = new Backoff(s_patience);
            while (IsEnding && patience.Pause())
            {
            }

            Interlocked.Increment(ref s_callsInside);
        }

        return default;
    }

    /// <summary>A call that <see cref="Begin"/> began.</summary>
    public readonly struct Call : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref s_callsInside);
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
    }

    private static void EnsureRegistered()
    {
        if (Volatile.Read(ref s_registrations) is not null) return;
        lock (s_gate)
        {
            if (s_registrations is not null) return;
            AppDomain.CurrentDomain.ProcessExit += (_, _) => PerformAll(isCertain: true);
            var registrations = new List<PosixSignalRegistration>();
            Dictionary<int, List<Action>> copies = CopiesOfThisLibrary();
            lock (copies)
            {
                if (copies.Count == 0) SignalEnds.Register(number => PerformAllOf(copies, number), registrations);

                // Also when the first copy has no registration: it was the only one that could see all decisions.
                if (!copies.TryGetValue(0, out List<Action>? all)) copies.Add(0, all = []);
                all.Add(static () => PerformAll(isCertain: false));
            }

            Volatile.Write(ref s_registrations, registrations);
        }
    }

    /// <summary>What the copies of this library in the process do at a signal that ends it, under 0. Of types that all of them share.</summary>
    private static Dictionary<int, List<Action>> CopiesOfThisLibrary()
    {
        const string name = "NativeIpc.RemoveAtSignal.Copies";
#pragma warning disable CA2002 // Of all objects that copies of this library share, the one that nobody else has a reason to lock for long.
        lock (AppDomain.CurrentDomain)
#pragma warning restore CA2002
        {
            if (AppDomain.CurrentDomain.GetData(name) is Dictionary<int, List<Action>> there) return there;
            var made = new Dictionary<int, List<Action>>();
            AppDomain.CurrentDomain.SetData(name, made);
            return made;
        }
    }

    private static void PerformAllOf(Dictionary<int, List<Action>> copies, int number)
    {
        System.Diagnostics.Debug.Assert(number > 0, "a signal");
        Action[] all;
        lock (copies) all = copies.TryGetValue(0, out List<Action>? known) ? known.ToArray() : [];
        foreach (Action one in all) one();
    }

    private static void PerformAll(bool isCertain)
    {
        Volatile.Write(ref s_signalled, isCertain ? 0 : Math.Max(Environment.TickCount64, 1));
        s_isEnding = true;
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
