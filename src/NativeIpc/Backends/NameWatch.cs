using System.Runtime.InteropServices;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends;

/// <summary>
/// Watches, with one inotify(7) instance and one thread for the whole process, whether names still lead to the files they led to. Linux
/// only; asking costs a read of memory.
/// </summary>
/// <remarks>
/// The first few who ask are answered by a look at the name; then the watch begins. Interleavings. (1) The name changes before the watch stands: the comparison after adding it sees that. (2) inotify watches an inode
/// and gives one number for it, however many instances watch it: all of them are kept under the number. (3) A watch ends while its event
/// is under way: the event finds no one and is dropped; a number is used again only after it ran over 2^31. (4) The queue overflows:
/// every name is compared again. (5) The kernel tells of a removal a moment before it takes the name away, and of nothing after that while the file is open somewhere: so a
/// file that has lost its last link counts as gone, although its name still leads to it. The gate guards the table; the thread never holds it while reading.
/// </remarks>
internal sealed class NameWatch : INameWatch
{
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<int, List<NameWatch>> s_watches = [];
    private static UnixDescriptor? s_inotify;
    private static bool s_unavailable;

    private readonly string _path;
    private readonly FileIdentity _identity;
    // Who asks a few times only, as one who opens a lock, takes it once and goes, is better served by looking than by a watch, which costs as much as all of that.
    private const int LooksBeforeWatching = 8;

    private int _number;
    private int _looks;
    private bool _isDisposed;
    private volatile bool _isTold;
    private volatile bool _hasChanged;

    private NameWatch(string path, FileIdentity identity)
    {
        _path = path;
        _identity = identity;
    }

    public bool HasChanged
    {
        get
        {
            if (!_isTold && !_hasChanged) Look();
            return _hasChanged;
        }
    }

    public bool IsTold => _isTold;

    /// <summary>Watches a name that leads to a file; null where the system cannot.</summary>
    public static NameWatch? TryWatch(string path, FileIdentity identity) => OperatingSystem.IsLinux() && !s_unavailable ? new NameWatch(path, identity) : null;

    private void Look()
    {
        if (Interlocked.Increment(ref _looks) > LooksBeforeWatching)
        {
            lock (s_gate)
            {
                if (!_isTold && !_isDisposed) Begin();
            }
        }

        Compare();
    }

    private void Begin()
    {
        _isTold = true; // or nobody can tell, and asking again would not help
        if (!EnsureStarted()) return;
        _number = Libc.inotify_add_watch(s_inotify!, _path, Flags.IN_ATTRIB | Flags.IN_DELETE_SELF | Flags.IN_MOVE_SELF);
        if (_number == -1)
        {
            int number = Marshal.GetLastPInvokeError();
            if (number != Errno.ENOENT) Report($"cannot watch {_path}: inotify_add_watch says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}); a replaced lock will go unnoticed");
        }
        else if (s_watches.TryGetValue(_number, out List<NameWatch>? others))
        {
            others.Add(this);
        }
        else
        {
            s_watches.Add(_number, [this]);
        }
    }

    private void Compare()
    {
        if (_hasChanged || (Libc.Status(_path, followLink: true, out FileStatus now) == 0 && now.Identity == _identity && now.Links > 0)) return;
        _hasChanged = true;
        Interlocked.Increment(ref NameChanges.s_count); // after what it tells of
    }

    public void Dispose()
    {
        lock (s_gate)
        {
            _isDisposed = true;
            if (!s_watches.TryGetValue(_number, out List<NameWatch>? watches) || !watches.Remove(this) || watches.Count > 0) return;
            s_watches.Remove(_number);
            // Fails only when the inode is gone and the kernel has dropped the watch by itself.
            _ = Libc.inotify_rm_watch(s_inotify!, _number);
        }
    }

    private static bool EnsureStarted()
    {
        if (s_inotify is not null) return true;
        if (s_unavailable) return false;
        var inotify = new UnixDescriptor(Libc.inotify_init1(Flags.IN_CLOEXEC));
        if (inotify.IsInvalid)
        {
            int number = Marshal.GetLastPInvokeError();
            s_unavailable = number == Errno.ENOSYS; // anything else may pass
            Report($"inotify_init1 says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}); a replaced lock will go unnoticed (see fs.inotify.max_user_instances)");
            return false;
        }

        s_inotify = inotify;
        new Thread(Read, 128 * 1024) { IsBackground = true, Name = "NativeIpc name watch" }.Start();
        return true;
    }

    private static unsafe void Read()
    {
        const int headerSize = 16; // struct inotify_event: wd, mask, cookie, len, and then len bytes of name
        byte* buffer = stackalloc byte[4096];
        while (true)
        {
            nint read = Libc.read(s_inotify!, buffer, 4096);
            if (read < 0)
            {
                int number = Marshal.GetLastPInvokeError();
                if (number == Errno.EINTR) continue;
                Report($"reading inotify says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}); a replaced lock will go unnoticed");
                return;
            }

            for (nint at = 0; at + headerSize <= read; at += headerSize + (nint)(*(uint*)(buffer + at + 12)))
            {
                int watch = *(int*)(buffer + at);
                uint mask = *(uint*)(buffer + at + 4);
                foreach (NameWatch affected in Affected(watch, mask)) affected.Compare();
            }
        }
    }

    private static List<NameWatch> Affected(int watch, uint mask)
    {
        lock (s_gate)
        {
            // Without LINQ, which a spread would use: its assembly cannot be loaded when no descriptor is left, and that would end the process.
            var affected = new List<NameWatch>();
            if ((mask & Flags.IN_Q_OVERFLOW) != 0)
            {
                foreach (List<NameWatch> all in s_watches.Values) affected.AddRange(all);
            }
            else if (s_watches.TryGetValue(watch, out List<NameWatch>? watches))
            {
                affected.AddRange(watches);
            }

            return affected;
        }
    }

    private static void Report(string message) => NativeIpcEventSource.s_log.NotWatched(message);
}

/// <summary>How many changes of any name were seen: as long as it stays, no answer of a watch becomes another one.</summary>
internal static class NameChanges
{
#pragma warning disable CA2211 // Read in every lock, so it stands alone: a class that is initialised at its first use would be asked each time whether it is.
    internal static int s_count;
#pragma warning restore CA2211
}
