using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Victim;

/// <summary>Which thread runs the finalizers of this process, for a test that looks at what it calls; and what dropped
/// objects leave in it.</summary>
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

    /// <summary>Has the watching thread do a chore, and waits until it is done; by reflection.</summary>
    internal static string DoChores()
    {
        using var done = new ManualResetEventSlim();
        Func<int> chores = () =>
        {
            done.Set();
            return -1;
        };
        MethodInfo poke = typeof(SharedMemory).Assembly.GetType("NativeIpc.Linux.FileWatch", throwOnError: true)!
            .GetMethod("Poke", [typeof(Func<int>), typeof(string)])!;
        if (poke.Invoke(null, [chores, "nothing"]) is not true) return "refused";
        done.Wait();
        return "done";
    }

    internal static string AwaitNoWatch()
    {
        SpinWait.SpinUntil(() => !Watches());
        return "none";
    }

    /// <summary>Waits until a file is gone, while this process lives.</summary>
    internal static string AwaitGone(string path)
    {
        SpinWait.SpinUntil(() => !File.Exists(path));
        return "gone";
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
