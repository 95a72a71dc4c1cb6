namespace NativeIpc.Waiting;

/// <summary>Waits until a peer has made an object: no system tells of that for all kinds of objects, so it is looked for, with growing pauses and no thread.</summary>
internal static class OpenWaiter
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(20);

    /// <param name="tryOpen">Opens it, or gives null.</param>
    /// <param name="open">Opens it, or throws the exception that says why not; called when the time has passed.</param>
    /// <param name="timeout">How long to look.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<T> WaitAsync<T>(Func<T?> tryOpen, Func<T> open, TimeSpan timeout, CancellationToken cancellationToken)
        where T : class
    {
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        if (tryOpen() is { } there) return there;
        using var timer = new PeriodicTimer(s_shortest);
        while (deadline.Left(TimeSpan.MaxValue) > TimeSpan.Zero)
        {
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
            if (tryOpen() is { } made) return made;
            timer.Period = timer.Period * 1.5 < s_longest ? timer.Period * 1.5 : s_longest;
        }

        return open();
    }
}
