using System.Globalization;
using NativeIpc.Errors;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Windows;
using NativeIpc.Windows;

namespace NativeIpc.Inspection.Windows;

/// <summary>What can be wrong with the objects of Windows.</summary>
internal static unsafe class WindowsDiagnosis
{
    private const string Global = @"Global\";

    /// <remarks>A dead holder is told from a living one by three looks: at the record, at the names, and at the record
    /// again.</remarks>
    public static void Examine(Diagnosis diagnosis)
    {
        IReadOnlyList<IpcObjectInfo> objects = diagnosis.Snapshot.Objects;
        IpcObjectInfo[] locks = [.. objects.Where(
            found => found.Type == NativeIpcKeyType.Windows && (found.Traits & IpcObjectTraits.LockOfSegment) != 0)];
        (IpcObjectInfo Lock, HolderRecord? Record)[] taken =
            [.. locks.Where(found => found.Value == 0).Select(found => (found, HolderRecord.Read(found.Key)))];
        Dictionary<string, string> kinds = WindowsNames.Read(out string? failure);
        foreach ((IpcObjectInfo found, HolderRecord? record) in taken)
        {
            if (failure is not null || record is null || record.Owner == 0
                || record.IsAlive(HolderTable.MarkOf(record.Owner), kinds))
                continue;
            // R1 Race: the holder gives the lock back meanwhile and another one takes it, or claims its slot after the
            // names were read. Safe because: this look finds another turn then. One that is killed meanwhile is dead,
            // as is said.
            if (HolderRecord.Read(found.Key) is not { } later || later.Owner != record.Owner) continue;
            if (record.IsOfTheSameSemaphore(later, kinds)) AddDeadHolder(diagnosis, objects, found);
            else AddLostHolder(diagnosis, found);
        }

        foreach (IpcObjectInfo segment in objects.Where(
            found => found is { Type: NativeIpcKeyType.Windows, Kind: IpcObjectKind.SharedMemory, Key.IsValid: true }))
            Examine(diagnosis, segment, kinds, locks);
        foreach (IpcObjectInfo found in objects.Where(
            found => found is { Type: NativeIpcKeyType.Windows, Key.IsValid: true }
                && (found.Traits & IpcObjectTraits.LockOfSegment) == 0))
            ExamineTwin(diagnosis, found, kinds);
        ExamineSession(diagnosis);
        diagnosis.AddNear(Limits(), limit =>
            ("Segments are charged here when they are made: end programs, or let the paging file grow.", null));
    }

    public static IEnumerable<IpcLimit> Limits()
    {
        Kernel32.MEMORYSTATUSEX status = new() { dwLength = (uint)sizeof(Kernel32.MEMORYSTATUSEX) };
        if (Kernel32.GlobalMemoryStatusEx(ref status) == 0) return [];
        return [new IpcLimit("commit", "what all programs and segments may be promised, in memory and paging file",
            (long)(status.ullTotalPageFile - status.ullAvailPageFile), (long)status.ullTotalPageFile, "bytes")];
    }

    private static void AddDeadHolder(Diagnosis diagnosis, IReadOnlyList<IpcObjectInfo> objects, IpcObjectInfo found)
    {
        IpcObjectInfo? segment = objects.FirstOrDefault(
            one => one.Kind == IpcObjectKind.SharedMemory
                && WindowsLook.LocksOf(one.NativeName).Contains(found.NativeName));
        diagnosis.Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error,
            $"The semaphore {Diagnosis.Name(found)}, the lock of a segment, is taken, and its holder, a process that "
                + $"used this library, was killed: a Qt or C program that locks waits for ever.",
            "The next program that locks with this library gets the lock and is told; this command does so, too, and "
                + "gives it back.")
        {
            Subject = found,
            Command = segment is { Key.IsValid: true }
                ? Command($"nipc read \"{segment.Key}\" --lock --length 1", segment) : null,
        });
    }

    private static void AddLostHolder(Diagnosis diagnosis, IpcObjectInfo found)
        => diagnosis.Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Warning,
            $"The semaphore {Diagnosis.Name(found)}, the lock of a segment, is taken, and the last process of this "
                + $"library that held it was killed: either its permit is lost, and who locks waits for ever, or a Qt "
                + $"or C program has it.",
            "If no Qt or C program is in the middle of its work, give the permit back.")
        {
            Subject = found,
            Command = Command($"nipc release \"{found.Key}\"", found),
        });

    /// <summary>A command; null for a name that would end the quotes.</summary>
    private static string? Command(string command, IpcObjectInfo found)
        => found.NativeName.Contains('"') ? null : command;

    /// <summary>Whether the lock of a segment can be made, and opened by all that may open the segment.</summary>
    private static void Examine(Diagnosis diagnosis, IpcObjectInfo segment, Dictionary<string, string> kinds,
        IpcObjectInfo[] locks)
    {
        string[] names = [.. WindowsLook.LocksOf(segment.NativeName)];
        foreach (string name in names)
        {
            if (!kinds.TryGetValue(name, out string? kind) || kind == WindowsNames.Semaphore) continue;
            diagnosis.Add(new IpcFinding(IpcFindingKind.NameTaken, IpcSeverity.Error,
                $"The segment {Diagnosis.Name(segment)} cannot be locked: its lock would be the semaphore "
                    + $"'{Failure.Printable(name)}', and an object of another kind ({kind}) has that name.",
                "Let the program that made it use another name, or the segment; on Windows all kinds of objects share "
                    + "one space of names.") { Subject = segment });
        }

        IpcObjectInfo? shut = segment.Unreadable.Count > 0 ? null
            : locks.FirstOrDefault(found => names.Contains(found.NativeName) && WindowsLook.IsShut(found.NativeName));
        if (shut is null) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Permissions, IpcSeverity.Warning,
            $"The segment {Diagnosis.Name(segment)} lets this user in, and its lock does not: it can be attached and "
                + $"not locked.",
            "Let the program that made them give the lock the access control list of the segment (SecurityDescriptor).")
            { Subject = shut });
    }

    /// <summary>One name with and without Global\: users of the one do not meet users of the other.</summary>
    private static void ExamineTwin(Diagnosis diagnosis, IpcObjectInfo found, Dictionary<string, string> kinds)
    {
        if (!kinds.TryGetValue(Global + found.NativeName, out string? kind)
            || kind != (found.Kind == IpcObjectKind.SharedMemory ? WindowsNames.Section : WindowsNames.Semaphore))
            return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Warning,
            $"There are two objects of the name '{Failure.Printable(found.NativeName)}', one of this session and one "
                + $"of all sessions (Global\\): their users do not meet.",
            "Let both programs use Global\\, made by the one that may (a service), or neither.") { Subject = found });
    }

    private static void ExamineSession(Diagnosis diagnosis)
    {
        int session = WindowsNames.Session();
        if (session == 0) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Information,
            string.Create(CultureInfo.InvariantCulture,
                $"This process is in session {session}: it sees the objects of this session and those under Global\\, "
                    + $"none of other sessions. A service is in session 0."),
            "Objects for programs of several sessions must be made under Global\\."));
    }
}
