using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>What <c>create --json</c> prints.</summary>
internal sealed record CreatedObject(NativeIpcKey Key, string Kind, bool CreatedNew, long? Size, int? Value)
    : IJsonRecord
{
    public string Name => Key.ToString();

    public bool? IsSet { get; init; }

    public string? ResetMode { get; init; }

    public void WriteTo(JsonFields json)
    {
        json.Add("key", Key);
        json.Add("kind", Kind);
        json.Add("createdNew", CreatedNew);
        json.Add("size", Size);
        json.Add("value", Value);
        json.Add("name", Name);
        json.Add("isSet", IsSet);
        json.Add("resetMode", ResetMode);
    }
}

/// <summary><c>nipc create</c>: makes a segment, a semaphore or an event that stays when the tool ends.</summary>
internal static class CreateVerb
{
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Argument<string> s_key = KeyArguments.New();
    private static readonly Option<UnixFileMode> s_mode = Values.Mode();
    private static readonly Option<string?> s_group = new("--group", "-g") { HelpName = "GROUP",
        Description = "Group of the new object, by name or number" };
    private static readonly Option<bool> s_orOpen = new("--or-open")
        { Description = "Take what is there already, and leave it as it is" };
    private static readonly Argument<string> s_resets = new Argument<string>("auto|manual")
        { Description = "auto: a wait that is freed resets it; manual: it stays set until 'nipc reset'" }
        .AcceptOnlyFromAmong("auto", "manual");
    private static readonly Option<bool> s_isSet = new("--set") { Description = "It is set at first" };
    private static readonly Option<bool> s_afresh = new("--reset")
        { Description = "Set or reset an event that is there already, as --set says" };
    private static readonly Option<bool> s_reset = new("--reset")
        { Description = "Set the count of a semaphore that is there already" };
    private static readonly Option<bool> s_owners = ObjectArgument.OwnersOption();
    private static readonly Option<bool> s_hold = new("--hold")
        { Description = "Stay, and remove it at the end (Ctrl-C). Windows: always needed" };
    private static readonly Option<bool> s_json = new("--json") { Description = "Print what was made as JSON" };
    private static readonly Argument<long> s_size = Values.Size();
    private static readonly Argument<int> s_count = Values.Count();

    public static Command Command() => new Command("create",
        "Make a segment, a semaphore or an event. It stays until it is removed.") { Segment(), Semaphore(), Event() };

    private static Verb Segment() => new Verb("shm",
        "Make a segment of shared memory. Its bytes are 0. It stays until it is removed.",
        "create shm posix:/frames 16M", "create shm --type systemv /run/user/1000/frames 64k -m 660",
        "create shm posix:/frames 16M --or-open")
    {
        s_key, s_size, s_type, s_mode, s_group, s_orOpen, s_owners, s_hold, s_json,
    }.Needs(s_owners, s_orOpen).Does(CreateSegment);

    private static Verb Semaphore() => new Verb("sem", "Make a counting semaphore. It stays until it is removed.",
        "create sem posix:/workers 4", "create sem posix:/workers 4 --reset",
        "create sem --type systemv /run/user/1000/workers 4")
    {
        s_key, s_count, s_type, s_mode, s_group, s_orOpen, s_reset, s_owners, s_hold, s_json,
    }
        .Excludes(s_orOpen, s_reset, "--or-open leaves the count, --reset sets it.")
        .Refuses(s_owners, parsed => !parsed.GetValue(s_orOpen) && !parsed.GetValue(s_reset),
            "belongs to --or-open or --reset, which take what is there.")
        .Does(CreateSemaphore);

    private static Verb Event() => new Verb("event", "Make an event, set or not. It stays until it is removed.",
        "create event posix:/ready manual", "create event posix:/job auto --set",
        "create event --type systemv /run/user/1000/ready manual --reset")
    {
        s_key, s_resets, s_isSet, s_type, s_mode, s_group, s_orOpen, s_afresh, s_owners, s_hold, s_json,
    }
        .Excludes(s_orOpen, s_afresh, "--or-open leaves the state, --reset sets it.")
        .Refuses(s_owners, parsed => !parsed.GetValue(s_orOpen) && !parsed.GetValue(s_afresh),
            "belongs to --or-open or --reset, which take what is there.")
        .Does(CreateEvent);

