namespace NativeIpc.NamedObjects;

/// <summary>The mutexes that this process has open, by name.</summary>
/// <remarks>Each name has a gate of its own: opening and closing may have to wait for a peer, and nobody waits for that
/// of another name. A mutex whose instances were dropped and not disposed is collected.</remarks>
internal static class MutexTable
{
    private static readonly Dictionary<NativeIpcKey, Entry> s_entries = [];

    private sealed class Entry
    {
        public WeakReference<MutexObject>? Mutex { get; set; }

        /// <summary>How many are at the gate or inside. Under the lock of the table.</summary>
        public int Visitors { get; set; }

        public MutexObject? Open => Mutex is { } known && known.TryGetTarget(out MutexObject? open) ? open : null;
    }

    /// <summary>The mutex of a name: the one that is open here, or what <paramref name="open"/> gives.</summary>
    public static MutexObject? Use(in ObjectName name, Func<ObjectName, MutexObject?> open)
    {
        Entry entry = Visit(name.Key);
        try
        {
            lock (entry)
            {
                if (entry.Open is { WasReplaced: false } known)
                {
                    known.Users++;
                    return known;
                }

                MutexObject? opened = open(name);
                if (opened is not null) entry.Mutex = new(opened);
                return opened;
            }
        }
        finally
        {
            Leave(name.Key, entry);
        }
    }

    /// <summary>Ends a use of it.</summary>
    public static void Release(MutexObject mutex)
    {
        NativeIpcKey key = mutex.Key;
        Entry entry = Visit(key);
        try
        {
            lock (entry)
            {
                if (--mutex.Users > 0) return;
                mutex.Close();
                if (ReferenceEquals(entry.Open, mutex)) entry.Mutex = null;
            }
        }
        finally
        {
            Leave(key, entry);
        }
    }

    /// <summary>Those that are open.</summary>
    public static List<MutexObject> All()
    {
        var all = new List<MutexObject>();
        lock (s_entries)
        {
            foreach (Entry entry in s_entries.Values)
            {
                if (entry.Open is { } open) all.Add(open);
            }
        }

        return all;
    }

    private static Entry Visit(in NativeIpcKey key)
    {
        lock (s_entries)
        {
            if (!s_entries.TryGetValue(key, out Entry? entry)) s_entries.Add(key, entry = new Entry());
            entry.Visitors++;
            return entry;
        }
    }

    private static void Leave(in NativeIpcKey key, Entry entry)
    {
        lock (s_entries)
        {
            if (--entry.Visitors == 0 && entry.Open is null) s_entries.Remove(key);
        }
    }
}
