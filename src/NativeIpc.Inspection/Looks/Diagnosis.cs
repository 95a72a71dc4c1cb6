using System.Globalization;
using NativeIpc.Errors;
using NativeIpc.Inspection.Objects;
using NativeIpc.Platform;

namespace NativeIpc.Inspection.Looks;

/// <summary>Collects what is wrong: of the objects here, of the system's side by the back ends. Used by one
/// thread.</summary>
/// <param name="snapshot">The objects.</param>
/// <param name="folders">Where key files were looked for beside the usual places: the commands look there, too.</param>
internal sealed class Diagnosis(IpcSnapshot snapshot, IReadOnlyList<string>? folders = null)
{
    private const string Fix = "nipc doctor --fix";

    // What is younger may have a maker that is only slow.
    private static readonly TimeSpan s_slowMaker = TimeSpan.FromSeconds(10);

    private const string RemoveOrphaned = "nipc rm --orphaned";

    private readonly List<IpcFinding> _findings = [];
    private readonly DateTimeOffset _now = TimeProvider.System.GetUtcNow();

    public IpcSnapshot Snapshot { get; } = snapshot;

    /// <summary>Whether no POSIX object can be removed: then none is suggested to be.</summary>
    public bool IsFolderReadOnly { get; set; }

    private static string HowToSeeMore
        => OperatingSystem.IsWindows()
            ? "Process Explorer and handle.exe of Sysinternals, run by an administrator, name the processes that have "
                + "an object open."
            : !Environment.IsPrivilegedProcess ? "Run as root to see everything that the system tells."
            : MayTrace
                ? "Not even root may see them from here: a user namespace, a security module or a missing /proc hides "
                    + "them. Ask on the host."
            : "This root may not look at every process: give the container CAP_SYS_PTRACE (docker run --cap-add "
                + "SYS_PTRACE), or ask on the host.";

    /// <summary>Whether this process has CAP_SYS_PTRACE, of its user namespace (proc(5)).</summary>
    private static bool MayTrace
    {
        get
        {
            const string effective = "CapEff:";
            const int CAP_SYS_PTRACE = 19;
            string? line = SystemText.Lines("/proc/self/status").FirstOrDefault(
                line => line.StartsWith(effective, StringComparison.Ordinal));
            return line is not null && (ulong.Parse(line.AsSpan(effective.Length).Trim(), NumberStyles.HexNumber,
                CultureInfo.InvariantCulture) & 1ul << CAP_SYS_PTRACE) != 0;
        }
    }

    public void Add(IpcFinding finding) => _findings.Add(finding);

