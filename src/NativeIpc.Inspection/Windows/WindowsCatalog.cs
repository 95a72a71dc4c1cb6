using NativeIpc.Inspection.Looks;
using NativeIpc.Windows;

namespace NativeIpc.Inspection.Windows;

/// <summary>The named objects of Windows: those of this session, and those of all sessions (<c>Global\</c>).</summary>
internal sealed class WindowsCatalog : IObjectCatalog
{
    private const string NotTold =
        "Windows tells how many handles lead to an object, and neither which processes have them nor when it was made.";

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool IsOfThisSystem => OperatingSystem.IsWindows();

    public string? WhyNotListed() => OperatingSystem.IsWindows() ? null : "Windows objects exist on Windows only.";

    public void AddTo(Census census)
    {
        Dictionary<string, string> kinds = WindowsNames.Read(out string? failure);
        if (failure is not null) census.Note(failure);
        string[] segments = NamesOf(kinds, WindowsNames.Section), semaphores = NamesOf(kinds, WindowsNames.Semaphore);
        HashSet<string> locks = new(segments.SelectMany(WindowsLook.LocksOf), StringComparer.Ordinal);
        var looker = new WindowsLook(locks, census.Options.IncludeAttachments);
        if (census.Only is { } only)
        {
            Add(WindowsNames.AsListed(only.NativeKey), census.Options.Kind ?? IpcObjectKind.SharedMemory);
            return;
        }

        census.Note(NotTold);

        // This library's own records, docs/windows.md, are no segments of anybody's.
        HashSet<string> records = new(
            semaphores.Concat(locks).Select(name => HolderTable.KeyOf(WindowsLook.KeyOf(name)).NativeKey),
            StringComparer.Ordinal);
        foreach (string name in segments.Where(name => !records.Contains(name))) Add(name, IpcObjectKind.SharedMemory);
        foreach (string name in semaphores) Add(name, IpcObjectKind.SystemSemaphore);
        foreach (string name in NamesOf(kinds, WindowsNames.Event)) Add(name, IpcObjectKind.SystemEvent);

        void Add(string name, IpcObjectKind kind)
        {
            // R1 Race: the name has gone since the directory was read, or is another kind of object by now. Safe
            // because: it is left out then.
            // R2 Race: the last user lets go while this look has a handle. Not safe, since every look needs one: the
            // object lives on for some microseconds, and a maker of the same name finds it.
            // R3 Race: a process proves at this moment that all handles of a lock are known ones
            // (WindowsHeldSemaphore). Safe because: it finds one too many, and proves it again later.
            if (census.Options.Wants(kind) && looker.Look(name, kind) is { } found) census.Add(found);
        }
    }

    public bool Remove(IpcObjectInfo found) => throw NothingToRemove();

    public Removal RemoveUnused(IpcObjectInfo found) => throw NothingToRemove();

    private static PlatformNotSupportedException NothingToRemove()
        => new("Windows removes an object with its last handle; there is nothing to remove.");

    public bool IsStill(IpcObjectInfo found) => true; // Windows does not tell one object of a name from the next

    public int Read(IpcObjectInfo found, long offset, Span<byte> destination)
        => WindowsLook.Read(found.NativeName, offset, destination);

    public void Diagnose(Diagnosis diagnosis)
    {
        if (OperatingSystem.IsWindows()) WindowsDiagnosis.Examine(diagnosis);
    }

    public IEnumerable<IpcLimit> Limits() => OperatingSystem.IsWindows() ? WindowsDiagnosis.Limits() : [];

    private static string[] NamesOf(Dictionary<string, string> kinds, string kind)
        => [.. kinds.Where(entry => entry.Value == kind).Select(entry => entry.Key).Order(StringComparer.Ordinal)];
}
