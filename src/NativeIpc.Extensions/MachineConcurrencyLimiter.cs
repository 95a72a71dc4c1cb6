using System.Buffers;
using System.Threading.RateLimiting;
using NativeIpc.Shared;

namespace NativeIpc.Extensions;

/// <summary>A concurrency limiter whose limit holds for all processes of the machine that use its name. What a killed
/// process held comes back.</summary>
/// <remarks>
/// <para>As <see cref="ConcurrencyLimiter"/> for one process: a lease has its permits until it is disposed, once, on
/// whatever thread. n permits are had all or none: whoever wants more than one collects them alone, so that two
/// processes never wait for what the other one has; meanwhile what is collected is not to be had by others.</para>
/// <para>Behind it is a semaphore with <see cref="SystemSemaphoreOptions.Recording"/> (POSIX on Linux with glibc, up to
/// 190 processes) or the undo of System V. It stays until the machine restarts or somebody removes it
/// (<see cref="Remove"/>, <c>nipc rm</c>). If it is removed while processes use it, those who come later are counted on
/// their own: the health check tells. Until they start anew, its users go on among themselves (POSIX), or get
/// <see cref="NativeIpcException"/> with NotFound when they acquire (System V). Not on Windows, where nothing gives
/// permits of killed processes back.</para>
/// <para>A lease that nobody disposes keeps its permits until its process ends. The end of one whose permits were lost
/// meanwhile, since the semaphore was removed or set anew, gives nothing back and throws nothing.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
public sealed partial class MachineConcurrencyLimiter : RateLimiter
{
    private static readonly Refusal s_full = new("The permits are taken, and the queue of this process is full.");
    private static readonly Refusal s_none = new("The permits are taken.");
    private static readonly Refusal s_over = new("The limiter was disposed.");
    private static readonly SearchValues<char> s_plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    private readonly Lock _gate = new();
    private readonly SystemSemaphore _permits;
    private readonly SharedMemory _agreed;
    private readonly SystemSemaphore _collecting; // the right to take more than one permit
    private readonly int _limit;
    private readonly int _queueLimit;
    private readonly bool _newestFirst;
    private int _users = 1; // this limiter until Dispose, its leases, and the pump
    private volatile bool _isDisposed;
    private long _succeeded;
    private long _refused;