    private static int CreateSegment(ParseResult parsed)
    {
        NativeIpcKey key = KeyArguments.ReadNew(parsed.GetValue(s_key)!, parsed.GetValue(s_type),
            IpcObjectKind.SharedMemory);
        long size = parsed.GetValue(s_size);
        if (size < 1) throw ToolException.Usage("A segment has at least 1 byte.");
        if (!parsed.GetValue(s_hold)) Keeping.CheckSegment(key);
        var options = new SharedMemoryOptions { Mode = parsed.GetValue(s_mode), Group = parsed.GetValue(s_group),
            Removal = Policy(parsed) };
        if (parsed.GetValue(s_owners)) options.AllowOtherOwners = true;
        using SharedMemory segment = parsed.GetValue(s_orOpen)
            ? SharedMemory.CreateOrOpen(key, size, options) : SharedMemory.CreateNew(key, size, options);
        return Say(parsed, new CreatedObject(key, "shm", segment.CreatedNew, segment.Size, null));
    }

    private static int CreateSemaphore(ParseResult parsed)
    {
        NativeIpcKey key = KeyArguments.ReadNew(parsed.GetValue(s_key)!, parsed.GetValue(s_type),
            IpcObjectKind.SystemSemaphore);
        int count = parsed.GetValue(s_count);
        var options = new SystemSemaphoreOptions { Mode = parsed.GetValue(s_mode), Group = parsed.GetValue(s_group),
            Removal = Policy(parsed) };
        if (parsed.GetValue(s_owners)) options.AllowOtherOwners = true;
        using SystemSemaphore semaphore = parsed.GetValue(s_reset) ? SystemSemaphore.CreateOrReset(key, count, options)
            : parsed.GetValue(s_orOpen) ? SystemSemaphore.CreateOrOpen(key, count, options)
            : SystemSemaphore.CreateNew(key, count, options);
        return Say(parsed, new CreatedObject(key, "sem", semaphore.CreatedNew, null,
            semaphore.TryGetCurrentCount(out int current) ? current : null));
    }

    private static int CreateEvent(ParseResult parsed)
    {
        NativeIpcKey key = KeyArguments.ReadNew(parsed.GetValue(s_key)!, parsed.GetValue(s_type),
            IpcObjectKind.SystemEvent);
        EventResetMode mode = parsed.GetValue(s_resets) == "auto"
            ? EventResetMode.AutoReset : EventResetMode.ManualReset;
        bool isSet = parsed.GetValue(s_isSet);
        var options = new SystemEventOptions { Mode = parsed.GetValue(s_mode), Group = parsed.GetValue(s_group),
            Removal = Policy(parsed) };
        if (parsed.GetValue(s_owners)) options.AllowOtherOwners = true;
        using SystemEvent made = parsed.GetValue(s_afresh) ? SystemEvent.CreateOrReset(key, mode, isSet, options)
            : parsed.GetValue(s_orOpen) ? SystemEvent.CreateOrOpen(key, mode, isSet, options)
            : SystemEvent.CreateNew(key, mode, isSet, options);
        return Say(parsed, new CreatedObject(key, "event", made.CreatedNew, null, null)
            { IsSet = made.TryGetIsSet(out bool now) ? now : null, ResetMode = Objects.ObjectSheet.WordOf(mode) });
    }

    private static RemovalPolicy Policy(ParseResult parsed)
    {
        bool holds = parsed.GetValue(s_hold);
        if (OperatingSystem.IsWindows() && !holds)
            throw new ToolException(ExitCodes.Unsupported,
                "Windows removes an object with its last handle, so it would end with this command. --hold keeps it, "
                    + "until Ctrl-C.");
        if (holds) _ = Interruption.Token; // before there is anything to put back
        return holds ? RemovalPolicy.Creator : RemovalPolicy.Keep;
    }

    private static int Say(ParseResult parsed, CreatedObject made)
    {
        try
        {
            if (parsed.GetValue(s_json)) ToolJson.Print(made);
            else Console.Out.WriteLine(PrintableText.Of(made.Key.ToString()));
        }
        catch (ToolException) when (made.CreatedNew && !OperatingSystem.IsWindows())
        {
            // What failed leaves nothing
            _ = made.Kind switch
            {
                "shm" => SharedMemory.Remove(made.Key),
                "sem" => SystemSemaphore.Remove(made.Key),
                _ => SystemEvent.Remove(made.Key),
            };
            throw;
        }

        if (!parsed.GetValue(s_hold)) return ExitCodes.Ok;
        Interruption.Token.WaitHandle.WaitOne();
        throw new OperationCanceledException(Interruption.Token);
    }
}
