using System.Globalization;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>What may be wrong with the system's side of System V objects: limits, namespaces, and systemd's clean-up,
/// which takes POSIX objects as well. Linux.</summary>
internal static class SystemVDiagnosis
{
    private const string FirstIpcNamespace = "ipc:[4026531839]"; // PROC_IPC_INIT_INO
    private const long FirstUserOfPeople = 1000;

    internal static void Examine(Diagnosis diagnosis)
    {
        if (!OperatingSystem.IsLinux()) return;
        diagnosis.AddNear(Limits(), limit => ("Remove what nobody uses, or raise the limit.", Raise(limit)));
        ExamineLogin(diagnosis);
        if (SystemVKeeping.RemovesSegments)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.RemovedWithoutUsers, IpcSeverity.Warning,
                $"{SystemVKeeping.Setting} is 1: the kernel removes each System V segment as soon as nobody is "
                    + $"attached to it, also those that were to be kept (RemovalPolicy.Keep, and any of a C or Qt "
                    + $"program).",
                "Set it to 0, which is what POSIX asks for, or use POSIX "
                    + "objects.") { Command = $"sysctl -w {SystemVKeeping.Setting}=0" });
        }

        if (Libc.LinkText("/proc/self/ns/ipc") is { } name && name != FirstIpcNamespace)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Information,
                $"This process is in an IPC namespace of its own ({name}), as in a container: it sees neither the "
                    + $"System V objects of the host nor those of other containers.",
                "To share them, start the container in the other's namespace (docker run --ipc=host or "
                    + "--ipc=container:NAME)."));
        }

        if (!ProcessMaps.SeesEveryProcess)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Information,
                "This process is in a PID namespace of its own, as in a container: processes outside are not seen, so "
                    + "the list of those who use an object may be incomplete.",
                "Ask on the host, or start the container with --pid=host."));
        }
    }

    internal static IEnumerable<IpcLimit> Limits() => SystemVLimits.Read().Select(
        limit => new IpcLimit(limit.Name, limit.Description, limit.Used, limit.Maximum, limit.Unit));

    private static string Raise(IpcLimit limit)
    {
        if (!limit.Name.StartsWith("kernel.sem", StringComparison.Ordinal))
            return string.Create(CultureInfo.InvariantCulture, $"sysctl -w {limit.Name}={limit.Maximum * 2}");
        string[] parts = SystemText.FirstLine("/proc/sys/kernel/sem")?.Split('\t', ' ') ?? [];
        int place = limit.Name.Contains("SEMMNI", StringComparison.Ordinal) ? 3 : 1;
        if (parts.Length == 4) parts[place] = (limit.Maximum * 2).ToString(CultureInfo.InvariantCulture);
        return $"sysctl -w kernel.sem=\"{string.Join(' ', parts)}\"";
    }

    /// <summary>RemoveIPC is on unless somebody has switched it off, and hits users of numbers that people
    /// have.</summary>
    private static void ExamineLogin(Diagnosis diagnosis)
    {
        // sd_booted(3): systemd runs here. A container may have the folder of logind, and no systemd.
        if (!Directory.Exists("/run/systemd/system") || !Directory.Exists("/run/systemd/seats")) return;
        if (!RemovesAtLogout(LoginFiles().SelectMany(SystemText.Lines))) return;
        bool hits = Libc.geteuid() >= FirstUserOfPeople
            || diagnosis.Snapshot.Objects.Any(found => found.OwnerId >= FirstUserOfPeople);
        diagnosis.Add(new IpcFinding(IpcFindingKind.RemovedAtLogout,
            hits ? IpcSeverity.Warning : IpcSeverity.Information,
            "systemd removes all POSIX and System V objects of a user when the last session of that user ends "
                + "(RemoveIPC=yes), also those of programs that go on running.",
            "For services, use a system user (below 1000) or loginctl enable-linger; or switch it off.")
        {
            Command = "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nRemoveIPC=no\\n' > "
                + "/etc/systemd/logind.conf.d/ipc.conf && systemctl restart systemd-logind",
        });
    }

    /// <summary>What the last line that says anything about RemoveIPC says; yes without one.</summary>
    internal static bool RemovesAtLogout(IEnumerable<string> lines)
    {
        const string name = "RemoveIPC";
        bool removes = true;
        foreach (string line in lines)
        {
            string[] parts = line.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts.Length == 2 && parts[0] == name)
                removes = parts[1].ToLowerInvariant() is "yes" or "true" or "on" or "1" or "y" or "t";
        }

        return removes;
    }

    /// <summary>The files of logind.conf(5): the main file, then the drop-ins in the order of their names.</summary>
    private static IEnumerable<string> LoginFiles()
    {
        string[] folders = ["/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd"];
        string? main = folders.Reverse().Select(folder => folder + "/logind.conf").FirstOrDefault(File.Exists);
        if (main is not null) yield return main;
        SortedDictionary<string, string> dropIns = new(StringComparer.Ordinal);
        foreach (string folder in folders.Select(folder => folder + "/logind.conf.d").Where(Directory.Exists))
        {
            foreach (string file in Directory.EnumerateFiles(folder, "*.conf")) dropIns[Path.GetFileName(file)] = file;
        }

        foreach (string file in dropIns.Values) yield return file;
    }
}
