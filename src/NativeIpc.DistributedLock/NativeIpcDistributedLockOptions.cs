using System.Runtime.Versioning;

namespace NativeIpc.DistributedLock;

/// <summary>Which objects of the system stand behind locks and semaphores, and who may use them. Every process that is
/// to meet at one name uses the same <see cref="KeyType"/> and <see cref="Prefix"/>.</summary>
/// <remarks>A lock, a semaphore and a provider take a copy when they are made. A change while another thread makes one
/// is not safe.</remarks>
public sealed record NativeIpcDistributedLockOptions
{
    internal static readonly NativeIpcDistributedLockOptions s_default = new();

    /// <summary>The type of the objects' keys; null chooses: <see cref="NativeIpcKeyType.PosixRealtime"/> on Linux with
    /// glibc, <see cref="NativeIpcKeyType.SystemV"/> on other Unix, <see cref="NativeIpcKeyType.Windows"/> on Windows.
    /// Default: null. A type with which the death of a holder would not be noticed is refused, with
    /// <see cref="PlatformNotSupportedException"/>, when something is acquired.</summary>
    public NativeIpcKeyType? KeyType { get; set; }

    /// <summary>What the name of each object begins with: 1 to 40 ASCII letters, digits, <c>.</c>, <c>_</c> or
    /// <c>-</c>. Default: <c>nipc.</c>. Programs with different prefixes never meet.</summary>
    public string Prefix { get; set; } = "nipc.";

    /// <summary>The permission bits of new objects; see <see cref="SystemSemaphoreOptions.Mode"/>. Default: this user
    /// alone may use them. Not used on Windows.</summary>
    public UnixFileMode Mode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The group of new objects, by name or number; see <see cref="SystemSemaphoreOptions.Group"/>. Default:
    /// null. Unix only.</summary>
    public string? Group { get; [UnsupportedOSPlatform("windows")] set; }

    /// <summary>Whether objects of other users than this one and root are accepted; see
    /// <see cref="SystemSemaphoreOptions.AllowOtherOwners"/>. Default: false. Unix only.</summary>
    public bool AllowOtherOwners { get; [UnsupportedOSPlatform("windows")] set; }

    internal static NativeIpcDistributedLockOptions CopyOf(NativeIpcDistributedLockOptions? options)
    {
        if (options is null) return s_default;
        options = options with { };
        NameRule.CheckPrefix(options.Prefix);
        return options;
    }

    internal NativeIpcKeyType ChosenType => KeyType ?? Shared.CrashSafe.s_defaultType;
}
