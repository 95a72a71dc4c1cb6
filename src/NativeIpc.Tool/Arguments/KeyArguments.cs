using System.CommandLine;
using System.Globalization;

namespace NativeIpc.Tool.Arguments;

/// <summary>How every verb takes keys: the text of a key, or with <c>--type</c> a bare native name; <c>-</c> reads keys from standard input, one per line.</summary>
internal static class KeyArguments
{
    public static Option<string?> TypeOption() => new("--type", "-t")
    {
        HelpName = "TYPE",
        Description = "KEY is a native name of type posix, systemv[-N], windows",
    };

    public static Argument<string> One() => new("KEY") { Description = "Key (posix:/name), or with --type a native name" };

    public static Argument<string[]> Several() => new("KEY")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "Keys (posix:/name), or with --type native names; - reads them from standard input, a line each",
    };

    /// <summary>The keys that were given; those of standard input stand where <c>-</c> stood.</summary>
    public static IEnumerable<NativeIpcKey> Read(IEnumerable<string> texts, string? type)
    {
        foreach (string text in texts)
        {
            if (text != "-")
            {
                yield return Parse(text, type);
                continue;
            }

            while (Console.In.ReadLine() is { } line)
            {
                if (line.Length > 0) yield return Parse(line, type);
            }
        }
    }

    /// <summary>One key; <c>-</c> is the first line of standard input.</summary>
    public static NativeIpcKey ReadOne(string text, string? type)
        => Parse(text == "-" ? Console.In.ReadLine() ?? throw ToolException.Usage("Standard input has no key. Give one line with a key.") : text, type);

    public static NativeIpcKey Parse(string text, string? type)
    {
        if (type is not null) return new NativeIpcKey(text, ParseType(type));
        try
        {
            return NativeIpcKey.Parse(text);
        }
        catch (FormatException failure)
        {
            string hint = text.Contains(':', StringComparison.Ordinal) ? ""
                : " For a bare native name give its --type (posix, systemv or windows); 'nipc key safe NAME' makes a key from a name.";
            throw ToolException.Usage(failure.Message + hint);
        }
    }

    public static NativeIpcKeyType ParseType(string text) => text switch
    {
        "posix" => NativeIpcKeyType.PosixRealtime,
        "systemv" => NativeIpcKeyType.SystemV,
        "windows" => NativeIpcKeyType.Windows,
        _ when text.StartsWith("systemv-", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan("systemv-".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id is >= 1 and <= 255
            => NativeIpcKeyType.FromProjectId(id),
        _ => throw ToolException.Usage($"'{text}' is no key type. Use posix, systemv, systemv-N (N from 1 to 255) or windows."),
    };
}
