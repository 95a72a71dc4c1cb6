namespace NativeIpc.Extensions;

/// <summary>How a registered semaphore is opened or made when the host starts. Bound from a configuration by
/// <see cref="NativeIpcBuilder.AddSemaphore"/>.</summary>
public sealed class SemaphoreRegistration
{
    /// <summary>The text of its key, <c>posix:/gate</c>; empty for <c>SystemSemaphore.PlatformSafeKey</c> of the name
    /// of the registration.</summary>
    public string Key { get; set; } = "";

    /// <summary>Opened, made, set anew, or whichever there is. Default:
    /// <see cref="ObjectOpening.CreateOrOpen"/>.</summary>
    public ObjectOpening Opening { get; set; }

    /// <summary>The number of permits at first, when it is made. Default: 1.</summary>
    public int InitialCount { get; set; } = 1;

    /// <summary>Mode, removal, undo, recording and the other options.</summary>
    public SystemSemaphoreOptions Options { get; set; } = new();

    internal SystemSemaphore Open(string name)
    {
        NativeIpcKey key = Key.Length == 0 ? SystemSemaphore.PlatformSafeKey(name) : NativeIpcKey.Parse(Key);
        return Opening switch
        {
            ObjectOpening.CreateOrOpen => SystemSemaphore.CreateOrOpen(key, InitialCount, Options),
            ObjectOpening.CreateNew => SystemSemaphore.CreateNew(key, InitialCount, Options),
            ObjectOpening.OpenExisting => SystemSemaphore.OpenExisting(key, Options),
            ObjectOpening.CreateOrReset => SystemSemaphore.CreateOrReset(key, InitialCount, Options),
            _ => throw new InvalidOperationException($"A semaphore cannot be opened by {Opening}: '{name}'."),
        };
    }
}
