using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;

namespace NativeIpc.Inspection.Processes;

/// <summary>
/// One look at every process of the machine: which files of <c>/dev/shm</c> it has mapped or open, and which System V
/// segments it has attached. Linux. The time it takes grows with the number of processes and of their mappings, not
/// with that of the objects.
/// </summary>
/// <remarks>
/// A process may end, map or unmap while it is read: each answer was so at some moment of the look.
/// <c>/proc/PID/maps</c> says device and inode, so a file is known by what it is, in whatever mount namespace; System V
/// ids are numbers of an IPC namespace, so those of processes in another one are left out.
/// </remarks>
internal sealed class ProcessScan
{
    private static ReadOnlySpan<byte> Folder => "/dev/shm/"u8;

    private static ReadOnlySpan<byte> Memfd => "/memfd:"u8;

    private static ReadOnlySpan<byte> Deleted => " (deleted)"u8;

    private static ReadOnlySpan<byte> SystemVBytes => "/SYSV"u8;

    private readonly Dictionary<FileIdentity, UserList> _files = [];
    private readonly Dictionary<int, UserList> _segments = [];
    private readonly UserList _noUsers = new();
    private readonly Dictionary<int, string> _names = [];
    private readonly Dictionary<FileIdentity, GoneFile> _gone = [];
    private readonly Dictionary<FileIdentity, GoneFile> _memfds = [];
    private readonly string? _namespace = Libc.LinkText("/proc/self/ns/ipc");
    private readonly byte[] _link = new byte[4096]; // PATH_MAX
    private byte[] _buffer = new byte[64 * 1024];

    private ProcessScan()
    {
    }

    /// <summary>A file that is in use and whose name a process shows as gone: it is, or the file got its name
    /// later.</summary>
    /// <param name="Name">The name that it had; <c>#inode</c> when nobody knows.</param>
    /// <param name="ProcFile">A path in /proc that leads to it, for a process that may follow it.</param>
    /// <param name="MappedSize">How much of it the first process has mapped, 0 for none.</param>
    internal readonly record struct GoneFile(string Name, string ProcFile, long MappedSize);

    /// <summary>How many processes could not be looked at.</summary>
    public int Unreadable { get; private set; }

    /// <summary>Whether processes are not even listed: each PID namespace has a number 1.</summary>
    public bool IsHidden { get; private set; } = true;

    /// <summary>Whether every process of the machine was seen: nobody uses what has no user here.</summary>
    public bool IsComplete { get; private set; }

    public IReadOnlyDictionary<FileIdentity, GoneFile> Gone => _gone;

    /// <summary>The files of memory that have no name in a file system (memfd_create(2)), each once.</summary>
    public IReadOnlyDictionary<FileIdentity, GoneFile> Memfds => _memfds;

    public static ProcessScan Run()
    {
        var scan = new ProcessScan();
        bool sawFirst = false;
        try
        {
            foreach (string folder in Directory.EnumerateDirectories("/proc"))
            {
                if (!int.TryParse(folder.AsSpan("/proc/".Length), NumberStyles.None, CultureInfo.InvariantCulture,
                    out int process))
                    continue;
                sawFirst |= process == 1; // with hidepid the processes of others are not even listed
                if (!scan.Read(process)) scan.Unreadable++;
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return scan; // no /proc: nothing was seen
        }

        scan.IsHidden = !sawFirst;
        scan.IsComplete = sawFirst && scan.Unreadable == 0 && ProcessMaps.SeesEveryProcess;
        return scan;
    }

    public IReadOnlyList<IpcAttachment> UsersOf(FileIdentity file) => Describe(_files.GetValueOrDefault(file));

    public IReadOnlyList<IpcAttachment> UsersOf(int systemVId) => Describe(_segments.GetValueOrDefault(systemVId));

    /// <summary>Whether one process, and no other that was seen, has a file.</summary>
    public bool IsOnlyUser(FileIdentity file, int process)
        => _files.GetValueOrDefault(file) is { Count: 1 } users && users.Last == process;

    /// <summary>Who waits for a System V set, of this IPC namespace.</summary>
    /// <param name="systemVId">The set.</param>
    /// <param name="threads">How many threads were seen to wait: fewer than the kernel counts where this user may not
    /// look at a process, or it is not seen from here.</param>
    public IReadOnlyList<IpcAttachment> WaitersOf(int systemVId, out int threads)
    {
        threads = 0;
        List<IpcAttachment> waiting = [];
        foreach (string folder in SystemText.Folders("/proc"))
        {
            if (!int.TryParse(folder.AsSpan("/proc/".Length), NumberStyles.None, CultureInfo.InvariantCulture,
                out int process))
                continue;
            int number = ThreadsOfProcess.CountWaitingForSet(process, systemVId);
            if (number == 0 || Libc.LinkText($"/proc/{process}/ns/ipc") != _namespace) continue;
            threads += number;
            waiting.Add(new IpcAttachment(process, NameOf(process)) { Use = IpcUse.Waits });
        }

        return waiting;
    }

    private IpcAttachment[] Describe(UserList? users)
    {
        if (users is null) return [];
        if (users.Shown is { } known) return known;
        var shown = new IpcAttachment[users.Count];
        int at = shown.Length;
        for (UserList each = users; at > 0; each = each.Before!)
            shown[--at] = new IpcAttachment(each.Last, NameOf(each.Last));
        return users.Shown = shown;
    }

    private string NameOf(int process)
    {
        if (_names.TryGetValue(process, out string? known)) return known;
        int length = ProcessMaps.ReadAll(ref _buffer, $"/proc/{process}/comm");
        return _names[process] = length > 0 ? PathText.Show(_buffer.AsSpan(0, length).TrimEnd((byte)'\n')) : "";
    }

    /// <summary>Looks at one process; false when this user may not.</summary>
    private bool Read(int process)
    {
        int length = ProcessMaps.ReadAll(ref _buffer, $"/proc/{process}/maps");
        if (length < 0) return HasGone(-length);
        bool? isHere = null;
        ReadOnlySpan<byte> text = _buffer.AsSpan(0, length);
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            int path = line.IndexOf((byte)'/');
            if (path < 0) continue;
            if (line[path..].StartsWith(Folder))
            {
                ReadFile(process, line, path, Folder.Length);
            }
            else if (line[path..].StartsWith(Memfd))
            {
                ReadFile(process, line, path, Memfd.Length);
            }
            else if (line[path..].StartsWith(SystemVBytes) && ProcessMaps.TrySplit(line, out _, out ulong id, out _))
            {
                if (isHere ??= Libc.LinkText($"/proc/{process}/ns/ipc") == _namespace) Add(_segments, (int)id, process);
            }
        }

        return ReadDescriptors(process);
    }

