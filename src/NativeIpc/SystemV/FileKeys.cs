using NativeIpc.Interop.Unix;

namespace NativeIpc.SystemV;

/// <summary>The System V keys that ftok(3) makes of files.</summary>
internal static class FileKeys
{
    /// <summary>Whether the key of a file can be told from its status, without asking ftok(3), which only makes the
    /// same call again.</summary>
    public static readonly bool s_areKnown = OperatingSystem.IsLinux() && IsKnown("/") && IsKnown("/dev/null")
        && IsKnown("/proc");

    private static bool IsKnown(string path)
        => Libc.Status(path, followLink: true, out FileStatus status) != 0
            || Libc.ftok(path, 0x51) == Of(status.Identity, 0x51);

    /// <summary>What ftok(3) gives on Linux, by glibc and musl: 8 bits of the project, 8 of the device, 16 of the
    /// inode.</summary>
    public static int Of(FileIdentity identity, int projectId)
        => (projectId & 0xFF) << 24 | (int)(identity.Device & 0xFF) << 16 | (int)(identity.Inode & 0xFFFF);

    /// <summary>Whether a segment or a semaphore stands under a key.</summary>
    public static bool HasObject(int ipcKey) => Libc.shmget(ipcKey, 0, 0) != -1 || Libc.semget(ipcKey, 0, 0) != -1;

    /// <summary>Whether a segment or a semaphore stands under a file's key.</summary>
    public static bool HasObject(FileIdentity identity, string path, int projectId)
        => HasObject(s_areKnown ? Of(identity, projectId) : Libc.ftok(path, projectId));
}
