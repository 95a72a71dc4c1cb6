using System.Runtime.Versioning;

namespace NativeIpc;

/// <summary>How an event is made, opened and cleaned up. One instance may serve many calls and threads.</summary>
/// <remarks>
/// Each call takes a copy when it begins: a later change has no effect on an object that is made or open.
/// A change while another thread makes such a call is not safe. <c>with</c> makes a changed copy. Configuration can
/// bind these options, also with .NET's binding generator: docs/configuration.md.
/// </remarks>
public sealed record SystemEventOptions
{
    internal static readonly SystemEventOptions s_default = new();

    /// <summary>The permission bits of a new event, set exactly, whatever the umask. The owner must be able to read and
    /// write. Default: that and nothing else. Using an event, waiting included, takes both bits. Execute, set-id and
    /// sticky bits are refused. Not used on Windows.</summary>
    public UnixFileMode Mode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Who removes the event. Default: <see cref="RemovalPolicy.Default"/>, with which that is the instance
    /// that made it or took it over. <see cref="RemovalPolicy.LastOneOut"/> is for POSIX keys; on System V it is a
    /// <see cref="PlatformNotSupportedException"/>.</summary>
    public RemovalPolicy Removal { get; set; }

    /// <summary>The group of a new object, by name or number; null leaves it to the system (the group of this process).
    /// Unix only. Default: null.</summary>
    public string? Group { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether only this user may use the object. Default: false. On Windows a new one gets an access control
    /// list for this user alone, and an existing one that another user owns is refused with
    /// <see cref="NativeIpcError.PermissionDenied"/>. On Unix that is what the default <see cref="Mode"/> and owner
    /// check do; with a wider mode, a <see cref="Group"/> or <see cref="AllowOtherOwners"/> it is an
    /// <see cref="ArgumentException"/>.</summary>
    public bool CurrentUserOnly { get; set; }

    /// <summary>Who may use a new object on Windows: a security descriptor in its text form (SDDL),
    /// <c>D:P(A;;GA;;;OW)(A;;GRGWGX;;;AU)</c> for instance. Null for the default of the process, which lets Qt and C
    /// programs of the same user in. Default: null. Text that is none is an <see cref="ArgumentException"/>; together
    /// with <see cref="CurrentUserOnly"/> it is one, too. Elsewhere than on Windows:
    /// <see cref="PlatformNotSupportedException"/>.</summary>
    public string? SecurityDescriptor { get; [SupportedOSPlatform("windows")] set; }

    /// <summary>Whether an object, or a key file, of another user than this one and root is accepted. Default: false:
    /// such a thing may have been planted under the name, and is refused with
    /// <see cref="NativeIpcError.PermissionDenied"/>. Set it where users share objects. Unix only.</summary>
    public bool AllowOtherOwners { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether a creating call that finds an object without a living user starts afresh, as if there had been
    /// none. Default: false. POSIX only; on System V it is a <see cref="PlatformNotSupportedException"/>. Where the
    /// system cannot tell who uses it, the call fails and says so:
    /// <see cref="NativeIpcError.PermissionDenied"/> for an object of another user (root needs CAP_LEASE),
    /// <see cref="NativeIpcError.LockError"/> when another process keeps a lock on the object for longer than
    /// <see cref="PeerTimeout"/>.</summary>
    public bool Reclaim { get; set; }

    /// <summary>Whether what comes after an <c>await</c> of
    /// <see cref="SystemEvent.WaitAsync(System.Threading.CancellationToken)"/> may run on the thread that waits for the
    /// system. Default: false: it runs on the thread pool. See
    /// <see cref="SystemSemaphoreOptions.AllowSynchronousContinuations"/>.</summary>
    public bool AllowSynchronousContinuations { get; set; }

    /// <summary>Whether a normal end of the process without Dispose (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT) removes
    /// what this instance owns. Default: true.</summary>
    /// <remarks>See <see cref="SharedMemoryOptions.RemoveAtProcessExit"/> for programs that handle such signals
    /// themselves.</remarks>
    public bool RemoveAtProcessExit { get; set; } = true;

    /// <summary>How long a call waits for a peer that is in the middle of creating or removing the object. Default: one
    /// second. Zero does not wait: each thing is tried once. A call that has a time or a token of its own waits no
    /// longer than those say.</summary>
    /// <remarks>See <see cref="SharedMemoryOptions.PeerTimeout"/> for what counts.</remarks>
    public TimeSpan PeerTimeout { get; set; } = TimeSpan.FromSeconds(1);
}
