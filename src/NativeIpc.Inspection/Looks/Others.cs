using System.Globalization;
using NativeIpc.Inspection.Processes;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Inspection.Looks;

/// <summary>What else than segments and semaphores programs share: counted in each enumeration, described on request.
/// Linux.</summary>
/// <remarks>Race: what goes between the count and the look is left out of the one and stands in the other. Safe because
/// nothing is done with it.</remarks>
internal sealed class Others(Census census)
{
    private const UnixFileMode MarkBits = UnixFileMode.SetUser | UnixFileMode.SetGroup | UnixFileMode.StickyBit;

    private const string QueueFolder = "/dev/mqueue";
    private const string QueueTable = "/proc/sysvipc/msg";

    // What the runtime of this process has made for itself is nobody's but this look's.
    private static readonly string[] s_ofRuntime = ["doublemapper", "dotnet_ipc_created"];

    private readonly List<IpcOtherObject> _objects = [];
    private readonly List<IpcOtherCount> _counts = [];

    public IReadOnlyList<IpcOtherObject> Objects => _objects;

    public IReadOnlyList<IpcOtherCount> Counts => _counts;

    public void Take()
    {
        IpcEnumerationOptions options = census.Options;
        if (!OperatingSystem.IsLinux()) return;
        if (options.Type is null && options.Kind is null or IpcObjectKind.SharedMemory) TakeMemfds();
        if (options.Kind is not null) return;
        if (options.Wants(NativeIpcKeyType.SystemV)) TakeSystemVQueues();
        if (options.Wants(NativeIpcKeyType.PosixRealtime)) TakePosixQueues();
    }

    private void Count(IpcOtherKind kind, int? count, bool isAtLeast = false)
        => _counts.Add(new IpcOtherCount(kind, count, isAtLeast && count is not null));

    private void TakeMemfds()
    {
        if (census.Processes is not { } scan)
        {
            Count(IpcOtherKind.Memfd, null);
            return;
        }

        int count = 0;
        foreach ((FileIdentity identity, ProcessScan.GoneFile memfd) in scan.Memfds)
        {
            if (s_ofRuntime.Contains(memfd.Name) && scan.IsOnlyUser(identity, Environment.ProcessId)) continue;
            count++;
            if (!census.Options.IncludeOthers) continue;
            int error = Libc.StatusAndTimes(memfd.ProcFile, followLink: true, out FileStatus status,
                out FileTimes times);
            bool isKnown = error == 0 && status.Identity == identity;
            IpcOtherObject found = isKnown
                ? Of(IpcOtherKind.Memfd, status, times) : new IpcOtherObject { Kind = IpcOtherKind.Memfd };
            _objects.Add(found with
            {
                Name = PathText.Show(memfd.Name),
                Inode = (long)identity.Inode,
                Size = isKnown ? status.Size : memfd.MappedSize > 0 ? memfd.MappedSize : null,
                Attachments = scan.UsersOf(identity),
            });
        }

        Count(IpcOtherKind.Memfd, count, isAtLeast: !scan.IsComplete);
    }

    private void TakeSystemVQueues()
    {
        int count = 0;
        try
        {
            foreach (string line in File.ReadLines(QueueTable))
            {
                // key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime; the head line has no
                // numbers.
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 14 || !int.TryParse(fields[0], NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture, out int key))
                    continue;
                count++;
                if (census.Options.IncludeOthers) _objects.Add(SystemVQueue(key, fields));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            Count(IpcOtherKind.SystemVMessageQueue, null);
            return;
        }

        Count(IpcOtherKind.SystemVMessageQueue, count);
    }

    private IpcOtherObject SystemVQueue(int key, string[] fields)
    {
        uint user = (uint)Number(7), group = (uint)Number(8);
        long used = Math.Max(Number(11), Number(12));
        return new IpcOtherObject
        {
            Kind = IpcOtherKind.SystemVMessageQueue,
            Name = string.Create(CultureInfo.InvariantCulture, $"0x{key:x8}"),
            SystemVId = (int)Number(1),
            SystemVKey = key,
            Size = Number(3),
            MessageCount = Number(4),
            Mode = fields[2].All(digit => digit is >= '0' and <= '7')
                ? (UnixFileMode)Convert.ToInt32(fields[2], 8) & ~MarkBits : null,
            OwnerId = RealIds.Users.Known(user),
            OwnerName = census.Accounts.User(user),
            GroupId = RealIds.Groups.Known(group),
            GroupName = census.Accounts.Group(group),
            Created = DateTimeOffset.FromUnixTimeSeconds(Number(13)),
            LastUsed = used == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(used),
        };

        long Number(int at) => long.TryParse(fields[at], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
            out long number) ? number : 0;
    }

    private void TakePosixQueues()
    {
        // Where no queues are mounted, a folder of /dev may stand, or nothing.
        bool isMounted = Libc.Status(QueueFolder, followLink: false, out FileStatus folder) == 0 && folder.IsDirectory
            && Libc.Status("/dev", followLink: true, out FileStatus above) == 0
            && above.Identity.Device != folder.Identity.Device;
        if (!isMounted || Libc.NamesIn(QueueFolder, out _) is not { } names)
        {
            Count(IpcOtherKind.PosixMessageQueue, null);
            return;
        }

        Count(IpcOtherKind.PosixMessageQueue, names.Count);
        if (!census.Options.IncludeOthers) return;
        foreach (string name in names)
        {
            // gone
            if (Libc.StatusAndTimes($"{QueueFolder}/{name}", followLink: false, out FileStatus status,
                out FileTimes times) != 0)
                continue;
            _objects.Add(Of(IpcOtherKind.PosixMessageQueue, status, times) with { Name = "/" + PathText.Show(name) });
        }
    }

    private IpcOtherObject Of(IpcOtherKind kind, in FileStatus status, in FileTimes times) => new()
    {
        Kind = kind,
        Mode = (UnixFileMode)status.Permissions & ~MarkBits,
        OwnerId = RealIds.Users.Known(status.Uid),
        OwnerName = census.Accounts.User(status.Uid),
        GroupId = RealIds.Groups.Known(status.Gid),
        GroupName = census.Accounts.Group(status.Gid),
        Created = times.Born ?? times.Changed,
    };
}
