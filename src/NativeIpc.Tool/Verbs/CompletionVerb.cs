using System.CommandLine;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc completion</c>: what a shell needs to complete the verbs and options, by the parser's own directive <c>[suggest]</c>.</summary>
internal static class CompletionVerb
{
    private static readonly Argument<string> s_shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" }.AcceptOnlyFromAmong("bash", "zsh", "fish");

    private const string Bash = """
        _nipc() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(nipc "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _nipc nipc

        """;

    private const string Zsh = """
        _nipc() {
            local -a words
            words=("${(@f)$(nipc "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
            compadd -- $words || _files
        }
        compdef _nipc nipc

        """;

    private const string Fish = """
        complete -c nipc -a '(nipc "[suggest:"(commandline -C)"]" (commandline -b) 2>/dev/null)'

        """;

    public static Command Command() => new Verb("completion", "Print completion for a shell. It completes verbs and options.",
        "completion bash > ~/.local/share/bash-completion/completions/nipc", "completion fish > ~/.config/fish/completions/nipc.fish")
    {
        s_shell,
    }.Does(parsed =>
    {
        Console.Out.Write(parsed.GetValue(s_shell) switch
        {
            "zsh" => Zsh,
            "fish" => Fish,
            _ => Bash,
        });
        return ExitCodes.Ok;
    });
}
