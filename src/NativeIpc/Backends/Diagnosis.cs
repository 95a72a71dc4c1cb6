using System.Globalization;
using NativeIpc.Errors;

namespace NativeIpc.Backends;

/// <summary>Collects what is wrong: of the objects here, of the system's side by the back ends. Used by one thread.</summary>
internal sealed class Diagnosis(IpcSnapshot snapshot)
{
    // What is younger may have a maker that is only slow.
    private static readonly TimeSpan s_slowMaker = TimeSpan.FromSeconds(10);

    private const string RemoveOrphaned = "nipc rm --orphaned";

    private readonly List<IpcFinding> _findings = [];
    private readonly DateTimeOffset _now = TimeProvider.System.GetUtcNow();

    public IpcSnapshot Snapshot { get; } = snapshot;

    public void Add(IpcFinding finding) => _findings.Add(finding);

    public IReadOnlyList<IpcFinding> Findings() => [.. _findings.OrderByDescending(finding => finding.Severity).ThenBy(finding => finding.Kind)];

    public void Examine()
    {
        string remedy = OperatingSystem.IsWindows() ? "Process Explorer and handle.exe of Sysinternals, run by an administrator, name the processes that have an object open." : "Run as root to see everything that the system tells.";
        foreach (string note in Snapshot.Notes) Add(new IpcFinding(IpcFindingKind.Unseen, IpcSeverity.Information, note, remedy));
        foreach (IpcObjectInfo found in Snapshot.Objects) Examine(found);
        ExamineAccess();
    }

    /// <summary>Adds a finding for each limit that is nearly reached.</summary>
    public void AddNear(IEnumerable<IpcLimit> limits, Func<IpcLimit, (string Remedy, string? Command)> mend)
    {
        foreach (IpcLimit limit in limits.Where(limit => limit.IsNear))
        {
            (string remedy, string? command) = mend(limit);
            Add(new IpcFinding(IpcFindingKind.LimitNear, limit.Used >= limit.Maximum ? IpcSeverity.Error : IpcSeverity.Warning,
                string.Create(CultureInfo.InvariantCulture, $"{limit.Name}: {limit.Used} of {limit.Maximum} {limit.Unit} are used ({limit.Description})."), remedy) { Command = command });
        }
    }

