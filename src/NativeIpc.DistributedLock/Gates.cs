namespace NativeIpc.DistributedLock;

/// <summary>The gates that this process has open: those in use, and the last ones that were.</summary>
/// <remarks>Locks and semaphores of DistributedLock have no Dispose, and their names can be many; so what nobody uses
/// is closed when enough others were used since.</remarks>
internal static class Gates
{
    /// <summary>How many gates that nobody uses stay open.</summary>
    internal const int MostIdle = 64;

    private static readonly Lock s_lock = new();
    private static readonly Dictionary<Name, Entry> s_open = [];
    private static readonly LinkedList<Entry> s_idle = new(); // the one that was used last comes last

    /// <summary>What a gate is found by. One with another maximum has an entry of its own, which does not open while
    /// the machine has agreed on this one's; what this process has open may be removed since.</summary>
    private readonly record struct Name(NativeIpcKey Key, NativeIpcDistributedLockOptions Options, int MaxCount)
    {
        public Name(GateSpec spec)
            : this(spec.Key, spec.Options, spec.MaxCount)
        {
        }
    }

    /// <summary>A name's gate, opened by the first caller that needs it.</summary>
    internal sealed class Entry(GateSpec spec)
    {
        private readonly Lock _opening = new();
        private Gate? _gate;

        public GateSpec Spec => spec;

        /// <summary>Handles and waits. Under the lock of all.</summary>
        public int Users { get; set; }

        /// <summary>Its place among those that nobody uses. Under the lock of all.</summary>
        public LinkedListNode<Entry>? Idle { get; set; }

        public Gate? Opened => Volatile.Read(ref _gate);

        public Gate? TryOpen()
        {
            if (Opened is { } gate) return gate;
            lock (_opening)
            {
                if (_gate is null) Volatile.Write(ref _gate, Gate.TryOpen(spec));
                return _gate;
            }
        }
    }

    /// <summary>How many objects this process has open, used or not.</summary>
    internal static int Count
    {
        get
        {
            lock (s_lock) return s_open.Count;
        }
    }

    /// <summary>The gate of a name, opened if it is not; open until the lease is returned. Null while others agree on
    /// the maximum of a semaphore: then it is for the caller to come again.</summary>
    /// <exception cref="InvalidOperationException">The name is used with another maximum.</exception>
    /// <exception cref="NativeIpcException">It cannot be opened or made.</exception>
    /// <exception cref="PlatformNotSupportedException">It would not be crash-safe here.</exception>
    public static Lease? TryRent(GateSpec spec)
    {
        var name = new Name(spec);
        Entry? entry;
        lock (s_lock)
        {
            if (!s_open.TryGetValue(name, out entry)) s_open.Add(name, entry = new Entry(spec));
            entry.Users++;
            if (entry.Idle is { } idle)
            {
                s_idle.Remove(idle);
                entry.Idle = null;
            }
        }

        Gate? gate = null;
        try
        {
            gate = entry.TryOpen();
            return gate is null ? null : new Lease(entry, gate);
        }
        finally
        {
            if (gate is null) Return(entry, isGone: true);
        }
    }

    private static void Return(Entry entry, bool isGone)
    {
        Entry? closed = null;
        lock (s_lock)
        {
            var name = new Name(entry.Spec);
            if (isGone && s_open.TryGetValue(name, out Entry? named) && named == entry) s_open.Remove(name);
            bool isNamed = s_open.TryGetValue(name, out named) && named == entry;
            if (--entry.Users > 0) return;
            if (!isNamed) closed = entry;
            else entry.Idle = s_idle.AddLast(entry);
            if (s_idle.Count > MostIdle)
            {
                closed = s_idle.First!.Value;
                s_idle.RemoveFirst();
                closed.Idle = null;
                s_open.Remove(new Name(closed.Spec));
            }
        }

        closed?.Opened?.Dispose();
    }

    /// <summary>Closes the gates of a key that nobody uses here; one in use goes when its last user has.</summary>
    public static void Forget(NativeIpcKey key)
    {
        List<Entry> closed = [];
        lock (s_lock)
        {
            foreach (Entry entry in s_open.Values.Where(entry => entry.Spec.Key == key).ToArray())
            {
                s_open.Remove(new Name(entry.Spec));
                if (entry.Idle is not { } idle) continue;
                s_idle.Remove(idle);
                entry.Idle = null;
                closed.Add(entry);
            }
        }

        foreach (Entry entry in closed) entry.Opened?.Dispose();
    }

    /// <summary>The use of a gate; given back once, by whoever has it.</summary>
    internal readonly struct Lease
    {
        private readonly Entry _entry;

        internal Lease(Entry entry, Gate gate)
        {
            _entry = entry;
            Gate = gate;
        }

        public Gate Gate { get; }

        /// <summary>Ends the use.</summary>
        /// <param name="isGone">Whether newcomers must not get this gate any more.</param>
        public void Return(bool isGone = false) => Gates.Return(_entry, isGone);
    }
}
