using NativeIpc.Errors;

namespace NativeIpc.Lifetime;

/// <summary>Does, one after the other on a thread of the pool, what a finalizer may not do, since it may have to wait:
/// the finalizer thread serves the whole process.</summary>
/// <remarks>What is to be done stays listed as a duty of the end of the process until it is done, so a normal end does
/// it if this has not come to it.</remarks>
internal static class Afterwards
{
    private static readonly Lock s_gate = new();
    private static readonly Queue<Action> s_work = [];
    private static bool s_isRunning;

    /// <summary>Does it soon. Returns at once.</summary>
    public static void Do(Action work)
    {
        lock (s_gate)
        {
            s_work.Enqueue(work);
            if (s_isRunning) return;
            s_isRunning = true;
        }

        try
        {
            ThreadPool.UnsafeQueueUserWorkItem(static _ => Work(), null);
        }
        catch (OutOfMemoryException)
        {
            // No thread can be started: the next one tries again, or the end of the process does it
            lock (s_gate) s_isRunning = false;
        }
    }

    private static void Work()
    {
        while (true)
        {
            Action work;
            lock (s_gate)
            {
                // R1 Race: something is added while the work ends. Safe because: the gate decides which sees it, this
                // look or the thread that adds, and that one starts the work anew.
                if (!s_work.TryDequeue(out work!))
                {
                    s_isRunning = false;
                    return;
                }
            }

            try
            {
                work();
            }
#pragma warning disable CA1031 // As in a finalizer, nobody catches it, and no failed removal is worth the process.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                NativeIpcEventSource.s_log.NotRemoved(failure.Message);
            }
        }
    }
}
