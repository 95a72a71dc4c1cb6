using System.Runtime.InteropServices;
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

    /// <summary>Whether a segment or a semaphore stands under a key; null when the system does not say.</summary>
    /// <param name="ipcKey">The key.</param>
    /// <param name="refused">What does not say, and its error number.</param>
    public static bool? HasObject(int ipcKey, out (string Call, int Number) refused)
    {
        refused = default;
        return Has("shmget", Libc.shmget(ipcKey, 0, 0), ref refused) is var segment && segment == true
            ? true : segment | Has("semget", Libc.semget(ipcKey, 0, 0), ref refused);
    }

    /// <summary>Whether a segment or a semaphore stands under a file's key; null when the system does not
    /// say.</summary>
    public static bool? HasObject(FileIdentity identity, string path, int projectId,
        out (string Call, int Number) refused)
    {
        if (s_areKnown) return HasObject(Of(identity, projectId), out refused);
        int ipcKey = Libc.ftok(path, projectId);
        refused = ("ftok", Marshal.GetLastPInvokeError());
        return ipcKey == -1 && refused.Number != 0 ? null : HasObject(ipcKey, out refused);
    }

    private static bool? Has(string call, int id, ref (string Call, int Number) refused)
    {
        if (id != -1) return true;
        int number = Marshal.GetLastPInvokeError();
        if (number == Errno.ENOENT) return false;
        refused = (call, number);
        return null;
    }
}
