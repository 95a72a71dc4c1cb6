using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Lifetime;

/// <summary>Which signals end this process when no handler that was registered later cancels them. What is not known
/// for certain is no: an object that is left behind is better than
/// a living one that is removed.</summary>
/// <remarks>
/// <para>.NET 10 catches SIGINT, SIGQUIT and SIGTERM itself from its start (libcoreclr; not with native AOT), to tell
/// debuggers, and then does what was done before it. From the first use of the console, of processes or of any
/// registration on, it catches SIGINT and SIGQUIT once more (libSystem.Native), and then every signal that somebody
/// registers. So the handler that the kernel knows before this library's tells: the default, or the runtime's own
/// alone, means that nobody registered before this library; the same handler as after the registration means that
/// somebody did, or, for SIGINT and SIGQUIT, that it may have been the console alone. The runtime has no way to ask
/// which, so the answer is no. Any other handler is that of a native host, which may go on.</para>
/// <para>What stood before the runtime's own handler nobody can ask. A plain .NET host sets none; so with a native
/// host, or libraries loaded before it (LD_PRELOAD), the answer is no.</para>
/// <para>Process number 1 of a PID namespace is not ended by a signal with the default action, but for one that the
/// runtime sends again while the main thread is in its handler: nobody can tell before.</para>
/// </remarks>
internal static class SignalEnds
{
    private const string Switch = "NativeIpc.RemoveAtSignal";

    // In every .NET host but the muxer: the first bytes of the mark by which the SDK finds its place for the program's
    // name.
    private static ReadOnlySpan<byte> HostMark
        => [0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32];

    /// <summary>The same on Linux and macOS: SIGHUP, SIGINT, SIGQUIT, SIGTERM.</summary>
    internal static readonly (PosixSignal Signal, int Number)[] s_all =
        [(PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15)];

    /// <summary>What the program says: true, no handler of it cancels, and each of these signals ends it; false,
    /// nothing is to be removed at a signal; null, it says nothing.</summary>
    internal static bool? Told => AppContext.TryGetSwitch(Switch, out bool isOn) ? isOn : null;

    /// <summary>Registers for the signals that may end the process.</summary>
    /// <param name="act">Called when no later handler has cancelled the signal, and it ends the
    /// process.</param>
    /// <param name="registered">The registrations.</param>
    internal static void Register(Action act, List<PosixSignalRegistration> registered)
    {
        if (Told == false || (Told is null && Environment.ProcessId == 1)) return;

        // All of them before the first registration, which has the runtime catch two at once.
        var before = new nint[s_all.Length];
        for (int i = 0; i < before.Length; i++) before[i] = Libc.SignalHandler(s_all[i].Number);
        for (int i = 0; i < before.Length; i++)
        {
            (PosixSignal signal, int number) = s_all[i];
            nint old = before[i];
            if (old is 1 or -1) continue; // ignored, as by nohup: stays so
            if (old != 0 && Told is null && !IsOfRuntime(old)) continue;
            bool needsPlainHost = old != 0;
            var registration = PosixSignalRegistration.Create(signal, context =>
            {
                if (!context.Cancel && (!needsPlainHost || Told == true || IsPlainHost())) act();
            });

            // In a program of a single file the two handlers of the runtime are in one file.
            if (old != 0 && Told is null && Libc.SignalHandler(number) == old) registration.Dispose();
            else registered.Add(registration);
        }
    }

    /// <summary>Whether an address is in the runtime itself, which with native AOT has no handlers of its own, or in a
    /// program of a single file, where the handler of registrations has the same place: a caller that asks looks at it
    /// again after registering.</summary>
    private static bool IsOfRuntime(nint handler)
        => Path.GetFileNameWithoutExtension(Libc.PlaceOf(handler).File) == "libcoreclr"
            || (RuntimeFeature.IsDynamicCodeSupported && Libc.IsOfProgram(handler));

    /// <summary>Whether the process was started by one of .NET's own hosts with nothing before it. Asked only when a
    /// signal has come.</summary>
    private static bool IsPlainHost()
    {
        if (Assembly.GetEntryAssembly() is null || Environment.GetEnvironmentVariable("LD_PRELOAD") is { Length: > 0 })
            return false;
        if (!RuntimeFeature.IsDynamicCodeSupported) return true; // native AOT: the program is its own host
        if (Environment.ProcessPath is not { } program) return false;
        if (Path.GetFileNameWithoutExtension(program) == "dotnet") return true;
        const int mostRead = 1 << 20;
        if (Libc.BytesOf(program, out _, mostRead, out int length) is not { } start) return false;
        if (start.AsSpan(0, length).IndexOf(HostMark) >= 0) return true;

        // A single file has the runtime itself, whose handler of SIGSEGV tells.
        return Libc.IsOfProgram(Libc.SignalHandler(11));
    }
}
