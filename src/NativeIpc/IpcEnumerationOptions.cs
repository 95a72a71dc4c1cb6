namespace NativeIpc;

/// <summary>What <see cref="IpcObjects"/> is to look for, and how closely.</summary>
/// <remarks>Each call takes a copy when it begins. A change while another thread makes such a call is not
/// safe.</remarks>
public sealed record IpcEnumerationOptions
{
    internal static readonly IpcEnumerationOptions s_default = new();

    /// <summary>Only objects of this kind; null, the default, for both.</summary>
    public IpcObjectKind? Kind { get; set; }

    /// <summary>Only objects of this back end; null, the default, for all. Any System V type stands for all of System V, whatever the project id.</summary>
    public NativeIpcKeyType? Type { get; set; }

    /// <summary>Whether to say who has each object open or attached. Default: true. It costs one look at every process of the machine, for all objects together. Windows: whether to
    /// say how many handles each object has.</summary>
    public bool IncludeAttachments { get; set; } = true;

    /// <summary>
    /// Whether to ask the kernel which POSIX objects nobody uses (<see cref="IpcObjectTraits.Stale"/>). Default: true. It asks for those only that no process was seen to use: each is open for
    /// reading for some microseconds, and a Qt or C program that opens it at that moment waits for as long.
    /// </summary>
    public bool FindStale { get; set; } = true;

    /// <summary>More folders in which to look for System V key files. Default: none beside the runtime and temporary folders of this user, <c>/tmp</c> and
    /// the runtime folders of other users that may be read (<c>/run/user/*</c>). Folders below them are not searched.</summary>
    public IReadOnlyList<string> KeyFileFolders { get; set; } = [];

    /// <summary>Whether to look for lost permits, which takes mapping each semaphore.</summary>
    internal bool FindLostPermits { get; init; }

    /// <summary>Whether an object of a type is asked for.</summary>
    internal bool Wants(NativeIpcKeyType type) => Type is not { } wanted || wanted == type || (wanted.IsSystemV && type.IsSystemV);

    /// <summary>Whether an object of a kind is asked for.</summary>
    internal bool Wants(IpcObjectKind kind) => Kind is not { } wanted || wanted == kind;
}
