using NativeIpc.Errors;

namespace NativeIpc.Backends;

/// <summary>
/// The one place where this library starts threads, which the system may refuse (RLIMIT_NPROC, pids.max). What a
/// caller has taken for the thread, it gives back then.
/// </summary>
internal static class BackgroundThread
{
    /// <summary>Starts one; null when the system gives no further thread.</summary>
    /// <param name="run">What it does.</param>
    /// <param name="stack">The size of its stack, in bytes.</param>
    /// <param name="name">Its name.</param>
    public static Thread? TryStart(ThreadStart run, int stack, string name)
    {
        var thread = new Thread(run, stack) { IsBackground = true, Name = name };
        return TryStart(thread) ? thread : null;
    }

    /// <summary>Starts one that was made before; false when the system gives no further thread.</summary>
    public static bool TryStart(Thread thread)
    {
        try
        {
            thread.UnsafeStart();
            return true;
        }
        catch (Exception failure) when (failure is OutOfMemoryException or ThreadStartException)
        {
            // The runtime says OutOfMemoryException for every failure of pthread_create(3).
            return false;
        }
    }

    /// <summary>What a wait gets that cannot do without a thread.</summary>
    public static NativeIpcException Refused(in NativeIpcKey key)
        => Failure.Found(NativeIpcError.OutOfResources, "wait asynchronously for", key, "pthread_create", "the system lets this process start no further thread",
            "Raise the limit: of the user's processes and threads (ulimit -u), of the container's or unit's (pids.max, docker --pids-limit, TasksMax=), or of memory; or wait blocking, which needs no thread.", Interop.Errno.EAGAIN);
}
