using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// kill(2), pidfd_open(2) (Linux 5.3): whether a process lives, and its end; getsid(2).

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    private static partial int kill(int process, int signal);

    /// <summary>The session of a process, 0 for this one; 0 when its leader is in another PID namespace.</summary>
    [LibraryImport(Libraries.Libc)]
    internal static partial int getsid(int process);

    /// <summary>Whether the system has a process of this number, in this PID namespace; one that may not be seen
    /// (hidepid of proc(5)) counts, too.</summary>
    internal static bool HasProcess(int process)
        => kill(process, 0) == 0 || Marshal.GetLastPInvokeError() != Errno.ESRCH;

    /// <summary>SYS_pidfd_open, on every architecture; older C libraries have no wrapper.</summary>
    internal const nint PidfdOpenNumber = 434;

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint syscall_pidfd_open(nint number, nint process, nint flags);

    /// <summary>A descriptor that can be read when the process has ended; -1 when there is none, or the kernel has
    /// no such call. Close-on-exec.</summary>
    internal static int pidfd_open(int process)
        => AboveStandard((int)syscall_pidfd_open(PidfdOpenNumber, process, 0), closesOnExec: true);
}
