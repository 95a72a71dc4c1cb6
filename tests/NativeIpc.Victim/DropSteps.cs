using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Victim;

/// <summary>Which thread runs the finalizers of this process, for who looks at what it calls; and what dropped objects
/// leave in it.</summary>
internal static partial class DropSteps
{
    private static int s_thread;

    /// <summary>Its number, as the kernel and strace have it.</summary>
    internal static int FinalizerThread()
    {
        Make();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return s_thread;
    }

    /// <summary>Whether the library watches a file.</summary>
    internal static bool Watches() => Array.Exists(Directory.GetFiles("/proc/self/fdinfo"), HasWatch);

    internal static string AwaitNoWatch()
    {
        SpinWait.SpinUntil(() => !Watches());
        return "none";
    }

    private static bool HasWatch(string path)
    {
        try
        {
            return File.ReadAllText(path).Contains("inotify wd:", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // closed meanwhile
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Make() => _ = new Finalized();

    private sealed class Finalized
    {
        ~Finalized() => s_thread = gettid();
    }

    [LibraryImport("libc")]
    private static partial int gettid();
}
