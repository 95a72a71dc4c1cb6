using System.Globalization;

namespace NativeIpc.Peer;

internal sealed class SemaphoreCommands(SegmentCommands segments, TextWriter output)
{
    private readonly Dictionary<string, SystemSemaphore> _semaphores = [];

    public SystemSemaphore this[string name] => _semaphores[name];

    public void CloseAll()
    {
        foreach (SystemSemaphore semaphore in _semaphores.Values) semaphore.Dispose();
        _semaphores.Clear();
    }

    public string Run(Words words)
    {
        string verb = words.Next();
        if (verb == "remove") return $"ok {SegmentCommands.Text(SystemSemaphore.Remove(words.NextSemaphoreKey()))}";
        if (verb == "mend")
            return string.Create(CultureInfo.InvariantCulture,
                $"ok {SystemSemaphore.ReturnLostPermits(words.NextSemaphoreKey())}");
        string name = words.Next();
        switch (verb)
        {
            case "open":
                return Keep(name, SystemSemaphore.OpenExisting(words.NextSemaphoreKey(), Options(words)));
            case "create":
            case "createoropen":
            case "createorreset":
                NativeIpcKey key = words.NextSemaphoreKey();
                int count = words.NextInt();
                SystemSemaphoreOptions options = Options(words);
                return Keep(name, verb switch
                {
                    "create" => SystemSemaphore.CreateNew(key, count, options),
                    "createoropen" => SystemSemaphore.CreateOrOpen(key, count, options),
                    _ => SystemSemaphore.CreateOrReset(key, count, options),
                });
            case "acquire":
                int permits = words.NextIntOr(1);
                output.WriteLine("acquiring");
                for (int i = 0; i < permits; i++) _semaphores[name].Acquire();
                return "ok";
            case "tryacquire":
                int milliseconds = words.NextIntOr(0);
                if (milliseconds != 0) output.WriteLine("acquiring");
                bool taken = _semaphores[name].TryAcquire(TimeSpan.FromMilliseconds(milliseconds));
                return $"ok {SegmentCommands.Text(taken)}";
            case "release":
                _semaphores[name].Release(words.NextIntOr(1));
                return "ok";
            case "relay":
                SystemSemaphore to = _semaphores[words.Next()];
                int relays = words.NextInt();
                output.WriteLine("acquiring");
                for (int i = 0; i < relays; i++)
                {
                    _semaphores[name].Acquire();
                    to.Release();
                }

                return "ok";
            case "add":
                return Add(_semaphores[name], segments[words.Next()], words.NextLong(), words.NextInt());
            case "churn":
                output.WriteLine("acquiring");
                while (true)
                {
                    _semaphores[name].Acquire();
                    _semaphores[name].Release();
                }

            case "produce":
                return Produce(_semaphores[name], words.NextInt());
            case "value":
                return _semaphores[name].TryGetCurrentCount(out int value)
                    ? string.Create(CultureInfo.InvariantCulture, $"ok {value}") : "ok unknown";
            case "abandoned":
                return $"ok {SegmentCommands.Text(_semaphores[name].WasAbandoned)}";
            case "status":
                return SegmentCommands.Status(_semaphores[name].GetLockStatus());
            case "id":
                return $"ok {Internals.ObjectIdentity(_semaphores[name])}";
            case "close":
                if (!_semaphores.Remove(name, out SystemSemaphore? closing))
                    throw new KeyNotFoundException($"No semaphore {name}.");
                closing.Dispose();
                return "ok";
            default:
                throw new FormatException($"No such command: sem {verb}.");
        }
    }

    private string Keep(string name, SystemSemaphore semaphore)
    {
        if (!_semaphores.TryAdd(name, semaphore))
        {
            semaphore.Dispose();
            throw new InvalidOperationException($"There is a semaphore {name} already.");
        }

        return semaphore.CreatedNew ? "ok created" : "ok opened";
    }

    /// <summary>Read, add and write apart from each other, so that sums show it when two have the permit.</summary>
    private string Add(SystemSemaphore semaphore, SharedMemory segment, long offset, int times)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        output.WriteLine("acquiring");
        for (int i = 0; i < times; i++)
        {
            semaphore.Acquire();
            SegmentCommands.Increment(segment, offset, bytes);
            semaphore.Release();
        }

        return "ok";
    }

    private static string Produce(SystemSemaphore semaphore, int times)
    {
        int given = 0;
        try
        {
            while (given < times)
            {
                semaphore.Release();
                given++;
            }

            return "ok";
        }
        catch (NativeIpcException failure)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"error {failure.Error} {given} were given; {Words.OneLine(failure.Message)}");
        }
    }

    private SystemSemaphoreOptions Options(Words words)
    {
        var options = new SystemSemaphoreOptions();
        foreach ((string option, string value) in words.Options())
        {
            options = option switch
            {
                "keep" => options with { Removal = RemovalPolicy.Keep },
                "robust" => options with { Robust = true },
                "recorded" => options with { Recording = PermitRecording.Process },
                "creator" => options with { Removal = RemovalPolicy.Creator },
                "lastout" => options with { Removal = RemovalPolicy.LastOneOut },
                "reclaim" => options with { Reclaim = true },
                "others" => options with { AllowOtherOwners = true },
                "noexit" => options with { RemoveAtProcessExit = false },
                "undo" => options with
                {
                    Undo = value switch
                    {
                        "none" => SystemVUndoPolicy.None,
                        "acquire" => SystemVUndoPolicy.AcquireOnly,
                        "both" => SystemVUndoPolicy.Both,
                        _ => throw new FormatException($"No such undo policy: {value}."),
                    },
                },
                "mode" => options with { Mode = (UnixFileMode)Convert.ToInt32(value, 8) },
                "timeout" => options with { PeerTimeout =
                    TimeSpan.FromMilliseconds(int.Parse(value, CultureInfo.InvariantCulture)) },
                _ => throw new FormatException($"No such option: {option}."),
            };
            if (option == "timeout") output.WriteLine("opening");
        }

        return options;
    }
}
