using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Peer;

internal sealed class SegmentCommands(TextWriter output)
{
    private readonly Dictionary<string, SharedMemory> _segments = [];
    private readonly Dictionary<string, SharedMemoryLock> _scopes = [];

    public SharedMemory this[string name] => _segments[name];

    /// <summary>Keeps a scope until <c>unlock</c>.</summary>
    public void Keep(string name, SharedMemoryLock scope) => _scopes[name] = scope;

    public void CloseAll()
    {
        foreach (SharedMemory segment in _segments.Values) segment.Dispose();
        _segments.Clear();
        _scopes.Clear();
    }

    public string Run(Words words)
    {
        string verb = words.Next();
        if (verb == "remove") return $"ok {Text(SharedMemory.Remove(words.NextKey()))}";
        string name = words.Next();
        switch (verb)
        {
            case "create":
            case "createoropen":
                NativeIpcKey key = words.NextKey();
                long size = words.NextLong();
                SharedMemoryOptions options = Options(words);
                return Keep(name, verb == "create"
                    ? SharedMemory.CreateNew(key, size, options) : SharedMemory.CreateOrOpen(key, size, options));
            case "open":
                key = words.NextKey();
                SharedMemoryAccess access = words.Next() switch
                {
                    "rw" => SharedMemoryAccess.ReadWrite,
                    "ro" => SharedMemoryAccess.Read,
                    var other => throw new FormatException($"Neither rw nor ro: {other}."),
                };
                return Keep(name, SharedMemory.OpenExisting(key, access, Options(words)));
            case "size":
                return string.Create(CultureInfo.InvariantCulture, $"ok {_segments[name].Size}");
            case "id":
                return $"ok {Internals.ObjectIdentity(_segments[name])}";
            case "write":
                _segments[name].Write(words.NextLong(), Convert.FromHexString(words.Next()));
                return "ok";
            case "read":
                long offset = words.NextLong();
                byte[] bytes = new byte[words.NextInt()];
                _segments[name].Read(offset, bytes);
                return $"ok {Convert.ToHexStringLower(bytes)}";
            case "add":
                return Add(_segments[name], words.NextLong(), words.NextInt());
            case "lock":
                int milliseconds = words.NextIntOr(Timeout.Infinite);
                output.WriteLine("locking");
                if (!_segments[name].TryLock(TimeSpan.FromMilliseconds(milliseconds), out SharedMemoryLock taken))
                    return "error Timeout the lock was not free in time";
                _scopes[name] = taken;
                return taken.WasAbandoned ? "ok abandoned" : taken.WasReplaced ? "ok replaced" : "ok";
            case "status":
                return Status(_segments[name].GetLockStatus());
            case "trylock":
                bool free = _segments[name].TryLock(out taken);
                if (free) _scopes[name] = taken;
                return $"ok {Text(free)}";
            case "unlock":
                if (!_scopes.Remove(name, out SharedMemoryLock scope))
                    throw new InvalidOperationException("It is not locked.");
                bool replaced = scope.WasReplaced;
                scope.Dispose();
                return replaced ? "ok replaced" : "ok";
            case "waitword":
                return WaitOnWord(_segments[name], words);
            case "wakeword":
                return WakeWord(_segments[name], words);
            case "close":
                _scopes.Remove(name);
                if (!_segments.Remove(name, out SharedMemory? closing))
                    throw new KeyNotFoundException($"No segment {name}.");
                closing.Dispose();
                return "ok";
            default:
                throw new FormatException($"No such command: shm {verb}.");
        }
    }

    private string Keep(string name, SharedMemory segment)
    {
        if (!_segments.TryAdd(name, segment))
        {
            segment.Dispose();
            throw new InvalidOperationException($"There is a segment {name} already.");
        }

        return string.Create(CultureInfo.InvariantCulture,
            $"ok {segment.Size} {(segment.CreatedNew ? "created" : "opened")}");
    }

    private string WaitOnWord(SharedMemory segment, Words words)
    {
        if (!OperatingSystem.IsLinux()) return "error Unsupported only Linux has waits on a word";
        long offset = words.NextLong();
        uint expected = (uint)words.NextLong();
        TimeSpan timeout = TimeSpan.FromMilliseconds(words.NextIntOr(Timeout.Infinite));
        output.WriteLine("locking");
        return $"ok {segment.WaitOnWord(offset, expected, timeout)}";
    }

    private static string WakeWord(SharedMemory segment, Words words)
        => !OperatingSystem.IsLinux() ? "error Unsupported only Linux has waits on a word"
            : string.Create(CultureInfo.InvariantCulture, $"ok {segment.WakeWord(words.NextLong(), words.NextInt())}");

    private string Add(SharedMemory segment, long offset, int times)
    {
        // Read, add and write apart from each other, so that sums show it when two are inside the lock.
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        output.WriteLine("locking");
        for (int i = 0; i < times; i++)
        {
            using SharedMemoryLock scope = segment.Lock();
            Increment(segment, offset, bytes);
        }

        return "ok";
    }

    /// <summary>Adds 1 to a number in three steps, with room for it.</summary>
    internal static void Increment(SharedMemory segment, long offset, Span<byte> bytes)
    {
        segment.Read(offset, bytes);
        MemoryMarshal.Write(bytes, MemoryMarshal.Read<uint>(bytes) + 1);
        segment.Write(offset, bytes);
    }

    private SharedMemoryOptions Options(Words words)
    {
        var options = new SharedMemoryOptions();
        foreach ((string option, string value) in words.Options())
        {
            options = option switch
            {
                "keep" => options with { Removal = RemovalPolicy.Keep },
                "creator" => options with { Removal = RemovalPolicy.Creator },
                "lastout" => options with { Removal = RemovalPolicy.LastOneOut },
                "reclaim" => options with { Reclaim = true },
                "others" => options with { AllowOtherOwners = true },
                "noexit" => options with { RemoveAtProcessExit = false },
                "nolock" => options with { UseLock = false },
                "smaller" => options with { AllowSmaller = true },
                "sparse" => options with { Allocation = SharedMemoryAllocation.Sparse },
                "populate" => options with { Allocation = SharedMemoryAllocation.Populate },
                "mode" => options with { Mode = (UnixFileMode)Convert.ToInt32(value, 8) },
                "timeout" => options with { PeerTimeout =
                    TimeSpan.FromMilliseconds(int.Parse(value, CultureInfo.InvariantCulture)) },
                _ => throw new FormatException($"No such option: {option}."),
            };
            if (option == "timeout") output.WriteLine("opening");
        }

        return options;
    }

    internal static string Status(LockStatus status)
        => string.Create(CultureInfo.InvariantCulture,
            $"ok {status.Holder} {(status.ProcessId is { } id ? id : "-")} {Text(status.IsRecoverable)}");

    internal static string Text(bool value) => value ? "true" : "false";
}