    /// <summary>Opens the limit of a name, or sets it.</summary>
    /// <param name="options">Name and limits; they are read now.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentException">The name or a limit cannot be.</exception>
    /// <exception cref="InvalidOperationException">The name has another limit.</exception>
    /// <exception cref="TimeoutException">A process that sets the limit has not ended that within ten
    /// seconds.</exception>
    /// <exception cref="PlatformNotSupportedException">The permits of a killed process would not come back
    /// here.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; KeyError; OutOfResources; LockError.</exception>
    public MachineConcurrencyLimiter(MachineConcurrencyLimiterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PermitLimit, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.QueueLimit);
        _limit = options.PermitLimit;
        _queueLimit = options.QueueLimit;
        _newestFirst = options.QueueProcessingOrder == QueueProcessingOrder.NewestFirst;
        Key = KeyOf("permits", options.Name, options.KeyType);
        var rights = new Rights(options.Mode, options.Group, options.AllowOtherOwners);
        _permits = CrashSafe.OpenCounting(Key, _limit, AgreedKeyOf(options.Name, options.KeyType), rights, out _agreed);
        try
        {
            _collecting = CrashSafe.OpenLock(KeyOf("all", options.Name, options.KeyType), rights, out _);
        }
        catch
        {
            _permits.Dispose();
            _agreed.Dispose();
            throw;
        }
    }

    /// <summary>The key of the semaphore that has the permits, for <c>nipc show</c> and other programs.</summary>
    public NativeIpcKey Key { get; }

    /// <summary>Null: how long the whole machine has not used its permits is not known, so nobody closes the limiter
    /// for that.</summary>
    public override TimeSpan? IdleDuration => null;

    /// <summary>The key of the semaphore that lets one at a time collect several permits.</summary>
    internal NativeIpcKey CollectingKey => _collecting.Key;

    /// <summary>The key of the segment that says how many permits there are.</summary>
    internal NativeIpcKey AgreedKey => _agreed.Key;

    /// <summary>Whether somebody has removed or replaced one of the objects behind it, so that it does not meet those
    /// that are made later. False when it is closed.</summary>
    internal bool WasReplaced
    {
        get
        {
            if (!TryEnter()) return false;
            try
            {
                return _permits.WasReplaced || _collecting.WasReplaced || _agreed.WasReplaced;
            }
            finally
            {
                Leave();
            }
        }
    }

    /// <summary>Removes what a name has left, whatever its use: its users keep what is open, and others begin
    /// anew.</summary>
    /// <param name="name">The name.</param>
    /// <param name="keyType">The type of its keys; null for the default.</param>
    /// <returns>False when there was nothing.</returns>
    /// <exception cref="ArgumentException">The name cannot be.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; LockError; KeyError.</exception>
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public static bool Remove(string name, NativeIpcKeyType? keyType = null)
    {
        // The semaphore after what says how many it has, so that none stays with another count. Whoever comes in
        // between has one that goes at once, and sees that as all who use it do.
        bool isRemoved = SharedMemory.Remove(AgreedKeyOf(name, keyType));
        isRemoved |= SystemSemaphore.Remove(KeyOf("permits", name, keyType));
        return isRemoved | SystemSemaphore.Remove(KeyOf("all", name, keyType));
    }

    private static NativeIpcKey AgreedKeyOf(string name, NativeIpcKeyType? type)
        => SharedMemory.PlatformSafeKeyUncut(TextOf("max", name), type ?? CrashSafe.s_defaultType);

    private static NativeIpcKey KeyOf(string kind, string name, NativeIpcKeyType? type)
        => SystemSemaphore.PlatformSafeKeyUncut(TextOf(kind, name), type ?? CrashSafe.s_defaultType);

    // A word for each kind, without a dot, so that no two names meet: a limiter may be named "all.x".
    private static string TextOf(string kind, string name)
        => name is { Length: > 0 and <= 100 } && !name.AsSpan().ContainsAnyExcept(s_plain)
            ? $"nipc.limit.{kind}.{name}"
            : throw new ArgumentException($"The name '{name}' of a limiter must be 1 to 100 ASCII letters, digits, "
                + "'.', '_' or '-'.", nameof(name));

    /// <summary>What is available in the machine, what waits in this process, and how many leases it has given and
    /// refused.</summary>
    /// <returns>What could be seen; it may have changed since.</returns>
    /// <exception cref="ObjectDisposedException">The limiter was disposed.</exception>
    public override RateLimiterStatistics GetStatistics()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        lock (_gate)
        {
            return new RateLimiterStatistics
            {
                CurrentAvailablePermits = _permits.TryGetCurrentCount(out int count) ? count : 0,
                CurrentQueuedCount = _queued,
                TotalFailedLeases = Interlocked.Read(ref _refused),
                TotalSuccessfulLeases = Interlocked.Read(ref _succeeded),
            };
        }
    }

    /// <inheritdoc/>
    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        CheckCount(permitCount);
        return (RateLimitLease?)TryNow(permitCount) ?? Refuse(s_none);
    }

    /// <inheritdoc/>
    protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        CheckCount(permitCount);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<RateLimitLease>(cancellationToken);
        return TryNow(permitCount) is { } lease ? new(lease) : EnqueueAsync(permitCount, cancellationToken);
    }

    private void CheckCount(int permitCount)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (permitCount > _limit)
        {
            throw new ArgumentOutOfRangeException(nameof(permitCount), permitCount,
                $"The limiter {Key} has {_limit} permits in all.");
        }
    }

    /// <summary>A lease if it can be had now; null otherwise, also when others of this process come first.</summary>
    private Lease? TryNow(int count)
    {
        if (!_newestFirst && Volatile.Read(ref _queued) > 0) return null;
        if (!TryEnter()) return null;
        bool isTaken = false;
        try
        {
            isTaken = count switch
            {
                0 => _permits.TryGetCurrentCount(out int there) && there > 0,
                1 => _permits.TryAcquire(),
                _ => TryCollect(count),
            };
        }
        finally
        {
            if (!isTaken) Leave();
        }

        return isTaken ? Give(count) : null;
    }

    private bool TryCollect(int count)
    {
        if (!_collecting.TryAcquire()) return false;
        int have = 0;
        bool isGiven = false;
        try
        {
            while (have < count && _permits.TryAcquire()) have++;
            if (have < count) return false;
            CrashSafe.TryRelease(_collecting, 1);
            isGiven = true;
            return true;
        }
        finally
        {
            if (!isGiven) EndCollecting(have);
        }
    }

    /// <summary>Gives back what was collected in vain and, whatever becomes of that, the right to collect: while this
    /// process keeps it, nobody in the machine gets several permits.</summary>
    private void EndCollecting(int have)
    {
        try
        {
            if (have > 0) CrashSafe.TryRelease(_permits, have);
        }
        finally
        {
            CrashSafe.TryRelease(_collecting, 1);
        }
    }

    private Lease Give(int count)
    {
        Interlocked.Increment(ref _succeeded);
        return new Lease(this, count);
    }

    private Refusal Refuse(Refusal why)
    {
        Interlocked.Increment(ref _refused);
        return why;
    }

    /// <summary>Counts a user in; false when the objects are closed, or will be.</summary>
    private bool TryEnter()
    {
        for (int users = Volatile.Read(ref _users); users > 0;)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) return true;
            users = seen;
        }

        return false;
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        _permits.Dispose();
        _collecting.Dispose();
        _agreed.Dispose();
    }

    private void GiveBack(int count)
    {
        try
        {
            if (count > 0) CrashSafe.TryRelease(_permits, count); // a lease that was lost is over, too
        }
        finally
        {
            Leave();
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        List<Request> ended = [];
        CancellationTokenSource outdated;
        lock (_gate)
        {
            if (_isDisposed || !disposing) return;
            _isDisposed = true;
            ended.AddRange(_queue);
            foreach (Request request in ended) TakeOut(request);
            outdated = _change;
        }

        outdated.Cancel();
        foreach (Request request in ended) request.Complete(Refuse(s_over));
        Leave(); // leases keep the objects open until they are disposed
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(true);
        return base.DisposeAsyncCore();
    }

    private sealed class Lease(MachineConcurrencyLimiter owner, int count) : RateLimitLease
    {
        private MachineConcurrencyLimiter? _owner = owner;

        public override bool IsAcquired => true;

        public override IEnumerable<string> MetadataNames => [];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = null;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            Interlocked.Exchange(ref _owner, null)?.GiveBack(count);
            base.Dispose(disposing);
        }
    }

    private sealed class Refusal(string why) : RateLimitLease
    {
        private static readonly string[] s_names = [MetadataName.ReasonPhrase.Name];

        public override bool IsAcquired => false;

        public override IEnumerable<string> MetadataNames => s_names;

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = metadataName == MetadataName.ReasonPhrase.Name ? why : null;
            return metadata is not null;
        }
    }
}
