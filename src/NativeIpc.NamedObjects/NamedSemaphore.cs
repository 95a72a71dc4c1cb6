using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace NativeIpc.NamedObjects;

/// <summary>A named semaphore of Windows, there and on Linux: the members of .NET's <see cref="Semaphore"/>.</summary>
/// <remarks>On Linux it is a <see cref="SystemSemaphore"/> that is removed with its last handle, also when the last
/// processes were killed. It keeps its maximum. Permits that a killed process had are gone, as on Windows.</remarks>
/// <inheritdoc cref="NamedWaitHandle" path="/remarks/para[2]"/>
public sealed class NamedSemaphore : NamedWaitHandle
{
    private readonly SystemSemaphore? _semaphore;
    private readonly Semaphore? _plain;

    /// <summary>Makes a semaphore without a name.</summary>
    /// <param name="initialCount">The permits at first, 0 or more.</param>
    /// <param name="maximumCount">The most permits, 1 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them is too small.</exception>
    /// <exception cref="ArgumentException">The first is over the second.</exception>
    public NamedSemaphore(int initialCount, int maximumCount)
        : this(Make(initialCount, maximumCount, null, null, out _))
    {
    }

    /// <summary>Makes a semaphore, or opens the one that has the name: then the two counts have no effect.</summary>
    /// <param name="initialCount">The permits at first, 0 or more.</param>
    /// <param name="maximumCount">The most permits, 1 or more.</param>
    /// <param name="name">The name, by custom with <c>Global\</c> or <c>Local\</c> before it; null or empty for
    /// none.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of the counts is too small.</exception>
    /// <exception cref="ArgumentException">The first count is over the second.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">What has the name is no semaphore.</exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason, which the message names.</exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public NamedSemaphore(int initialCount, int maximumCount, string? name)
        : this(Make(initialCount, maximumCount, name, null, out _))
    {
    }

    /// <inheritdoc cref="NamedSemaphore(int, int, string)" path="/*[not(self::param)]"/>
    /// <param name="initialCount">The permits at first, 0 or more.</param>
    /// <param name="maximumCount">The most permits, 1 or more.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedSemaphore(int initialCount, int maximumCount, string? name, out bool createdNew)
        : this(Make(initialCount, maximumCount, name, null, out createdNew))
    {
    }

    /// <inheritdoc cref="NamedSemaphore(int, int, string)" path="/*[not(self::param)]"/>
    /// <param name="initialCount">The permits at first, 0 or more.</param>
    /// <param name="maximumCount">The most permits, 1 or more.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    public NamedSemaphore(int initialCount, int maximumCount, string? name, NamedWaitHandleOptions options)
        : this(Make(initialCount, maximumCount, name, options, out _))
    {
    }

