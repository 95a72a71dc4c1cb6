using System.CommandLine;

namespace NativeIpc.Tool.Arguments;

/// <summary>The options of the <c>key</c> verbs: for which kind of object, by whose rules, in which folders.</summary>
internal static class KeyOptions
{
    private static readonly (string Word, KeyPlatform Platform)[] s_platforms =
    [
        ("linux", KeyPlatform.Linux), ("musl", KeyPlatform.LinuxMusl), ("android", KeyPlatform.Android), ("macos",
            KeyPlatform.Apple), ("windows", KeyPlatform.Windows),
    ];

    /// <summary>What a key is for.</summary>
    /// <param name="words">The kinds that the verb knows, the default first.</param>
    public static Option<string> Kind(params string[] words)
    {
        var option = new Option<string>("--kind", "-k") { HelpName = string.Join('|', words),
            Description = "What the key is for: "
                + string.Join(", ", [$"{words[0]} (default)", .. words[1..^1]]) + $" or {words[^1]}",
            DefaultValueFactory = _ => words[0] };
        return option.AcceptOnlyFromAmong(words);
    }

    public static Option<string?> Scope()
    {
        var option = new Option<string?>("--scope") { HelpName = "machine|user|session",
            Description = "Who meets under the name: machine, user or session" };
        option.AcceptOnlyFromAmong("machine", "user", "session");
        return option;
    }

    public static NameScope ParseScope(string word) => word switch
    {
        "machine" => NameScope.Machine,
        "user" => NameScope.User,
        _ => NameScope.Session,
    };

    public static Option<string?> Platform()
    {
        var option = new Option<string?>("--platform", "-p") { HelpName = "PLATFORM",
            Description = "Whose rules: linux (default: as here), musl, android, macos, windows" };
        option.AcceptOnlyFromAmong([.. s_platforms.Select(platform => platform.Word)]);
        return option;
    }

    public static Option<string?> Folder() => new("--folder", "-d")
    {
        HelpName = "DIR",
        Description = "Folder of System V keys there (default: as here)",
    };

    /// <summary>The words for kinds of objects.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["shm", "sem", "event"];

    public static IpcObjectKind ParseKind(string word) => word switch
    {
        "sem" => IpcObjectKind.SystemSemaphore,
        "event" => IpcObjectKind.SystemEvent,
        _ => IpcObjectKind.SharedMemory,
    };

    public static string WordOf(KeyPlatform platform) => s_platforms.Single(pair => pair.Platform == platform).Word;

    public static string WordOf(IpcObjectKind kind) => Kinds[(int)kind];

    /// <summary>The same in a sentence.</summary>
    public static string NounOf(IpcObjectKind kind) => kind switch
    {
        IpcObjectKind.SharedMemory => "segment",
        IpcObjectKind.SystemSemaphore => "semaphore",
        _ => "event",
    };

    /// <summary>The type as the text form of a key has it.</summary>
    public static string WordOf(NativeIpcKeyType type)
        => new NativeIpcKey("", type).ToString().TrimEnd(':') is { Length: > 0 } word
            ? word : ((ushort)type).ToString();

    /// <summary>The rules that were asked for. The folders of this machine stand for those of another Unix, unless one
    /// was given.</summary>
    public static NativeIpcKeyRules Rules(string? platformWord, string? folder)
    {
        KeyPlatform platform = platformWord is null
            ? NativeIpcKeyRules.Current.Platform : s_platforms.Single(pair => pair.Word == platformWord).Platform;
        if (folder is null && platform == NativeIpcKeyRules.Current.Platform) return NativeIpcKeyRules.Current;
        bool areFoldersAlike = platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl
            && NativeIpcKeyRules.Current.Platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl;
        return new NativeIpcKeyRules(platform)
        {
            RuntimeDirectory = folder ?? (areFoldersAlike ? NativeIpcKeyRules.Current.RuntimeDirectory : null),
            TemporaryDirectory = folder ?? (areFoldersAlike ? NativeIpcKeyRules.Current.TemporaryDirectory : null),
        };
    }

    /// <summary>The key of a name in a scope, by the rules of this system, which alone knows whose it is.</summary>
    public static NativeIpcKey MakeScoped(string name, NameScope scope, NativeIpcKeyType type, IpcObjectKind kind)
    {
        if ((type == NativeIpcKeyType.Windows) != OperatingSystem.IsWindows())
            throw ToolException.Usage($"--scope makes keys of this system, which has none of type {WordOf(type)}.");
        try
        {
            return kind switch
            {
                IpcObjectKind.SharedMemory => SharedMemory.PlatformSafeKey(name, scope, type),
                IpcObjectKind.SystemSemaphore => SystemSemaphore.PlatformSafeKey(name, scope, type),
                _ => SystemEvent.PlatformSafeKey(name, scope, type),
            };
        }
        catch (InvalidOperationException failure) // no such user, session or folder here
        {
            throw ToolException.Usage(failure.Message);
        }
    }

    /// <summary>Makes a key, and says in words of the command line that a folder is missing.</summary>
    public static NativeIpcKey Make(Func<NativeIpcKey> make)
    {
        try
        {
            return make();
        }
        catch (InvalidOperationException)
        {
            throw ToolException.Usage(
                "A System V key is a path, and this machine does not know the folder of the other one. Give it with "
                    + "--folder.");
        }
    }
}
