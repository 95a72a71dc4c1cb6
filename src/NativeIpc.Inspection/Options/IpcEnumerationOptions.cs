namespace NativeIpc.Inspection;

/// <summary>What <see cref="IpcObjects"/> is to look for, and how closely.</summary>
/// <remarks>Each call takes a copy when it begins. A change while another thread makes such a call is not
/// safe.</remarks>
public sealed record IpcEnumerationOptions
{
    internal static readonly IpcEnumerationOptions s_default = new();

    /// <summary>Only objects of this kind; null, the default, for both.</summary>
    public IpcObjectKind? Kind { get; set; }

    /// <summary>Only objects of this back end; null, the default, for all. Any System V type stands for all of System
    /// V, whatever the project id.</summary>
    public NativeIpcKeyType? Type { get; set; }

    /// <summary>Whether to say who has each object open or attached. Default: true. It costs one look at every process
    /// of the machine, for all objects together. Windows: whether to say how many handles each object has.</summary>
    public bool IncludeAttachments { get; set; } = true;

    /// <summary>
    /// Whether to ask the kernel, by a lease (<c>fcntl(2)</c>, F_SETLEASE), whether anybody has a POSIX object open of
    /// which the look at the processes does not tell (<see cref="IpcObjectTraits.Unused"/>). Default: false, as it
    /// disturbs: a program that opens the object at that moment waits for some microseconds, or gets EAGAIN
    /// (<c>shm_open</c> of musl). For a removal that is about to follow.
    /// </summary>
    public bool FindUnused { get; set; }

    /// <summary>
    /// The same, but only for objects that were to be removed by processes that are dead
    /// (<see cref="IpcObjectTraits.Orphaned"/>). Default: false.
    /// </summary>
    public bool FindOrphaned { get; set; }

    /// <summary>Whether to look for evidence on what nobody has open (<see cref="IpcObjectInfo.Signs"/>). Default:
    /// false; <see cref="IpcObjects.Inspect"/> always does. It costs another look at every process, for all objects
    /// together.</summary>
    public bool FindSigns { get; set; }

    /// <summary>Whether to say what the users of each semaphore do with it: who holds permits and who waits
    /// (<see cref="IpcAttachment.Use"/>), and what the members of each System V set are
    /// (<see cref="IpcObjectInfo.Members"/>). Default: false; <see cref="IpcObjects.Inspect"/> always does. It costs a
    /// look at every thread of who has a semaphore open and, where somebody waits for a System V set, of every
    /// process.</summary>
    public bool FindUses { get; set; }

    /// <summary>Whether to describe what else programs share (<see cref="IpcSnapshot.Others"/>): memfds and message
    /// queues. Default: false; they are only counted then (<see cref="IpcSnapshot.OtherCounts"/>).</summary>
    public bool IncludeOthers { get; set; }

    /// <summary>More folders in which to look for System V key files. Default: none beside the runtime and temporary
    /// folders of this user, <c>/tmp</c> and the runtime folders of other users that may be read (<c>/run/user/*</c>).
    /// Folders below them are not searched.</summary>
    public IReadOnlyList<string> KeyFileFolders { get; set; } = [];

    /// <summary>Whether to look for permits that killed holders have left (<see cref="IpcObjectInfo.LostPermits"/>).
    /// Default: false; <see cref="IpcObjects.Inspect"/> always does. It costs mapping each POSIX semaphore.</summary>
    public bool FindLostPermits { get; set; }

    /// <summary>Whether an object of a type is asked for.</summary>
    internal bool Wants(NativeIpcKeyType type)
        => Type is not { } wanted || wanted == type || (wanted.IsSystemV && type.IsSystemV);

    /// <summary>Whether an object of a kind is asked for.</summary>
    internal bool Wants(IpcObjectKind kind) => Kind is not { } wanted || wanted == kind;
}