    /// <inheritdoc cref="NamedSemaphore(int, int, string, NamedWaitHandleOptions)" path="/*[not(self::param)]"/>
    /// <param name="initialCount">The permits at first, 0 or more.</param>
    /// <param name="maximumCount">The most permits, 1 or more.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedSemaphore(int initialCount, int maximumCount, string? name, NamedWaitHandleOptions options,
        out bool createdNew)
        : this(Make(initialCount, maximumCount, name, options, out createdNew))
    {
    }

    private NamedSemaphore((SystemSemaphore? Named, Semaphore? Plain) made)
        : base(made.Plain)
    {
        _semaphore = made.Named;
        _plain = made.Plain;
    }

    /// <summary>Opens a semaphore that a process has open.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The semaphore.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">There is none, or what has the name is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static NamedSemaphore OpenExisting(string name)
        => Open(name, null) ?? throw Failures.NoHandle(name);

    /// <inheritdoc cref="OpenExisting(string)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    public static NamedSemaphore OpenExisting(string name, NamedWaitHandleOptions options)
        => Open(name, options) ?? throw Failures.NoHandle(name);

    /// <summary>Opens a semaphore if a process has it open.</summary>
    /// <param name="name">The name.</param>
    /// <param name="result">The semaphore; null when there is none.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static bool TryOpenExisting(string name, [NotNullWhen(true)] out NamedSemaphore? result)
        => (result = TryOpen(name, null)) is not null;

    /// <inheritdoc cref="TryOpenExisting(string, out NamedSemaphore)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    /// <param name="result">The semaphore; null when there is none.</param>
    public static bool TryOpenExisting(string name, NamedWaitHandleOptions options,
        [NotNullWhen(true)] out NamedSemaphore? result)
        => (result = TryOpen(name, options)) is not null;

    /// <summary>Gives a permit.</summary>
    /// <returns>How many there were before.</returns>
    /// <exception cref="SemaphoreFullException">The maximum would be passed; nothing was given.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public int Release() => Release(1);

    /// <summary>Gives permits, all or none.</summary>
    /// <param name="releaseCount">How many, 1 or more.</param>
    /// <returns>How many there were before.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="releaseCount"/> is less than 1.</exception>
    /// <exception cref="SemaphoreFullException">The maximum would be passed; nothing was given.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public int Release(int releaseCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(releaseCount, 1);
        if (_semaphore is null) return ReleasePlain(releaseCount);
        try
        {
            _semaphore.Release(releaseCount, out int before);
            return before;
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
        {
            throw new SemaphoreFullException(failure.Message, failure);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // as in NamedEvent
    private int ReleasePlain(int releaseCount) => _plain!.Release(releaseCount);

    /// <inheritdoc/>
    public override bool WaitOne()
    {
        if (_semaphore is null) return base.WaitOne();
        _semaphore.Acquire();
        return true;
    }

    private protected override bool Wait(TimeSpan timeout)
        => _semaphore!.TryAcquire() || (timeout != TimeSpan.Zero && _semaphore.TryAcquire(timeout));

    private protected override SystemWaitTarget Target => _semaphore!;

    private protected override void GiveBack()
    {
        try
        {
            _semaphore!.Release();
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
        {
            // R1 Race: another one has given a permit meanwhile, up to the maximum. Safe because: with this one here
            // its permit would have been refused.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool explicitDisposing)
    {
        if (explicitDisposing)
        {
            _semaphore?.Dispose();
            _plain?.Dispose();
        }

        base.Dispose(explicitDisposing);
    }

    private static (SystemSemaphore? Named, Semaphore? Plain) Make(int initialCount, int maximumCount, string? name,
        NamedWaitHandleOptions? options, out bool createdNew)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(initialCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumCount, 1);
        if (initialCount > maximumCount)
            throw new ArgumentException(
                $"The initial count, {initialCount}, is over the maximum, {maximumCount}.", nameof(initialCount));
        if (OperatingSystem.IsWindows() || string.IsNullOrEmpty(name))
        {
            if (string.IsNullOrEmpty(name)) name = null; // .NET on Linux takes an empty one for a name
            return (null, options is { } asked
                ? new Semaphore(initialCount, maximumCount, name, asked, out createdNew)
                : new Semaphore(initialCount, maximumCount, name, out createdNew));
        }

        ObjectName named = ObjectName.Of(ObjectKind.Semaphore, name, options);
        try
        {
            Leftovers.RemoveSemaphore(named);
            SystemSemaphore made = SystemSemaphore.CreateOrOpen(named.Key, initialCount,
                OptionsFor(named, maximumCount));
            createdNew = made.CreatedNew;
            return (made, null);
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }

    private static NamedSemaphore? Open(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
        {
            return new((null, options is { } asked
                ? Semaphore.OpenExisting(name, asked) : Semaphore.OpenExisting(name)));
        }

        return TryOpen(name, options);
    }

    private static NamedSemaphore? TryOpen(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
        {
            Semaphore? found;
            bool isThere = options is { } asked
                ? Semaphore.TryOpenExisting(name, asked, out found) : Semaphore.TryOpenExisting(name, out found);
            return isThere ? new((null, found)) : null;
        }

        ObjectName named = ObjectName.Of(ObjectKind.Semaphore, name, options);
        try
        {
            Leftovers.RemoveSemaphore(named);
            return SystemSemaphore.TryOpenExisting(named.Key, out SystemSemaphore? opened, OptionsFor(named, null))
                ? new((opened, null)) : null;
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }

    private static SystemSemaphoreOptions OptionsFor(in ObjectName name, int? maximum)
    {
        SystemSemaphoreOptions options = Leftovers.OptionsFor(name);
        options.MaximumCount = maximum;
        if (!OperatingSystem.IsMacOS()) options.ShareMaximumCount = true;
        return options;
    }
}
