using NativeIpc.Backends;

namespace NativeIpc.Waiting;

/// <summary>Blocking with timeout and cancellation, once for every back end, over its two primitives.</summary>
/// <remarks>
/// A permit is taken only by a call that then reports it: nothing is asked between a successful try or block and the return, so a wait that
/// ends by time or cancellation has taken none. The system calls cannot be cancelled from outside; they are made in slices, between which
/// the token and a Dispose on another thread are seen.
/// </remarks>
internal static class Waiter
{
    /// <summary>How late a cancellation or a Dispose can be seen.</summary>
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(50);

    /// <summary>Acquires, waiting no longer than the deadline; false when it passed.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    public static bool Acquire<T>(T target, in Deadline deadline, CancellationToken cancellationToken)
        where T : IAcquirable
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (target.TryAcquire()) return true;
        while (true)
        {
            TimeSpan slice = deadline.Left(s_slice);
            if (slice == TimeSpan.Zero) return false;
            if (target.Block(slice)) return true;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
