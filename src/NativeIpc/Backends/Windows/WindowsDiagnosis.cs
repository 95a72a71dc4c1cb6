using System.Buffers.Binary;
using System.Globalization;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Windows;

/// <summary>What can be wrong with the objects of Windows.</summary>
internal static unsafe class WindowsDiagnosis
{
    private const string Global = @"Global\";

    /// <remarks>
    /// A dead holder is told from a living one by three looks. Interleavings: (1) the holder gives the lock back meanwhile, and another takes it: the second look at the record finds another turn; (2) the holder is
    /// killed meanwhile: then it is dead, as is said; (3) the holder claims its slot after the names were read: its turn is not the one of the first look.
    /// </remarks>
    public static void Examine(Diagnosis diagnosis)
    {
        IReadOnlyList<IpcObjectInfo> objects = diagnosis.Snapshot.Objects;
        IpcObjectInfo[] locks = [.. objects.Where(found => found.Type == NativeIpcKeyType.Windows && (found.Traits & IpcObjectTraits.LockOfSegment) != 0)];
        (IpcObjectInfo Lock, long Owner)[] taken = [.. locks.Where(found => found.Value == 0).Select(found => (found, OwnerOf(found))).Where(pair => pair.Item2 != 0)];
        Dictionary<string, string> kinds = WindowsNames.Read(out string? failure);
        foreach ((IpcObjectInfo found, long owner) in taken)
        {
            if (failure is null && !kinds.ContainsKey(HolderTable.LifeOf(found.Key, HolderTable.MarkOf(owner))) && OwnerOf(found) == owner) AddDeadHolder(diagnosis, objects, found);
        }

        foreach (IpcObjectInfo segment in objects.Where(found => found is { Type: NativeIpcKeyType.Windows, Kind: IpcObjectKind.SharedMemory, Key.IsValid: true })) Examine(diagnosis, segment, kinds, locks);
        foreach (IpcObjectInfo found in objects.Where(found => found is { Type: NativeIpcKeyType.Windows, Key.IsValid: true } && !found.NativeName.StartsWith(Global, StringComparison.Ordinal))) ExamineTwin(diagnosis, found, objects);
        ExamineSession(diagnosis);
        diagnosis.AddNear(Limits(), limit => ("Segments are charged here when they are made: end programs, or let the paging file grow.", null));
    }

    public static IEnumerable<IpcLimit> Limits()
    {
        Kernel32.MEMORYSTATUSEX status = new() { dwLength = (uint)sizeof(Kernel32.MEMORYSTATUSEX) };
        if (Kernel32.GlobalMemoryStatusEx(ref status) == 0) return [];
        return [new IpcLimit("commit", "what all programs and segments may be promised, in memory and paging file", (long)(status.ullTotalPageFile - status.ullAvailPageFile), (long)status.ullTotalPageFile, "bytes")];
    }

    private static void AddDeadHolder(Diagnosis diagnosis, IReadOnlyList<IpcObjectInfo> objects, IpcObjectInfo found)
    {
        IpcObjectInfo? segment = objects.FirstOrDefault(one => one.Kind == IpcObjectKind.SharedMemory && WindowsLook.LocksOf(one.NativeName).Contains(found.NativeName));
        diagnosis.Add(new IpcFinding(IpcFindingKind.LostPermit, IpcSeverity.Error,
            $"The semaphore {Diagnosis.Name(found)}, the lock of a segment, is taken, and its holder, a process that used this library, was killed: a Qt or C program that locks waits for ever.",
            "The next program that locks with this library gets the lock and is told; this command does so, too, and gives it back.")
        {
            Subject = found,
            Command = segment is { Key.IsValid: true } && !segment.NativeName.Contains('"') ? $"nipc read \"{segment.Key}\" --lock --length 1" : null,
        });
    }

    /// <summary>Whether the lock of a segment can be made, and opened by who may open the segment.</summary>
    private static void Examine(Diagnosis diagnosis, IpcObjectInfo segment, Dictionary<string, string> kinds, IpcObjectInfo[] locks)
    {
        string[] names = [.. WindowsLook.LocksOf(segment.NativeName)];
        foreach (string name in names)
        {
            if (!kinds.TryGetValue(name, out string? kind) || kind == WindowsNames.Semaphore) continue;
            diagnosis.Add(new IpcFinding(IpcFindingKind.NameTaken, IpcSeverity.Error, $"The segment {Diagnosis.Name(segment)} cannot be locked: its lock would be the semaphore '{Failure.Printable(name)}', and an object of another kind ({kind}) has that name.",
                "Let the program that made it use another name, or the segment; on Windows all kinds of objects share one space of names.") { Subject = segment });
        }

        IpcObjectInfo? shut = segment.Unreadable.Count > 0 ? null : locks.FirstOrDefault(found => names.Contains(found.NativeName) && WindowsLook.IsShut(found.NativeName));
        if (shut is null) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Permissions, IpcSeverity.Warning, $"The segment {Diagnosis.Name(segment)} lets this user in, and its lock does not: it can be attached and not locked.",
            "Let the program that made them give the lock the access control list of the segment (SecurityDescriptor).") { Subject = shut });
    }

    /// <summary>One name with and without Global\: who uses the one does not meet who uses the other.</summary>
    private static void ExamineTwin(Diagnosis diagnosis, IpcObjectInfo found, IReadOnlyList<IpcObjectInfo> objects)
    {
        if ((found.Traits & IpcObjectTraits.LockOfSegment) != 0 || !objects.Any(other => other.Kind == found.Kind && other.NativeName.StartsWith(Global, StringComparison.Ordinal) && other.NativeName.AsSpan(Global.Length).SequenceEqual(found.NativeName))) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Warning, $"There are two objects of the name '{Failure.Printable(found.NativeName)}', one of this session and one of all sessions (Global\\): their users do not meet.",
            "Let both programs use Global\\, made by the one that may (a service), or neither.") { Subject = found });
    }

    private static void ExamineSession(Diagnosis diagnosis)
    {
        int session = WindowsNames.Session();
        if (session == 0) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.Namespace, IpcSeverity.Information,
            string.Create(CultureInfo.InvariantCulture, $"This process is in session {session}: it sees the objects of this session and those under Global\\, none of other sessions. A service is in session 0."),
            "Objects for programs of several sessions must be made under Global\\."));
    }

    /// <summary>The word in the record of a lock that says who holds it; 0 for nobody, or where there is no record that can be read.</summary>
    private static long OwnerOf(IpcObjectInfo found)
    {
        Span<byte> word = stackalloc byte[sizeof(long)];
        try
        {
            return WindowsLook.Read(HolderTable.KeyOf(found.Key).NativeKey, HolderTable.OwnerOffset, word) == word.Length ? BinaryPrimitives.ReadInt64LittleEndian(word) : 0;
        }
        catch (NativeIpcException)
        {
            return 0; // nobody of this library has locked, or its record is shut: nothing can be said
        }
    }
}
