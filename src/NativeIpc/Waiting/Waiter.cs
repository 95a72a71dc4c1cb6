using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting;

/// <summary>Blocking with timeout and cancellation, once for every back end: try, spin while that pays, then
/// sleep.</summary>
/// <remarks>
/// A permit is taken only by a call that then reports it: nothing is asked between a successful try or block and the
/// return, so a wait that ends by time or cancellation has taken none. Where a sleep can be ended from outside, the
/// token ends it at once (<see cref="Wakeup"/>); elsewhere the back end comes back after a slice, and the token and a
/// Dispose on another thread are seen then.
/// </remarks>
internal static class Waiter
{
    /// <summary>Acquires, waiting no longer than the deadline; false when it passed.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    public static bool Acquire<T>(T target, in Deadline deadline, CancellationToken cancellationToken)
        where T : IAcquirable, allows ref struct
    {
        cancellationToken.ThrowIfCancellationRequested();
        return target.TryAcquire()
            || (deadline.Left(TimeSpan.MaxValue) != TimeSpan.Zero && Wait(target, deadline, cancellationToken));
    }

    /// <summary>The same without a first try, for a caller that has just tried.</summary>
    public static bool Wait<T>(T target, in Deadline deadline, CancellationToken cancellationToken)
        where T : IAcquirable, allows ref struct
    {
        if (Spinner.TryAcquire(target, cancellationToken)) return true;
        long began = IpcActivity.BeginWait();
        bool isAcquired = false;
        try
        {
            isAcquired = Sleep(target, deadline, cancellationToken);
            return isAcquired;
        }
        finally
        {
            IpcActivity.EndWait(began, target.Key, target.Kind, isAcquired);
        }
    }

    private static bool Sleep<T>(T target, in Deadline deadline, CancellationToken cancellationToken)
        where T : IAcquirable, allows ref struct
    {
        Wakeup wakeup = Wakeup.Begin();
        using CancellationTokenRegistration listening =
            cancellationToken.UnsafeRegister(static waiting => ((Wakeup)waiting!).Wake(), wakeup);
        while (true)
        {
            TimeSpan left = deadline.Left(TimeSpan.MaxValue);
            if (left == TimeSpan.Zero) return false;
            wakeup.Reset();
            cancellationToken.ThrowIfCancellationRequested();
            if (target.Block(left, wakeup)) return true;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
