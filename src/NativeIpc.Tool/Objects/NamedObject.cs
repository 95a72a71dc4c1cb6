using System.Globalization;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Objects;

/// <summary>What an argument of a verb names: a key, whether or not anything stands under it, or an object of the list.</summary>
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
    /// leads to it.</summary>
    public static string NameOf(IpcObjectInfo found) => (found.Key.IsValid, found.SystemVId, found.Kind) switch
    {
        (true, _, _) => found.Key.ToString(),
        (_, { } id, IpcObjectKind.SharedMemory) => string.Create(CultureInfo.InvariantCulture, $"shmid:{id}"),
        (_, { } id, _) => string.Create(CultureInfo.InvariantCulture, $"semid:{id}"),
        _ => $"{KeyOptions.WordOf(found.Type)}:{found.NativeName}",
    };

    public SharedMemory OpenSegment(SharedMemoryAccess access, SharedMemoryOptions options)
    {
        if (Found is null) return SharedMemory.OpenExisting(Key, access, options);
        if (options.UseLock && !Key.IsValid) options = options with { UseLock = false };
        return SharedMemory.OpenListed(Found, access, options);
    }

    public SystemSemaphore OpenSemaphore(SystemSemaphoreOptions options)
        => Found is null ? SystemSemaphore.OpenExisting(Key, options) : SystemSemaphore.OpenListed(Found, options);

    /// <summary>The objects that it names, as they are now.</summary>
    /// <param name="kind">Only this kind; null for a segment and a semaphore.</param>
    public IReadOnlyList<IpcObjectInfo> Objects(IpcObjectKind? kind)
    {
        if (Found is not null) return kind is null || kind == Found.Kind ? Closely(Found) : [];
        return [.. Enum.GetValues<IpcObjectKind>().Where(one => kind is null || kind == one)
            .Select(one => Inspect(one, isOnly: kind is not null)).OfType<IpcObjectInfo>()];
    }

    /// <summary>An object of the list once more, closely: nothing when it is gone.</summary>
    public static IReadOnlyList<IpcObjectInfo> Closely(IpcObjectInfo listed)
    {
        var options = new IpcEnumerationOptions { Type = listed.Type, Kind = listed.Kind, FindUses = true, FindSigns = true };
        return [.. IpcObjects.Enumerate(options).Objects.Where(one => one.SystemVId == listed.SystemVId && one.NativeName == listed.NativeName)];
    }

    /// <summary>A key that can name a segment may be too long for a semaphore: that is no failure unless it was the
    /// semaphore that was asked for.</summary>
    private IpcObjectInfo? Inspect(IpcObjectKind kind, bool isOnly)
        => !isOnly && kind == IpcObjectKind.SystemSemaphore && NativeIpcKeyRules.Current.FindViolation(Key, kind) is not null
            ? null : IpcObjects.Inspect(Key, kind);
}
