using NativeIpc.Posix.Names;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Events;

/// <summary>How an event is made and used.</summary>
internal readonly record struct EventUse
{
    public required UnixFileMode Mode { get; init; }

    /// <summary>The group of what is made; null for that of the process.</summary>
    public string? Group { get; init; }

    public RemovalDuty Removal { get; init; }

    public bool AllowOtherOwners { get; init; }

    public PeerBound Bound { get; init; }

    /// <summary>Whether what is made records that it goes with its last user.</summary>
    public bool IsRecorded => Removal.Policy != RemovalPolicy.Keep;

    /// <summary>What an instance does when it is closed: nothing, unless it owns the name, or every instance looks
    /// whether it is the last.</summary>
    public RemovalDuty DutyOf(Origin origin)
        => Removal.Policy == RemovalPolicy.LastOneOut ? Removal
            : Removal with
            {
                Policy = origin == Origin.Made && Removal.Policy != RemovalPolicy.Keep
                    ? RemovalPolicy.Creator : RemovalPolicy.Keep,
            };

    /// <summary>As the options say.</summary>
    public static EventUse By(SystemEventOptions options, in PeerBound bound) => new()
    {
        Mode = options.Mode,
        Group = options.Group,
        Removal = new(options.Removal, options.RemoveAtProcessExit),
        AllowOtherOwners = options.AllowOtherOwners,
        Bound = bound,
    };
}
