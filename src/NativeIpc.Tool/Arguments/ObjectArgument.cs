using System.CommandLine;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Arguments;

/// <summary>The argument of a verb that works on one object, and the options that say what it means and whose it may
/// be. <see cref="NamedObjects"/> says what words it takes; <c>-</c> is a line of standard input.</summary>
/// <param name="kind">The kind that the verb works on.</param>
internal sealed class ObjectArgument(IpcObjectKind kind)
{
    public Argument<string> Key { get; } = new("KEY")
    {
        Description = kind == IpcObjectKind.SharedMemory
            ? "Key (posix:/name), name, System V key (0x1f) or shmid:N; -: from standard input"
            : kind == IpcObjectKind.SystemEvent ? "Key (posix:/name) or name; -: from standard input"
            : "Key (posix:/name), name, System V key (0x1f) or semid:N; -: from standard input",
    };

    public Option<string?> Type { get; } = KeyArguments.TypeOption();

    public Option<bool> Glob { get; } = GlobOption("KEY is a pattern of names (*, ?) that one object fits");

    public Option<bool> AllowOtherOwners { get; } = OwnersOption();

    /// <summary>For patterns: <c>*</c> is legal in names, so they need the option.</summary>
    public static Option<bool> GlobOption(string description) => new("--glob", "-g") { Description = description };

    public static Option<bool> OwnersOption()
        => new("--allow-other-owners", "-O") { Description = "Use it also when another user made it" };

    /// <summary>The object that was named. Of a bare name or number it says what that stands for.</summary>
    public NamedObject Read(ParseResult parsed)
    {
        string text = parsed.GetValue(Key)!;
        return parsed.GetValue(Glob) ? ReadPattern(text, parsed.GetValue(Type), kind)
            : Read(text, parsed.GetValue(Type), kind);
    }

    /// <summary>The one object that fits a pattern.</summary>
    public static NamedObject ReadPattern(string text, string? type, IpcObjectKind kind)
    {
        if (text == "-") text = KeyArguments.ReadLine();
        NamedObject named = NamedObjects.OneMatching(text, type, kind);
        if (named.Name != text) Failures.Say($"{text} is {named.Name}");
        return named;
    }

    /// <inheritdoc cref="Read(ParseResult)"/>
    public static NamedObject Read(string text, string? type, IpcObjectKind kind)
    {
        if (text == "-") text = KeyArguments.ReadLine();
        NamedObject named = NamedObjects.One(text, type, kind);
        Echo(text, type, named.Name);
        return named;
    }

    /// <summary>Says what a bare name or number stands for.</summary>
    public static void Echo(string text, string? type, string name)
    {
        if (type is null && text != name && !text.Contains(':', StringComparison.Ordinal))
            Failures.Say($"{text} is {name}");
    }

    /// <summary>Whether objects of other users are accepted.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="onlyLooks">Whether the verb neither changes anything nor waits: root, whom every object lets in,
    /// may look at what others have planted, and must not be ruled by it.</param>
    public bool AcceptsOthers(ParseResult parsed, bool onlyLooks)
        => AcceptsOthers(parsed.GetValue(AllowOtherOwners), onlyLooks);

    /// <inheritdoc cref="AcceptsOthers(ParseResult, bool)"/>
    public static bool AcceptsOthers(bool allowed, bool onlyLooks)
        => allowed || (onlyLooks && !OperatingSystem.IsWindows() && Libc.geteuid() == 0);

    /// <summary>Options to open a segment that was named: nothing is removed when the verb ends.</summary>
    public SharedMemoryOptions SegmentOptions(ParseResult parsed, NamedObject named, bool locks, bool onlyLooks)
    {
        if (locks && !named.Key.IsValid)
            throw ToolException.Usage($"{named.Name} has no key, and so no lock: leave --lock out.");
        // On Unix a semaphore that nobody has open may be at 0 on purpose; on Windows it would be gone.
        var options = new SharedMemoryOptions { Removal = RemovalPolicy.Keep, UseLock = locks,
            TakeOverUnknownHolders = OperatingSystem.IsWindows() };
        if (AcceptsOthers(parsed, onlyLooks && !locks)) options.AllowOtherOwners = true;
        return options;
    }

    /// <summary>Options to open an event: nothing is removed when the verb ends.</summary>
    public SystemEventOptions EventOptions(ParseResult parsed)
    {
        var options = new SystemEventOptions { Removal = RemovalPolicy.Keep };
        if (AcceptsOthers(parsed, onlyLooks: false)) options.AllowOtherOwners = true;
        return options;
    }

    /// <summary>Options to open a semaphore: undo is off, since on System V the kernel would take back what this
    /// process does as soon as it ends.</summary>
    public SystemSemaphoreOptions SemaphoreOptions(ParseResult parsed, bool onlyLooks)
    {
        var options = new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep, Undo = SystemVUndoPolicy.None };
        if (AcceptsOthers(parsed, onlyLooks)) options.AllowOtherOwners = true;
        return options;
    }
}
