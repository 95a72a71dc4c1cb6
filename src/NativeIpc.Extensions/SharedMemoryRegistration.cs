namespace NativeIpc.Extensions;

/// <summary>How a registered segment is opened or made when the host starts. Bound from a configuration by
/// <see cref="NativeIpcBuilder.AddSharedMemory"/>.</summary>
public sealed class SharedMemoryRegistration
{
    /// <summary>The text of its key, <c>posix:/frames</c>; empty for <c>SharedMemory.PlatformSafeKey</c> of the name of
    /// the registration.</summary>
    public string Key { get; set; } = "";

    /// <summary>Opened, made, or whichever there is. Default: <see cref="ObjectOpening.CreateOrOpen"/>.</summary>
    public ObjectOpening Opening { get; set; }

    /// <summary>Its size in bytes, when it is made or opened by <see cref="ObjectOpening.CreateOrOpen"/>.</summary>
    public long Size { get; set; }

    /// <summary>Read-only or not, when it is opened by <see cref="ObjectOpening.OpenExisting"/>.</summary>
    public SharedMemoryAccess Access { get; set; }

    /// <summary>Mode, removal and the other options.</summary>
    public SharedMemoryOptions Options { get; set; } = new();

    internal SharedMemory Open(string name)
    {
        NativeIpcKey key = Key.Length == 0 ? SharedMemory.PlatformSafeKey(name) : NativeIpcKey.Parse(Key);
        return Opening switch
        {
            ObjectOpening.CreateOrOpen => SharedMemory.CreateOrOpen(key, Size, Options),
            ObjectOpening.CreateNew => SharedMemory.CreateNew(key, Size, Options),
            ObjectOpening.OpenExisting => SharedMemory.OpenExisting(key, Access, Options),
            _ => throw new InvalidOperationException($"A segment cannot be opened by {Opening}: '{name}'."),
        };
    }
}
