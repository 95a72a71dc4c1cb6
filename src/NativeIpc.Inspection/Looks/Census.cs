using NativeIpc.Inspection.Objects;
using NativeIpc.Inspection.Processes;

namespace NativeIpc.Inspection.Looks;

/// <summary>One enumeration: what is asked for, what was found, and what the back ends share while they look. Used by
/// one thread.</summary>
internal sealed class Census(IpcEnumerationOptions options, NativeIpcKey? only = null)
{
    /// <summary>What a look at the one key is called in failures.</summary>
    public const string Inspecting = "inspect the object";

    private readonly List<IpcObjectInfo> _objects = [];
    private readonly List<IpcNote> _notes = [];
    private ProcessScan? _processes;

    public IpcEnumerationOptions Options { get; } = options;

    /// <summary>The one key that is asked for; null for all.</summary>
    public NativeIpcKey? Only { get; } = only;

    public AccountNames Accounts { get; } = new();

    public Signs Signs { get; } = new();

    /// <summary>Who has what open, looked up once for all back ends; null when it was not asked for.</summary>
    public ProcessScan? Processes => !Options.IncludeAttachments ? null : _processes ??= ProcessScan.Run();

    public IpcSnapshot Take(IReadOnlyList<IObjectCatalog> catalogs)
    {
        foreach (IObjectCatalog catalog in catalogs)
        {
            if (Only is { } key ? !catalog.Handles(key.Type) : Options.Type is { } type && !catalog.Handles(type))
                continue;
            string? reason = catalog.WhyNotListed();
            if (reason is null) catalog.AddTo(this);
            else if (catalog.IsOfThisSystem || Options.Type is not null)
                Note(reason, "Use objects of another type, or ask where the system has these.");
        }

        var others = new Others(this);
        if (Only is null) others.Take();
        if (_processes is { } scan) NoteUnseen(scan);
        return new IpcSnapshot(_objects, _notes) { Others = others.Objects, OtherCounts = others.Counts };
    }

    public void Add(IpcObjectInfo found)
    {
        if (Options.Wants(found.Kind) && Options.Wants(found.Type)) _objects.Add(found);
    }

    /// <summary>Adds what could not be seen.</summary>
    /// <param name="text">A sentence.</param>
    /// <param name="remedy">What to do about it, in a sentence; null where more rights would help.</param>
    public void Note(string text, string? remedy = null) => _notes.Add(new IpcNote(text, remedy));

    /// <summary>The note on a PID namespace, which a diagnosis tells as a finding of its own.</summary>
    internal const string OutsideNamespace =
        "Processes outside of this PID namespace are not shown, so who uses an object may be incomplete.";

    /// <summary>Tells of processes that were not seen, where an object may have users among them.</summary>
    private void NoteUnseen(ProcessScan scan)
    {
        if (_objects.TrueForAll(found =>
            found.IsInUse == false || (found.Kind != IpcObjectKind.SharedMemory && found.Type.IsSystemV)))
            return;
        if (scan.Unreadable > 0)
            Note($"{scan.Unreadable} {(scan.Unreadable == 1 ? "process" : "processes")} may not be looked at by this "
                + $"user, so who uses an object may be incomplete.");
        else if (scan.IsHidden)
            Note("Processes are hidden from this user (hidepid of proc(5), or no /proc), so who uses an object may be "
                + "incomplete.");
        else if (!scan.IsComplete && _objects.Exists(found => found.IsUseUnseen))
            Note(OutsideNamespace);
    }
}
