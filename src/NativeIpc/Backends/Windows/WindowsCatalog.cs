namespace NativeIpc.Backends.Windows;

/// <summary>The named objects of Windows.</summary>
internal sealed class WindowsCatalog : IObjectCatalog
{
    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool IsOfThisSystem => OperatingSystem.IsWindows();

    public string? WhyNotListed()
        => !OperatingSystem.IsWindows() ? "Windows objects exist on Windows only."
            : "Windows has no documented way to list named objects or their users. Objects whose key is known can be opened.";

    public void AddTo(Census census)
    {
    }

    public bool Remove(IpcObjectInfo found, bool onlyUnused)
        => throw new PlatformNotSupportedException("Windows removes an object with its last handle; there is nothing to remove.");

    public int Read(IpcObjectInfo found, long offset, Span<byte> destination)
        => throw new PlatformNotSupportedException("Windows lists no objects; open the segment by its key.");

    public void Diagnose(Diagnosis diagnosis)
    {
    }

    public IEnumerable<IpcLimit> Limits() => [];
}
