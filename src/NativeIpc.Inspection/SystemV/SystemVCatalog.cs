using NativeIpc.Contracts;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>The System V objects of the machine, from the kernel's own tables, with the key files that lead to
/// them.</summary>
/// <remarks>R1 Race: objects and key files are made and removed while the tables, and then files and counts, are read.
/// Safe because: the list is a picture of the past, as any. An object that is removed meanwhile is left out when its
/// count says so, and else listed as it was; ids are not used again soon. A key file is listed as it
/// was found.</remarks>
internal sealed class SystemVCatalog : IObjectCatalog
{
    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool IsOfThisSystem => !OperatingSystem.IsWindows();

    public string? WhyNotListed()
        => OperatingSystem.IsWindows() ? "Windows has no System V objects."
            : !OperatingSystem.IsLinux()
                ? "System V objects are not listed on this system, only on Linux. ipcs(1) lists them; objects whose "
                    + "key is known can be opened."
            : !Directory.Exists(SystemVTable.Folder)
                ? $"System V objects cannot be listed: there is no {SystemVTable.Folder} (a kernel without System V, "
                    + $"or a container that hides it)."
            : null;

    public void AddTo(Census census)
    {
        List<SystemVTable.Row> segments;
        List<SystemVTable.Row> sets;
        try
        {
            segments = SystemVTable.Read(IpcObjectKind.SharedMemory);
            sets = SystemVTable.Read(IpcObjectKind.SystemSemaphore);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            if (census.Only is not null)
                throw new PlatformNotSupportedException($"Cannot {Census.Inspecting}: {failure.Message}", failure);
            census.Note($"System V objects cannot be listed: {failure.Message}",
                "Ask where /proc is whole, or use POSIX objects.");
            return;
        }

        NativeIpcKey? only = census.Only is { } asked && census.Options.Kind == IpcObjectKind.SystemEvent
            ? SystemVEvents.FileKey(asked) : census.Only;
        if (only is { } one && Libc.Status(KeyFile.Path(one), followLink: true, out _) is var number
            && number is not (0 or Errno.ENOENT or Errno.ENOTDIR))
            throw SystemVErrors.KeyFile(Census.Inspecting, one, "statx", number);

        HashSet<int> keys = [.. segments.Concat(sets).Select(row => row.Key)];
        var search = new KeyFileSearch(keys,
            only is { } single ? [(KeyFile.Path(single), true)]
                : KeyFileSearch.FilesOf(census.Options.KeyFileFolders));
        var look = new SystemVLook(census, search, segments);
        foreach (SystemVTable.Row row in segments) Add(row);
        foreach (SystemVTable.Row row in sets) Add(row);
        foreach (IpcObjectInfo halfCreated in look.HalfCreated()) census.Add(halfCreated);

        void Add(in SystemVTable.Row row)
        {
            if (!census.Options.Wants(row.Kind) && !(row.Kind == IpcObjectKind.SystemSemaphore
                && census.Options.Wants(IpcObjectKind.SystemEvent)))
                return;
            if (only is { } key && (row.Key == 0 || Libc.ftok(KeyFile.Path(key), (int)key.Type) != row.Key))
                return;
            if (look.Describe(row) is { } found && census.Options.Wants(found.Kind)) census.Add(found);
        }
    }

    public Removal AskUse(IpcObjectInfo found)
        => found.SystemVId is { } id
            ? WholeLook.Take("tell whether the object is in use", () => SystemVSigns.Ask(found, id))
            : new Removal(IpcRemovalOutcome.Removed);

    public Removal RemoveUnused(IpcObjectInfo found)
    {
        if (AskUse(found) is { Outcome: not IpcRemovalOutcome.Removed } stays) return stays;
        return new Removal(Remove(found) ? IpcRemovalOutcome.Removed : IpcRemovalOutcome.Gone);
    }

    /// <remarks>The key file, an empty one of this user, goes once nothing stands under its keys. It is opened first:
    /// without a descriptor nothing is removed at all. What else keeps it from being opened keeps no object.</remarks>
    public bool Remove(IpcObjectInfo found)
    {
        const string attempt = "remove the object";
        KeyFile? file = null;
        NativeIpcException? notOpened = null;
        try
        {
            if (found.Key.IsValid)
            {
                file = KeyFile.Open(attempt,
                    found.Kind == IpcObjectKind.SystemEvent ? SystemVEvents.FileKey(found.Key) : found.Key,
                    KeyFileRules.Removing(TimeSpan.FromSeconds(1)));
            }
        }
        catch (NativeIpcException failure)
            when (failure.Error != NativeIpcError.OutOfResources && found.SystemVId is not null)
        {
            notOpened = failure;
        }

        using (file)
        {
            bool isRemoved = found.SystemVId is not { } id || (found.Kind == IpcObjectKind.SharedMemory
                ? SystemVSupport.RemoveSegment(attempt, found.NamingKey, id)
                : SystemVSupport.RemoveSemaphore(attempt, found.NamingKey, id));
            if (!isRemoved) return false;
            if (notOpened is not null) throw notOpened;
            file?.RemoveIfUnused();
            return found.SystemVId is not null || file is { IsStillThere: false };
        }
    }

    public bool IsStill(IpcObjectInfo found)
        => found.SystemVId is { } id && (found.Kind == IpcObjectKind.SharedMemory
            ? SystemVSupport.Status(id, out SegmentStatus status) == 0 && !status.IsRemoved
            : SystemVSupport.SetStatusOf(id, out _) == 0)
            && found.SystemVKey is { } key && key != 0
            && (found.Kind == IpcObjectKind.SharedMemory ? Libc.shmget(key, 0, 0) : Libc.semget(key, 0, 0)) == id;

    public unsafe int Read(IpcObjectInfo found, long offset, Span<byte> destination)
    {
        const string attempt = "read the segment";
        if (found.SystemVId is not { } id)
            throw Failure.Found(NativeIpcError.NotFound, attempt, found.NamingKey, "shmat",
                "there is a key file and no segment", "A creating call makes it.");
        int number = SystemVSupport.Status(id, out SegmentStatus status);
        if (number != 0) throw SystemVErrors.UseSegment(attempt, found.NamingKey, "shmctl", number);
        long length = Math.Clamp(status.Size - offset, 0, destination.Length);
        if (length == 0) return 0;
        nint address = Libc.shmat(id, 0, Flags.SHM_RDONLY);
        if (address == -1)
            throw SystemVErrors.UseSegment(attempt, found.NamingKey, "shmat", Marshal.GetLastPInvokeError());
        new ReadOnlySpan<byte>((byte*)address + offset, (int)length).CopyTo(destination);
        _ = Libc.shmdt(address); // cannot fail for what shmat gave
        return (int)length;
    }

    public void Diagnose(Diagnosis diagnosis) => SystemVDiagnosis.Examine(diagnosis);

    public Segment OpenSegment(IpcObjectInfo found, SharedMemoryAccess access, SharedMemoryOptions options)
        => SystemVListed.OpenSegment(found, access, options);

    public SemaphoreObject OpenSemaphore(IpcObjectInfo found, SystemSemaphoreOptions options)
        => SystemVListed.OpenSet(found, options);

    public IEnumerable<IpcLimit> Limits() => SystemVDiagnosis.Limits();
}
