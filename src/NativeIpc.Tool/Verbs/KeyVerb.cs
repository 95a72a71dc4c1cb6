using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc key</c>: the key rules of every platform, on any platform. Nothing is created.</summary>
internal static class KeyVerb
{
    private static readonly Argument<string> s_key = KeyArguments.One();
    private static readonly Argument<string> s_name = new("NAME")
        { Description = "The portable name, as a program gives it" };
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<string?> s_typeOfName = new("--type", "-t") { HelpName = "TYPE",
        Description = "posix, systemv[-N], windows (default: the platform's)" };
    private static readonly Option<string?> s_to = new("--to") { HelpName = "TYPE",
        Description = "posix, systemv[-N] or windows", Required = true };
    private static readonly Option<string> s_kind = KeyOptions.Kind("shm", "sem", "event");
    private static readonly Option<string> s_kindOfLegacy = KeyOptions.Kind("shm", "sem");
    private static readonly Option<string?> s_scope = KeyOptions.Scope();
    private static readonly Option<string?> s_platform = KeyOptions.Platform();
    private static readonly Option<string?> s_folder = KeyOptions.Folder();
    private static readonly Option<bool> s_strict = new("--strict")
        { Description = "Exit code 2 if the name is cut or cannot be used there" };
    private static readonly Option<bool> s_explain = new("--explain", "-e")
        { Description = "Which rule made which part, whether it was cut, limits" };
    private static readonly Option<bool> s_json = new("--json") { Description = "Print everything as JSON" };

    public static Command Command()
        => new Command("key", "Read, make, explain and convert keys of any platform. Makes no object.")
    {
        ParseCommand(), SafeCommand(), LegacyCommand(), ConvertCommand(), KeyCodeVerb.Command(),
    };

