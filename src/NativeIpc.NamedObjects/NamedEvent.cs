using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace NativeIpc.NamedObjects;

/// <summary>A named event of Windows, there and on Linux: the members of .NET's
/// <see cref="EventWaitHandle"/>.</summary>
/// <remarks>On Linux it is a <see cref="SystemEvent"/> that is removed with its last handle, also when the last
/// processes were killed.</remarks>
public sealed class NamedEvent : NamedWaitHandle
{
    private const int MostRounds = 1000;

    private readonly SystemEvent? _event;
    private readonly EventWaitHandle? _plain;

    /// <summary>Makes an event without a name.</summary>
    /// <param name="initialState">Whether it is set.</param>
    /// <param name="mode">Whether a wait resets it.</param>
    /// <exception cref="ArgumentException">There is no such mode.</exception>
    public NamedEvent(bool initialState, EventResetMode mode)
        : this(Make(initialState, mode, null, null, out _))
    {
    }

    /// <summary>Makes an event, or opens the one that has the name: then state and mode have no effect.</summary>
    /// <param name="initialState">Whether a new one is set.</param>
    /// <param name="mode">Whether a wait resets a new one.</param>
    /// <param name="name">The name, by custom with <c>Global\</c> or <c>Local\</c> before it; null or empty for
    /// none.</param>
    /// <exception cref="ArgumentException">There is no such mode.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">What has the name is no event.</exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason, which the message names.</exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public NamedEvent(bool initialState, EventResetMode mode, string? name)
        : this(Make(initialState, mode, name, null, out _))
    {
    }

    /// <inheritdoc cref="NamedEvent(bool, EventResetMode, string)" path="/*[not(self::param)]"/>
    /// <param name="initialState">Whether a new one is set.</param>
    /// <param name="mode">Whether a wait resets a new one.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedEvent(bool initialState, EventResetMode mode, string? name, out bool createdNew)
        : this(Make(initialState, mode, name, null, out createdNew))
    {
    }

    /// <inheritdoc cref="NamedEvent(bool, EventResetMode, string)" path="/*[not(self::param)]"/>
    /// <param name="initialState">Whether a new one is set.</param>
    /// <param name="mode">Whether a wait resets a new one.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    public NamedEvent(bool initialState, EventResetMode mode, string? name, NamedWaitHandleOptions options)
        : this(Make(initialState, mode, name, options, out _))
    {
    }

    /// <inheritdoc cref="NamedEvent(bool, EventResetMode, string, NamedWaitHandleOptions)"
    ///     path="/*[not(self::param)]"/>
    /// <param name="initialState">Whether a new one is set.</param>
    /// <param name="mode">Whether a wait resets a new one.</param>
    /// <param name="name">The name; null or empty for none.</param>
    /// <param name="options">Who may use it. A prefix of the name has to say the same, or there is none.</param>
    /// <param name="createdNew">Whether it was made, and not found.</param>
    public NamedEvent(bool initialState, EventResetMode mode, string? name, NamedWaitHandleOptions options,
        out bool createdNew)
        : this(Make(initialState, mode, name, options, out createdNew))
    {
    }

    private NamedEvent((SystemEvent? Named, EventWaitHandle? Plain) made)
        : base(made.Plain)
    {
        _event = made.Named;
        _plain = made.Plain;
    }

    /// <summary>Opens an event that a process has open.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The event.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="WaitHandleCannotBeOpenedException">There is none, or what has the name is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static NamedEvent OpenExisting(string name) => Open(name, null) ?? throw Failures.NoHandle(name);

    /// <inheritdoc cref="OpenExisting(string)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    public static NamedEvent OpenExisting(string name, NamedWaitHandleOptions options)
        => Open(name, options) ?? throw Failures.NoHandle(name);

    /// <summary>Opens an event if a process has it open.</summary>
    /// <param name="name">The name.</param>
    /// <param name="result">The event; null when there is none.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="IOException">The system refuses it for another reason.</exception>
    public static bool TryOpenExisting(string name, [NotNullWhen(true)] out NamedEvent? result)
        => (result = TryOpen(name, null)) is not null;

