using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Peer;

/// <summary>The standard streams without .NET's console: its first line sets up handlers of SIGINT and SIGQUIT, and the
/// library, which is used after that, then removes nothing at these signals.</summary>
internal static class StandardStream
{
    /// <summary>Opens one of them.</summary>
    /// <param name="descriptor">0, 1 or 2.</param>
    internal static Stream Open(int descriptor) => !OperatingSystem.IsWindows()
        ? new FileStream(new SafeFileHandle(descriptor, ownsHandle: false),
            descriptor == 0 ? FileAccess.Read : FileAccess.Write, bufferSize: 0)
        : descriptor switch
        {
            0 => Console.OpenStandardInput(),
            1 => Console.OpenStandardOutput(),
            _ => Console.OpenStandardError(),
        };
}
