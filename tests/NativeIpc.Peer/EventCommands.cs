using System.Globalization;

namespace NativeIpc.Peer;

internal sealed class EventCommands(TextWriter output)
{
    private readonly Dictionary<string, SystemEvent> _events = [];

    public SystemEvent this[string name] => _events[name];

    public void CloseAll()
    {
        foreach (SystemEvent opened in _events.Values) opened.Dispose();
        _events.Clear();
    }

    public string Run(Words words)
    {
        string verb = words.Next();
        if (verb == "remove") return $"ok {SegmentCommands.Text(SystemEvent.Remove(words.NextKey()))}";
        string name = words.Next();
        switch (verb)
        {
            case "open":
                return Keep(name, SystemEvent.OpenExisting(words.NextKey(), Options(words)));
            case "create":
            case "createoropen":
            case "createorreset":
                NativeIpcKey key = words.NextKey();
                EventResetMode mode = words.Next() switch
                {
                    "auto" => EventResetMode.AutoReset,
                    "manual" => EventResetMode.ManualReset,
                    string other => throw new FormatException($"No such mode: {other}."),
                };
                bool isSet = words.NextInt() != 0;
                SystemEventOptions options = Options(words);
                return Keep(name, verb switch
                {
                    "create" => SystemEvent.CreateNew(key, mode, isSet, options),
                    "createoropen" => SystemEvent.CreateOrOpen(key, mode, isSet, options),
                    _ => SystemEvent.CreateOrReset(key, mode, isSet, options),
                });
            case "wait":
                int times = words.NextIntOr(1);
                output.WriteLine("waiting");
                for (int i = 0; i < times; i++) _events[name].Wait();
                return "ok";
            case "await":
                output.WriteLine("waiting");
                _events[name].WaitAsync().AsTask().GetAwaiter().GetResult();
                return "ok";
            case "trywait":
                int milliseconds = words.NextIntOr(0);
                if (milliseconds != 0) output.WriteLine("waiting");
                return $"ok {SegmentCommands.Text(_events[name].Wait(TimeSpan.FromMilliseconds(milliseconds)))}";
            case "set":
                for (int left = words.NextIntOr(1); left > 0; left--) _events[name].Set();
                return "ok";
            case "reset":
                _events[name].Reset();
                return "ok";
            case "pulse":
                for (int left = words.NextIntOr(1); left > 0; left--)
                {
                    _events[name].Set();
                    _events[name].Reset();
                }

                return "ok";
            case "relay":
                SystemEvent to = _events[words.Next()];
                int relays = words.NextInt();
                output.WriteLine("waiting");
                for (int i = 0; i < relays; i++)
                {
                    _events[name].Wait();
                    to.Set();
                }

                return "ok";
            case "isset":
                return _events[name].TryGetIsSet(out bool set) ? $"ok {SegmentCommands.Text(set)}" : "ok unknown";
            case "mode":
                return _events[name].ResetMode == EventResetMode.AutoReset ? "ok auto" : "ok manual";
            case "close":
                if (!_events.Remove(name, out SystemEvent? closing))
                    throw new KeyNotFoundException($"No event {name}.");
                closing.Dispose();
                return "ok";
            default:
                throw new FormatException($"No such command: event {verb}.");
        }
    }

    private string Keep(string name, SystemEvent opened)
    {
        if (!_events.TryAdd(name, opened))
        {
            opened.Dispose();
            throw new InvalidOperationException($"There is an event {name} already.");
        }

        return opened.CreatedNew ? "ok created" : "ok opened";
    }

    private SystemEventOptions Options(Words words)
    {
        var options = new SystemEventOptions();
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
