using System.CommandLine;
using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Arguments;

/// <summary>Keys as arguments: the text of a key, or with <c>--type</c> a native name; <c>-</c> reads keys from
/// standard input, one per line. Verbs that use objects take bare names as well; <see cref="ObjectArgument"/> takes
/// numbers, too.</summary>
internal static class KeyArguments
{
    // Native names have at most 4095 bytes, the longest path, and each may be written as %xx, behind the type.
    private const int LongestLine = 16 * 1024;

    public static Option<string?> TypeOption() => new("--type", "-t")
    {
        HelpName = "TYPE",
        Description = "KEY is a native name of type posix, systemv[-N], windows",
    };

    public static Argument<string> One()
        => new("KEY") { Description = "Key (posix:/name), or with --type a native name" };

    public static Argument<string> New()
        => new("KEY") { Description = "Key (posix:/name), a name, or with --type a native name" };

    public static Argument<string[]> Several() => new("KEY")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Keys (posix:/name), names, shmid:N, semid:N, System V keys; - reads them from standard input, "
            + "a line each",
    };

    /// <summary>The words that were given; those of standard input stand where <c>-</c> stood.</summary>
    public static IEnumerable<string> Words(IEnumerable<string> texts)
    {
        foreach (string text in texts)
        {
            if (text != "-")
            {
                yield return text;
                continue;
            }

            while (InputLine() is { } line)
            {
                if (line.Length > 0) yield return line;
            }
        }
    }

    /// <summary>The first line of standard input.</summary>
    public static string ReadLine()
        => InputLine() ?? throw ToolException.Usage("Standard input has no key. Give one line with a key.");

    /// <summary>A line of standard input, no longer than a key can be; null at its end.</summary>
    private static string? InputLine()
    {
        if (!Console.IsInputRedirected) return Console.In.ReadLine(); // a terminal bounds its lines
        var line = new StringBuilder();
        while (Console.In.Read() is var next and >= 0)
        {
            if (next == '\n') return line.ToString().TrimEnd('\r');
            if (line.Length == LongestLine)
                throw ToolException.Usage(
                    $"A line of standard input has more than {LongestLine} characters, and no key is as long as that.");
            line.Append((char)next);
        }

        return line.Length > 0 ? line.ToString() : null;
    }

    /// <summary>The text of one key, which has its type; <c>-</c> is the first line of standard input.</summary>
    public static NativeIpcKey ReadOne(string text, string? type)
    {
        if (text == "-") text = ReadLine();
        if (type is not null) return new NativeIpcKey(text, ParseType(type));
        try
        {
            return NativeIpcKey.Parse(text);
        }
        catch (FormatException failure)
        {
            string hint = text.Contains(':', StringComparison.Ordinal) ? ""
                : " For a bare native name give its --type (posix, systemv or windows); 'nipc key safe NAME' makes a "
                    + "key from a name.";
            throw ToolException.Usage(failure.Message + hint);
        }
    }

    /// <summary>The key of an object that is to be made: also a bare name, but no number.</summary>
    /// <param name="text">The word.</param>
    /// <param name="type">What <c>--type</c> says; null for none.</param>
    /// <param name="kind">What is to be made: on Windows names of segments and of semaphores have other keys.</param>
    public static NativeIpcKey ReadNew(string text, string? type, IpcObjectKind kind)
    {
        if (text == "-") text = ReadLine();
        return type is not null || !Objects.NamedObjects.IsNumber(text) ? Parse(text, type, kind)
            : throw ToolException.Usage(
                $"'{text}' is a number, which leads to what is there already. Give a key: {SafeKey(text, kind)}.");
    }

    /// <summary>A key, or a bare name: the safe key of the default type.</summary>
    public static NativeIpcKey Parse(string text, string? type, IpcObjectKind kind)
        => type is not null || text.Length == 0 || text.Contains(':', StringComparison.Ordinal)
            ? ReadOne(text, type) : SafeKey(text, kind);

    /// <summary>The key that a bare name stands for.</summary>
    public static NativeIpcKey SafeKey(string name, IpcObjectKind kind)
    {
        if (name.Contains('/', StringComparison.Ordinal) || name.Contains('\\', StringComparison.Ordinal))
        {
            throw ToolException.Usage($"'{name}' is no bare name, since it has a slash: give the key with its type "
                + $"({(OperatingSystem.IsWindows() ? $"windows:{name}" : $"posix:{name}, or systemv:{name} for a key "
                    + $"file")}), or a native name with --type.");
        }

        NativeIpcKey key = NativeIpcKeyRules.Current.PlatformSafeKey(name, NativeIpcKey.DefaultType, kind,
            out bool wasCut);
        return wasCut ? throw ToolException.Usage($"The name '{name}' is too long for a key of this system.") : key;
    }

    public static NativeIpcKeyType ParseType(string text) => text switch
    {
        "posix" => NativeIpcKeyType.PosixRealtime,
        "systemv" => NativeIpcKeyType.SystemV,
        "windows" => NativeIpcKeyType.Windows,
        _ when text.StartsWith("systemv-", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan("systemv-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            && id is >= 1 and <= 255
            => NativeIpcKeyType.FromProjectId(id),
        _ => throw ToolException.Usage(
            $"'{text}' is no key type. Use posix, systemv, systemv-N (N from 1 to 255) or windows."),
    };
}
