using NativeIpc.Platform;

namespace NativeIpc.Backends;

/// <summary>One enumeration: what is asked for, what was found, and what the back ends share while they look. Used by one thread.</summary>
internal sealed class Census(IpcEnumerationOptions options, NativeIpcKey? only = null)
{
    private readonly List<IpcObjectInfo> _objects = [];
    private readonly List<string> _notes = [];
    private ProcessScan? _processes;

    public IpcEnumerationOptions Options { get; } = options;

    /// <summary>The one key that is asked for; null for all.</summary>
    public NativeIpcKey? Only { get; } = only;

    public AccountNames Accounts { get; } = new();

    public Signs Signs { get; } = new();

    /// <summary>Who has what open, looked up once for all back ends; null when it was not asked for.</summary>
    public ProcessScan? Processes => !Options.IncludeAttachments ? null : _processes ??= ProcessScan.Run();

    public IpcSnapshot Take()
    {
        foreach (IObjectCatalog catalog in Selector.Catalogs)
        {
            if (Only is { } key ? !catalog.Handles(key.Type) : Options.Type is { } type && !catalog.Handles(type)) continue;
            string? reason = catalog.WhyNotListed();
            if (reason is null) catalog.AddTo(this);
            else if (catalog.IsOfThisSystem || Options.Type is not null) Note(reason);
        }

        if (_processes is { Unreadable: > 0 } scan)
            Note($"{scan.Unreadable} {(scan.Unreadable == 1 ? "process" : "processes")} may not be looked at by this user, so who uses an object may be incomplete.");
        if (_processes is { Hidden: { } hidden } && _objects.Any(found => found.IsUseUnseen))
            Note($"Not all processes were seen: {hidden}. So who uses an object may be incomplete.");
        return new IpcSnapshot(_objects, _notes);
    }

    public void Add(IpcObjectInfo found)
    {
        if (Options.Wants(found.Kind) && Options.Wants(found.Type)) _objects.Add(found);
    }

    public void Note(string note) => _notes.Add(note);
}
