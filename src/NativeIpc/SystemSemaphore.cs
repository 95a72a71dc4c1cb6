using System.Diagnostics;
using System.Runtime.CompilerServices;
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
/// A named counting semaphore that every process on the machine can open, in whatever language it is written:
/// QSystemSemaphore in Qt, <c>sem_open</c>, <c>semget</c> or <c>CreateSemaphoreW</c> in C.
/// </summary>
/// <remarks>
/// <para>Acquire is <c>sem_wait(3)</c>, <c>semop(2)</c> with -1, or <c>WaitForSingleObject</c>; release is
/// <c>sem_post(3)</c>, <c>semop(2)</c> with +n, or <c>ReleaseSemaphore</c>. Of a System V set only semaphore number 0
/// is used.</para>
/// <para>A semaphore outlives its processes on Unix: after a crash it is still there, with whatever count it had.
/// <see cref="CreateOrOpen"/>
/// keeps such an unknown count and can therefore block for ever; the safe way to start afresh is
/// <see cref="CreateOrReset"/>.</para>
/// <para>Thread safety: every member may be called from any thread at any time. A Dispose on one thread ends the waits
/// of the others with <see cref="ObjectDisposedException"/>; docs/waiting.md says how soon.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class SystemSemaphore : IDisposable
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";

    private readonly SemaphoreObject _semaphore;

    private readonly bool _continuesAtOnce;

    internal SystemSemaphore(SemaphoreObject semaphore, SystemSemaphoreOptions options)
    {
        _semaphore = semaphore;
        semaphore.TakesOverUnknown = options.TakeOverUnknownHolders;
        _continuesAtOnce = options.AllowSynchronousContinuations;
    }

    /// <summary>The key that the semaphore was made or opened with.</summary>
    public NativeIpcKey Key => _semaphore.Key;

    /// <summary>Whether this instance made the semaphore, rather than finding it. Remains readable after
    /// Dispose.</summary>
    public bool CreatedNew => _semaphore.CreatedNew;

    /// <summary>Which object of the system this is; for tests and diagnosis.</summary>
    internal string ObjectIdentity => _semaphore.ObjectIdentity;

    /// <summary>Makes a semaphore that must not exist yet.</summary>
    /// <param name="key">The key; see <see cref="PlatformSafeKey(string, NativeIpcKeyType)"/>.</param>
    /// <param name="initialCount">The number of permits at first, 0 or more.</param>
    /// <param name="options">Mode, removal, undo; null for the defaults.</param>
    /// <returns>The semaphore. This instance removes it when it is disposed, unless the removal policy says
    /// otherwise.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="initialCount"/> is negative, over
    /// <see cref="SystemSemaphoreOptions.MaximumCount"/>, or with <see cref="SystemSemaphoreOptions.Robust"/> not 1
    /// (POSIX: nor 0).</exception>
    /// <exception cref="NativeIpcException">AlreadyExists; KeyError for a key that cannot work here; PermissionDenied;
    /// OutOfResources, also for a count over the maximum of the back end (2^31-1, on System V 32,767); LockError when a
    /// peer is stuck in the middle of making or removing it.</exception>
    public static SystemSemaphore CreateNew(NativeIpcKey key, int initialCount, SystemSemaphoreOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemSemaphore(BackendFor(key, initialCount, options).CreateNew(key, initialCount, options),
            options);
    }

    /// <summary>Opens a semaphore that must exist.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="options">Undo policy and waiting bound; null for the defaults.</param>
    /// <returns>The semaphore. This instance does not remove it.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="NativeIpcException">NotFound; KeyError, also when what has the name is no semaphore;
    /// PermissionDenied; OutOfResources.</exception>
    public static SystemSemaphore OpenExisting(NativeIpcKey key, SystemSemaphoreOptions? options = null)
    {
        options = Checked(key, options);
        return new SystemSemaphore(Selector.ForSemaphore(Opening, key).Open(key, options, options.PeerTimeout,
            mustExist: true)!, options);
    }

    /// <summary>Opens a semaphore if it exists.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="semaphore">The semaphore; null when there is none.</param>
    /// <param name="options">Undo policy and waiting bound; null for the defaults.</param>
    /// <returns>False when there is none; on System V also when only a key file is there once
    /// <see cref="SystemSemaphoreOptions.PeerTimeout"/> has passed.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="NativeIpcException">Every failure other than NotFound.</exception>
    public static bool TryOpenExisting(NativeIpcKey key,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SystemSemaphore? semaphore,
        SystemSemaphoreOptions? options = null)
    {
        options = Checked(key, options);
        SemaphoreObject? opened = Selector.ForSemaphore(Opening, key).Open(key, options, options.PeerTimeout,
            mustExist: false);
        semaphore = opened is null ? null : new SystemSemaphore(opened, options);
        return semaphore is not null;
    }

    /// <summary>Opens a semaphore and leaves its count as it is, or makes it: Qt's mode <i>Open</i>.</summary>
    /// <remarks>The count of one that a crash left behind is unknown: waiting on it can last for ever. To start afresh,
    /// use <see cref="CreateOrReset"/>.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="initialCount">The number of permits if it is made now, 0 or more. On System V also if it must be
    /// made anew because a peer removed it while this instance uses it.</param>
    /// <param name="options">Mode, removal, undo; null for the defaults.</param>
    /// <returns>The semaphore; <see cref="CreatedNew"/> says which of the two happened. It is removed by this instance
    /// only if it made it.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="initialCount"/> is negative, over
    /// <see cref="SystemSemaphoreOptions.MaximumCount"/>, or with <see cref="SystemSemaphoreOptions.Robust"/> not 1
    /// (POSIX: nor 0).</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied; OutOfResources; LockError.</exception>
    public static SystemSemaphore CreateOrOpen(NativeIpcKey key, int initialCount,
        SystemSemaphoreOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemSemaphore(BackendFor(key, initialCount, options).CreateOrOpen(key, initialCount, options),
            options);
    }

    /// <summary>Makes a semaphore, or takes over the one that exists and sets its count: Qt's mode <i>Create</i>, and
    /// the safe way to start afresh.</summary>
    /// <remarks>
    /// The existing semaphore keeps its identity, so that nobody is split off (Qt unlinks a POSIX one and makes
    /// another). This instance becomes the owner that removes it; its mode stays. On System V setting the count also
    /// clears what the kernel would take back for every process. Windows cannot set the count of a live semaphore:
    /// AlreadyExists there, unless <see cref="SystemSemaphoreOptions.AcceptExistingCount"/>.
    /// </remarks>
    /// <param name="key">The key.</param>
    /// <param name="initialCount">The number of permits from now on, 0 or more.</param>
    /// <param name="options">Mode, removal, undo; null for the defaults.</param>
    /// <returns>The semaphore; <see cref="CreatedNew"/> says whether it was made.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="initialCount"/> is negative, over
    /// <see cref="SystemSemaphoreOptions.MaximumCount"/>, or with <see cref="SystemSemaphoreOptions.Robust"/> not
    /// 1.</exception>
    /// <exception cref="NativeIpcException">AlreadyExists (Windows only); KeyError; PermissionDenied; OutOfResources;
    /// LockError.</exception>
    public static SystemSemaphore CreateOrReset(NativeIpcKey key, int initialCount,
        SystemSemaphoreOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SystemSemaphore(BackendFor(key, initialCount, options).CreateOrReset(key, initialCount, options),
            options);
    }

    /// <summary>Removes a semaphore whatever its use: those who have it open keep it on POSIX, and on System V find it
    /// gone or make it anew.</summary>
    /// <param name="key">The key.</param>
    /// <returns>False when there was none.</returns>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes a semaphore with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied; LockError.</exception>
    [UnsupportedOSPlatform("windows")]
    public static bool Remove(NativeIpcKey key) => Selector.ForSemaphore("remove the semaphore", key).Remove(key);

    /// <summary>Removes a semaphore that no living process has open, as a leftover of killed ones. One that is used,
    /// or may be, stays.</summary>
    /// <remarks>What <see cref="SystemSemaphoreOptions.Reclaim"/> does in a creating call, for those that only open.
    /// Whoever opens it at this moment keeps it, or finds none.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="options">How long to wait for another process that asks the same
    /// (<see cref="SystemSemaphoreOptions.PeerTimeout"/>); null for the defaults.</param>
    /// <returns>Unused: there is none now. Unknown: the event source "NativeIpc" says why it cannot be told.</returns>
    /// <exception cref="PlatformNotSupportedException">The key is not a POSIX one, or this is not Linux.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied where the name may not be removed.</exception>
    [UnsupportedOSPlatform("windows")]
    [UnsupportedOSPlatform("macos")]
    public static UnusedAnswer RemoveIfUnused(NativeIpcKey key, SystemSemaphoreOptions? options = null)
        => Selector.ForSemaphore("remove the semaphore", key)
            .RemoveIfUnused(key, Checked(key, options).PeerTimeout);

    /// <summary>Whether semaphores with keys of a type can be used here, asked of the running system and not only of
    /// the compiler.</summary>
    /// <param name="type">The key type.</param>
    /// <returns>True when they can.</returns>
    public static bool IsKeyTypeSupported(NativeIpcKeyType type) => Selector.SupportsSemaphores(type);

    /// <summary>Whether <see cref="SystemSemaphoreOptions.Recording"/> is offered for keys of a type.</summary>
    /// <param name="type">The key type.</param>
    /// <returns>True for POSIX keys on Linux with glibc.</returns>
    [SupportedOSPlatformGuard("linux")]
    public static bool IsPermitRecordingSupported(NativeIpcKeyType type) => Selector.RecordsPermits(type);

    /// <summary>Gives back the permits that killed holders had recorded
    /// (<see cref="SystemSemaphoreOptions.Recording"/>) and no living process shares in. Waits for nobody.</summary>
    /// <remarks>Instances that record do so themselves, before they wait and while they wait; this is for those who
    /// wait in another way. Several that call it at once give each permit back once.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="options">Whether a semaphore of another user is accepted
    /// (<see cref="SystemSemaphoreOptions.AllowOtherOwners"/>); null for the defaults.</param>
    /// <returns>How many permits were given; 0 also when there is no semaphore, and where none are recorded.</returns>
    /// <exception cref="NativeIpcException">KeyError, also when what has the name is no semaphore; PermissionDenied;
    /// OutOfResources; LockError where the file has no record locks.</exception>
    public static int ReturnLostPermits(NativeIpcKey key, SystemSemaphoreOptions? options = null)
    {
        int given = Selector.ForSemaphore("give back lost permits of the semaphore", key).ReturnLostPermits(key,
            options ?? SystemSemaphoreOptions.s_default);
        IpcActivity.TellReturned(key, given);
        return given;
    }

    /// <summary>The key that a portable name has on this platform, of <see cref="NativeIpcKey.DefaultType"/>; the same
    /// as Qt makes of it.</summary>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <returns>The key. An empty name gives an empty key. A key that could not work (of a name with a slash,
    /// <c>.</c>, <c>..</c>, or a name that is too long) is made all the same, as in Qt, and refused when it is used;
    /// <see cref="PlatformSafeKeyUncut"/> refuses such a name at once.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public static NativeIpcKey PlatformSafeKey(string name) => PlatformSafeKey(name, NativeIpcKey.DefaultType, out _);

    /// <inheritdoc cref="PlatformSafeKey(string)" path="/*[not(self::param)]"/>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <param name="type">The type of the key. A type of another platform gives an empty native key, as
    /// in Qt; <see cref="NativeIpcKeyRules"/> makes the keys of other platforms.</param>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type)
        => PlatformSafeKey(name, type, out _);

    /// <inheritdoc cref="PlatformSafeKey(string)" path="/*[not(self::param)]"/>
    /// <param name="name">Any text; by custom a reverse domain name.</param>
    /// <param name="type">The type of the key.</param>
    /// <param name="wasCut">Whether the name was too long for the platform and was cut, as Qt does without saying: two
    /// names may then give one key.</param>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type, out bool wasCut)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NameRules.PlatformSafeKey(name, type, IpcObjectKind.SystemSemaphore, PlatformEnvironment.Current,
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
        return NameRules.Strict(name, name, type, IpcObjectKind.SystemSemaphore, PlatformEnvironment.Current);
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
        => ScopeRules.Key(name, scope, type, IpcObjectKind.SystemSemaphore, PlatformEnvironment.Current);

    /// <summary>The key that Qt 4.4 to 6.5 made of a name (<c>QSystemSemaphore::setKey</c>); it remembers the name,
    /// also in its text form.</summary>
    /// <param name="name">The name that the Qt program uses.</param>
    /// <returns>The key, of <see cref="NativeIpcKey.LegacyDefaultType"/>.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public static NativeIpcKey LegacyNativeKey(string name) => LegacyNativeKey(name, NativeIpcKey.LegacyDefaultType);

    /// <inheritdoc cref="LegacyNativeKey(string)" path="/*[not(self::param)]"/>
    /// <param name="name">The name that the Qt program uses.</param>
    /// <param name="type">The type that the Qt program was built for.</param>
    public static NativeIpcKey LegacyNativeKey(string name, NativeIpcKeyType type)
    {
        ArgumentNullException.ThrowIfNull(name);
        return NameRules.LegacyNativeKey(name, type, IpcObjectKind.SystemSemaphore, PlatformEnvironment.Current);
    }

    /// <summary>Takes a permit, waiting for it as long as it takes.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">NotFound when it was removed while in use and this instance only opened it
    /// (System V); PermissionDenied (System V); OutOfResources (System V undo records).</exception>
    public void Acquire()
    {
        if (!_semaphore.TryAcquire())
            Waiter.Wait(new One(_semaphore), new Deadline(Timeout.InfiniteTimeSpan), CancellationToken.None);
    }

    /// <summary>Takes a permit, waiting for it until the token is cancelled.</summary>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public void Acquire(CancellationToken cancellationToken)
        => Waiter.Acquire(new One(_semaphore), new Deadline(Timeout.InfiniteTimeSpan), cancellationToken);

    /// <summary>Takes a permit if there is one now.</summary>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public bool TryAcquire() => _semaphore.TryAcquire();

    /// <summary>Takes a permit, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed; no permit was taken, and no less time has passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
