using System.Diagnostics;
using System.Runtime.Versioning;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Options;
using NativeIpc.Platform;
using NativeIpc.Selection;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <summary>
/// A named event that every process on the machine can open: set or not, with the meaning of Windows. An auto-reset one
/// frees one waiter for each <see cref="Set"/>, a manual-reset one all of them, until <see cref="Reset"/>.
/// </summary>
/// <remarks>
/// <para>On Windows it is the kernel's own event (<c>CreateEventW</c>), which C and Qt programs open under the same
/// name. Unix has no named events: POSIX keys on Linux lead to a word in a file of <c>/dev/shm</c>, System V keys to a
/// set of semaphores; docs/layouts.md publishes both for other languages. macOS has neither: KeyError.</para>
/// <para>A Set of a set event changes nothing. A manual-reset event frees all that waited before <see cref="Set"/>,
/// also when <see cref="Reset"/> follows at once, and asynchronous waits as well. A wait sees all that was written
/// before the Set that freed it.</para>
/// <para>An event outlives its processes on Unix: after a crash it is still there, set or not; the safe way to start
/// afresh is <see cref="CreateOrReset"/>. A process that is killed inside a call leaves it valid; if it had set the
/// event and not yet woken a sleeper, that one sees it within 11 seconds.</para>
/// <para>Thread safety: every member may be called from any thread at any time. A Dispose on one thread ends the waits
/// of the others with <see cref="ObjectDisposedException"/>.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class SystemEvent : IDisposable
{
    private const string Creating = "create the event";
    private const string Opening = "open the event";

    private readonly EventObject _event;

    private readonly bool _continuesAtOnce;

    internal SystemEvent(EventObject opened, SystemEventOptions options)
    {
        _event = opened;
        _continuesAtOnce = options.AllowSynchronousContinuations;
    }

    /// <summary>The key that the event was made or opened with.</summary>
    public NativeIpcKey Key => _event.Key;

    /// <summary>Whether this instance made the event, rather than finding it. Remains readable after Dispose.</summary>
    public bool CreatedNew => _event.CreatedNew;

    /// <summary>Whether a wait that is freed resets the event; chosen by its maker, for good. Remains readable after
    /// Dispose.</summary>
    public EventResetMode ResetMode => _event.ResetMode;

    /// <summary>The open event; for waits for several.</summary>
    internal EventObject Opened => _event;

    /// <summary>Makes an event that must not exist yet.</summary>
    /// <param name="key">The key; see <see cref="PlatformSafeKey(string, NativeIpcKeyType)"/>.</param>
    /// <param name="mode">Whether a wait that is freed resets it.</param>
    /// <param name="initiallySet">Whether it is set at first.</param>
    /// <param name="options">Mode, removal, owners; null for the defaults.</param>
    /// <returns>The event. This instance removes it when it is disposed, unless the removal policy says
    /// otherwise.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="mode"/> is no value of the
    /// enumeration.</exception>
    /// <exception cref="PlatformNotSupportedException">The options ask for what the back end does not
    /// offer.</exception>
    /// <exception cref="NativeIpcException">AlreadyExists; KeyError for a key that cannot work here; PermissionDenied;
    /// OutOfResources; LockError when a peer is stuck in the middle of making or removing it.</exception>
    public static SystemEvent CreateNew(NativeIpcKey key, EventResetMode mode, bool initiallySet = false,
        SystemEventOptions? options = null)
    {
        options = Checked(key, options, mode);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemEvent(Selector.ForEvent(Creating, key).CreateNew(key, mode, initiallySet, options), options);
    }

    /// <summary>Opens an event that must exist, of either mode.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="options">Owners and waiting bound; null for the defaults.</param>
    /// <returns>The event. This instance does not remove it.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="PlatformNotSupportedException">The options ask for what the back end does not
    /// offer.</exception>
    /// <exception cref="NativeIpcException">NotFound; KeyError, also when what has the name is no event;
    /// PermissionDenied; OutOfResources.</exception>
    public static SystemEvent OpenExisting(NativeIpcKey key, SystemEventOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemEvent(Selector.ForEvent(Opening, key).Open(key, options, options.PeerTimeout,
            mustExist: true)!, options);
    }

    /// <summary>Opens an event if it exists.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="opened">The event; null when there is none.</param>
    /// <param name="options">Owners and waiting bound; null for the defaults.</param>
    /// <returns>False when there is none; on System V also when it is half made once
    /// <see cref="SystemEventOptions.PeerTimeout"/> has passed.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="PlatformNotSupportedException">The options ask for what the back end does not
    /// offer.</exception>
    /// <exception cref="NativeIpcException">Every failure other than NotFound.</exception>
    public static bool TryOpenExisting(NativeIpcKey key,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SystemEvent? opened, SystemEventOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        EventObject? found = Selector.ForEvent(Opening, key).Open(key, options, options.PeerTimeout, mustExist: false);
        opened = found is null ? null : new SystemEvent(found, options);
        return opened is not null;
    }

    /// <summary>Opens an event and leaves its state, or makes it.</summary>
    /// <remarks>The state of one that a crash left behind is unknown. To start afresh, use
    /// <see cref="CreateOrReset"/>.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="mode">Whether a wait that is freed resets it.</param>
    /// <param name="initiallySet">Whether it is set at first, if it is made now.</param>
    /// <param name="options">Mode, removal, owners; null for the defaults.</param>
    /// <returns>The event; <see cref="CreatedNew"/> says which of the two happened. It is removed by this instance only
    /// if it made it.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="mode"/> is no value of the
    /// enumeration.</exception>
    /// <exception cref="PlatformNotSupportedException">The options ask for what the back end does not
    /// offer.</exception>
    /// <exception cref="NativeIpcException">KeyError, also when the event that exists has the other mode;
    /// PermissionDenied; OutOfResources; LockError.</exception>
    public static SystemEvent CreateOrOpen(NativeIpcKey key, EventResetMode mode, bool initiallySet = false,
        SystemEventOptions? options = null)
    {
        options = Checked(key, options, mode);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemEvent(Selector.ForEvent(Creating, key).CreateOrOpen(key, mode, initiallySet, options),
            options);
    }

    /// <summary>Makes an event, or takes over the one that exists and sets or resets it: the safe way to start
    /// afresh.</summary>
    /// <remarks>The existing event keeps its identity and its waiters. This instance becomes the owner that removes it;
    /// its permission bits stay.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="mode">Whether a wait that is freed resets it.</param>
    /// <param name="initiallySet">Whether it is set from now on.</param>
    /// <param name="options">Mode, removal, owners; null for the defaults.</param>
    /// <returns>The event; <see cref="CreatedNew"/> says whether it was made.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="mode"/> is no value of the
    /// enumeration.</exception>
    /// <exception cref="PlatformNotSupportedException">The options ask for what the back end does not
    /// offer.</exception>
    /// <exception cref="NativeIpcException">KeyError, also when the event that exists has the other mode;
    /// PermissionDenied; OutOfResources; LockError.</exception>
    public static SystemEvent CreateOrReset(NativeIpcKey key, EventResetMode mode, bool initiallySet = false,
        SystemEventOptions? options = null)
    {
        options = Checked(key, options, mode);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemEvent(Selector.ForEvent(Creating, key).CreateOrReset(key, mode, initiallySet, options),
            options);
    }

    /// <summary>Removes an event whatever its use: those who have it open keep it on POSIX, and on System V find it
    /// gone.</summary>
    /// <param name="key">The key.</param>
    /// <returns>False when there was none.</returns>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes an event with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied; LockError.</exception>
    [UnsupportedOSPlatform("windows")]
    public static bool Remove(NativeIpcKey key) => Selector.ForEvent("remove the event", key).Remove(key);

    /// <summary>Removes an event that no living process has open, as a leftover of killed ones. One that is used, or
    /// may be, stays.</summary>
    /// <remarks>What <see cref="SystemEventOptions.Reclaim"/> does in a creating call, for those that only open.
    /// Whoever opens it at this moment keeps it, or finds none.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="options">How long to wait for another process that asks the same
    /// (<see cref="SystemEventOptions.PeerTimeout"/>); null for the defaults.</param>
    /// <returns>Unused: there is none now. Unknown: the event source "NativeIpc" says why it cannot be told.</returns>
    /// <exception cref="PlatformNotSupportedException">The key is not a POSIX one, or this is not Linux.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied where the name may not be removed.</exception>
    [UnsupportedOSPlatform("windows")]
    [UnsupportedOSPlatform("macos")]
    public static UnusedAnswer RemoveIfUnused(NativeIpcKey key, SystemEventOptions? options = null)
        => Selector.ForEvent("remove the event", key).RemoveIfUnused(key, (options ?? new()).PeerTimeout);

    /// <summary>Whether events with keys of a type can be used here, asked of the running system and not only of the
    /// compiler.</summary>
    /// <param name="type">The key type.</param>
    /// <returns>True when they can; never on macOS.</returns>
    public static bool IsKeyTypeSupported(NativeIpcKeyType type) => Selector.SupportsEvents(type);

    /// <summary>The key that a portable name has on this platform, of <see cref="NativeIpcKey.DefaultType"/>.</summary>
    /// <remarks>Qt has no events. The native key is made as that of a semaphore, but for Windows, where all kinds of
    /// objects share one space of names: there it begins with <c>event_</c>.</remarks>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <returns>The key. An empty name gives an empty key. A key that could not work (of a name with a slash,
    /// <c>.</c>, <c>..</c>, or a name that is too long) is made all the same, and refused when it is used;
    /// <see cref="PlatformSafeKeyUncut"/> refuses such a name at once.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public static NativeIpcKey PlatformSafeKey(string name) => PlatformSafeKey(name, NativeIpcKey.DefaultType, out _);

    /// <inheritdoc cref="PlatformSafeKey(string)" path="/*[not(self::param)]"/>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <param name="type">The type of the key. A type of another platform gives an empty native key;
    /// <see cref="NativeIpcKeyRules"/> makes the keys of other platforms.</param>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type)
        => PlatformSafeKey(name, type, out _);

    /// <inheritdoc cref="PlatformSafeKey(string)" path="/*[not(self::param)]"/>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <param name="type">The type of the key.</param>
    /// <param name="wasCut">Whether the name was too long for the platform and was cut: two names may then give one
    /// key.</param>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type, out bool wasCut)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NameRules.PlatformSafeKey(name, type, IpcObjectKind.SystemEvent, PlatformEnvironment.Current,
            out wasCut);
    }

    /// <summary>The strict variant of <see cref="PlatformSafeKey(string, NativeIpcKeyType)"/>: refuses a name that
    /// would have to be cut, and one that gives a key that no call accepts.</summary>
    /// <param name="name">Any text without slashes; by custom a reverse domain name.</param>
    /// <param name="type">The type of the key. A type of another platform gives an empty native key here, too.</param>
    /// <returns>The key, which can be used where its type can.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException">The name is too long for the platform, empty, or breaks another of its
    /// rules (a slash, <c>.</c> and <c>..</c> for POSIX).</exception>
    public static NativeIpcKey PlatformSafeKeyUncut(string name, NativeIpcKeyType type)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NameRules.Strict(name, name, type, IpcObjectKind.SystemEvent, PlatformEnvironment.Current);
    }

    /// <summary>The key that a portable name has in a scope, of <see cref="NativeIpcKey.DefaultType"/>.</summary>
    /// <param name="name">The name; by custom a reverse domain name. Not empty, <c>.</c> or <c>..</c>; without slash,
    /// backslash and NUL; a first character other than <c>~</c>.</param>
    /// <param name="scope">Who meets under the name; <see cref="NameScope"/> says what the key is then.</param>
    /// <returns>The key, which can be used.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentException">The name is too long, or is none of these.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="scope"/> is no value of the
    /// enumeration.</exception>
    /// <exception cref="InvalidOperationException">This process has no user, or no session, in its
    /// namespaces.</exception>
    public static NativeIpcKey PlatformSafeKey(string name, NameScope scope)
        => PlatformSafeKey(name, scope, NativeIpcKey.DefaultType);

    /// <inheritdoc cref="PlatformSafeKey(string, NameScope)" path="/*[not(self::param)]"/>
    /// <param name="name">The name; by custom a reverse domain name. Not empty, <c>.</c> or <c>..</c>; without slash,
    /// backslash and NUL; a first character other than <c>~</c>.</param>
    /// <param name="scope">Who meets under the name; <see cref="NameScope"/> says what the key is then.</param>
    /// <param name="type">The type of the key, one that the platform has.</param>
    public static NativeIpcKey PlatformSafeKey(string name, NameScope scope, NativeIpcKeyType type)
        => ScopeRules.Key(name, scope, type, IpcObjectKind.SystemEvent, PlatformEnvironment.Current);

    /// <summary>Sets the event. Manual reset: all that wait are free, and so is who comes, until <see cref="Reset"/>.
    /// Auto reset: one that waits is free; when nobody waits, the next one that comes. A set event stays as it
    /// is.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">NotFound when it was removed while in use, PermissionDenied (both System
    /// V).</exception>
    public void Set()
    {
        if (!_event.TrySetFast()) _event.Set();
    }

    /// <summary>Resets the event: who comes has to wait for the next <see cref="Set"/>. Who was freed stays
    /// free.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
    public void Reset() => _event.Reset();

    /// <summary>Whether the event is set, which may have changed by the time it is looked at. It is left as it
    /// is.</summary>
    /// <param name="isSet">Whether it is set. What was given to a waiter that has not run yet does not count.</param>
    /// <returns>False where the system cannot tell.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
    public bool TryGetIsSet(out bool isSet) => _event.TryGetIsSet(out isSet);

    /// <summary>Whether the event that this instance has open is not the one that its key leads to now: a peer removed
    /// it, or its name, or made another one under the name. Others who open the key do not meet this instance any
    /// more.</summary>
    /// <remarks>
    /// <para>POSIX: noticed a moment after it happens, for good, and asking costs a read of memory
    /// (<c>inotify(7)</c>) once it was asked some times. System V: the set was removed, or the key file is gone or
    /// another one. Windows: always false, since a name cannot lead elsewhere while somebody has it open.</para>
    /// <para>A state that a peer has set anew (<see cref="CreateOrReset"/>) replaces nothing.</para>
    /// </remarks>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool WasReplaced
    {
        get
        {
            EventObject used = BeginUse();
            try
            {
                return used.WasReplaced;
            }
            finally
            {
                used.EndUse();
            }
        }
    }

    /// <summary>Waits for the event as long as it takes.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
    public void Wait()
    {
        if (!_event.TryTakeFast() && !_event.TryWait(out uint seen))
            WaitOn(seen, new Deadline(Timeout.InfiniteTimeSpan), default);
    }

    /// <summary>Waits for the event until the token is cancelled.</summary>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; an auto-reset event was not
    /// taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
    public void Wait(CancellationToken cancellationToken) => Wait(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Waits for the event at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed; an auto-reset event was not taken then, and no less time has
    /// passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; an auto-reset event was not
    /// taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Set"/>.</exception>
#pragma warning disable RS0027 // the overload without a timeout cannot be meant where there is one
    public bool Wait(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0027
    {
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        return _event.TryTakeFast() || _event.TryWait(out uint seen)
            || (timeout != TimeSpan.Zero && WaitOn(seen, deadline, cancellationToken));
    }

    private bool WaitOn(uint seen, in Deadline deadline, CancellationToken cancellationToken)
    {
        if (!_event.WaitsWhole) return Waiter.Wait(new One(_event, seen), deadline, cancellationToken);
        long began = IpcActivity.BeginWait();
        bool isFree = false;
        try
        {
            isFree = _event.WaitWhole(deadline, cancellationToken);
            return isFree;
        }
        finally
        {
            IpcActivity.EndWait(began, Key, IpcObjectKind.SystemEvent, isFree);
        }
    }

    /// <summary>Lets go of the event, and removes it if this instance owns it and the policy says so. A removal that
    /// fails is reported by the event source "NativeIpc".</summary>
    public void Dispose()
    {
        CloseQueue();
        _event.Dispose();
    }

    /// <summary>What it is and its key, in one line for logs and debuggers; also after Dispose. It asks the system
    /// nothing.</summary>
    /// <returns>For instance <c>SystemEvent posix:/name</c>. The form may change.</returns>
    public override string ToString()
        => $"{nameof(SystemEvent)} {Failure.Name(Key)}{(_event.IsClosed ? " (disposed)" : "")}";

    // With LastOneOut who opens it owns it, too.
    private static ProcessExit.Call Begin(in NativeIpcKey key, SystemEventOptions options)
        => ProcessExit.Begin(key, owns: !OperatingSystem.IsWindows()
            && options is { Removal: not RemovalPolicy.Keep, RemoveAtProcessExit: true });

    private static SystemEventOptions Checked(in NativeIpcKey key, SystemEventOptions? options,
        EventResetMode mode)
    {
        if (mode is not (EventResetMode.AutoReset or EventResetMode.ManualReset))
            throw new ArgumentOutOfRangeException(nameof(mode), mode, "There is no such mode of events.");
        return Checked(key, options);
    }

    private static SystemEventOptions Checked(in NativeIpcKey key, SystemEventOptions? options)
    {
        // A copy, since options can be changed: what was checked is what is used.
        options = options is null ? SystemEventOptions.s_default : options with { };
        OptionRules.CheckMode(options.Mode);
        OptionRules.CheckDefined(options.Removal, RemovalPolicy.LastOneOut);
        OptionRules.CheckBound(options.PeerTimeout);
        OptionRules.CheckAccess(options.CurrentUserOnly, options.SecurityDescriptor, options.Mode, options.Group,
            options.AllowOtherOwners);
        if (!ScopedUse.IsOwn(Opening, key, options.AllowOtherOwners)) return options;
        return OperatingSystem.IsWindows() ? options with { CurrentUserOnly = options.SecurityDescriptor is null }
            : options with { AllowOtherOwners = false };
    }
}
