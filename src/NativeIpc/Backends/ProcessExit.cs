using System.Collections.Concurrent;
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
/// Since .NET 10 the runtime has no SIGTERM handler of its own and Ctrl-C ends the process without ProcessExit, so both need a
/// registration. Handlers run newest first: a handler that the program registers after its first IPC object, and that cancels the default
/// action, is seen here and respected (its exit then comes as ProcessExit); one that was registered earlier runs later and cannot be
/// seen, so such a program calls Dispose itself or sets RemoveAtProcessExit to false. A signal that the process was started with as
/// ignored (nohup) stays ignored. Interleaving: a duty is performed once, whoever comes first; see each duty.
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
            foreach ((PosixSignal signal, int linuxNumber) in new[] { (PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15) })
            {
                if (!IsIgnored(linuxNumber)) registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
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
