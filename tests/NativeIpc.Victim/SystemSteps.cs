using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Inspection;

namespace NativeIpc.Victim;

/// <summary>Steps that take something away from this process.</summary>
internal static partial class SystemSteps
{
    private const int RlimitFileSize = 1;
    private const int RlimitProcesses = 6;
    private const int RlimitAddressSpace = 9;

    /// <summary>Runs a step of this kind; null when it is of another kind.</summary>
    internal static string? TryRun(string[] words) => words[0] switch
    {
        "umask" => Umask(words[1]),
        "use-up-descriptors" => UseUpDescriptors(),
        "limit-address-space" => LimitAddressSpace(long.Parse(words[1], CultureInfo.InvariantCulture)),
        "limit-threads" => LimitThreads(),
        "lift-limit-of-threads" => LiftLimitOfThreads(),
        "close" => Close(words[1..]),
        "switch" => Switch(words[1]),
        "descriptors-of" => DescriptorsOf(words[1]),
        "make-file" => MakeFile(words[1]),
        "limit-file-size" => LimitFileSize(ulong.Parse(words[1], CultureInfo.InvariantCulture)),
        "listen" => EventSteps.Listen(),
        "events" => EventSteps.Heard(),
        "limit-of" => LimitOf(string.Join(' ', words[1..])),
        "findings" => string.Join('\n',
            IpcObjects.Diagnose().Where(finding => finding.Kind.ToString() == words[1]).Select(finding
            => $"{finding.Severity}: {finding.Summary} {finding.Remedy} {finding.Command}")),
        "hide-proc" => HideProc(),
        "refuse-status" => SystemCallFilter.RefuseStatus(),
        "refuse-tmpfile" => SystemCallFilter.RefuseTmpfile(),
        "refuse-flock" => SystemCallFilter.RefuseFlock(uint.Parse(words[1], CultureInfo.InvariantCulture)),
        "refuse-links" => SystemCallFilter.RefuseLinks(uint.Parse(words[1], CultureInfo.InvariantCulture)),
        "unseen" => Unseen(),
        "inspect" => $"inspected {IpcObjects.Inspect(NativeIpcKey.Parse(words[1]), IpcObjectKind.SharedMemory)?.Size}",
        "refuse-segment-status" => SystemCallFilter.RefuseSegmentStatus(),
        "refuse-systemv" => SystemCallFilter.RefuseSystemV(),
        "signal" => Signal(int.Parse(words[1], CultureInfo.InvariantCulture)),
        "on-signal" => SignalHandler.Register(int.Parse(words[1], CultureInfo.InvariantCulture),
            cancels: words[2] == "cancel"),
        "await-handlers" => SignalHandler.Await(),
        "await-file" => AwaitFile(words[1]),
        // While it is, calls that make something are held up
        "is-ending" => $"{Internals.IsEnding}",
        "run" => Run(words[1..]),
        "wait-for-ever" => WaitForEver(),
        "exit" => Exit(int.Parse(words[1], CultureInfo.InvariantCulture)),
        _ => null,
    };

    private static string Umask(string octal) => $"was {Convert.ToString(umask(Convert.ToUInt32(octal, 8)), 8)}";

    private static string UseUpDescriptors()
    {
        int opened = 0;
        while (dup(1) != -1) opened++;
        return $"{opened} duplicates, then error {Marshal.GetLastPInvokeError()}";
    }

    private static string LimitAddressSpace(long spareBytes)
    {
        long pages = long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[0], CultureInfo.InvariantCulture);
        ulong limit = (ulong)((pages * Environment.SystemPageSize) + spareBytes);
        var both = new Rlimit { Current = limit, Maximum = limit };
        Check(setrlimit(RlimitAddressSpace, both));
        return $"{limit} bytes";
    }

    /// <summary>
    /// The user has more than one, so no further one is to be had: as in a full container. Root knows no such limit.
    /// </summary>
    private static string LimitThreads()
    {
        Check(getrlimit(RlimitProcesses, out s_threads));
        Check(setrlimit(RlimitProcesses, s_threads with { Current = 1 }));
        return "limited";
    }

    private static string LiftLimitOfThreads()
    {
        Check(setrlimit(RlimitProcesses, s_threads));
        return "lifted";
    }

    private static Rlimit s_threads;

    /// <summary>Closes standard descriptors, as in a process that was started without.</summary>
    private static string Close(string[] descriptors)
    {
        foreach (string descriptor in descriptors) Check(close(int.Parse(descriptor, CultureInfo.InvariantCulture)));
        return "closed";
    }

    private static string Switch(string name)
    {
        AppContext.SetSwitch(name, true);
        return "switched";
    }

    /// <summary>The numbers by which this process has files open whose names have a part.</summary>
    private static string DescriptorsOf(string part)
        => string.Join(' ', Directory.GetFiles("/proc/self/fd")
            .Where(path => File.ResolveLinkTarget(path, returnFinalTarget: false) is { } target
                && target.FullName.Contains(part, StringComparison.Ordinal))
            .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture)).Order());

    private static string MakeFile(string path)
    {
        File.WriteAllBytes(path, []);
        return "made";
    }

    private static string LimitFileSize(ulong bytes)
    {
        Check(setrlimit(RlimitFileSize, new Rlimit { Current = bytes, Maximum = ulong.MaxValue }));
        return $"{bytes} bytes";
    }

    private static string LimitOf(string name)
        => IpcObjects.GetLimits().FirstOrDefault(limit => limit.Name == name) is { } found
            ? string.Create(CultureInfo.InvariantCulture,
                $"{found.Used?.ToString(CultureInfo.InvariantCulture) ?? "?"} of {found.Maximum} "
                    + $"{found.Unit}") : "none";

    /// <summary>How many processes a look at all objects says that it has not seen.</summary>
    private static string Unseen()
        => IpcObjects.Enumerate().Notes.Select(note => note.Split(' '))
            .FirstOrDefault(words => words[1].StartsWith("process", StringComparison.Ordinal)) is { } found
            ? $"{found[0]} unseen" : "0 unseen";

    // The runtime needs /proc to start, so it is hidden only now. Only for a process in a mount name space of its own.
    private static string HideProc()
    {
        Check(mount("none", "/proc", "tmpfs", 0, 0));
        return Directory.Exists("/proc/self") ? throw new InvalidOperationException("/proc is still there.") : "hidden";
    }

    private static string Signal(int number)
    {
        Check(kill(Environment.ProcessId, number));
        return "sent";
    }

    private static string Run(string[] command)
    {
        using Process process = Process.Start(command[0], command[1..]);
        process.WaitForExit();
        return process.ExitCode == 0 ? "ran"
            : throw new InvalidOperationException($"{command[0]} ended with {process.ExitCode}.");
    }

    private static string AwaitFile(string path)
    {
        SpinWait.SpinUntil(() => File.Exists(path));
        return "there";
    }

    private static string WaitForEver()
    {
        using var never = new ManualResetEvent(false);
        never.WaitOne();
        return "ended";
    }

    private static string Exit(int code)
    {
        Environment.Exit(code);
        return "ended";
    }

    internal static void Check(nint result)
    {
        if (result != 0) throw new InvalidOperationException(Marshal.GetLastPInvokeErrorMessage());
    }

    private struct Rlimit
    {
        internal ulong Current;
        internal ulong Maximum;
    }

    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, out Rlimit limit);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setrlimit(int resource, in Rlimit limit);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string type, nuint flags, nint data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);
}