    private static Verb ParseCommand()
        => new Verb("parse", "Take a key apart. Type, native key, legacy key, lock, and whether it can be used.",
        "key parse posix:/frames", "key parse 'systemv:/tmp/qipc_x?legacyKey=x' --json",
        "key parse -t windows 'Global\\x' -p windows")
    {
        s_key, s_type, s_kind, s_platform, s_folder, s_explain, s_json,
    }.Excludes(s_explain, s_json, "JSON says all of it.").Does(parsed =>
    {
        NativeIpcKey key = KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type));
        CheckFolder(parsed, key.Type);
        NativeIpcKeyRules rules = KeyOptions.Rules(parsed.GetValue(s_platform) ?? PlatformOf(key.Type),
            parsed.GetValue(s_folder));
        return Show(parsed, KeyReport.Of(key, KindOf(parsed), rules, null,
            parsed.GetValue(s_explain) || parsed.GetValue(s_json)
                ? PartsOf(key, KindOf(parsed), rules) : null), everything: true);
    });

    /// <summary>Which rule made which part of a key that is there; null when it is not what the rules make of a
    /// name.</summary>
    private static IReadOnlyList<KeyPart>? PartsOf(in NativeIpcKey key, IpcObjectKind kind, NativeIpcKeyRules rules)
    {
        string name = PortableName(key);
        if (KeyParts.IsScopedFile(key)) return KeyParts.OfScopedFile(key);
        try
        {
            if (key.LegacyKey.Length > 0)
            {
                return kind != IpcObjectKind.SystemEvent && rules.LegacyNativeKey(name, key.Type, kind) == key
                    ? KeyParts.OfLegacyKey(name, key) : null;
            }

            return rules.PlatformSafeKey(name, key.Type, kind, out _) == key
                ? KeyParts.OfSafeKey(name, key, wasCut: false) : null;
        }
        catch (InvalidOperationException)
        {
            return null; // of a machine whose folders are not known here
        }
    }

    private static Verb SafeCommand()
        => new Verb("safe", "Make the key of a name. As Qt's platformSafeKey() (6.6 and later) and NativeIpc do.",
        "key safe frames --scope user", "key safe frames -t systemv -e", "key safe frames -p macos",
        "key safe frames -k sem -p windows --json")
    {
        s_name, s_scope, s_typeOfName, s_kind, s_platform, s_folder, s_strict, s_explain, s_json,
    }.Excludes(s_explain, s_json, "JSON says all of it.")
        .Excludes(s_scope, s_platform, "only this system knows its users and sessions.")
        .Excludes(s_scope, s_folder, "a scope has its own folder.")
        .Excludes(s_scope, s_strict, "a name with a scope is never cut.").Does(parsed =>
    {
        if (parsed.GetValue(s_scope) is { } scope) return ShowScoped(parsed, KeyOptions.ParseScope(scope));
        NativeIpcKeyRules rules = Rules(parsed);
        string name = NameOf(parsed);
        NativeIpcKeyType type = TypeOf(parsed, rules.DefaultType);
        CheckFolder(parsed, type);
        bool wasCut = false;
        NativeIpcKey key = KeyOptions.Make(() => rules.PlatformSafeKey(name, type, KindOf(parsed), out wasCut));
        return ShowMade(parsed, KeyReport.Of(key, KindOf(parsed), rules, wasCut,
            KeyParts.OfSafeKey(name, key, wasCut)));
    });

    private static int ShowScoped(ParseResult parsed, NameScope scope)
    {
        NativeIpcKey key = KeyOptions.MakeScoped(NameOf(parsed), scope, TypeOf(parsed, NativeIpcKey.DefaultType),
            KindOf(parsed));
        return ShowMade(parsed, KeyReport.Of(key, KindOf(parsed), NativeIpcKeyRules.Current, wasCut: false,
            PartsOf(key, KindOf(parsed), NativeIpcKeyRules.Current)));
    }

    private static Verb LegacyCommand()
        => new Verb("legacy", "Make the key that Qt 4.4 to 6.5 uses for a name. Qt 5 is between them.",
        "key legacy frames", "key legacy frames -k sem", "key legacy frames -t posix -e",
        "key legacy frames -p windows --json")
    {
        s_name, s_typeOfName, s_kindOfLegacy, s_platform, s_folder, s_strict, s_explain, s_json,
    }.Excludes(s_explain, s_json, "JSON says all of it.").Does(parsed =>
    {
        IpcObjectKind kind = KeyOptions.ParseKind(parsed.GetValue(s_kindOfLegacy)!);
        NativeIpcKeyRules rules = Rules(parsed);
        string name = NameOf(parsed);
        NativeIpcKeyType type = TypeOf(parsed, rules.LegacyDefaultType);
        CheckFolder(parsed, type);
        NativeIpcKey key = KeyOptions.Make(() => rules.LegacyNativeKey(name, type, kind));
        return ShowMade(parsed, KeyReport.Of(key, kind, rules, null, KeyParts.OfLegacyKey(name, key)));
    });

    private static Verb ConvertCommand() => new Verb("convert",
        "Make the same name's key of another type. The name is what a legacy key remembers, or what is left without "
            + "slash, prefix and folder.",
        "key convert posix:/frames --to systemv", "key convert posix:/frames --to windows",
        "key convert windows:shm_frames --to posix")
    {
        s_key, s_to, s_type, s_kind, s_platform, s_folder, s_strict, s_explain, s_json,
    }.Excludes(s_explain, s_json, "JSON says all of it.").Does(parsed =>
    {
        NativeIpcKey from = KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type));
        NativeIpcKeyType type = KeyArguments.ParseType(parsed.GetValue(s_to)!);
        CheckFolder(parsed, type);
        NativeIpcKeyRules rules = KeyOptions.Rules(parsed.GetValue(s_platform) ?? PlatformOf(type),
            parsed.GetValue(s_folder));
        string name = PortableName(from);
        if (from.LegacyKey.Length > 0 && KindOf(parsed) == IpcObjectKind.SystemEvent)
            throw ToolException.Usage($"{from} is a key of Qt before 6.6, which has no events.");
        bool? wasCut = null;
        NativeIpcKey key = KeyOptions.Make(() =>
        {
            if (from.LegacyKey.Length > 0) return rules.LegacyNativeKey(name, type, KindOf(parsed));
            NativeIpcKey made = rules.PlatformSafeKey(name, type, KindOf(parsed), out bool cut);
            wasCut = cut;
            return made;
        });
        return ShowMade(parsed, KeyReport.Of(key, KindOf(parsed), rules, wasCut,
            from.LegacyKey.Length > 0 ? KeyParts.OfLegacyKey(name, key)
                : KeyParts.OfSafeKey(name, key, wasCut == true)));
    });

    /// <summary>The name that a key was made from: what a legacy key remembers; else what is left without slash, prefix
    /// or runtime folder.</summary>
    private static string PortableName(in NativeIpcKey key)
    {
        if (key.LegacyKey.Length > 0) return key.LegacyKey;
        string native = key.NativeKey;
        if (key.Type == NativeIpcKeyType.Windows)
        {
            int space = native.StartsWith(@"Local\", StringComparison.Ordinal)
                ? 6 : native.StartsWith(@"Global\", StringComparison.Ordinal) ? 7 : 0;
            return native.Remove(space, KeyParts.KindPrefixLength(native.AsSpan(space)));
        }

        if (key.Type == NativeIpcKeyType.PosixRealtime) return native.StartsWith('/') ? native[1..] : native;
        return native[(native.LastIndexOf('/') + 1)..];
    }

    private static int ShowMade(ParseResult parsed, KeyReport report)
    {
        if (report.NativeKey.Length == 0)
        {
            throw ToolException.Usage(
                $"There are no keys of type {report.Type} on {report.Platform}, or the name is empty. " +
                "Use --type windows with --platform windows, and posix or systemv with the others (android: posix).");
        }

        if (parsed.GetValue(s_strict) && report.WasCut == true)
            throw ToolException.Usage(
                $"The name is too long for {report.Platform} and would be cut to '{report.NativeKey}', as would every "
                    + $"name that starts the same. Use a shorter one.");
        if (parsed.GetValue(s_strict) && report.Violation is not null) throw ToolException.Usage(report.Violation);
        int code = Show(parsed, report, parsed.GetValue(s_explain));
        if (parsed.GetValue(s_explain) || parsed.GetValue(s_json)) return code;
        if (report.WasCut == true)
            Failures.Say($"The name was cut to fit {report.Platform}: every name that starts the same gives this key.");
        if (report.Violation is not null)
            Failures.Say($"This key cannot be used on {report.Platform}. {report.Violation}");
        return code;
    }

    private static int Show(ParseResult parsed, KeyReport report, bool everything)
    {
        if (parsed.GetValue(s_json)) return ToolJson.Print(report);
        if (everything) report.Print();
        else Console.Out.WriteLine(PrintableText.Of(report.Key));
        return ExitCodes.Ok;
    }

    private static NativeIpcKeyRules Rules(ParseResult parsed)
        => KeyOptions.Rules(parsed.GetValue(s_platform)
            ?? PlatformOf(parsed.GetValue(s_typeOfName) is { } type
                ? KeyArguments.ParseType(type) : NativeIpcKey.DefaultType), parsed.GetValue(s_folder));

    /// <summary>Whose rules a type needs, when none were asked for; null for those of this platform.</summary>
    private static string? PlatformOf(NativeIpcKeyType type)
        => (type == NativeIpcKeyType.Windows) == (NativeIpcKeyRules.Current.Platform == KeyPlatform.Windows)
            ? null : type == NativeIpcKeyType.Windows ? "windows" : "linux";

    private static IpcObjectKind KindOf(ParseResult parsed) => KeyOptions.ParseKind(parsed.GetValue(s_kind)!);

    private static NativeIpcKeyType TypeOf(ParseResult parsed, NativeIpcKeyType byDefault)
        => parsed.GetValue(s_typeOfName) is { } text ? KeyArguments.ParseType(text) : byDefault;

    private static void CheckFolder(ParseResult parsed, NativeIpcKeyType type)
    {
        if (parsed.GetValue(s_folder) is not null && !type.IsSystemV)
            throw ToolException.Usage(
                $"--folder is for System V keys, which are files, and this is one of type {KeyOptions.WordOf(type)}.");
    }

    private static string NameOf(ParseResult parsed)
    {
        string name = parsed.GetValue(s_name)!;
        return name.Length > 0 ? name : throw ToolException.Usage("The name is empty. Give one.");
    }
}
