using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.InteropServices;

namespace NativeIpc.Backends;

/// <summary>What is removed when the process ends without Dispose.</summary>
internal interface IExitDuty
{
    /// <summary>Removes what is owned, once: also when a Dispose or a finalizer gets there first, or at the same time.</summary>
    void Perform();
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
/// <para>A signal that the process was started with as ignored (nohup) stays ignored. Interleaving: a duty is performed once, whoever
/// comes first; see each duty.</para>
/// </remarks>
internal static class ProcessExit
{
    private static readonly ConcurrentDictionary<IExitDuty, byte> s_duties = new(ReferenceEqualityComparer.Instance);
    private static readonly Lock s_gate = new();
    private static List<PosixSignalRegistration>? s_registrations;

    public static void Add(IExitDuty duty)
    {
        EnsureRegistered();
        s_duties[duty] = 0;
    }

    public static void Forget(IExitDuty duty) => s_duties.TryRemove(duty, out _);

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
        foreach (IExitDuty duty in s_duties.Keys)
        {
            if (s_duties.TryRemove(duty, out _)) duty.Perform();
        }
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
        catch (IOException)
        {
            // No /proc: as on systems without one, the signal counts as not ignored.
        }

        return false;
    }
}
