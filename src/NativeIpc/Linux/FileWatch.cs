using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Linux;

/// <summary>Hears of what is done to a file, or that events were lost. Called by the watching thread, outside of its
/// gate.</summary>
internal interface IFileListener
{
    void FileChanged();

    /// <summary>Somebody has closed the file, and perhaps died: the last mapping of one who had opened it for writing
    /// is gone.</summary>
    void FileClosed()
    {
    }
}

/// <summary>One inotify(7) instance and one thread for the whole process: tells of changes of files, and does what is
/// due at a time. Linux only.</summary>
/// <remarks>
/// Interleavings. (1) inotify watches an inode and gives one number for it, however many ask: all of them are kept
/// under the number, with one mask. (2) A watch ends while its event is under way: the event finds no one and is
/// dropped; a number is used again only after it ran over 2^31. (3) The queue overflows: everybody hears. (4) A
/// listener goes while its event is told: it hears once more, and must bear that. (5) The thread ends, since this
/// library is unloaded and nobody listens, while it is poked: pokes are counted under the gate. The gate guards the
/// table; the thread never holds it while it reads or tells.
/// </remarks>
internal static unsafe class FileWatch
{
    private const int Mask = Flags.IN_ATTRIB | Flags.IN_DELETE_SELF | Flags.IN_MOVE_SELF;
    private const int MostEvents = 2;

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<int, List<IFileListener>> s_listeners = [];
    private static readonly HashSet<IFileListener> s_hearClosing = [];
    private static UnixDescriptor? s_inotify;
    private static UnixDescriptor? s_poke;
    private static int s_epoll = -1;
    private static bool s_unavailable;
    private static bool s_isRunning;
    private static long s_pokes;

    /// <summary>What the thread does each time before it sleeps; the answer says for how long, in milliseconds, -1 for
    /// as long as nobody pokes it.</summary>
    private static Func<int>? s_chores;

    /// <summary>Whether the system can watch at all.</summary>
    public static bool IsOffered => OperatingSystem.IsLinux() && !s_unavailable;

    /// <summary>Begins to listen.</summary>
    /// <param name="path">A path to the file.</param>
    /// <param name="listener">Who hears.</param>
    /// <param name="missed">What goes unnoticed if it fails, for the report.</param>
    /// <returns>The number to end it by; -1 when that failed, which is reported unless there is no file.</returns>
    public static int Add(string path, IFileListener listener, string missed)
    {
        lock (s_gate)
        {
            if (!EnsureStarted(missed)) return -1;
            if (s_inotify is null)
            {
                var inotify = new UnixDescriptor(Libc.inotify_init1(Flags.IN_CLOEXEC));
                if (inotify.IsInvalid || !TryHear(inotify))
                {
                    int number = Marshal.GetLastPInvokeError();
                    s_unavailable = number == Errno.ENOSYS; // anything else may pass
                    inotify.Dispose();
                    Report("inotify_init1", number, missed + " (see fs.inotify.max_user_instances)");
                    return -1;
                }

                s_inotify = inotify;
            }

            int watch = Libc.inotify_add_watch(s_inotify, path, Mask | Flags.IN_MASK_ADD); // others may hear more
            if (watch == -1)
            {
                int number = Marshal.GetLastPInvokeError();
                if (number != Errno.ENOENT)
                    Report($"inotify_add_watch for {path}", number, missed + " (see fs.inotify.max_user_watches)");
            }
            else if (s_listeners.TryGetValue(watch, out List<IFileListener>? others))
            {
                others.Add(listener);
            }
            else
            {
                s_listeners.Add(watch, [listener]);
            }

            return watch;
        }
    }

    /// <summary>Begins or ends to tell a listener that somebody closes the file, of all that others do.</summary>
    /// <param name="watch">The number of its watch.</param>
    /// <param name="path">A path to the file.</param>
    /// <param name="listener">Who hears.</param>
    /// <param name="hears">Whether it hears from now on.</param>
    public static void HearClosing(int watch, string path, IFileListener listener, bool hears)
    {
        lock (s_gate)
        {
            // One that is closing is not there any more.
            if (!s_listeners.TryGetValue(watch, out List<IFileListener>? listeners)) return;
            if (!listeners.Contains(listener)) return;
            if (!hears) s_hearClosing.Remove(listener); // and the kernel is told even if it was not there: see Remove
            else if (!s_hearClosing.Add(listener)) return;
            foreach (IFileListener other in listeners)
            {
                if (other != listener && s_hearClosing.Contains(other)) return;
            }

            // Fails only for want of kernel memory, or when the file cannot be reached any more: then it is asked
            // without a hint, later.
            _ = Libc.inotify_add_watch(s_inotify!, path, hears ? (uint)(Mask | Flags.IN_CLOSE_WRITE) : Mask);
        }
    }

    /// <summary>Ends what <see cref="Add"/> began.</summary>
    public static void Remove(int watch, IFileListener listener)
    {
        lock (s_gate)
        {
            s_hearClosing.Remove(listener); // the kernel goes on telling; the next one that is told in vain ends it
            if (!s_listeners.TryGetValue(watch, out List<IFileListener>? listeners) || !listeners.Remove(listener)
                || listeners.Count > 0)
                return;
            s_listeners.Remove(watch);
            // Fails only when the inode is gone and the kernel has dropped the watch by itself.
            _ = Libc.inotify_rm_watch(s_inotify!, watch);
            if (s_listeners.Count == 0 && Unloading.HasBegun) Poke();
        }
    }

