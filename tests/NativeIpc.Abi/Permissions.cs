using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>Permission bits, as octal text.</summary>
internal static class Permissions
{
    /// <summary>What the umask leaves of a mode. It is read from /proc, since umask(2) tells it only by changing it for
    /// the whole process.</summary>
    internal static string AfterUmask(int mode)
    {
        string line = File.ReadLines("/proc/self/status")
            .Single(line => line.StartsWith("Umask:", StringComparison.Ordinal));
        int umask = Convert.ToInt32(line["Umask:".Length..].Trim(), 8);
        return Convert.ToString(mode & ~umask, 8);
    }

    /// <summary>The permissions a file has.</summary>
    internal static string Of(string path)
    {
        // See FileStatusTests
        Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus status));
        return Convert.ToString(status.Permissions, 8);
    }
}
