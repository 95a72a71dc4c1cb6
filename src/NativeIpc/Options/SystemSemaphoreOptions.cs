using System.Runtime.Versioning;

namespace NativeIpc;

/// <summary>How a semaphore is made, opened and cleaned up. One instance may serve many calls and threads.</summary>
/// <remarks>
/// Each call takes a copy when it begins: a later change has no effect on an object that is made or open.
/// A change while another thread makes such a call is not safe. <c>with</c> makes a changed copy. Configuration can
/// bind these options, also with .NET's binding generator: docs/configuration.md.
/// </remarks>
public sealed record SystemSemaphoreOptions
{
    internal static readonly SystemSemaphoreOptions s_default = new();

    /// <summary>The permission bits of a new semaphore, set exactly, whatever the umask; but cut by it for POSIX on
    /// macOS, and on a Linux without O_TMPFILE or /proc. The owner must be able to read and write. Default: that and
    /// nothing else. Using a semaphore takes both bits. Execute, set-id and sticky bits are refused. Not used on
    /// Windows.</summary>
    public UnixFileMode Mode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Who removes the semaphore. Default: <see cref="RemovalPolicy.Default"/>.</summary>
    public RemovalPolicy Removal { get; set; }

    /// <summary>What the kernel takes back when the process ends. System V only. Default:
    /// <see cref="SystemVUndoPolicy.Both"/>, as Qt.</summary>
    public SystemVUndoPolicy Undo { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>The largest count that a release through this instance may make, 1 or more; null for the system's
    /// (2^31-1, on System V 32,767). Default: null.</summary>
    /// <remarks>
    /// <para>A release that would pass it gives no permit and throws <see cref="NativeIpcError.OutOfResources"/>. An
    /// initial count above it is an <see cref="ArgumentOutOfRangeException"/>. Acquiring is not concerned. On Unix it
    /// is a rule of this instance, which the object does not keep without <see cref="ShareMaximumCount"/>: set it in
    /// every process that releases. Qt and C programs do not know it.</para>
    /// <para>POSIX on Linux with glibc: exact among those that set it, as it is compared in the step that gives. With
    /// musl, or with the switch <c>NativeIpc.PortableWaits</c>, it is a look before the release: two that release at
    /// once can pass it. On macOS, where POSIX semaphores tell no count, it is a
    /// <see cref="PlatformNotSupportedException"/>.</para>
    /// <para>System V: exact for a release of as many permits as the maximum, so always when it is 1. Otherwise a look
    /// before the release, since <c>semop(2)</c> has no such step.</para>
    /// <para>Windows: the kernel's own maximum, set when the semaphore is made, and exact for everybody. A semaphore
    /// that exists keeps the one that it was made with, and the kernel enforces that, whatever this instance asks
    /// for.</para>
    /// </remarks>
    public int? MaximumCount { get; set; }

    /// <summary>Whether the object keeps <see cref="MaximumCount"/>: the call that makes the semaphore writes it there,
    /// null as the system's maximum, and an instance that opens it with this setting has that maximum, whatever its own
    /// says. Default: false. <see cref="SystemSemaphore.CreateOrReset"/> writes it anew, for those who open it later.
    /// One that was made without this setting, by a C program for instance, has none: the instance's own holds then.
    /// POSIX on Linux with glibc; on Windows it is always so. Elsewhere <see cref="PlatformNotSupportedException"/>.
    /// Not together with <see cref="Robust"/>, which has one permit: <see cref="ArgumentException"/>.</summary>
    public bool ShareMaximumCount { get; [UnsupportedOSPlatform("macos")] set; }

    /// <summary>Windows only: whether
    /// <see cref="SystemSemaphore.CreateOrReset(NativeIpcKey, int, SystemSemaphoreOptions?)"/> accepts a live semaphore
    /// with the count that it has, as Qt silently does, since Windows cannot set it. Default: false, which gives
    /// <see cref="NativeIpcError.AlreadyExists"/>.</summary>
    public bool AcceptExistingCount { get; [SupportedOSPlatform("windows")] set; }

    /// <summary>The group of a new object, by name or number; null leaves it to the system (the group of this process).
    /// Unix only, and not for POSIX semaphores on macOS. Default: null.</summary>
    public string? Group { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether only this user may use the object. Default: false. On Windows a new one gets an access control
    /// list for this user alone, and an existing one that another user owns is refused with
    /// <see cref="NativeIpcError.PermissionDenied"/>. On Unix that is what the default <see cref="Mode"/> and owner
    /// check do; with a wider mode, a <see cref="Group"/> or <see cref="AllowOtherOwners"/> it is an
    /// <see cref="ArgumentException"/>.</summary>
    public bool CurrentUserOnly { get; set; }

    /// <summary>Who may use a new object on Windows: a security descriptor in its text form (SDDL),
    /// <c>D:P(A;;GA;;;OW)(A;;GRGWGX;;;AU)</c> for instance. Null for the default of the process, which lets Qt and C
    /// programs of the same user in. Default: null. Write generic rights (GA, GR, GW, GX), since it applies to the
    /// record of a <see cref="Robust"/> one's holder, too. Text that is none is an <see cref="ArgumentException"/>;
    /// together with <see cref="CurrentUserOnly"/> it is one, too. Elsewhere than on Windows:
    /// <see cref="PlatformNotSupportedException"/>.</summary>
    public string? SecurityDescriptor { get; [SupportedOSPlatform("windows")] set; }

    /// <summary>Whether an object, or a key file, of another user than this one and root is accepted. Default: false:
    /// such a thing may have been planted under the name, and is refused with
    /// <see cref="NativeIpcError.PermissionDenied"/>. Set it where users share objects. Unix only.</summary>
    public bool AllowOtherOwners { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether a creating call that finds an object without a living user starts afresh, as if there had been
    /// none. Default: false. Where the system cannot tell who uses it, the call fails and says so:
    /// <see cref="NativeIpcError.PermissionDenied"/>
    /// for an object of another user (root needs CAP_LEASE),
    /// <see cref="NativeIpcError.LockError"/> when another process keeps a lock on the object for longer than
    /// <see cref="PeerTimeout"/>.</summary>
    public bool Reclaim { get; set; }

    /// <summary>Whether the semaphore is used as a lock of one permit that survives the death of its holder: the next
    /// one to acquire gets the permit, and <see cref="SystemSemaphore.WasAbandoned"/> says so. Default: false. Whoever
    /// acquires then also releases, and every process of this library that uses the semaphore sets it, too. A new one
    /// begins with a count of 1; POSIX ones also with 0: held by the instance that made it, before others can know it.
    /// <see cref="PlatformNotSupportedException"/> where a holder's death cannot be noticed (macOS; on Linux the plain
    /// POSIX calls, the switch NativeIpc.PortableWaits, and with musl a POSIX name that does not begin with
    /// "sem.").</summary>
    public bool Robust { get; [UnsupportedOSPlatform("macos")] set; }

    /// <summary>Whether a <see cref="Robust"/> semaphore is taken over from a holder that left no record
    /// (<see cref="LockHolder.Unknown"/>: a Qt or C program), once no process has it open but those of this library.
    /// Default: true. See <see cref="SharedMemoryOptions.TakeOverUnknownHolders"/>.</summary>
    public bool TakeOverUnknownHolders { get; set; } = true;

    /// <summary>Whether what comes after an <c>await</c> of <see cref="SystemSemaphore.AcquireAsync"/> or
    /// <see cref="SystemSemaphore.TryAcquireAsync"/> may run on the thread that waits for the system, as
    /// <c>AllowSynchronousContinuations</c> of .NET's channels means it. Default: false: it runs on the thread pool,
    /// which costs waking another thread. When true it begins several times sooner, and while it runs, no asynchronous
    /// wait of the whole process is served: it must be short, and must not block. Waits that end by time, cancellation
    /// or Dispose continue on the thread pool all the same, and so do all on Windows, whose registered waits call back
    /// there.</summary>
    public bool AllowSynchronousContinuations { get; set; }

    /// <summary>Whether the permits that this instance takes are recorded beside the semaphore, so that others can give
    /// them back when this process was killed. Default: <see cref="PermitRecording.None"/>. For counting semaphores;
    /// peers that know nothing of it (Qt, C) may use the same one, and their permits are not recorded. Whoever records
    /// takes and releases through the same instance; what is released elsewhere meanwhile would be given twice. An
    /// instance that records gives back what killed ones have left, and a try costs some hundred nanoseconds more. At
    /// most 190 instances per semaphore record at a time; further ones work without. POSIX on Linux with glibc;
    /// elsewhere <see cref="PlatformNotSupportedException"/> (System V does the same by <see cref="Undo"/>). Not
    /// together with <see cref="Robust"/>, and <see cref="PermitRecording.ProcessAndChildren"/> not with
    /// <see cref="RemovalPolicy.LastOneOut"/>.</summary>
    public PermitRecording Recording { get; [SupportedOSPlatform("linux")] set; }

    /// <summary>Whether a normal end of the process without Dispose (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT) removes
    /// what this instance owns. Default: true.</summary>
    /// <remarks>See <see cref="SharedMemoryOptions.RemoveAtProcessExit"/> for programs that handle such signals
    /// themselves.</remarks>
    public bool RemoveAtProcessExit { get; set; } = true;

    /// <summary>How long a call waits for a peer that is in the middle of creating or removing the object (System V).
    /// Default: one second. Zero does not wait: each thing is tried once. A call that has a time or a token of its own
    /// waits no longer than those say.</summary>
    /// <remarks>See <see cref="SharedMemoryOptions.PeerTimeout"/> for what counts.</remarks>
    public TimeSpan PeerTimeout { get; set; } = TimeSpan.FromSeconds(1);
}