    public IReadOnlyList<IpcFinding> Findings()
        => [.. _findings.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Kind)];

    public void Examine()
    {
        foreach (IpcNote note in Snapshot.Remarks.Where(note => note.Text != Census.OutsideNamespace))
            Add(new IpcFinding(IpcFindingKind.Unseen, IpcSeverity.Information, note.Text, note.Remedy ?? HowToSeeMore));
        foreach (IpcObjectInfo found in Snapshot.Objects) Examine(found);
        ExamineAccess();
    }

    /// <summary>Adds a finding for each limit that is nearly reached.</summary>
    public void AddNear(IEnumerable<IpcLimit> limits, Func<IpcLimit, (string Remedy, string? Command)> mend)
    {
        foreach (IpcLimit limit in limits.Where(limit => limit.IsNear))
        {
            (string remedy, string? command) = mend(limit);
            Add(new IpcFinding(IpcFindingKind.LimitNear,
                limit.Used >= limit.Maximum ? IpcSeverity.Error : IpcSeverity.Warning,
                string.Create(CultureInfo.InvariantCulture,
                    $"{limit.Name}: {limit.Used} of {limit.Maximum} {limit.Unit} are used ({limit.Description})."),
                remedy) { Command = command });
        }
    }

    // Nothing is removed here that is not proved to be broken: what looks unfinished or forgotten may be as its maker
    // wants it. Whoever knows removes it by its name.
    private void Examine(IpcObjectInfo found)
    {
        if (Has(found, IpcObjectTraits.InSubfolder)) return; // another program's own affair
        string what = $"The {WordOf(found.Kind)} {Name(found)}";
        ExamineState(found, what);
        ExamineKeyFile(found, what);
    }

    private static string WordOf(IpcObjectKind kind) => kind switch
    {
        IpcObjectKind.SharedMemory => "segment",
        IpcObjectKind.SystemSemaphore => "semaphore",
        _ => "event",
    };

    private void ExamineState(IpcObjectInfo found, string what)
    {
        if (found.LostPermits is > 0 and var lost)
        {
            (string permits, string them) = lost == 1 ? ("a permit", "it") : ($"{lost} permits", "them");
            Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error,
                $"{what} has lost {permits}: the process that took {them} was killed (a 'nipc run', or a "
                    + $"program that records its permits), and no process is left that shares in {them}.",
                "Give back what was lost, and no more than that; the next 'nipc run' on it does so, too.")
                { Subject = found, Command = WithFolder(Fix, found), IsSafeToFix = true });
        }
        else if (found.HasDeadHolder)
        {
            Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error,
                $"{what} is taken, and its holder, a process that used this library, was killed: a Qt or C program "
                    + "that waits for it waits for ever.",
                "Give it back; the next one to take it with this library does so, too, and is told.")
                { Subject = found, Command = WithFolder(Fix, found), IsSafeToFix = true });
        }
        else if (Has(found, IpcObjectTraits.Orphaned) || found.IsLeft)
        {
            bool isSure = Has(found, IpcObjectTraits.Orphaned);
            Add(new IpcFinding(IpcFindingKind.Orphaned, IpcSeverity.Information,
                $"{what} was to be removed by a process that has ended without doing "
                    + $"so{(isSure ? ", and no process has it open" : "")}.",
                isSure ? "Remove it." : "Remove it, if no other process has it open: a removal can ask the "
                    + "kernel, which this look does not.")
                { Subject = found, Command = WithFolder(RemoveOrphaned, found) });
        }
        else if (Has(found, IpcObjectTraits.WrongSize))
        {
            ExamineSize(found, what);
        }
        else if (Has(found, IpcObjectTraits.HalfCreated))
        {
            Add(new IpcFinding(IpcFindingKind.HalfCreated, IpcSeverity.Information,
                $"{what} has a key file and no object: its maker is in the middle, or died there, or somebody removed "
                    + "the object alone.",
                $"A creating call makes the object.{ToRemove(found)}") { Subject = found });
        }
        else if (Has(found, IpcObjectTraits.Empty))
        {
            // An empty file is a lock file more often than a segment that nobody has finished.
            if (found.SystemVId is not null && _now - found.Created > s_slowMaker)
            {
                Add(new IpcFinding(IpcFindingKind.HalfCreated, IpcSeverity.Information,
                    $"{what} has only members that are 0, and no process has used it: either it was made so, or its "
                        + "maker died before it gave them their counts.",
                    $"A creating call of this library finishes it.{ToRemove(found)}") { Subject = found });
            }
        }
        else if (Has(found, IpcObjectTraits.Unused))
        {
            string suspicion = found.Value == 0
                ? " Its count is 0: if a holder was killed, the next one to acquire waits for ever." : "";
            Add(new IpcFinding(IpcFindingKind.Unused, IpcSeverity.Information,
                $"{what} is used by no process at this moment.{suspicion}",
                $"Programs leave objects for a while and come back to them.{ToRemove(found)}") { Subject = found });
        }
    }

    private void ExamineKeyFile(IpcObjectInfo found, string what)
    {
        if (Has(found, IpcObjectTraits.KeyFileReplaced))
        {
            Add(new IpcFinding(IpcFindingKind.KeyFileReplaced, IpcSeverity.Warning,
                $"{what} has lost its key file, and a younger key file leads to nothing: the file was probably "
                    + $"removed and made anew, so newcomers do not meet its users.",
                "Restart its users; when they are gone and it is still there, remove it.") { Subject = found,
                    Command = RemoveCommand(found) });
        }

        if (Has(found, IpcObjectTraits.KeyCollision))
        {
            Add(new IpcFinding(IpcFindingKind.KeyCollision, IpcSeverity.Error,
                $"{what} is what several key files lead to, {Failure.Printable(found.KeyFile ?? "")} among them: "
                    + $"strangers meet there.",
                "Remove one of the files while its users are stopped; it gets another inode when it is made anew.")
                { Subject = found });
        }
    }

    /// <summary>A file with the name of a semaphore and not the size of those that this process uses.</summary>
    private void ExamineSize(IpcObjectInfo found, string what)
    {
        int otherSize = Environment.Is64BitProcess ? 16 : 32;
        (IpcSeverity severity, string meaning) = found.Size == otherSize
            ? (IpcSeverity.Information,
                $"the size of a semaphore of a {(Environment.Is64BitProcess ? 32 : 64)}-bit program: this program's "
                    + $"kind cannot use it")
            : found.Size > 32
                ? (IpcSeverity.Information,
                    "which is no semaphore: a segment whose name begins with 'sem.', or a broken one")
                : (IpcSeverity.Warning,
                    "which is no semaphore: programs that open it as one fail, or are killed at the first operation");
        Add(new IpcFinding(IpcFindingKind.WrongSize, severity, $"{what} has a file of {found.Size} bytes, {meaning}.",
            severity == IpcSeverity.Warning
                ? "If no program needs it, remove it." : "Nothing, if a program made it so.")
            { Subject = found, Command = severity == IpcSeverity.Warning ? RemoveCommand(found) : null });
    }

    /// <summary>A segment that users may attach to and whose lock they may not take.</summary>
    private void ExamineAccess()
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        Dictionary<(NativeIpcKeyType, string), IpcObjectInfo> segments = [];
        foreach (IpcObjectInfo segment in Snapshot.Objects.Where(
            found => found.Kind == IpcObjectKind.SharedMemory && found.Key.IsValid))
            segments[(segment.Type, segment.Key.NativeKey)] = segment;
        foreach (IpcObjectInfo semaphore in Snapshot.Objects.Where(
            found => Has(found, IpcObjectTraits.LockOfSegment) && found.Key.IsValid))
        {
            if (!segments.TryGetValue((semaphore.Type, semaphore.Key.NativeKey), out IpcObjectInfo? segment)
                || segment.Mode is not { } may || semaphore.Mode is not { } mayLock)
                continue;
            UnixFileMode shut = may & others & ~mayLock;
            if (shut == 0) continue;
            string bits = Convert.ToString(
                (int)(may & (others | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite
                    | UnixFileMode.OtherWrite)), 8);
            Add(new IpcFinding(IpcFindingKind.Permissions, IpcSeverity.Warning,
                $"The segment {Name(segment)} "
                    + $"lets {((shut & UnixFileMode.OtherRead) != 0 ? "other users" : "its group")} in "
                    + $"(mode {Octal(may)}), and its lock does not (mode {Octal(mayLock)}): they can attach and not "
                    + $"lock.",
                "Give the lock the rights of the segment.")
            {
                Subject = semaphore,
                Command = semaphore.Type == NativeIpcKeyType.PosixRealtime
                    ? $"chmod {bits} {Failure.Quote("/dev/shm/" + semaphore.NativeName)}" : null,
            });
        }
    }

    private static bool Has(IpcObjectInfo found, IpcObjectTraits trait) => (found.Traits & trait) != 0;

    private static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8).PadLeft(4, '0');

    /// <summary>How an object is called in a sentence: by its key where one is known, else as ipcs calls it.</summary>
    internal static string Name(IpcObjectInfo found)
        => found.Key.IsValid ? Failure.Printable(found.Key.ToString())
            : found.SystemVId is { } id ? string.Create(CultureInfo.InvariantCulture,
                $"{found.NativeName} (System V id {id})") : Failure.Printable(found.FilePath ?? found.NativeName);

    /// <summary>A command that goes through all objects, so that it sees this one.</summary>
    private string? WithFolder(string command, IpcObjectInfo found)
    {
        string? folder = Path.GetDirectoryName(found.KeyFile);
        if (folder is null || !(folders ?? []).Any(
            given => Path.TrimEndingDirectorySeparator(Path.GetFullPath(given)) == folder))
            return command;
        string whole = $"{command} --folder {Failure.Quote(folder)}";
        return Failure.IsPrintable(whole) ? whole : null;
    }

    private string ToRemove(IpcObjectInfo found)
        => RemoveCommand(found) is { } command
            ? $" If you know that nobody needs it: '{command}' looks again and removes it." : "";

    /// <summary>The command that looks again and removes an object; null where it cannot be typed as it is
    /// shown.</summary>
    private string? RemoveCommand(IpcObjectInfo found)
    {
        if (IsFolderReadOnly && found.Type == NativeIpcKeyType.PosixRealtime) return null;
        bool isSegment = found.Kind == IpcObjectKind.SharedMemory, isEvent = found.Kind == IpcObjectKind.SystemEvent;
        string? command = found.Key.IsValid
            ? $"nipc rm -k {(isSegment ? "shm" : isEvent ? "event" : "sem")} {Failure.Quote(found.Key.ToString())}"
            : found.SystemVId is { } id ? string.Create(CultureInfo.InvariantCulture,
                $"nipc rm {(isSegment ? "shmid" : "semid")}:{id}")
            : Has(found, IpcObjectTraits.NameNotText) && found.FilePath is { } path ? $"nipc rm {Failure.Quote(path)}"
            : null;
        return command is not null && Failure.IsPrintable(command) ? command : null;
    }
}
