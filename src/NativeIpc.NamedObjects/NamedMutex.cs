using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace NativeIpc.NamedObjects;

/// <summary>A named mutex of Windows, there and on Linux: the members of .NET's <see cref="Mutex"/>.</summary>
/// <remarks>
/// <para>A thread owns it, may take it again, and releases it as often. An owner that ends without that abandons it:
/// a process that was killed, at once where the kernel tells of its end and within a twentieth of a second where not; a
/// thread of a process that lives, within half a second. The next owner gets
/// <see cref="AbandonedMutexException"/>, and owns it.</para>
/// <para>On Linux it is a <see cref="SystemSemaphore"/> with <see cref="SystemSemaphoreOptions.Robust"/> that is
/// removed with its last handle, also when the last processes were killed. When the last handle of a process is
/// disposed while one of its threads owns the mutex, it counts as abandoned at once; on Windows when the thread
/// ends.</para>
/// </remarks>
public sealed class NamedMutex : NamedWaitHandle
{
    private readonly Mutex? _plain;
    private readonly MutexObject? _named;

    /// <summary><see cref="_named"/> until this is disposed: one look for both.</summary>
    private MutexObject? _usable;

    /// <summary>Makes a mutex without a name, which nobody owns.</summary>
    public NamedMutex()
        : this(Make(false, null, null, out _))
    {
    }

    /// <summary>Makes a mutex without a name.</summary>
    /// <param name="initiallyOwned">Whether the calling thread owns it.</param>
    public NamedMutex(bool initiallyOwned)
        : this(Make(initiallyOwned, null, null, out _))
    {
    }

    /// <summary>Makes a mutex, or opens the one that has the name.</summary>
    /// <param name="initiallyOwned">Whether the calling thread owns it, if it is made; one that is there is not
    /// taken.</param>
    /// <param name="name">The name, by custom with <c>Global\</c> or <c>Local\</c> before it; null or empty for
    /// none.</param>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">What has the name is no mutex.</exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason, which the message names.</exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public NamedMutex(bool initiallyOwned, string? name)
        : this(Make(initiallyOwned, name, null, out _))
    {
    }

    /// <inheritdoc cref="NamedMutex(bool, string)" path="/*[not(self::param)]"/>
    /// <param name="initiallyOwned">Whether the calling thread owns it, if it is made.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedMutex(bool initiallyOwned, string? name, out bool createdNew)
        : this(Make(initiallyOwned, name, null, out createdNew))
    {
    }

    /// <inheritdoc cref="NamedMutex(bool, string)" path="/*[not(self::param)]"/>
    /// <param name="initiallyOwned">Whether the calling thread owns it, if it is made.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    public NamedMutex(bool initiallyOwned, string? name, NamedWaitHandleOptions options)
        : this(Make(initiallyOwned, name, options, out _))
    {
    }

    /// <inheritdoc cref="NamedMutex(bool, string, NamedWaitHandleOptions)" path="/*[not(self::param)]"/>
    /// <param name="initiallyOwned">Whether the calling thread owns it, if it is made.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedMutex(bool initiallyOwned, string? name, NamedWaitHandleOptions options, out bool createdNew)
        : this(Make(initiallyOwned, name, options, out createdNew))
    {
    }

    /// <inheritdoc cref="NamedMutex(bool, string, NamedWaitHandleOptions)" path="/*[not(self::param)]"/>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    public NamedMutex(string? name, NamedWaitHandleOptions options)
        : this(Make(false, name, options, out _))
    {
    }

    private NamedMutex((MutexObject? Named, Mutex? Plain) made)
        : base(made.Plain)
    {
        _named = _usable = made.Named;
        _plain = made.Plain;
    }

    /// <summary>Opens a mutex that a process has open.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The mutex.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">There is none, or what has the name is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static NamedMutex OpenExisting(string name) => Open(name, null) ?? throw Failures.NoHandle(name);

