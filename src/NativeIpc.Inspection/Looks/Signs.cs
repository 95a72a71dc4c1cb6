using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Platform;

namespace NativeIpc.Inspection.Looks;

/// <summary>Evidence on whether somebody still needs an object, for one enumeration. Linux. Used by one
/// thread.</summary>
internal sealed class Signs
{
    // How programs call their objects, as they were seen to: the first that fits.
    private static readonly (string Start, string Software)[] s_names =
    [
        ("PostgreSQL.", "PostgreSQL (dynamic shared memory)"),
        ("pulse-shm-", "PulseAudio"),
        ("psm_", "Python (multiprocessing.shared_memory)"),
        ("sem.mp-", "Python (multiprocessing)"),
        ("jack", "JACK"),
        ("sem.jack_sem.", "JACK"),
        ("fastrtps_", "Fast DDS"),
        ("sem.fastrtps_", "Fast DDS"),
        ("iox2_", "iceoryx2"),
        (".org.chromium.Chromium.", "Chromium"),
        ("org.mozilla.ipc.", "Firefox"),
        ("qb-", "libqb (corosync, Pacemaker)"),
        ("lttng-ust-wait-", "LTTng"),
        ("vader_segment.", "Open MPI"),
        ("mono.", "Mono"),
        ("qipc_", "Qt before 6.6"),
        ("sem.qipc_", "Qt before 6.6"),
    ];

    private Dictionary<uint, int>? _processes;

    /// <summary>What the owner and the name of an object say.</summary>
    internal void AddOf(uint owner, string? ownerName, string file, List<IpcSign> signs)
    {
        int processes = ProcessesOf(owner);
        if (processes > 0)
        {
            string whose = ownerName is null ? string.Create(CultureInfo.InvariantCulture, $"user {owner}") : ownerName;
            string count = processes == 1 ? "one living process"
                : string.Create(CultureInfo.InvariantCulture, $"{processes} living processes");
            signs.Add(new IpcSign(IpcSignKind.Owner, $"Its owner ({whose}) has {count}."));
        }

        foreach ((string start, string software) in s_names)
        {
            if (!file.StartsWith(start, StringComparison.Ordinal)) continue;
            signs.Add(new IpcSign(IpcSignKind.Software, $"{software} gives such names."));
            return;
        }
    }

    /// <summary>When it was made.</summary>
    /// <param name="when">The time.</param>
    /// <param name="deed">What happened then: "made".</param>
    /// <param name="signs">Where to say so.</param>
    internal static void AddAge(DateTimeOffset when, string deed, List<IpcSign> signs)
    {
        TimeSpan age = TimeProvider.System.GetUtcNow() - when;
        string ago = age.TotalSeconds switch
        {
            < 100 => $"{Math.Max(0, (int)age.TotalSeconds)}s",
            < 6000 => $"{(int)age.TotalMinutes}m",
            < 48 * 3600 => $"{(int)age.TotalHours}h",
            _ => $"{(int)age.TotalDays}d",
        };
        signs.Add(new IpcSign(IpcSignKind.Age, string.Create(CultureInfo.InvariantCulture,
            $"It was {deed} {when.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z ({ago} ago).")));
    }

    /// <summary>What is recorded of who has to remove it.</summary>
    internal static void AddRecorded(RemovalRecord.Maker maker, List<IpcSign> signs)
    {
        if (!maker.IsKnown) return;
        bool? lives = maker.Lives;
        string state = lives == false ? "which has ended"
            : lives == true ? "which lives" : "of which cannot be told whether it lives";
        signs.Add(new IpcSign(IpcSignKind.Recorded, string.Create(CultureInfo.InvariantCulture,
            $"It is recorded that process {maker.Process}, {state}, has to remove it."), lives == true
                ? maker.Process : null));
    }

    /// <summary>A process that has something to do with an object, if it lives.</summary>
    /// <param name="kind">What it is to the object.</param>
    /// <param name="process">Its number; 0 for one that cannot be seen from here.</param>
    /// <param name="deed">What it did: "made it".</param>
    /// <param name="signs">Where to say so.</param>
    internal static void AddProcess(IpcSignKind kind, int process, string deed, List<IpcSign> signs)
    {
        if (process == 0)
            signs.Add(new IpcSign(kind, $"The process that {deed} cannot be seen from here (another PID namespace)."));
        else if (Libc.HasProcess(process))
            signs.Add(
                new IpcSign(kind, string.Create(CultureInfo.InvariantCulture,
                    $"Process {process} ({NameOf(process)}) {deed}, and lives."), process));
    }

    private static string NameOf(int process)
        => SystemText.Name(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/comm")) ?? "?";

    private int ProcessesOf(uint user)
    {
        _processes ??= Count();
        return _processes.GetValueOrDefault(user);
    }

    private static Dictionary<uint, int> Count()
    {
        Dictionary<uint, int> counts = [];
        foreach (string folder in SystemText.Folders("/proc"))
        {
            if (!int.TryParse(folder.AsSpan("/proc/".Length), NumberStyles.None, CultureInfo.InvariantCulture,
                out int process))
                continue;
            if (process == Environment.ProcessId || Libc.Status(folder, followLink: false, out FileStatus status) != 0)
                continue;
            counts[status.Uid] = counts.GetValueOrDefault(status.Uid) + 1;
        }

        return counts;
    }
}