    private void ReadFile(int process, ReadOnlySpan<byte> line, int path, int prefix)
    {
        if (!ProcessMaps.TrySplit(line, out ulong device, out ulong inode, out long size)) return;
        ReadOnlySpan<byte> range = line[..line.IndexOf((byte)' ')];
        NoteFile(new FileIdentity(device, inode), process, line[(path + prefix)..], "map_files", range, size,
            isMemfd: prefix == Memfd.Length);
    }

    /// <summary>Notes that a process has a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="process">The process.</param>
    /// <param name="name">What it shows as the file's name, without the folder.</param>
    /// <param name="folder">The folder of the process that has a link to it.</param>
    /// <param name="link">The link.</param>
    /// <param name="size">How much of it is mapped.</param>
    /// <param name="isMemfd">Whether it never had a name in a file system.</param>
    private void NoteFile(
        FileIdentity file, int process, ReadOnlySpan<byte> name, string folder, ReadOnlySpan<byte> link, long size,
        bool isMemfd)
    {
        if (!name.EndsWith(Deleted))
        {
            if (!isMemfd) Add(_files, file, process); // a file of the root folder may have such a name
            return;
        }

        Add(_files, file, process);
        if (isMemfd)
        {
            if (_memfds.ContainsKey(file)) return;
            string memfd = PathText.Decode(name[..^Deleted.Length]);
            _memfds.Add(file, new GoneFile(memfd, $"/proc/{process}/{folder}/{Encoding.ASCII.GetString(link)}", size));
            return;
        }

        // A file that got its name after it was opened (O_TMPFILE, as this library makes objects) is shown as #inode
        // all its life; a process that opened it by its name shows that.
        if (_gone.TryGetValue(file, out GoneFile known) && !known.Name.StartsWith('#')) return;
        _gone[file] = new GoneFile(
            PathText.Decode(name[..^Deleted.Length]),
            $"/proc/{process}/{folder}/{Encoding.ASCII.GetString(link)}", size);
    }

    /// <summary>Who has a file open without mapping it; false when this user may not see.</summary>
    private bool ReadDescriptors(int process)
    {
        using UnixDescriptor folder = Libc.OpenFolder($"/proc/{process}/fd", out int error);
        bool isWhole = true;
        if (error == 0)
        {
            byte[] link = _link;
            error = Libc.ForEachEntry(folder, name =>
            {
                // The link is read, not followed, so that a file system that does not answer holds nobody up.
                ReadOnlySpan<byte> target = Libc.LinkText(folder, name, link);
                if (target.IsEmpty) isWhole &= HasGone(Marshal.GetLastPInvokeError());
                bool isMemfd = target.StartsWith(Memfd);
                if (!isMemfd && !target.StartsWith(Folder)) return;
                int failure = Libc.Status(folder, name, out FileStatus status);
                if (failure != 0) isWhole &= HasGone(failure);
                else if (status.IsRegularFile)
                    NoteFile(status.Identity, process, target[(isMemfd ? Memfd : Folder).Length..], "fd", name,
                        0, isMemfd);
            });
        }

        return isWhole && (error == 0 || HasGone(error));
    }

    /// <summary>Whether an error says that the process, or its descriptor, is no more. Any other one (no descriptor
    /// left, no memory) says that it was not seen.</summary>
    private static bool HasGone(int error) => error is Errno.ENOENT or Errno.ESRCH;

    private void Add<TKey>(Dictionary<TKey, UserList> users, TKey key, int process)
        where TKey : notnull
    {
        ref UserList? list = ref CollectionsMarshal.GetValueRefOrAddDefault(users, key, out _);
        list = (list ?? _noUsers).With(process);
    }

    /// <summary>The processes that have a file or a segment. Those with the same ones share one list, since a process
    /// may have thousands of files.</summary>
    private sealed class UserList
    {
        private UserList? _longer;

        /// <summary>The users but the last one; null for the empty list.</summary>
        public UserList? Before { get; private init; }

        /// <summary>The last one.</summary>
        public int Last { get; private init; }

        public int Count { get; private init; }

        /// <summary>What is told of them, once it was asked for.</summary>
        public IpcAttachment[]? Shown { get; set; }

        /// <summary>The list with one more. Processes come one after the other, so only the latest longer list can be
        /// asked for again.</summary>
        public UserList With(int process)
            => Count > 0 && Last == process ? this
                : _longer is { } known && known.Last == process ? known
                : _longer = new UserList { Before = this, Last = process, Count = Count + 1 };
    }
}