    /// <inheritdoc cref="TryOpenExisting(string, out NamedEvent)" path="/*[not(self::param)]"/>
    /// <param name="name">The name.</param>
    /// <param name="options">Who may use it.</param>
    /// <param name="result">The event; null when there is none.</param>
    public static bool TryOpenExisting(string name, NamedWaitHandleOptions options,
        [NotNullWhen(true)] out NamedEvent? result)
        => (result = TryOpen(name, options)) is not null;

    /// <summary>Sets it: one that waits is let in, or all that do, as its mode says.</summary>
    /// <returns>True.</returns>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public bool Set()
    {
        if (_event is null) return SetPlain();
        _event.Set();
        return true;
    }

    /// <summary>Resets it: those who come wait.</summary>
    /// <returns>True.</returns>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public bool Reset()
    {
        if (_event is null) return ResetPlain();
        _event.Reset();
        return true;
    }

    // Not inlined: callers would get the frame of a call of the system, also where they never make it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SetPlain() => _plain!.Set();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool ResetPlain() => _plain!.Reset();

    /// <inheritdoc/>
    public override bool WaitOne()
    {
        if (_event is null) return base.WaitOne();
        _event.Wait();
        return true;
    }

    private protected override bool Wait(TimeSpan timeout) => _event!.Wait(timeout);

    private protected override SystemWaitTarget Target => _event!;

    private protected override void GiveBack()
    {
        if (_event!.ResetMode == EventResetMode.AutoReset) _event.Set();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool explicitDisposing)
    {
        if (explicitDisposing)
        {
            _event?.Dispose();
            _plain?.Dispose();
        }

        base.Dispose(explicitDisposing);
    }

    private static (SystemEvent? Named, EventWaitHandle? Plain) Make(bool initialState, EventResetMode mode,
        string? name, NamedWaitHandleOptions? options, out bool createdNew)
    {
        if (mode is not (EventResetMode.AutoReset or EventResetMode.ManualReset))
            throw new ArgumentException($"There is no mode {mode}.", nameof(mode));
        if (OperatingSystem.IsWindows() || string.IsNullOrEmpty(name))
        {
            if (string.IsNullOrEmpty(name)) name = null; // .NET on Linux takes an empty one for a name
            return (null, options is { } asked
                ? new EventWaitHandle(initialState, mode, name, asked, out createdNew)
                : new EventWaitHandle(initialState, mode, name, out createdNew));
        }

        ObjectName named = ObjectName.Of(ObjectKind.Event, name, options);
        SystemEventOptions chosen = OptionsFor(named);
        try
        {
            Leftovers.RemoveEvent(named);
            for (int round = 0; ; round++)
            {
                // Opened first: one of the other mode is opened, too, as on Windows.
                createdNew = false;
                if (SystemEvent.TryOpenExisting(named.Key, out SystemEvent? found, chosen)) return (found, null);
                try
                {
                    createdNew = true;
                    return (SystemEvent.CreateNew(named.Key, mode, initialState, chosen), null);
                }
                catch (NativeIpcException failure) when (failure.Error == NativeIpcError.AlreadyExists
                    && round < MostRounds)
                {
                    // R1 Race: another process makes it between. Safe because: it is opened then.
                }
            }
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }

    private static NamedEvent? Open(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
        {
            return new((null, options is { } asked
                ? EventWaitHandle.OpenExisting(name, asked) : EventWaitHandle.OpenExisting(name)));
        }

        return TryOpen(name, options);
    }

    private static NamedEvent? TryOpen(string name, NamedWaitHandleOptions? options)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (OperatingSystem.IsWindows())
        {
            EventWaitHandle? found;
            bool isThere = options is { } asked
                ? EventWaitHandle.TryOpenExisting(name, asked, out found)
                : EventWaitHandle.TryOpenExisting(name, out found);
            return isThere ? new((null, found)) : null;
        }

        ObjectName named = ObjectName.Of(ObjectKind.Event, name, options);
        try
        {
            Leftovers.RemoveEvent(named);
            return SystemEvent.TryOpenExisting(named.Key, out SystemEvent? opened, OptionsFor(named))
                ? new((opened, null)) : null;
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfHandle(failure);
        }
    }

    private static SystemEventOptions OptionsFor(in ObjectName name)
    {
        var options = new SystemEventOptions { Removal = RemovalPolicy.LastOneOut, Mode = name.Mode };
        if (!OperatingSystem.IsWindows()) options.AllowOtherOwners = name.IsOfMachine;
        return options;
    }
}
