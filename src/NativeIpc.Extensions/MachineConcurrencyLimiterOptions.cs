using System.Threading.RateLimiting;

namespace NativeIpc.Extensions;

/// <summary>How a <see cref="MachineConcurrencyLimiter"/> is made. Bound from a configuration by
/// <see cref="NativeIpcBuilder.AddLimiter"/>.</summary>
public sealed class MachineConcurrencyLimiterOptions
{
    /// <summary>What processes of the machine meet by: 1 to 100 ASCII letters, digits, <c>.</c>, <c>_</c> or <c>-</c>.
    /// Empty for the name of the registration. The semaphore behind it is
    /// <c>SystemSemaphore.PlatformSafeKey("nipc.limit.permits." + name)</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>The type of the keys; null chooses: POSIX on Linux with glibc, System V on other Unix. Default:
    /// null.</summary>
    public NativeIpcKeyType? KeyType { get; set; }

    /// <summary>How many permits are out at most, in all processes of the machine together, 1 or more. Whoever comes
    /// with another limit for the name gets an <see cref="InvalidOperationException"/>.</summary>
    public int PermitLimit { get; set; }

    /// <summary>How many permits may be waited for in this process, 0 or more. Default: 0, nobody waits.</summary>
    public int QueueLimit { get; set; }

    /// <summary>Which waiter in the queue of this process is next. Default: <see
    /// cref="QueueProcessingOrder.OldestFirst"/>. Between processes there is no order.</summary>
    public QueueProcessingOrder QueueProcessingOrder { get; set; }

    /// <summary>The permission bits of new objects; see <see cref="SystemSemaphoreOptions.Mode"/>. Default: this user
    /// alone may use them.</summary>
    public UnixFileMode Mode { get; set; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The group of new objects, by name or number; see <see cref="SystemSemaphoreOptions.Group"/>. Default:
    /// null.</summary>
    public string? Group { get; set; }

    /// <summary>Whether objects of other users than this one and root are accepted; see
    /// <see cref="SystemSemaphoreOptions.AllowOtherOwners"/>. Default: false.</summary>
    public bool AllowOtherOwners { get; set; }
}
