using System.Runtime.Versioning;

namespace NativeIpc;

/// <summary>How a segment is made, opened and cleaned up. One instance may serve many calls and threads.</summary>
/// <remarks>
/// Each call takes a copy when it begins: a later change has no effect on an object that is made or open.
/// A change while another thread makes such a call is not safe. <c>with</c> makes a changed copy. Configuration can
/// bind these options, also with .NET's binding generator: docs/configuration.md.
/// </remarks>
public sealed record SharedMemoryOptions
{
    internal static readonly SharedMemoryOptions s_default = new();

    /// <summary>The permission bits of a new segment, set exactly, whatever the umask. The owner must be able to read
    /// and write. Default: that and nothing else. Execute, set-id and sticky bits are refused. Not used on
    /// Windows.</summary>
    public UnixFileMode Mode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Who removes the segment. Default: <see cref="RemovalPolicy.Default"/>.</summary>
    public RemovalPolicy Removal { get; set; }

    /// <summary>When the memory of a new segment is taken. Default: <see cref="SharedMemoryAllocation.Reserve"/>. When
    /// opening, only <see cref="SharedMemoryAllocation.Populate"/> has an effect: the pages are mapped at
    /// once.</summary>
    public SharedMemoryAllocation Allocation { get; set; }

    /// <summary>Whether the segment takes part in the lock that Qt uses. Default: true. When false,
    /// <see cref="SharedMemory.Lock()"/> throws <see cref="InvalidOperationException"/> and the last detach on System V
    /// does not wait for a Qt peer that is attaching.</summary>
    public bool UseLock { get; set; } = true;

    /// <summary>Whether <see cref="SharedMemory.CreateOrOpen(NativeIpcKey, long, SharedMemoryOptions?)"/> accepts an
    /// existing segment that is smaller than asked for. Default: false.</summary>
    public bool AllowSmaller { get; set; }

    /// <summary>The group of a new object, by name or number; null leaves it to the system (the group of this process).
    /// Unix only, and not for POSIX semaphores on macOS. Default: null.</summary>
    public string? Group { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether only this user may use the object. Default: false. On Windows a new one, its lock and the
    /// record of the lock's holder gets an access control list for this user alone, and an existing one that another
    /// user owns is refused with <see cref="NativeIpcError.PermissionDenied"/>. On Unix that is what the default
    /// <see cref="Mode"/> and owner check do; with a wider mode, a <see cref="Group"/> or
    /// <see cref="AllowOtherOwners"/> it is an <see cref="ArgumentException"/>.</summary>
    public bool CurrentUserOnly { get; set; }

    /// <summary>Who may use a new object on Windows: a security descriptor in its text form (SDDL),
    /// <c>D:P(A;;GA;;;OW)(A;;GRGWGX;;;AU)</c> for instance. Null for the default of the process, which lets Qt and C
    /// programs of the same user in. Default: null. Write generic rights (GA, GR, GW, GX), since it applies to the
    /// segment, its lock and the record of the lock's holder alike. Text that is none is an
    /// <see cref="ArgumentException"/>; together with <see cref="CurrentUserOnly"/> it is one, too. Elsewhere than on
    /// Windows: <see cref="PlatformNotSupportedException"/>.</summary>
    public string? SecurityDescriptor { get; [SupportedOSPlatform("windows")] set; }

    /// <summary>Whether an object, or a key file, of another user than this one and root is accepted. Default: false:
    /// such a thing may have been planted under the name, and is refused with
    /// <see cref="NativeIpcError.PermissionDenied"/>. Set it where users share objects. Unix only.</summary>
    public bool AllowOtherOwners { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether a creating call that finds an object without a living user starts afresh, as if there had been
    /// none. Default: false. Where the system cannot tell who uses it, the call fails and says so:
    /// <see cref="NativeIpcError.PermissionDenied"/>
    /// for an object of another user (POSIX; root needs CAP_LEASE),
    /// <see cref="NativeIpcError.LockError"/> when another process keeps a lock on the object for longer than
    /// <see cref="PeerTimeout"/>.</summary>
    public bool Reclaim { get; set; }

    /// <summary>Whether taking the lock fails, with <see cref="PlatformNotSupportedException"/>, where a holder's death
    /// cannot be noticed (macOS; on Linux the plain POSIX calls, or the switch NativeIpc.PortableWaits), and with
    /// <see cref="NativeIpcException"/> where there is no room or no access to note the holder. Default: false: the
    /// lock then works there without recovery.</summary>
    public bool RequireLockRecovery { get; [UnsupportedOSPlatform("macos")] set; }

    /// <summary>Whether the lock is taken over from a holder that left no record (<see cref="LockHolder.Unknown"/>: a
    /// Qt or C program), once no process has it open but those of this library. Default: true: such a holder was
    /// killed, or ended without a release. When false only a recorded death counts: a semaphore that a C program left
    /// at 0 on purpose stays as it is, and the caller waits until somebody releases it, or an instance without this
    /// setting takes it over. No effect on System V, where the kernel gives back what a dead process has
    /// taken.</summary>
    public bool TakeOverUnknownHolders { get; set; } = true;

    /// <summary>Whether a normal end of the process without Dispose (exit, SIGTERM, SIGINT, SIGHUP, SIGQUIT) removes
    /// what this instance owns. Default: true.</summary>
    /// <remarks>At a signal nothing is removed where a handler that was registered before the first object may keep the
    /// process alive, nor, for SIGINT and SIGQUIT, once the console was used or a process started: the runtime catches
    /// these then and does not tell for whom. The AppContext switch <c>NativeIpc.RemoveAtSignal</c> set to true says
    /// that each of these signals ends the process unless a handler registered later cancels it; false, that nothing is
    /// removed at a signal.</remarks>
    public bool RemoveAtProcessExit { get; set; } = true;

    /// <summary>How long a call waits for a peer that is in the middle of creating or removing the object, and the last
    /// detach on System V for a holder of the lock. Default: one second. Creating calls then recover a half-created
    /// leftover; opening calls report <see cref="NativeIpcError.NotFound"/>. Zero does not wait: each thing is tried
    /// once. A call that has a time or a token of its own (TryLock, LockAsync, OpenExistingAsync) waits no longer than
    /// those say.</summary>
    /// <remarks>On Linux the time counts in which a holder of a file's lock (flock(2)) sleeps, is stopped or cannot be
    /// seen, and the time that its process has on a processor. One that is only not scheduled, on a machine with more
    /// to do than it can, is waited for longer. Each holder has all of the time, and all of them together ten times as
    /// much. The holder is looked up in the kernel's table of locks, which is read seldom, since that holds others up.
    /// The time before the first reading does not count, and a call fails only after a last one. Usually these are
    /// milliseconds; on a machine where a reading takes half a second it is up to ten seconds more. A process that asks
    /// whether anybody has a POSIX object open (<see cref="Reclaim"/>, <see cref="RemovalPolicy.LastOneOut"/>) is not
    /// looked up: it is waited for as many times as long as the machine has runnable threads for each
    /// processor.</remarks>
    public TimeSpan PeerTimeout { get; set; } = TimeSpan.FromSeconds(1);
}
