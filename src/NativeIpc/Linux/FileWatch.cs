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

/// <summary>One inotify(7) instance for the whole process: tells of changes of files, on the thread of
/// <see cref="Reactor"/>. Linux only.</summary>
/// <remarks>The gate guards the tables. It is never held while the kernel looks a path up, which may be on a network
/// that does not answer: the thread of <see cref="Reactor"/> takes it, too. That of <see cref="Reactor"/> is taken
/// inside of it.</remarks>
internal static unsafe class FileWatch
{
    private const int Mask = Flags.IN_ATTRIB | Flags.IN_DELETE_SELF | Flags.IN_MOVE_SELF;
    private static readonly Lock s_gate = new();

    /// <summary>Who listens. Apart, so that a process without a watch does not load their types: a lock is watched a
    /// while after it was opened.</summary>
    private static class Tables
    {
        public static readonly Dictionary<int, List<IFileListener>> s_listeners = [];
        public static readonly HashSet<IFileListener> s_hearClosing = [];
    }

    private static UnixDescriptor? s_inotify;
    private static bool s_unavailable;

    // Under the gate: how many calls are in the kernel to begin a watch, and the watches that ended meanwhile.
    private static int s_beginning;
    private static readonly List<int> s_ended = []; // a set of numbers is one that the JIT compiles in each process

    // Listeners, and calls that are about to become one.
    private static int s_needs;

    /// <summary>What is due each time before the thread sleeps; see <see cref="Reactor.Part"/>.</summary>
    private static Func<int>? s_chores;

    private static bool s_hasChores;
    private static readonly Action s_read = Read;
    private static readonly Reactor.Part s_part = new(DoChores,
        static () => Volatile.Read(ref s_needs) > 0 || s_hasChores, CloseInotify);

    /// <summary>How the kernel is asked to look a path up and to watch the file, in tests, which stop in it.</summary>
    internal static Func<UnixDescriptor, string, uint, int>? LookUp { get; set; }

    /// <summary>Begins to listen. What is done to the file before this returns may not be heard.</summary>
    /// <param name="path">A path to the file.</param>
    /// <param name="listener">The listener.</param>
    /// <param name="missed">What goes unnoticed if it fails, for the report.</param>
    /// <returns>The number to end it by; -1 when that failed, which is reported unless there is no file.</returns>
    public static int Add(string path, IFileListener listener, string missed)
    {
        using var reports = HeldReports.Begin();

        // R1 Race: the thread ends. Safe because: it looks at this number, under the gate with which it is started.
        Interlocked.Increment(ref s_needs);
        int watch = TryAdd(path, listener, missed);
        if (watch == -1) Interlocked.Decrement(ref s_needs);
        return watch;
    }

    private static int TryAdd(string path, IFileListener listener, string missed)
    {
        lock (s_gate)
        {
            if (!EnsureStarted(missed, out int noDescriptors)) return -1;
            if (noDescriptors != 0) Report("eventfd", noDescriptors, missed);
            if (noDescriptors != 0 || !EnsureInotify(missed)) return -1;
            s_beginning++;
        }

        while (true)
        {
            const uint wanted = Mask | Flags.IN_MASK_ADD; // others may hear more
            int watch = LookUp?.Invoke(s_inotify!, path, wanted) ?? Libc.inotify_add_watch(s_inotify!, path, wanted);
            int number = watch == -1 ? Marshal.GetLastPInvokeError() : 0;
            lock (s_gate)
            {
                // R3 Race: the last other listener of this inode goes meanwhile, and the watch ends with it. Safe
                // because: it is begun anew, under another number, since the kernel gives none twice.
                if (s_ended.Contains(watch)) continue;
                if (--s_beginning == 0) s_ended.Clear();
                if (watch != -1) Join(watch, listener);
            }

            if (number is not (0 or Errno.ENOENT))
                Report($"inotify_add_watch for {path}", number, missed + " (see fs.inotify.max_user_watches)");
            return watch;
        }
    }

    private static void Join(int watch, IFileListener listener)
    {
        // inotify has one number for an inode, however many ask
        if (Tables.s_listeners.TryGetValue(watch, out List<IFileListener>? others)) others.Add(listener);
        else Tables.s_listeners.Add(watch, [listener]);
    }

    private static bool EnsureInotify(string missed)
    {
        if (s_inotify is not null) return true;
        if (s_unavailable) return false; // as was reported
        int descriptor = Libc.inotify_init1(Flags.IN_CLOEXEC);
        int number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number != 0)
        {
            s_unavailable = number == Errno.ENOSYS; // anything else may pass
            Report("inotify_init1", number, missed + " (see fs.inotify.max_user_instances)");
            return false;
        }