    /// <summary>Has the thread do its chores soon. False, which is reported, when there is no thread to be
    /// had.</summary>
    public static bool Poke(Func<int> chores, string missed)
    {
        lock (s_gate)
        {
            Volatile.Write(ref s_chores, chores);
            if (!EnsureStarted(missed)) return false;
            Poke();
            return true;
        }
    }

    private static void Poke()
    {
        ulong one = 1;
        s_pokes++;
        _ = Libc.write(s_poke!, (byte*)&one, sizeof(ulong)); // fails only when it is poked already 2^64 times
    }

    private static bool EnsureStarted(string missed)
    {
        if (s_isRunning) return true;
        if (s_unavailable) return false;
        Unloading.AtBegin(HurryUp);
        if (s_epoll < 0) s_epoll = Libc.epoll_create1(Flags.EPOLL_CLOEXEC);
        if (s_poke is null)
        {
            var poke = new UnixDescriptor(s_epoll < 0 ? -1 : Libc.eventfd(0, Flags.EFD_CLOEXEC));
            if (poke.IsInvalid || !TryHear(poke))
            {
                int number = Marshal.GetLastPInvokeError();
                poke.Dispose();
                Report("eventfd", number, missed);
                return false;
            }

            s_poke = poke;
        }

        if (BackgroundThread.TryStart(Run, 128 * 1024, "NativeIpc file watch") is not null) return s_isRunning = true;
        Report("a thread", Errno.EAGAIN, missed); // of that the next one may have more
        return false;
    }

    private static bool TryHear(UnixDescriptor descriptor)
    {
        byte* wanted = stackalloc byte[Layout.SizeOfEpollEvent];
        new Span<byte>(wanted, Layout.SizeOfEpollEvent).Clear();
        *(int*)wanted = Flags.EPOLLIN;
        *(long*)(wanted + Layout.EpollData) = (int)descriptor.DangerousGetHandle();
        return Libc.epoll_ctl(s_epoll, Flags.EPOLL_CTL_ADD, (int)descriptor.DangerousGetHandle(), wanted) == 0;
    }

    private static void Run()
    {
        byte* events = stackalloc byte[MostEvents * Layout.SizeOfEpollEvent];
        while (true)
        {
            long pokes = Volatile.Read(ref s_pokes);
            int milliseconds = Volatile.Read(ref s_chores)?.Invoke() ?? -1;
            if (milliseconds < 0 && Unloading.HasBegun && TryEnd(pokes)) return;
            int count = Libc.epoll_wait(s_epoll, events, MostEvents, milliseconds);
            for (int i = 0; i < count; i++)
            {
                if (*(long*)(events + (i * Layout.SizeOfEpollEvent) + Layout.EpollData) == s_poke!.DangerousGetHandle())
                    Drain();
                else Read();
            }
        }
    }

    private static void HurryUp()
    {
        lock (s_gate)
        {
            if (s_isRunning) Poke();
        }
    }

    private static bool TryEnd(long pokes)
    {
        lock (s_gate)
        {
            if (s_listeners.Count > 0 || s_pokes != pokes) return false;
            s_hearClosing.Clear();
            s_inotify?.Dispose();
            s_poke!.Dispose();
            _ = Libc.close_number(s_epoll);
            (s_inotify, s_poke, s_epoll, s_isRunning) = (null, null, -1, false);
            return true;
        }
    }

    private static void Drain()
    {
        ulong poked;
        _ = Libc.read(s_poke!, (byte*)&poked, sizeof(ulong));
    }

    private static void Read()
    {
        const int headerSize = 16; // struct inotify_event: wd, mask, cookie, len, and then len bytes of name
        byte* buffer = stackalloc byte[4096];
        nint read = Libc.read(s_inotify!, buffer, 4096);
        if (read < 0)
        {
            int number = Marshal.GetLastPInvokeError();
            if (number != Errno.EINTR) Report("reading inotify", number, "a replaced lock may go unnoticed");
            return;
        }

        for (nint at = 0; at + headerSize <= read; at += headerSize + (nint)(*(uint*)(buffer + at + 12)))
        {
            uint mask = *(uint*)(buffer + at + 4);
            foreach (IFileListener listener in Affected(*(int*)(buffer + at), mask))
            {
                if (mask == Flags.IN_CLOSE_WRITE) listener.FileClosed();
                else listener.FileChanged();
            }
        }
    }

    private static List<IFileListener> Affected(int watch, uint mask)
    {
        lock (s_gate)
        {
            // Without LINQ, which a spread would use: its assembly cannot be loaded when no descriptor is left, and
            // that would end the process.
            var affected = new List<IFileListener>();
            if ((mask & Flags.IN_Q_OVERFLOW) != 0)
            {
                foreach (List<IFileListener> all in s_listeners.Values) affected.AddRange(all);
            }
            else if (s_listeners.TryGetValue(watch, out List<IFileListener>? listeners))
            {
                affected.AddRange(listeners);
            }

            return affected;
        }
    }

    private static void Report(string call, int number, string missed)
        => NativeIpcEventSource.s_log.NotWatched(
            $"{call} says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}); {missed}");
}
