using System.Collections;
using System.Reflection;
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
/// <para>Since .NET 10 the runtime has no SIGTERM handler of its own and Ctrl-C ends the process without ProcessExit, so both need a
/// registration. Removing at a signal is right only if the signal ends the process: a program that cancels it (the generic host, a
/// CancelKeyPress handler) goes on using its objects, and gets its clean-up at ProcessExit. Handlers run newest first, so the first one to
/// be registered sees what all the others decided. Whether ours is the first is asked when it is registered; if it is not, the program
/// has a handler of its own whose decision cannot be seen, and nothing is removed at the signal.</para>
/// <para>A signal that the process was started with as ignored (nohup) stays ignored.</para>
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

    /// <summary>Whether the process is ending: nothing is made anew any more.</summary>
    public static bool IsEnding => s_isEnding;

    /// <summary>Begins a call that may make an object, or attach to one, and list a duty for it; the end of the process waits until it is disposed.</summary>
    /// <param name="owns">Whether there may be a duty. What can fail about that fails here, before anything is made.</param>
    public static Call Begin(bool owns)
    {
        if (owns) EnsureRegistered();
        Interlocked.Increment(ref s_callsInside);
        if (s_isEnding && !t_isPerforming)
        {
            Interlocked.Decrement(ref s_callsInside);
            var patience = new Backoff(s_patience);
            while (patience.Pause())
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
            AppDomain.CurrentDomain.ProcessExit += (_, _) => PerformAll();
            var registrations = new List<PosixSignalRegistration>();
            foreach ((PosixSignal signal, int number) in new[] { (PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15) })
            {
                if (!IsIgnored(number) && !HasHandlers(number)) registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
            }

            Volatile.Write(ref s_registrations, registrations);
        }
    }

    private static void OnSignal(PosixSignalContext context)
    {
        if (!context.Cancel) PerformAll();
    }

    private static void PerformAll()
    {
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

    /// <summary>
    /// Whether the program has registered a handler for a signal. The runtime has no public way to ask, so its table is read by its name; should
    /// a future runtime rename it, the answer is no, and a program with an earlier handler that cancels has to set RemoveAtProcessExit to false.
    /// </summary>
    private static bool HasHandlers(int number)
    {
        object? table = typeof(PosixSignalRegistration).GetField("s_registrations", BindingFlags.NonPublic | BindingFlags.Static)?.GetValue(null);
        if (table is not IDictionary handlers) return false;
        lock (table) // as the runtime does
        {
            return handlers[number] is IEnumerable registered && registered.GetEnumerator().MoveNext();
        }
    }

    // These four numbers are the same on Linux and macOS; only Linux tells the mask without a P/Invoke of a per-system struct.
    private static bool IsIgnored(int number)
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            foreach (string line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith("SigIgn:", StringComparison.Ordinal))
                    return (ulong.Parse(line.AsSpan(7).Trim(), System.Globalization.NumberStyles.HexNumber, null) >> (number - 1) & 1) != 0;
            }
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            return false; // no /proc: as on systems without one
        }
        catch (IOException)
        {
            return true; // no descriptor left, say: rather no clean-up than one that nohup was to prevent
        }

        return false;
    }
}
