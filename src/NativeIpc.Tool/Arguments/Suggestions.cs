using System.CommandLine;
using System.Globalization;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Arguments;

/// <summary>The answer to a shell that asks for completion, by the convention of System.CommandLine: <c>nipc
/// [suggest:N] LINE</c>.</summary>
internal static class Suggestions
{
    /// <summary>Prints what may stand at a position of the line, a line each. A line feed in a name is shown as its
    /// code.</summary>
    public static int Print(string line, string position)
    {
        if (!int.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out int at) || at > line.Length)
            at = line.Length;
        ParseResult parsed = Cli.Root().Parse(ApartFromOption(line));
        StandardStreams.WriteLines(parsed.GetCompletions(at).Select(item => item.InsertText ?? item.Label));
        return ExitCodes.Ok;
    }

    /// <summary>The line with the value of its last option as a word of its own: the parser completes <c>--sem
    /// posix:/</c>, and fails at <c>--sem=posix:/</c>.</summary>
    private static string ApartFromOption(string line)
    {
        int word = line.LastIndexOf(' ') + 1;
        int equals = line.IndexOf('=', word);
        return equals > 0 && line.AsSpan(word).StartsWith("--") ? $"{line[..equals]} {line[(equals + 1)..]}" : line;
    }
}
