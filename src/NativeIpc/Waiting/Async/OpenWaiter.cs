using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting.Async;

/// <summary>Waits until a peer has made an object: no system tells of that for all kinds of objects, so it is looked
/// for, with growing pauses and no thread.</summary>
/// <remarks>
/// Each look runs on the pool, since it makes system calls on files that may be anywhere. It waits for nobody: a
/// look that finds a file lock held by a peer, or an object half-made, has found that it is not there yet.
/// </remarks>
internal static class OpenWaiter
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(20);

    /// <param name="tryOpen">Opens it, or gives null.</param>
    /// <param name="open">Opens it, or throws the exception that says why not; called when the time has passed.</param>
    /// <param name="timeout">How long to look.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The task, before the first look.</returns>
    public static Task<T> WaitAsync<T>(Func<PeerBound, T?> tryOpen, Func<T> open, TimeSpan timeout,
        CancellationToken cancellationToken)
        where T : class
    {
        var deadline = new Deadline(timeout);
        return Task.Run(() => LookAsync(tryOpen, open, deadline, cancellationToken), cancellationToken);
    }

    private static async Task<T> LookAsync<T>(Func<PeerBound, T?> tryOpen, Func<T> open, Deadline deadline,
        CancellationToken cancellationToken)
        where T : class
    {
        if (Look(tryOpen) is { } there) return there;
        using var timer = new PeriodicTimer(s_shortest);
        while (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero)
        {
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
            if (Look(tryOpen) is { } made) return made;
            timer.Period = timer.Period * 1.5 < s_longest ? timer.Period * 1.5 : s_longest;
        }

        return open();
    }

    private static T? Look<T>(Func<PeerBound, T?> tryOpen)
        where T : class
    {
        try
        {
            return tryOpen(PeerBound.Once);
        }
        catch (CallersTimeIsOverException)
        {
            return null;
        }
    }
}