#pragma warning disable RS0027 // the overload for several permits has one parameter more, of another type, in front
    public bool TryAcquire(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0027
        => Waiter.Acquire(new One(_semaphore), new Deadline(timeout), cancellationToken);

    /// <summary>Gives permits.</summary>
    /// <remarks>A System V set that was removed meanwhile is made anew by an instance with an initial count, as Qt
    /// does: with that count, and the given permits are added, also those that were acquired from the removed set. So a
    /// set that is removed while permits are out comes back with more than its initial count;
    /// <see cref="CreateOrReset"/> sets that right. At the end of the process nothing is made anew.</remarks>
    /// <param name="count">How many, 1 or more. All at once or none, but POSIX on macOS and musl gives one after the
    /// other.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">OutOfResources when the count would pass its maximum, or
    /// <see cref="SystemSemaphoreOptions.MaximumCount"/>; <see cref="NativeIpcException.PermitsReleased"/>
    /// says how many were given. NotFound when it was removed while in use and this instance only opened it (System
    /// V).</exception>
#pragma warning disable RS0027 // the overload that tells the count before has a parameter more, and no default
    public void Release(int count = 1)
#pragma warning restore RS0027
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        _semaphore.Release(count);
    }

    /// <summary>Gives permits, and tells how many there were before.</summary>
    /// <param name="count">How many to give, 1 or more.</param>
    /// <param name="countBefore">How many permits there were; 0 also while others wait; -1 where the system does not
    /// tell (POSIX on macOS). Told by the step that gives: POSIX on Linux with glibc, and Windows, but with neither
    /// <see cref="SystemSemaphoreOptions.Recording"/> nor <see cref="SystemSemaphoreOptions.Robust"/>. Otherwise by a
    /// look before that step.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Release(int)"/>.</exception>
    public void Release(int count, out int countBefore)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        countBefore = _semaphore.ReleaseCounted(count);
    }

    /// <summary>With <see cref="SystemSemaphoreOptions.Robust"/>: gives the permit back as if its holder had been
    /// killed, so that the next one to acquire is told by <see cref="WasAbandoned"/>. For a holder that has ended
    /// within a process that lives: a thread, a job.</summary>
    /// <exception cref="PlatformNotSupportedException">The key is not a POSIX one, or the instance is not
    /// Robust.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="InvalidOperationException">This instance does not hold the permit.</exception>
    public void Abandon() => _semaphore.Abandon();

    /// <summary>Reads the count, which may have changed by the time it is looked at.</summary>
    /// <param name="count">The number of permits; 0 also while others wait.</param>
    /// <returns>False where the system cannot tell: POSIX on macOS, and Windows.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public bool TryGetCurrentCount(out int count) => _semaphore.TryGetCount(out count);

    /// <summary>With <see cref="SystemSemaphoreOptions.Robust"/>: whether the acquire that this instance holds took
    /// over from a holder that was killed, so that what the semaphore protects may be inconsistent. Asked by the
    /// holder, between its acquire and its release. Otherwise false.</summary>
    public bool WasAbandoned => _semaphore.TookOver;

    /// <summary>Whether the semaphore that this instance has open is not the one that its key leads to now: a peer
    /// removed it, or its name, or made another one under the name. Others who open the key do not meet this instance
    /// any more.</summary>
    /// <remarks>
    /// <para>POSIX on Linux: noticed a moment after it happens, for good, and asking costs a read of memory
    /// (<c>inotify(7)</c>) once it was asked some times. System V: the set was removed, or the key file is gone or
    /// another one; false again when this instance has made the set anew (see <see cref="CreateOrOpen"/>).
    /// Windows and POSIX on macOS: always false.</para>
    /// <para>A count that a peer has set anew (<see cref="CreateOrReset"/>) replaces nothing; see
    /// <see cref="GetLockStatus"/> for a lock.</para>
    /// </remarks>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool WasReplaced
    {
        get
        {
            ObjectDisposedException.ThrowIf(!_semaphore.TryBeginUse(), this);
            try
            {
                return _semaphore.WasReplaced;
            }
            finally
            {
                _semaphore.EndUse();
            }
        }
    }

    /// <summary>With <see cref="SystemSemaphoreOptions.Robust"/>: tells who holds the semaphore, without waiting for
    /// it. Otherwise <see cref="LockHolder.CannotTell"/>.</summary>
    /// <returns>What could be seen.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public LockStatus GetLockStatus()
    {
        ObjectDisposedException.ThrowIf(!_semaphore.TryBeginUse(), this);
        try
        {
            return _semaphore.GetStatus();
        }
        finally
        {
            _semaphore.EndUse();
        }
    }

    /// <summary>Lets go of the semaphore, and removes it if this instance owns it and the policy says so. A removal
    /// that fails is reported by the event source "NativeIpc". Permits that are held by a
    /// <see cref="SystemSemaphorePermit"/> are given back. Others that this instance has acquired stay taken; if it
    /// recorded them, they count as lost from now on; on System V, the kernel gives back at the end of the process what
    /// the undo policy covers.</summary>
    public void Dispose()
    {
        CloseQueue();
        _semaphore.Dispose();
    }

    /// <summary>What it is and its key, in one line for logs and debuggers; also after Dispose. It asks the system
    /// nothing.</summary>
    /// <returns>For instance <c>SystemSemaphore posix:/name</c>. The form may change.</returns>
    public override string ToString()
        => $"{nameof(SystemSemaphore)} {Failure.Name(Key)}{(_semaphore.IsClosed ? " (disposed)" : "")}";

    private static ISemaphoreBackend BackendFor(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options,
        [CallerMemberName] string operation = "")
    {
        if (initialCount < 0)
        {
            throw new ArgumentOutOfRangeException(nameof(initialCount), initialCount,
                $"Cannot create the semaphore {Failure.Describe(key)}: its initial count must be 0 or more.");
        }

        bool mayBeginHeld = key.Type == NativeIpcKeyType.PosixRealtime && operation != nameof(CreateOrReset);
        if (options.Robust && initialCount != 1 && !(initialCount == 0 && mayBeginHeld))
        {
            throw new ArgumentOutOfRangeException(nameof(initialCount), initialCount,
                $"Cannot create the semaphore {Failure.Describe(key)} with Robust: such a semaphore is a lock, and "
                    + $"begins with a count of 1{(mayBeginHeld ? ", or with 0: held by this instance" : "")}.");
        }

        if (initialCount > options.MaximumCount)
        {
            throw new ArgumentOutOfRangeException(nameof(initialCount), initialCount,
                $"Cannot create the semaphore {Failure.Describe(key)}: "
                + $"its initial count is over the MaximumCount of {options.MaximumCount}.");
        }

        ISemaphoreBackend backend = Selector.ForSemaphore(Creating, key);
        if (initialCount <= backend.MaximumCount) return backend;
        throw Failure.Found(NativeIpcError.OutOfResources, Creating, key, operation,
            $"an initial count of {initialCount} is over the maximum of {backend.MaximumCount}",
            "Ask for fewer permits, or use a key of another type.");
    }

    private static ProcessExit.Call Begin(in NativeIpcKey key, SystemSemaphoreOptions options)
        => ProcessExit.Begin(key, owns: !OperatingSystem.IsWindows()
            && options is { Removal: not RemovalPolicy.Keep, RemoveAtProcessExit: true });

    internal static SystemSemaphoreOptions Checked(in NativeIpcKey key, SystemSemaphoreOptions? options)
    {
        // A copy, since options can be changed: what was checked is what is used.
        options = options is null ? SystemSemaphoreOptions.s_default : options with { };
        OptionRules.CheckMode(options.Mode);
        OptionRules.CheckDefined(options.Removal, RemovalPolicy.LastOneOut);
        OptionRules.CheckDefined(options.Undo, SystemVUndoPolicy.None);
        OptionRules.CheckDefined(options.Recording, PermitRecording.ProcessAndChildren);
        OptionRules.CheckBound(options.PeerTimeout);
        if (options.MaximumCount < 1)
            throw new ArgumentException($"MaximumCount is {options.MaximumCount}; it must be 1 or more.",
                nameof(options));
        if (options.ShareMaximumCount && options.Robust)
            throw new ArgumentException("ShareMaximumCount does not go with Robust: such a semaphore has one permit.",
                nameof(options));
        if (options.ShareMaximumCount && key.Type.IsSystemV)
            throw new PlatformNotSupportedException(
                $"ShareMaximumCount is not offered for {Failure.Describe(key)}: a System V set has no room for a "
                    + "maximum. Set MaximumCount in every process that releases.");
        OptionRules.CheckAccess(options.CurrentUserOnly, options.SecurityDescriptor, options.Mode, options.Group,
            options.AllowOtherOwners);
        if (options.Robust && options.Undo != SystemVUndoPolicy.Both)
            throw new ArgumentException(
                "Robust needs the undo policy Both: on System V it is the kernel that gives back what a dead holder "
                    + "had.", nameof(options));
        if (options.Robust && OperatingSystem.IsMacOS())
            throw new PlatformNotSupportedException(
                "Robust is not offered on macOS: a POSIX semaphore keeps no record of its holder there, and the next "
                    + "one cannot be told.");
        if (ScopedUse.IsOwn(Opening, key, options.AllowOtherOwners))
        {
            options = OperatingSystem.IsWindows()
                ? options with { CurrentUserOnly = options.SecurityDescriptor is null }
                : options with { AllowOtherOwners = false };
        }

        if (options.Recording == PermitRecording.None) return options;
        bool hasHeirs = options.Recording == PermitRecording.ProcessAndChildren;
        if (options.Robust || (hasHeirs && options.Removal == RemovalPolicy.LastOneOut))
            throw new ArgumentException(
                "Recording does not go with Robust, which records its one holder in another way, and "
                    + "ProcessAndChildren not with RemovalPolicy.LastOneOut, for which a program that inherits the "
                    + "record would be a user.",
                nameof(options));
        if (!IsPermitRecordingSupported(key.Type))
            throw new PlatformNotSupportedException(
                $"Recording is not offered for {Failure.Describe(key)}: permits are recorded for POSIX keys on Linux "
                    + $"with glibc. System V gives them back by itself (Undo); elsewhere do without.");
        return options;
    }
}