    private void Examine(IpcObjectInfo found)
    {
        string what = $"The {(found.Kind == IpcObjectKind.SharedMemory ? "segment" : "semaphore")} {Name(found)}";
        bool isSystemV = found.Type.IsSystemV;
        bool isUnused = Has(found, IpcObjectTraits.Unused);
        bool mayBeUnused = isUnused || (found is { Type: NativeIpcKeyType.PosixRealtime, IsInUse: null }); // mending asks the kernel
        string? remove = RemoveCommand(found);
        if (Has(found, IpcObjectTraits.WrongSize))
        {
            Add(new IpcFinding(IpcFindingKind.WrongSize, IpcSeverity.Error, $"{what} has a file of {found.Size} bytes, which is no semaphore: programs that open it fail, or are killed at the first operation.",
                "Remove the file.") { Subject = found, Command = remove, IsSafeToFix = mayBeUnused });
        }
        else if (Has(found, IpcObjectTraits.HalfCreated))
        {
            Add(new IpcFinding(IpcFindingKind.HalfCreated, IpcSeverity.Warning, $"{what} is half-created: {Missing(found)}. Its maker has died in the middle, or is slow.",
                "A creating call of this library finishes it; or remove it.") { Subject = found, Command = remove, IsSafeToFix = (isSystemV || mayBeUnused) && _now - found.Created > s_slowMaker });
        }
        else if (found.LostPermits is > 0 and var lost)
        {
            Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error,
                string.Create(CultureInfo.InvariantCulture, $"{what} has lost {(lost == 1 ? "a permit" : $"{lost} permits")}: who took {(lost == 1 ? "it" : "them")} was killed (a 'nipc run', or a program that records its permits), and no process is left that shares in {(lost == 1 ? "it" : "them")}."),
                "Give back what was lost, and no more than that; the next 'nipc run' on it does so, too.") { Subject = found, Command = "nipc doctor --fix", IsSafeToFix = true });
        }
        else if (found.Kind == IpcObjectKind.SystemSemaphore && Has(found, IpcObjectTraits.LockOfSegment) && found.Value == 0 && isUnused)
        {
            Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error, $"{what}, the lock of a segment, is taken although nobody has it open: its holder was killed, and a Qt or C program that locks waits for ever.",
                "Remove it; the next one that locks makes it anew.") { Subject = found, Command = remove, IsSafeToFix = true });
        }
        else if (Has(found, IpcObjectTraits.Orphaned) || found.IsLeft)
        {
            bool isSure = Has(found, IpcObjectTraits.Orphaned);
            Add(new IpcFinding(IpcFindingKind.Orphaned, IpcSeverity.Information,
                $"{what} was to be removed by a process that has ended without doing so{(isSure ? ", and no process has it open" : "")}.",
                isSure ? "Remove it." : "Remove it, if no other process has it open: who removes it can ask the kernel, which this look does not.")
                { Subject = found, Command = RemoveOrphaned });
        }
        else if (isUnused)
        {
            string suspicion = found.Value == 0 ? " Its count is 0: if a holder was killed, the next one to acquire waits for ever." : "";
            Add(new IpcFinding(IpcFindingKind.Unused, IpcSeverity.Information, $"{what} is open in no process now.{suspicion}",
                "Somebody may come back to it: whoever made it knows.") { Subject = found });
        }

        if (Has(found, IpcObjectTraits.Removed))
        {
            Add(new IpcFinding(IpcFindingKind.Removed, IpcSeverity.Information, $"{what} has no name any more, and {Count(found)}: who comes now does not meet them.",
                "It goes with the last one that lets go; restart its users if they should meet newcomers.") { Subject = found });
        }

        if (Has(found, IpcObjectTraits.KeyFileReplaced))
        {
            Add(new IpcFinding(IpcFindingKind.KeyFileReplaced, IpcSeverity.Warning, $"{what} has lost its key file, and a younger key file leads to nothing: the file was probably removed and made anew, so newcomers do not meet its users.",
                "Restart its users, or remove it when they are gone.") { Subject = found, Command = remove, IsSafeToFix = mayBeUnused });
        }

        if (Has(found, IpcObjectTraits.KeyCollision))
        {
            Add(new IpcFinding(IpcFindingKind.KeyCollision, IpcSeverity.Error, $"{what} is what several key files lead to, {found.KeyFile} among them: strangers meet there.",
                "Remove one of the files while its users are stopped; it gets another inode when it is made anew.") { Subject = found });
        }
    }

    /// <summary>A segment that users may attach to and whose lock they may not take.</summary>
    private void ExamineAccess()
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        Dictionary<(NativeIpcKeyType, string), IpcObjectInfo> segments = [];
        foreach (IpcObjectInfo segment in Snapshot.Objects.Where(found => found.Kind == IpcObjectKind.SharedMemory && found.Key.IsValid)) segments[(segment.Type, segment.Key.NativeKey)] = segment;
        foreach (IpcObjectInfo semaphore in Snapshot.Objects.Where(found => Has(found, IpcObjectTraits.LockOfSegment) && found.Key.IsValid))
        {
            if (!segments.TryGetValue((semaphore.Type, semaphore.Key.NativeKey), out IpcObjectInfo? segment) || segment.Mode is not { } may || semaphore.Mode is not { } mayLock) continue;
            UnixFileMode shut = may & others & ~mayLock;
            if (shut == 0) continue;
            string bits = Convert.ToString((int)(may & (others | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)), 8);
            Add(new IpcFinding(IpcFindingKind.Permissions, IpcSeverity.Warning,
                $"The segment {Name(segment)} lets {((shut & UnixFileMode.OtherRead) != 0 ? "other users" : "its group")} in (mode {Octal(may)}), and its lock does not (mode {Octal(mayLock)}): they can attach and not lock.",
                "Give the lock the rights of the segment.")
            {
                Subject = semaphore,
                Command = semaphore.Type == NativeIpcKeyType.PosixRealtime ? $"chmod {bits} {Quote("/dev/shm/" + semaphore.NativeName)}" : null,
            });
        }
    }

    private static bool Has(IpcObjectInfo found, IpcObjectTraits trait) => (found.Traits & trait) != 0;

    private static string Missing(IpcObjectInfo found)
        => found.Kind == IpcObjectKind.SharedMemory && found.SystemVKey is null && found.KeyFile is null ? "it has no size" : found.SystemVId is null ? "there is a key file and no object" : "it has no count yet";

    private static string Count(IpcObjectInfo found) => found.AttachmentCount == 1 ? "one process still uses it" : $"{found.AttachmentCount} {(found.Type.IsSystemV ? "attachments are left" : "processes still use it")}";

    private static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8).PadLeft(4, '0');

    /// <summary>How an object is called in a sentence: by its key where one is known, else as ipcs calls it.</summary>
    internal static string Name(IpcObjectInfo found)
        => found.Key.IsValid ? Failure.Printable(found.Key.ToString()) : found.SystemVId is { } id ? string.Create(CultureInfo.InvariantCulture, $"{found.NativeName} (System V id {id})") : Failure.Printable(found.NativeName);

    /// <summary>The system's own command that removes an object.</summary>
    internal static string? RemoveCommand(IpcObjectInfo found)
        => found.SystemVId is { } id ? string.Create(CultureInfo.InvariantCulture, $"ipcrm {(found.Kind == IpcObjectKind.SharedMemory ? "-m" : "-s")} {id}")
            : found.KeyFile is { } file ? $"rm {Quote(file)}"
            : found.Type == NativeIpcKeyType.PosixRealtime ? $"rm {Quote("/dev/shm/" + found.NativeName)}"
            : null;

    /// <summary>A text as one word of a shell.</summary>
    internal static string Quote(string text)
        => text.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+:,@%".Contains(c)) ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
