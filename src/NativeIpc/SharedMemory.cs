using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Lifetime;
using NativeIpc.Options;
using NativeIpc.Platform;
using NativeIpc.Selection;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <summary>
/// A named segment of memory that every process on the machine can attach to, in whatever language it is written:
/// QSharedMemory in Qt, <c>shm_open</c>, <c>shmget</c> or <c>CreateFileMappingW</c> in C.
/// </summary>
/// <remarks>
/// <para>Attach is <c>mmap(2)</c>, <c>shmat(2)</c> or <c>MapViewOfFile</c>; detach, which Dispose does, is their
/// reverse. All of the segment is mapped; its bytes belong to its users, nothing of this library is hidden in
/// them.</para>
/// <para>Removal by default: on POSIX the instance that made the segment removes the name when it lets go
/// (attached processes go on, newcomers do not find it); on System V the last one to detach removes the segment, its
/// lock and the key file; Windows removes it with the last handle. <see cref="RemovalPolicy"/> says it in full. A crash
/// leaves the segment behind on Unix: CreateNew then says AlreadyExists, OpenExisting and CreateOrOpen work, and
/// <see cref="Remove"/> removes it.</para>
/// <para>Thread safety: every member may be called from any thread at any time, also while another one disposes; the
/// bytes themselves are as unprotected as any memory, which is what <see cref="Lock()"/> is for. Raw spans, memory and
/// references are the exception: they trust the caller not to dispose while they are used, and to keep the instance
/// alive (<c>using</c>, or <see cref="GC.KeepAlive"/>): an instance that nothing refers to any more is let go of by a
/// garbage collection, as if it had been disposed.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public sealed partial class SharedMemory : IDisposable, IWaitOwner
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";

    // What a user process has at most on any 64-bit system (x86-64 with five levels). Asked for more, a /dev/shm
    // without a limit would take all memory before the mapping fails.
    private const long LargestAddressSpace = 1L << 56;

    private readonly Segment _segment;
    private readonly SharedMemoryOptions _options;
    private int _disposed;

    internal SharedMemory(Segment segment, SharedMemoryOptions options)
    {
        _segment = segment;
        _options = options;
    }

    /// <summary>The key that the segment was made or opened with.</summary>
    public NativeIpcKey Key => _segment.Key;

    /// <summary>The size in bytes, as the system reports it: what was asked for on Linux and for System V, rounded up
    /// to pages on Windows and for POSIX on macOS.</summary>
    public long Size => _segment.Size;

    /// <summary>What this attachment allows.</summary>
    public SharedMemoryAccess Access => _segment.Access;

    /// <summary>Whether this instance made the segment, rather than finding it; a half-created leftover that it
    /// finished counts as made.</summary>
    public bool CreatedNew => _segment.CreatedNew;

    /// <summary>Which object of the system this is; for tests and diagnosis.</summary>
    internal string ObjectIdentity => _segment.ObjectIdentity;

    /// <summary>Makes a segment that must not exist yet, and attaches to it. Its bytes are zero.</summary>
    /// <param name="key">The key; see <see cref="PlatformSafeKey(string, NativeIpcKeyType)"/>.</param>
    /// <param name="size">The size in bytes, 1 or more.</param>
    /// <param name="options">Mode, removal, allocation, lock; null for the defaults.</param>
    /// <returns>The segment, to read and write.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is less than 1.</exception>
    /// <exception cref="NativeIpcException">AlreadyExists; KeyError for a key that cannot work here; PermissionDenied;
    /// InvalidSize for more than the system can ever give; OutOfResources when memory, /dev/shm, descriptors or System
    /// V limits are used up; LockError when a peer is stuck in the middle of making or removing it.</exception>
    public static SharedMemory CreateNew(NativeIpcKey key, long size, SharedMemoryOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SharedMemory(BackendFor(key, size).CreateNew(key, size, options), options);
    }

    /// <summary>Attaches to a segment that must exist.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="access">Whether it may be written.</param>
    /// <param name="options">Removal, lock, waiting bound; null for the defaults.</param>
    /// <returns>The segment.</returns>
    /// <exception cref="ArgumentException">The options or <paramref name="access"/> hold a value that has no
    /// meaning.</exception>
    /// <exception cref="NativeIpcException">NotFound, also for a half-created leftover once
    /// <see cref="SharedMemoryOptions.PeerTimeout"/> has passed; KeyError; PermissionDenied; OutOfResources;
    /// LockError.</exception>
    public static SharedMemory OpenExisting(NativeIpcKey key, SharedMemoryAccess access = SharedMemoryAccess.ReadWrite,
        SharedMemoryOptions? options = null)
    {
        options = Checked(key, options, access);
        using ProcessExit.Call call = BeginOpening(key, options);
        return new SharedMemory(Selector.ForSegment(Opening, key).Open(key, access, options, options.PeerTimeout,
            mustExist: true)!, options);
    }

    /// <summary>Attaches to a segment if it exists.</summary>
    /// <param name="key">The key, as the maker gave it.</param>
    /// <param name="segment">The segment; null when there is none.</param>
    /// <param name="access">Whether it may be written.</param>
    /// <param name="options">Removal, lock, waiting bound; null for the defaults.</param>
    /// <returns>False when there is none, or still only a half-created one once
    /// <see cref="SharedMemoryOptions.PeerTimeout"/> has passed.</returns>
    /// <exception cref="ArgumentException">The options or <paramref name="access"/> hold a value that has no
    /// meaning.</exception>
    /// <exception cref="NativeIpcException">Every failure other than NotFound.</exception>
    public static bool TryOpenExisting(NativeIpcKey key, [NotNullWhen(true)] out SharedMemory? segment,
        SharedMemoryAccess access = SharedMemoryAccess.ReadWrite, SharedMemoryOptions? options = null)
    {
        options = Checked(key, options, access);
        using ProcessExit.Call call = BeginOpening(key, options);
        Segment? opened = Selector.ForSegment(Opening, key).Open(key, access, options, options.PeerTimeout,
            mustExist: false);
        segment = opened is null ? null : new SharedMemory(opened, options);
        return segment is not null;
    }

    /// <summary>Attaches to a segment, or makes it if it does not exist, without a race between the two.</summary>
    /// <param name="key">The key.</param>
    /// <param name="size">The size in bytes, 1 or more. A larger segment that exists is fine.</param>
    /// <param name="options">Mode, removal, allocation, lock; null for the defaults.</param>
    /// <returns>The segment, to read and write; <see cref="CreatedNew"/> says which of the two happened.</returns>
    /// <exception cref="ArgumentException">The options hold a value that has no meaning.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is less than 1.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when the segment that exists is smaller, unless
    /// <see cref="SharedMemoryOptions.AllowSmaller"/>; AlreadyExists only for a half-created leftover of another user,
    /// which is not recovered; otherwise as <see cref="CreateNew"/>.</exception>
    public static SharedMemory CreateOrOpen(NativeIpcKey key, long size, SharedMemoryOptions? options = null)
    {
        options = Checked(key, options);
        using ProcessExit.Call call = Begin(key, options);
        return new SharedMemory(BackendFor(key, size).CreateOrOpen(key, size, options), options);
    }

    /// <summary>Removes the name of a segment and of its lock, whatever its use: attached processes go on,
    /// newcomers do not find it.</summary>
    /// <remarks>Meant for leftovers of a crash. A lock whose segment is gone already is removed by
    /// <see cref="SystemSemaphore.Remove"/> of the lock's key.</remarks>
    /// <param name="key">The key.</param>
    /// <returns>False when there was no segment.</returns>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes a segment with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied; LockError.</exception>
    [UnsupportedOSPlatform("windows")]
    public static bool Remove(NativeIpcKey key) => Selector.ForSegment("remove the segment", key).Remove(key);

    /// <summary>Removes a segment, and its lock, that no living process has open, as a leftover of killed ones. One
    /// that is used, or may be, stays.</summary>
    /// <remarks>What <see cref="SharedMemoryOptions.Reclaim"/> does in a creating call, for those that only open.
    /// Whoever opens it at this moment keeps it, or finds none.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="options">How long to wait for another process that asks the same
    /// (<see cref="SharedMemoryOptions.PeerTimeout"/>), and whether it has a lock; null for the defaults.</param>
    /// <returns>Unused: there is none now. Unknown: the event source "NativeIpc" says why it cannot be told.</returns>
    /// <exception cref="PlatformNotSupportedException">The key is not a POSIX one, or this is not Linux.</exception>
    /// <exception cref="NativeIpcException">KeyError; PermissionDenied where the name may not be removed.</exception>
    [UnsupportedOSPlatform("windows")]
    [UnsupportedOSPlatform("macos")]
    public static UnusedAnswer RemoveIfUnused(NativeIpcKey key, SharedMemoryOptions? options = null)
        => Selector.ForSegment("remove the segment", key).RemoveIfUnused(key, Checked(key, options));

    /// <summary>Whether segments with keys of a type can be used here, asked of the running system and not only of the
    /// compiler.</summary>
    /// <param name="type">The key type.</param>
    /// <returns>True when they can.</returns>
    public static bool IsKeyTypeSupported(NativeIpcKeyType type) => Selector.SupportsSegments(type);

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
        return NameRules.PlatformSafeKey(name, type, IpcObjectKind.SharedMemory, PlatformEnvironment.Current,
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
        return NameRules.Strict(name, name, type, IpcObjectKind.SharedMemory, PlatformEnvironment.Current);
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
        => ScopeRules.Key(name, scope, type, IpcObjectKind.SharedMemory, PlatformEnvironment.Current);

    /// <summary>The key that Qt 4.4 to 6.5 made of a name (<c>QSharedMemory::setKey</c>); it remembers the name, also
    /// in its text form.</summary>
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
        return NameRules.LegacyNativeKey(name, type, IpcObjectKind.SharedMemory, PlatformEnvironment.Current);
    }

    /// <summary>
    /// Detaches: releases the lock if this instance holds it, removes what it owns under its policy, and unmaps as soon
    /// as the last call that is using the memory on another thread has ended. A removal that fails is reported by the
    /// event source "NativeIpc".
    /// </summary>
    /// <remarks>On System V the last one to detach waits for a peer that holds the lock, for
    /// <see cref="SharedMemoryOptions.PeerTimeout"/> at most, and then leaves the removal to that peer. Where another
    /// thread is still using the memory, System V detaches and removes when that ends.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        try
        {
            EndWordWaits();
            Volatile.Read(ref _lockQueue)?.Close();
            CloseLocks();
        }
        finally
        {
            _segment.LetGo();
            _segment.Dispose();
        }
    }

    /// <summary>What it is, its key and its size, in one line for logs and debuggers; also after Dispose.</summary>
    /// <returns>For instance <c>SharedMemory posix:/name (4096 bytes)</c>. The form may change.</returns>
    public override string ToString()
    {
        string state = Volatile.Read(ref _disposed) == 0 ? "" : ", disposed";
        return $"{nameof(SharedMemory)} {Failure.Name(Key)} ({Size} bytes{state})";
    }

    private static ISharedMemoryBackend BackendFor(in NativeIpcKey key, long size,
        [CallerMemberName] string operation = "")
    {
        if (size < 1)
            throw new ArgumentOutOfRangeException(nameof(size), size,
                $"Cannot create the segment {Failure.Describe(key)}: its size must be at least 1 byte.");
        ISharedMemoryBackend backend = Selector.ForSegment(Creating, key);
        if (size <= LargestAddressSpace) return backend;
        throw Failure.Found(NativeIpcError.InvalidSize, Creating, key, operation,
            $"no process has room for {size} bytes", "Ask for less.");
    }

    /// <summary>The same for a call that makes nothing. A POSIX segment that is found goes with its creator by default,
    /// so nothing has to be heard of the end of the process: .NET makes a thread and descriptors for that.</summary>
    private static ProcessExit.Call BeginOpening(in NativeIpcKey key, SharedMemoryOptions options)
        => key.Type == NativeIpcKeyType.PosixRealtime && options.Removal != RemovalPolicy.LastOneOut
            ? ProcessExit.Begin(key, owns: false) : Begin(key, options);

    private static ProcessExit.Call Begin(in NativeIpcKey key, SharedMemoryOptions options)
        => ProcessExit.Begin(key, owns: !OperatingSystem.IsWindows()
            && options is { Removal: not RemovalPolicy.Keep, RemoveAtProcessExit: true });

    internal static SharedMemoryOptions Checked(in NativeIpcKey key, SharedMemoryOptions? options,
        SharedMemoryAccess access = SharedMemoryAccess.ReadWrite)
    {
        // A copy, since options can be changed: what was checked is what is used.
        options = options is null ? SharedMemoryOptions.s_default : options with { };
        OptionRules.CheckMode(options.Mode);
        OptionRules.CheckDefined(options.Removal, RemovalPolicy.LastOneOut);
        OptionRules.CheckDefined(options.Allocation, SharedMemoryAllocation.Populate);
        OptionRules.CheckDefined(access, SharedMemoryAccess.Read);
        OptionRules.CheckBound(options.PeerTimeout);
        OptionRules.CheckAccess(options.CurrentUserOnly, options.SecurityDescriptor, options.Mode, options.Group,
            options.AllowOtherOwners);
        if (!ScopedUse.IsOwn(Opening, key, options.AllowOtherOwners)) return options;
        return OperatingSystem.IsWindows() ? options with { CurrentUserOnly = options.SecurityDescriptor is null }
            : options with { AllowOtherOwners = false };
    }
}
