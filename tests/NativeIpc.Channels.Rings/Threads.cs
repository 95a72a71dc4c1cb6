using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Rings;

/// <summary>Threads as the kernel sees them.</summary>
internal static partial class Threads
{
    /// <summary>The number of the calling one.</summary>
    public static int Current => gettid();

    /// <summary>Whether a thread of this process sleeps in the kernel, whatever for.</summary>
    public static bool IsAsleep(int thread) => IsAsleep(Environment.ProcessId, thread);

    /// <summary>The same of another process.</summary>
    public static bool IsAsleep(int process, int thread)
    {
        string status = File.ReadAllText($"/proc/{process}/task/{thread}/stat");
        return status[status.LastIndexOf(')') + 2] == 'S';
    }

    [LibraryImport("libc")]
    private static partial int gettid();
}