    /// <inheritdoc cref="OpenExisting(string)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    public static NamedMutex OpenExisting(string name, NamedWaitHandleOptions options)
        => Open(name, options) ?? throw Failures.NoHandle(name);

    /// <summary>Opens a mutex if a process has it open.</summary>
    /// <param name="name">The name.</param>
    /// <param name="result">The mutex; null when there is none.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static bool TryOpenExisting(string name, [NotNullWhen(true)] out NamedMutex? result)
        => (result = TryOpen(name, null)) is not null;

    /// <inheritdoc cref="TryOpenExisting(string, out NamedMutex)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    /// <param name="result">The mutex; null when there is none.</param>
    public static bool TryOpenExisting(string name, NamedWaitHandleOptions options,
        [NotNullWhen(true)] out NamedMutex? result)
        => (result = TryOpen(name, options)) is not null;

    /// <summary>Releases the mutex once.</summary>
    /// <exception cref="ApplicationException">The calling thread does not own it.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ReleaseMutex()
    {
        if (_usable is { } named) named.Release();
        else if (_named is null) ReleasePlain();
        else throw new ObjectDisposedException(GetType().FullName);
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // as in NamedEvent
    private void ReleasePlain() => _plain!.ReleaseMutex();

    private MutexObject Named => _usable ?? throw new ObjectDisposedException(GetType().FullName);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public override bool WaitOne() => (_usable is { } named && named.TryTake()) || WaitLong();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool WaitLong() => _named is null ? base.WaitOne() : Named.Wait(Timeout.InfiniteTimeSpan);

    private protected override bool Wait(TimeSpan timeout) => Named.Wait(timeout);

    private protected override SystemWaitTarget Target => Named.Target;

    private protected override void Keep(int index)
    {
        // Not Named: it may be disposed by now, and its mutex be open by another instance.
        if (_named!.Keep()) throw new AbandonedMutexException(index, this);
    }

    private protected override void GiveBack() => _named!.GiveBack();

    /// <inheritdoc/>
    protected override void Dispose(bool explicitDisposing)
    {
        if (explicitDisposing)
        {
            if (Interlocked.Exchange(ref _usable, null) is { } named) MutexTable.Release(named);
            _plain?.Dispose();
        }

        base.Dispose(explicitDisposing);
    }

    private static (MutexObject? Named, Mutex? Plain) Make(bool initiallyOwned, string? name,
        NamedWaitHandleOptions? options, out bool createdNew)
    {
        if (OperatingSystem.IsWindows() || string.IsNullOrEmpty(name))
        {
            if (string.IsNullOrEmpty(name)) name = null; // .NET on Linux takes an empty one for a name
            return (null, options is { } asked
                ? new Mutex(initiallyOwned, name, asked, out createdNew)
                : new Mutex(initiallyOwned, name, out createdNew));
        }

        ObjectName named = ObjectName.Of(ObjectKind.Mutex, name, options);
        bool isMade = false;
        try
        {
            MutexObject mutex = MutexTable.Use(named,
                asked => MutexObject.Create(asked, initiallyOwned, out isMade))!;
            createdNew = isMade;
            return (mutex, null);
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }

    private static NamedMutex? Open(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
            return new((null, options is { } asked ? Mutex.OpenExisting(name, asked) : Mutex.OpenExisting(name)));
        return TryOpen(name, options);
    }

    private static NamedMutex? TryOpen(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
        {
            Mutex? found;
            bool isThere = options is { } asked
                ? Mutex.TryOpenExisting(name, asked, out found) : Mutex.TryOpenExisting(name, out found);
            return isThere ? new((null, found)) : null;
        }

        ObjectName named = ObjectName.Of(ObjectKind.Mutex, name, options);
        try
        {
            return MutexTable.Use(named, static asked => MutexObject.Open(asked)) is { } mutex
                ? new((mutex, null)) : null;
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }
}
