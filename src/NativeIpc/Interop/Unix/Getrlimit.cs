using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// getrlimit(2).

/// <summary>struct rlimit of Linux: two numbers of 64 bits (rlim_t on 64-bit systems).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Rlimit
{
    internal ulong rlim_cur;
    internal ulong rlim_max;
}

internal static partial class Libc
{
    // A look at a number of this process: it neither waits nor calls back.
    [LibraryImport(Libraries.Libc)]
    [SuppressGCTransition]
    private static unsafe partial int getrlimit(int resource, Rlimit* rlim);

    /// <summary>How large a file of this process may become (RLIMIT_FSIZE), in bytes; the kernel ends a
    /// process that goes beyond it, by SIGXFSZ. Long.MaxValue for no limit.</summary>
    internal static unsafe long LargestFile()
    {
        Rlimit limit;
        return getrlimit(Flags.RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur <= long.MaxValue ? (long)limit.rlim_cur
            : long.MaxValue;
    }
}
