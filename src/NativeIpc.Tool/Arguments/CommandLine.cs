using System.CommandLine;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool.Arguments;

/// <summary>The words of the command line before they are parsed: the spellings that people try, and where the command
/// of <c>run</c> begins.</summary>
internal static class CommandLine
{
    public static string[] Normalize(string[] words) => words switch
    {
        [] or ["help"] => ["--help"],
        ["help", .. string[] verb] => [.. verb, "--help"],
        ["ls", .. string[] rest] => ["list", .. rest],
        ["-V"] => ["--version"],
        ["run", ..] => BeginCommand(words, RunVerb.Command().Options),
        _ => words,
    };

    /// <summary>The verb that a mistyped word is nearest to; null when it is none, or near to none.</summary>
    public static string? Suggest(string word, Command root)
    {
        const int Farthest = 2;
        if (word.StartsWith('-')) return null;
        IEnumerable<string> verbs = root.Subcommands.Where(verb => !verb.Hidden).Select(verb => verb.Name);
        return verbs.Where(verb => verb != word && Distance(word, verb) <= Farthest)
            .MinBy(verb => Distance(word, verb));
    }

    /// <summary>How many letters have to be changed, added or left out (Levenshtein).</summary>
    private static int Distance(string one, string other)
    {
        int[] last = [.. Enumerable.Range(0, other.Length + 1)];
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
    /// timeout(1) read theirs.</summary>
    private static string[] BeginCommand(string[] words, IList<Option> options)
    {
        for (int i = 1; i < words.Length; i++)
        {
            string word = words[i];
            if (word == "--") return words;
            if (word.Length < 2 || word[0] != '-') return [.. words[..i], "--", .. words[i..]];
            if (word.Contains('=', StringComparison.Ordinal)) continue;
            Option? option = options.FirstOrDefault(option => option.Name == word || option.Aliases.Contains(word));
            if (option is not null && option.ValueType != typeof(bool)) i++; // its value
        }

        return words;
    }
}
