using NativeIpc.Interop.Unix;

namespace NativeIpc.Interop;

/// <summary>The one place where a thread lets time pass: for systems that cannot wait for the thing
/// itself.</summary>
internal static class Pause
{
    [ThreadStatic]
    private static int t_count;

    /// <summary>How many pauses the calling thread has made so far: shows the tests which thread waits.</summary>
    internal static int CountOfThisThread => t_count;

    internal static void Microseconds(int microseconds)
    {
        t_count++;
        if (OperatingSystem.IsWindows())
        {
#pragma warning disable RS0030 // see the summary
            Thread.Sleep((microseconds + 999) / 1000);
#pragma warning restore RS0030
            return;
        }

        // nanosleep, since Thread.Sleep knows only milliseconds. EINTR just ends the pause early, which every
        // caller allows.
        var duration = new Timespec { tv_sec = microseconds / 1_000_000,
            tv_nsec = microseconds % 1_000_000 * 1000 };
        _ = Libc.nanosleep(duration, 0);
    }
}
