using NativeIpc.Errors;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Lifetime;

/// <summary>
/// The one place where this library starts threads, which the system may refuse (RLIMIT_NPROC, pids.max). What a
/// caller has taken for the thread, it gives back then.
/// </summary>
internal static class BackgroundThread
{
    private const string Limits =
        "Raise the limit: of the user's processes and threads (ulimit -u), of the container's or "
        + "unit's (pids.max, docker --pids-limit, TasksMax=), or of memory";

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

    /// <summary>What a call gets that makes an object which is to go with this process, when .NET cannot watch for its
    /// end. It tells the system's error number as HResult, and calls EAGAIN a file that others use.</summary>
    public static NativeIpcException NoSignals(in NativeIpcKey key, IOException failure)
        => failure.HResult == Errno.EAGAIN
            ? Failure.Found(NativeIpcError.OutOfResources, "make", key, "pthread_create",
                "the system lets this process start no further thread, and .NET needs one to see the signals that end "
                    + "the process",
                $"{Limits}; or set RemoveAtProcessExit to false.", Errno.EAGAIN)
            : Failure.Found(NativeIpcError.OutOfResources, "make", key, "pipe",
                $".NET cannot watch for the signals that end the process: {failure.Message}",
                "Close what is not needed, or raise the limit of descriptors (ulimit -n); or set RemoveAtProcessExit "
                    + "to false.", failure.HResult);

    /// <summary>What a wait gets that cannot do without a thread.</summary>
    public static NativeIpcException Refused(in NativeIpcKey key)
        => Failure.Found(NativeIpcError.OutOfResources, "wait asynchronously for", key, "pthread_create",
            "the system lets this process start no further thread",
            $"{Limits}; or wait blocking, which needs no thread.", Errno.EAGAIN);
}