        var inotify = new UnixDescriptor(descriptor);
        lock (Reactor.s_gate)
        {
            if (Reactor.TryHear(descriptor, s_read) != 0)
            {
                s_inotify = inotify;
                return true;
            }

            number = Marshal.GetLastPInvokeError();
        }

        inotify.Dispose();
        Report("epoll_ctl", number, missed);
        return false;
    }

    /// <summary>Begins or ends to tell a listener that somebody closes the file, of all that others do.</summary>
    /// <param name="watch">The number of its watch.</param>
    /// <param name="path">A path to the file that the kernel does not have to look for: that of a descriptor. The
    /// order of such calls counts, so the gate is held.</param>
    /// <param name="listener">The listener.</param>
    /// <param name="hears">Whether it hears from now on.</param>
    public static void HearClosing(int watch, string path, IFileListener listener, bool hears)
    {
        lock (s_gate)
        {
            // One that is closing is not there any more.
            if (!Tables.s_listeners.TryGetValue(watch, out List<IFileListener>? listeners)) return;
            if (!listeners.Contains(listener)) return;
            // And in the kernel, even if it was not there: see Remove.
            if (!hears) Tables.s_hearClosing.Remove(listener);
            else if (!Tables.s_hearClosing.Add(listener)) return;
            foreach (IFileListener other in listeners)
            {
                if (other != listener && Tables.s_hearClosing.Contains(other)) return;
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
            // The kernel goes on telling; the next listener that hears in vain ends it.
            Tables.s_hearClosing.Remove(listener);
            if (!Tables.s_listeners.TryGetValue(watch, out List<IFileListener>? listeners)
                || !listeners.Remove(listener))
                return;
            if (listeners.Count == 0)
            {
                Tables.s_listeners.Remove(watch);
                if (s_beginning > 0) s_ended.Add(watch);
                // Fails only when the inode is gone and the kernel has dropped the watch by itself.
                _ = Libc.inotify_rm_watch(s_inotify!, watch);
            }

            // At last: then the thread may end, which closes inotify.
            if (Interlocked.Decrement(ref s_needs) == 0 && Unloading.HasBegun) Reactor.Poke();
        }
    }

    /// <summary>Has the thread do its chores soon. False, which is reported, when there is no thread to be
    /// had.</summary>
    public static bool Poke(Func<int> chores, string missed)
    {
        Volatile.Write(ref s_chores, chores);
        using var reports = HeldReports.Begin();
        lock (Reactor.s_gate) // so that the thread does not end between
        {
            if (!EnsureStarted(missed, out _)) return false;
            Reactor.Poke();
            return true;
        }
    }

    private static bool EnsureStarted(string missed, out int noDescriptors)
    {
        lock (Reactor.s_gate)
        {
            bool isRunning = Reactor.TryStart(s_part, out noDescriptors);
            if (!isRunning) Report("a thread", Errno.EAGAIN, missed); // of that the next one may have more
            return isRunning;
        }
    }

    private static int DoChores()
    {
        int milliseconds = Volatile.Read(ref s_chores)?.Invoke() ?? -1;
        s_hasChores = milliseconds >= 0;
        return milliseconds;
    }

    private static void CloseInotify()
    {
        s_inotify?.Dispose();
        s_inotify = null;
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
            // R2 Race: a listener goes meanwhile. Safe because: it hears once more, and bears that.
            foreach (IFileListener listener in Affected(*(int*)(buffer + at), mask))
            {
                if (mask == Flags.IN_CLOSE_WRITE) listener.FileClosed();
                else listener.FileChanged();
            }
        }
    }

    // A watch that has ended has nobody; its number is used again only after it ran over 2^31. When the queue
    // overflows, everybody hears.
    private static List<IFileListener> Affected(int watch, uint mask)
    {
        lock (s_gate)
        {
            // Without LINQ, which a spread would use: its assembly cannot be loaded when no descriptor is left, and
            // that would end the process.
            var affected = new List<IFileListener>();
            if ((mask & Flags.IN_Q_OVERFLOW) != 0)
            {
                foreach (List<IFileListener> all in Tables.s_listeners.Values) affected.AddRange(all);
            }
            else if (Tables.s_listeners.TryGetValue(watch, out List<IFileListener>? listeners))
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
