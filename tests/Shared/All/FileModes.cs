namespace NativeIpc.Testing;

/// <summary>Modes of files and objects, under the octal numbers that chmod(1) takes.</summary>
internal static class FileModes
{
    internal const UnixFileMode Mode400 = UnixFileMode.UserRead;
    internal const UnixFileMode Mode600 = Mode400 | UnixFileMode.UserWrite;
    internal const UnixFileMode Mode700 = Mode600 | UnixFileMode.UserExecute;
    internal const UnixFileMode Mode644 = Mode600 | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    internal const UnixFileMode Mode660 = Mode600 | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    internal const UnixFileMode Mode666 = Mode660 | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    internal const UnixFileMode Mode755 = Mode644 | Everybody;
    internal const UnixFileMode Mode777 = Mode666 | Everybody;
    internal const UnixFileMode Mode1777 = Mode777 | UnixFileMode.StickyBit;

    private const UnixFileMode Everybody =
        UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
}
