using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;

namespace NativeIpc.Tool.Removal;

/// <summary>What is known of an object before it goes: whether it is still there, and what speaks for its
/// use.</summary>
internal static class RemovalLook
{
    public const string NoLife =
        "Nobody waits for it, and its last operator has ended. The kernel does not count its other users.";

    public static IpcObjectInfo? Find(in NativeIpcKey key, IpcObjectKind kind)
        => CanTell(key) ? IpcObjects.Inspect(key, kind) : null;

    public static bool CanTell(in NativeIpcKey key)
        => IpcObjects.CanEnumerate(key.Type) || !SharedMemory.IsKeyTypeSupported(key.Type);

    public static IEnumerable<IpcObjectInfo> LocksOf(NativeIpcKey key)
    {
        NativeIpcKeyRules rules = NativeIpcKeyRules.Current;
        NativeIpcKey[] locks = [rules.LockKey(key), rules.LockKey(new NativeIpcKey(key.NativeKey, key.Type))];
        return locks.Distinct().Where(one => rules.FindViolation(one, IpcObjectKind.SystemSemaphore) is null)
            .Select(one => Find(one, IpcObjectKind.SystemSemaphore)).OfType<IpcObjectInfo>();
    }

    /// <summary>The same object as it is now; null when it is gone.</summary>
    public static IpcObjectInfo? Anew(IpcObjectInfo found)
        => !found.Key.IsValid ? NamedObject.Closely(found) is [var listed, ..] ? listed : null
            : Find(found.Key, found.Kind) is { } now && now.SystemVId == found.SystemVId
                && now.NativeName == found.NativeName ? now : null;

    public static IReadOnlyList<string>? EvidenceOf(IpcObjectInfo found)
        => found.Signs.Count == 0 ? null : [.. found.Signs.Select(sign => sign.Text)];

    /// <summary>Whether nothing says that a System V semaphore is in use: nobody waits, and its last user has
    /// ended.</summary>
    public static bool ShowsNoLife(IpcObjectInfo found)
        => found is { Kind: IpcObjectKind.SystemSemaphore, SystemVId: not null, Value: not null }
            or { Kind: IpcObjectKind.SystemEvent, SystemVId: not null, IsSet: not null }
            && !found.Signs.Any(sign => sign.Kind is IpcSignKind.Waiting or IpcSignKind.LastProcess);
}
