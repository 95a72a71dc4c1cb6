using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>What an argument of a verb names: a key, whether or not anything stands under it, or an object of the
/// list.</summary>
internal sealed class NamedObject
{
    private NamedObject(NativeIpcKey key, IpcObjectInfo? found)
    {
        Key = key;
        Found = found;
    }

    /// <summary>The key; the invalid key for an object of the list that no key leads to.</summary>
    public NativeIpcKey Key { get; }

    /// <summary>The object of the list; null when a key was given, which is asked only when it is used.</summary>
    public IpcObjectInfo? Found { get; }

    /// <summary>How every verb names it.</summary>
    public string Name => Found is null ? Key.ToString() : NameOf(Found);

    public static NamedObject Of(in NativeIpcKey key) => new(key, null);

    public static NamedObject Of(IpcObjectInfo found) => new(found.Key, found);

    /// <summary>What an object of the list is called, in a form that every verb takes: its key, or its id where no key
    /// leads to it. Of what has no name any more it is only a text to show: see <see cref="HasNoName"/>.</summary>
    public static string NameOf(IpcObjectInfo found) => (found.Key.IsValid, found.SystemVId, found.Kind) switch
    {
        _ when HasNoName(found) => $"{PathOf(found)} (deleted)",
        (true, _, _) => found.Key.ToString(),
        (_, { } id, IpcObjectKind.SharedMemory) => string.Create(CultureInfo.InvariantCulture, $"shmid:{id}"),
        (_, { } id, _) => string.Create(CultureInfo.InvariantCulture, $"semid:{id}"),
        _ when found.FilePath is not null => PathOf(found),
        _ => $"{KeyOptions.WordOf(found.Type)}:{found.NativeName}",
    };

    /// <summary>Whether an object is an unlinked file that processes have open: nothing leads to it, and another object
    /// may have the name that it had.</summary>
    public static bool HasNoName(IpcObjectInfo found)
        => found.Type == NativeIpcKeyType.PosixRealtime && (found.Traits & IpcObjectTraits.Removed) != 0;

    /// <summary>The path of a POSIX object's file, in a form that no other object has: each backslash stands twice, and
    /// so bytes that are no UTF-8 can stand as <c>\xff</c>.</summary>
    public static string PathOf(IpcObjectInfo found)
        => (found.Traits & IpcObjectTraits.NameNotText) != 0 ? found.FilePath ?? $"/dev/shm/{found.NativeName}"
        : (found.FilePath ?? $"/dev/shm/{found.NativeName}").Replace("\\", "\\\\", StringComparison.Ordinal);

    public SharedMemory OpenSegment(SharedMemoryAccess access, SharedMemoryOptions options)
    {
        if (Found is null) return SharedMemory.OpenExisting(Key, access, options);
        RequireOpenable(Found);
        if (options.UseLock && !Key.IsValid) options = options with { UseLock = false };
        return SharedMemory.OpenListed(Found, access, options);
    }

    public SystemSemaphore OpenSemaphore(SystemSemaphoreOptions options)
    {
        if (Found is null) return SystemSemaphore.OpenExisting(Key, options);
        RequireOpenable(Found);
        return SystemSemaphore.OpenListed(Found, options);
    }

    /// <summary>An event has a key, or it would not be known as one.</summary>
    public SystemEvent OpenEvent(SystemEventOptions options) => SystemEvent.OpenExisting(Key, options);

    /// <summary>What System V has without a key is opened by its id; a POSIX object has nothing but its key.</summary>
    private static void RequireOpenable(IpcObjectInfo found)
    {
        if (found.FilePath is null || found.Key.IsValid) return;
        string why = (found.Traits & IpcObjectTraits.InSubfolder) != 0
            ? "it is in a folder of /dev/shm" : "its name is no text";
        throw new ToolException(ExitCodes.Unsupported,
            $"No key leads to {NameOf(found)}, since {why}, so it cannot be opened as an object. 'nipc "
                + $"show {ToolWords.ForShell(NameOf(found))}' shows it; a program reads it as the file that it is.");
    }

    /// <summary>The objects that it names, as they are now.</summary>
    /// <param name="kind">Only this kind; null for one of each.</param>
    public IReadOnlyList<IpcObjectInfo> Objects(IpcObjectKind? kind)
    {
        if (Found is not null) return kind is null || kind == Found.Kind ? Closely(Found) : [];
        return [.. Enum.GetValues<IpcObjectKind>().Where(one => kind is null || kind == one)
            .Select(one => Inspect(one, isOnly: kind is not null)).OfType<IpcObjectInfo>()];
    }

    /// <summary>An object of the list once more, closely: nothing when it is gone.</summary>
    public static IReadOnlyList<IpcObjectInfo> Closely(IpcObjectInfo listed)
    {
        var options = new IpcEnumerationOptions { Type = listed.Type, Kind = listed.Kind, FindUses = true,
            FindSigns = true };
        return [.. IpcObjects.Enumerate(options).Objects.Where(
            one => one.SystemVId == listed.SystemVId && one.NativeName == listed.NativeName
                && NameOf(one) == NameOf(listed))];
    }

    /// <summary>A key that can name a segment may be too long for a semaphore or an event, and a system may have no
    /// events: that is no failure unless it was such an object that was asked for.</summary>
    private IpcObjectInfo? Inspect(IpcObjectKind kind, bool isOnly)
        => !isOnly && kind != IpcObjectKind.SharedMemory
            && (NativeIpcKeyRules.Current.FindViolation(Key, kind) is not null
                || (kind == IpcObjectKind.SystemEvent && !SystemEvent.IsKeyTypeSupported(Key.Type)))
            ? null : IpcObjects.Inspect(Key, kind);
}
