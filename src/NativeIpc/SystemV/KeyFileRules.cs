using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>What a call opens a key file for.</summary>
internal enum KeyFilePurpose
{
    /// <summary>To find an object. The file lock is shared: such calls do not make each other wait.</summary>
    Find,

    /// <summary>To find an object or make it: the file is opened, and made when it is missing.</summary>
    FindOrMake,

    /// <summary>To make an object. There usually is no file, so making one is tried before opening one.</summary>
    MakeNew,

    /// <summary>To remove an object, whoever owns the file.</summary>
    Remove,

    /// <summary>As <see cref="Remove"/>, where an object ends: without the lock when no descriptor is left.</summary>
    CleanUp,
}

/// <summary>How a call uses key files.</summary>
/// <param name="Purpose">What for.</param>
/// <param name="Bound">How long other holders of the lock are waited for.</param>
internal sealed record KeyFileRules(KeyFilePurpose Purpose, PeerBound Bound)
{
    /// <summary>The mode of the object that is made under a new file.</summary>
    internal UnixFileMode ObjectMode { get; init; }

    /// <summary>The group of a new file; null leaves it.</summary>
    internal uint? Group { get; init; }

    /// <summary>Whether files of other users, and folders that every user may change, are accepted.</summary>
    internal bool AllowOtherOwners { get; init; }

    /// <summary>The segment that a lock is for; null for any other object. A file that is made anew may get the number,
    /// and so the key, that it had before.</summary>
    internal int? OwnSegment { get; init; }

    /// <summary>A file that is in use already: while the path leads there, its folder is not looked at again.</summary>
    internal FileIdentity? Known { get; init; }

    /// <summary>Whether a missing file is made.</summary>
    internal bool Makes => Purpose is KeyFilePurpose.FindOrMake or KeyFilePurpose.MakeNew;

    internal static KeyFileRules Making(Existing existing, SharedMemoryOptions options)
        => new(PurposeOf(existing), options.PeerTimeout)
        {
            ObjectMode = options.Mode,
            Group = GroupOf(options.Group),
            AllowOtherOwners = options.AllowOtherOwners,
        };

    internal static KeyFileRules Making(Existing existing, SystemSemaphoreOptions options, in PeerBound bound)
        => new(PurposeOf(existing), bound)
        {
            ObjectMode = options.Mode,
            Group = GroupOf(options.Group),
            AllowOtherOwners = options.AllowOtherOwners,
        };

    internal static KeyFileRules Making(Existing existing, SystemEventOptions options, in PeerBound bound)
        => new(PurposeOf(existing), bound)
        {
            ObjectMode = options.Mode,
            Group = GroupOf(options.Group),
            AllowOtherOwners = options.AllowOtherOwners,
        };

    internal static KeyFileRules Finding(in PeerBound bound, bool allowOtherOwners)
        => new(KeyFilePurpose.Find, bound) { AllowOtherOwners = allowOtherOwners };

    internal static KeyFileRules Removing(TimeSpan peerTimeout)
        => new(KeyFilePurpose.Remove, peerTimeout) { AllowOtherOwners = true };

    internal static KeyFileRules CleaningUp(TimeSpan peerTimeout)
        => new(KeyFilePurpose.CleanUp, peerTimeout) { AllowOtherOwners = true };

    private static KeyFilePurpose PurposeOf(Existing existing)
        => existing == Existing.Refuse ? KeyFilePurpose.MakeNew : KeyFilePurpose.FindOrMake;

    private static uint? GroupOf(string? group) => group is null ? null : UserGroups.Resolve(group);
}
