using System.Diagnostics;

namespace NativeIpc.Waiting.Bounds;

/// <summary>How long work on behalf of a call may wait for peers: what the options allow a peer, and what the caller
/// said of its own time.</summary>
/// <remarks>
/// It is made where a call comes in and goes down to each wait. A bare time is the bound of a call that has no time and
/// no token of its own. The two ends differ: that a peer's time is over is a failure, which names the peer (LockError,
/// or half-created). That the caller's time is over is an outcome (<see cref="CallersTimeIsOverException"/>, which the
/// public call turns into false or null), as is its token.
/// </remarks>
internal readonly record struct PeerBound
{
    private const long Never = 0;
    private const long Now = 1;
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(20);

    private readonly long _until; // on the clock of Stopwatch
    private readonly CancellationToken _token;
    private readonly IWaitOwner? _owner;

    /// <param name="peerTimeout">How long a peer is waited for; zero tries once, infinite waits for ever.</param>
    /// <param name="callersTime">How long the caller waits, from now; infinite for as long as it takes.</param>
    /// <param name="owner">On whose behalf; its Dispose ends the wait.</param>
    /// <param name="token">The caller's token.</param>
    public PeerBound(TimeSpan peerTimeout, TimeSpan callersTime, IWaitOwner? owner = null,
        CancellationToken token = default)
    {
        PeerTimeout = peerTimeout;
        _token = token;
        _owner = owner;

        // Neither now nor never needs the clock.
        if (callersTime == TimeSpan.Zero) _until = Now;
        else if (callersTime > TimeSpan.Zero)
            _until = Stopwatch.GetTimestamp() + (long)(callersTime.TotalSeconds * Stopwatch.Frequency);
    }

    private PeerBound(TimeSpan peerTimeout) => PeerTimeout = peerTimeout;

    /// <summary>A bound of a call that has no time of its own.</summary>
    public static implicit operator PeerBound(TimeSpan peerTimeout) => new(peerTimeout);

    /// <summary>For a caller that may not wait at all, and tries again later: a wait throws
    /// <see cref="CallersTimeIsOverException"/> instead.</summary>
    public static PeerBound Once { get; } = new(Timeout.InfiniteTimeSpan, TimeSpan.Zero);

    /// <summary>How long a peer is waited for; zero tries once, infinite waits for ever.</summary>
    public TimeSpan PeerTimeout { get; private init; }

    /// <summary>The caller's token.</summary>
    public CancellationToken Token => _token;

    /// <summary>The same for a peer that is allowed less.</summary>
    public PeerBound AtMost(TimeSpan peerTimeout)
        => PeerTimeout >= TimeSpan.Zero && PeerTimeout <= peerTimeout ? this : this with { PeerTimeout = peerTimeout };

    /// <summary>What is left of the caller's time, at most <paramref name="slice"/>.</summary>
    public TimeSpan Left(TimeSpan slice)
    {
        if (_until == Never) return slice;
        if (_until == Now) return TimeSpan.Zero;
        TimeSpan left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), _until);
        return left <= TimeSpan.Zero ? TimeSpan.Zero : left < slice ? left : slice;
    }

    /// <summary>Takes a gate inside which another thread may be waiting for a peer by a bound of its own.</summary>
    /// <inheritdoc cref="ThrowIfCallerIsGone" path="/exception"/>
    public void WaitForGate(Lock gate)
    {
        while (!gate.TryEnter(Left(s_slice))) ThrowIfCallerIsGone();
    }

    /// <summary>Before each pause: ends the wait when the caller does not wait any more.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The owner was disposed.</exception>
    /// <exception cref="CallersTimeIsOverException">The caller's time has passed.</exception>
    public void ThrowIfCallerIsGone()
    {
        _token.ThrowIfCancellationRequested();
        if (_owner is { IsDisposed: true }) throw _owner.Disposed();
        if (_owner is { IsWoken: true } || (_until != Never && Left(TimeSpan.MaxValue) == TimeSpan.Zero))
            throw new CallersTimeIsOverException();
    }
}

/// <summary>On whose behalf a wait is.</summary>
internal interface IWaitOwner
{
    /// <summary>Whether its Dispose has begun.</summary>
    bool IsDisposed { get; }

    /// <summary>What a wait gets then.</summary>
    ObjectDisposedException Disposed();

    /// <summary>Whether the caller wants to look at something else first.</summary>
    bool IsWoken => false;
}

/// <summary>The caller's time has passed before a peer released what the call needs: an outcome, which no public call
/// lets through.</summary>
internal sealed class CallersTimeIsOverException : Exception
{
    public CallersTimeIsOverException()
        : base("The caller's time has passed.")
    {
    }
}
