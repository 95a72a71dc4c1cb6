using System.CommandLine;
using System.CommandLine.Invocation;
using NativeIpc.Tool;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

try
{
    StandardStreams.Install();

    if (args is [['[', 's', 'u', 'g', 'g', 'e', 's', 't', ':', .. string position], string line])
        return Suggestions.Print(line, position.TrimEnd(']'));

    // A word that starts with @ is an argument like any other, and no file of arguments.
    string[] words = CommandLine.Normalize(args);
    ParseResult parsed = Cli.RootOf(words).Parse(words, new ParserConfiguration { ResponseFileTokenReplacer = null });
    bool isUnknown = parsed.CommandResult.Command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count > 0;
    if (parsed.Action is ParseErrorAction || (isUnknown && parsed.Action is HelpText))
    {
        foreach (string complaint in CommandLine.Complaints(parsed)) Failures.Say(complaint);
        Console.Error.WriteLine($"Try '{Cli.PathOf(parsed.CommandResult.Command)} --help'.");
        return ExitCodes.Usage;
    }

    // Signals are the verbs' own business (Interruption): the parser's two seconds of grace would end a wait for a
    // permit half way.
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false,
        ProcessTerminationTimeout = null });
}
catch (OperationCanceledException) when (Interruption.Signal != 0)
{
    return ExitCodes.Signalled + Interruption.Signal;
}
catch (Exception failure) when (Failures.TryReport(failure, out int exitCode))
{
    return exitCode;
}
