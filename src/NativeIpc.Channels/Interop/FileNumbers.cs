using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Channels.Interop;

/// <summary>Which file it is: device and inode, by statx(2), whose record is the same on every processor (Linux
/// 4.11).</summary>
internal static unsafe partial class FileNumbers
{
    private const int AT_FDCWD = -100;
    private const int AT_EMPTY_PATH = 0x1000;
    private const int STATX_INO = 0x100;
    private const int InodeAt = 32;
    private const int DeviceMajorAt = 136;
    private const int DeviceMinorAt = 140;

    private static readonly nint s_number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 291 : 332;

    /// <summary>Of a file that is open, or else of what has the path.</summary>
    /// <param name="file">The file; null to take the path.</param>
    /// <param name="path">The path.</param>
    /// <param name="device">Major and minor number, 32 bits each.</param>
    /// <param name="inode">The inode's number.</param>
    /// <returns>0, or the error number.</returns>
    public static int Read(SafeFileHandle? file, string path, out ulong device, out ulong inode)
    {
        byte* record = stackalloc byte[256];
        bool added = false;
        device = inode = 0;
        try
        {
            file?.DangerousAddRef(ref added);
            int folder = file is null ? AT_FDCWD : (int)file.DangerousGetHandle();
            if (syscall(s_number, folder, file is null ? path : "", file is null ? 0 : AT_EMPTY_PATH, STATX_INO,
                record) != 0)
            {
                return Marshal.GetLastPInvokeError();
            }
        }
        finally
        {
            if (added) file!.DangerousRelease();
        }

        inode = *(ulong*)(record + InodeAt);
        device = ((ulong)*(uint*)(record + DeviceMajorAt) << 32) | *(uint*)(record + DeviceMinorAt);
        return 0;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint syscall(nint number, nint folder, string path, nint flags, nint mask, byte* record);
}
