using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Interop;

/// <summary>A wake-up by the kernel, for a thread that is killed before it could wake. Of the list of robust futexes
/// that is registered for the thread (get_robust_list(2)), one entry is pending; when the thread dies, the kernel wakes
/// one sleeper of that word if it is 0 (Linux 5.5). glibc registers a list for each thread, musl with the first robust
/// mutex of a thread: until then an empty one of ours does.</summary>
internal static unsafe partial class LastWake
{
    private static readonly nint s_number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 100 : 274;
    private static readonly nint s_setNumber = s_number - 1; // set_robust_list, on both

    [ThreadStatic]
    private static nint t_list;

    // Ours: never freed, since the kernel reads it when the thread has ended.
    [ThreadStatic]
    private static nint t_own;

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
        // Where it is ours, anew each time: the C library may have registered its own meanwhile, and a child of fork(2)
        // has none.
        if (t_isKnown && t_own == 0) return (RobustList*)t_list;
        t_isKnown = true;
        return (RobustList*)(t_list = Find());
    }

    private static nint Find()
    {
        nint list = 0, size = 0;
        bool isKnown = OperatingSystem.IsLinux()
            && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;
        if (!isKnown || syscall(s_number, 0, &list, &size) != 0) return 0;
        if (list != 0) return size == sizeof(RobustList) ? list : 0;
        if (t_own == 0) t_own = (nint)NativeMemory.AllocZeroed((nuint)sizeof(RobustList));
        ((RobustList*)t_own)->List = t_own; // empty: it leads to itself
        return syscall(s_setNumber, t_own, sizeof(RobustList)) == 0 ? t_own : 0;
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint process, nint* list, nint* size);

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint list, nint size);
}
