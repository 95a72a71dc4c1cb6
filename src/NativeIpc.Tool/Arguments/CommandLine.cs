using System.CommandLine;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool.Arguments;

/// <summary>The words of the command line before they are parsed: the spellings that people try, and where the command
/// of <c>run</c> and <c>jobserver</c> begins.</summary>
internal static class CommandLine
{
    public static string[] Normalize(string[] words) => words switch
    {
        [] or ["help"] => ["--help"],
        ["help", .. string[] verb] => [.. verb, "--help"],
        ["ls", .. string[] rest] => ["list", .. rest],
        ["-V"] => ["--version"],
        ["run", ..] => BeginCommand(words, RunVerb.Command().Options),
        ["jobserver", ..] => BeginCommand(words, JobserverVerb.Command().Options),
        _ => words,
    };

    /// <summary>What is wrong with a command line, a sentence each.</summary>
    public static IEnumerable<string> Complaints(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (command.Subcommands.Count == 0) return parsed.Errors.Select(error => OneLine(error.Message));
        string path = Cli.PathOf(command);
        return parsed.UnmatchedTokens switch
        {
            [] => [$"'{path}' needs one of: {string.Join(", ",
                command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name))}."],
            [['-', ..] option, ..] => [$"'{option}' is no option of '{path}'."],
            [string word, ..] => [$"There is no verb '{$"{path} {word}"["nipc ".Length..]}'."
                + (Suggest(word, command) is { } meant ? $" Did you mean '{meant}'?" : "")],
        };
    }

    /// <summary>The parser lists what there is to choose from on lines of their own, whose ends are LF on Windows,
    /// too.</summary>
    private static string OneLine(string message)
    {
        message = message.ReplaceLineEndings("\n");
        int at = message.LastIndexOf(":\n\t'", StringComparison.Ordinal);
        if (at < 0) return message;
        string choice = message[(at + 1)..].Trim().Replace("\n\t", ", ", StringComparison.Ordinal);
        return $"{message[..at]}: {choice}.";
    }

    /// <summary>The verb that a mistyped word is nearest to; null when it is none, or near to none.</summary>
    public static string? Suggest(string word, Command command)
    {
        const int Farthest = 2;
        if (word.StartsWith('-')) return null;
        IEnumerable<string> verbs = command.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name);
        return verbs.Where(verb => verb != word && Distance(word, verb) <= Farthest)
            .MinBy(verb => Distance(word, verb));
    }

    /// <summary>How many letters have to be changed, added or left out (Levenshtein).</summary>
    private static int Distance(string one, string other)
    {
        int[] last = [.. Sequence.Range(0, other.Length + 1)];
        for (int i = 1; i <= one.Length; i++)
        {
            int[] row = new int[other.Length + 1];
            row[0] = i;
            for (int j = 1; j <= other.Length; j++)
                row[j] = Math.Min(Math.Min(row[j - 1], last[j]) + 1,
                    last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1));
            last = row;
        }

        return last[^1];
    }

    /// <summary>Puts <c>--</c> before the first word that is neither an option nor its value, as flock(1), env(1) and
    /// timeout(1) read theirs. An unknown option before it is refused: it would be taken for the command.</summary>
    private static string[] BeginCommand(string[] words, IList<Option> options)
    {
        for (int i = 1; i < words.Length; i++)
        {
            string word = words[i];
            if (word == "--") return words;
            if (word.Length < 2 || word[0] != '-') return [.. words[..i], "--", .. words[i..]];
            if (TakesNextWord(words[0], word, options)) i++;
        }

        return words;
    }

    /// <summary>Whether the value of an option is the word after it; an error for what is no option.</summary>
    private static bool TakesNextWord(string verb, string word, IList<Option> options)
    {
        if (word is "--help" or "-h" or "-?") return false;
        int valueAt = word.AsSpan().IndexOfAny('=', ':');
        if (Find(valueAt < 0 ? word : word[..valueAt]) is { } option)
            return valueAt < 0 && option.ValueType != typeof(bool);
        for (int i = 1; word[1] != '-' && i < word.Length; i++) // -On2, -n2
        {
            if (Find($"-{word[i]}") is not { } letter) break;
            if (letter.ValueType != typeof(bool)) return i == word.Length - 1;
            if (i == word.Length - 1) return false;
        }

        throw ToolException.Usage($"'{word}' is no option of 'nipc {verb}'. Those of the command come after its name; "
            + $"'nipc {verb} --help' lists the others.");

        Option? Find(string name)
            => options.FirstOrDefault(option => option.Name == name || option.Aliases.Contains(name));
    }
}
