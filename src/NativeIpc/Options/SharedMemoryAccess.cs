namespace NativeIpc;

/// <summary>What an attach allows.</summary>
public enum SharedMemoryAccess
{
    /// <summary>The segment can be read and written.</summary>
    ReadWrite = 0,

    /// <summary>The segment can only be read; writable views throw <see cref="InvalidOperationException"/>.</summary>
    Read = 1,
}
