using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Interop;

/// <summary>A wake-up by the kernel, for a thread that is killed before it could wake. Of the list of robust futexes
/// that the C library has registered for each thread (get_robust_list(2)), one entry is pending; when the thread dies,
/// the kernel wakes one sleeper of that word if it is 0 (Linux 5.5).</summary>
internal static unsafe partial class LastWake
{
    private static readonly nint s_number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 100 : 274;

    [ThreadStatic]
    private static nint t_list;

    [ThreadStatic]
    private static bool t_isKnown;

    [StructLayout(LayoutKind.Sequential)]
    private struct RobustList
    {
        public nint List;
        public nint Offset;
        public nint Pending;
    }

    /// <summary>From here on, until <see cref="End"/> by the same thread.</summary>
    public static void Begin(uint* word)
    {
        RobustList* list = Own();
        if (list != null) Volatile.Write(ref list->Pending, (nint)word - list->Offset);
    }

    public static void End()
    {
        RobustList* list = Own();
        if (list != null) Volatile.Write(ref list->Pending, 0);
    }

    private static RobustList* Own()
    {
        if (!t_isKnown)
        {
            t_isKnown = true;
            nint list = 0, size = 0;
            bool isKnown = OperatingSystem.IsLinux()
                && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;
            if (isKnown && syscall(s_number, 0, &list, &size) == 0 && size == sizeof(RobustList)) t_list = list;
        }

        return (RobustList*)t_list;
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint process, nint* list, nint* size);
}
