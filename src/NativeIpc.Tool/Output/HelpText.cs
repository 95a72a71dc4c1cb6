using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>The help of a verb, on one screen: usage, what it does, arguments, options, examples. Lines have at most 80
/// columns.</summary>
internal sealed class HelpText : SynchronousCommandLineAction
{
    private const int Width = 80;
    private const int Indent = 24;

    public override int Invoke(ParseResult parseResult)
    {
        Console.Out.Write(For(parseResult.CommandResult.Command));
        return ExitCodes.Ok;
    }

    public static string For(Command command)
    {
        var text = new StringBuilder();
        bool isRoot = command.Parents.Any() is false;
        text.Append("Usage: ").Append(Usage(command));

        // The list of verbs has no line to spare, nor one for what nipc is: the verbs say that.
        text.Append(isRoot ? " ('nipc COMMAND --help' says more, --version the version)\n" : "\n");
        if (!isRoot) Wrap(text, command.Description ?? "", 0);

        foreach (Command sub in command.Subcommands.Where(sub => !sub.Hidden))
            Row(text, sub.Name, FirstSentence(sub.Description));
        foreach (Argument argument in command.Arguments.Where(argument => !argument.Hidden))
            Row(text, NameOf(argument), argument.Description);
        foreach (Option option in Options(command)) Row(text, Spelling(option), option.Description);
        if (command is Verb { Examples: { Count: > 0 } examples })
        {
            text.Append("Examples:\n");
            foreach (string example in examples) text.Append("  nipc ").Append(example).Append('\n');
        }

        if (!isRoot && command.Subcommands.Any(sub => !sub.Hidden))
            text.Append($"'{Cli.PathOf(command)} COMMAND --help' says more, with examples.\n");
        return text.ToString();
    }

    /// <summary>How a command is typed: <c>nipc read KEY [OPTION]...</c></summary>
    internal static string Usage(Command command)
    {
        var text = new StringBuilder(Cli.PathOf(command));
        if (command.Subcommands.Any(sub => !sub.Hidden)) text.Append(" COMMAND");
        foreach (Argument argument in command.Arguments.Where(argument => !argument.Hidden))
            text.Append(argument.Arity.MinimumNumberOfValues == 0 ? $" [{NameOf(argument)}]" : $" {NameOf(argument)}")
                .Append(argument.Arity.MaximumNumberOfValues > 1 ? "..." : "");
        if (Options(command).Any()) text.Append(" [OPTION]...");
        return text.ToString();
    }

    /// <summary>Help and version are known by everybody, and not listed for each verb.</summary>
    internal static IEnumerable<Option> Options(Command command)
        => command.Options.Where(option =>
            option is not (System.CommandLine.Help.HelpOption or VersionOption) && !option.Hidden);

    private static string FirstSentence(string? text) => text is null
        ? "" : text.IndexOf(". ", StringComparison.Ordinal) is var end and > 0 ? text[..end] : text.TrimEnd('.');

    internal static string NameOf(Argument argument) => argument.HelpName ?? argument.Name.ToUpperInvariant();

    internal static string Spelling(Option option)
    {
        string names = string.Join(", ", option.Aliases.Concat([option.Name]).OrderBy(name => name.Length));
        return option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool)
            ? names : $"{names} {option.HelpName ?? "VALUE"}";
    }

    private static void Row(StringBuilder text, string left, string? right)
    {
        text.Append("  ").Append(left);
        int column = left.Length + 2;
        if (column > Indent - 2)
        {
            text.Append('\n');
            column = 0;
        }

        text.Append(' ', Indent - column);
        Wrap(text, right ?? "", Indent);
    }

    /// <summary>Breaks text between words; the first line is taken to start at the indent already.</summary>
    private static void Wrap(StringBuilder text, string words, int indent)
    {
        int column = indent;
        foreach (string word in words.Split(' '))
        {
            if (column > indent && column + 1 + word.Length > Width)
            {
                text.Append('\n').Append(' ', indent);
                column = indent;
            }

            if (column > indent)
            {
                text.Append(' ');
                column++;
            }

            text.Append(word);
            column += word.Length;
        }

        text.Append('\n');
    }
}
