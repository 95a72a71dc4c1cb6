using System.CommandLine;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc completion</c>: what a shell needs to complete verbs, options and keys that are there, by the
/// parser's own directive <c>[suggest]</c>.</summary>
internal static class CompletionVerb
{
    private static readonly Argument<string> s_shell = new Argument<string>("SHELL")
        { Description = "bash, zsh or fish" }.AcceptOnlyFromAmong("bash", "zsh", "fish");

    // Bash breaks words at colons and equal signs: what stands before the last one is left out of the answer. Names are
    // other people's text: they are never expanded (compgen -W would run a $(…) in them), and quoted. The tool knows no
    // backslash: it is asked for what begins as the word does before the first one.
    private const string Bash = """
        _nipc() {
            local line=${COMP_LINE:0:COMP_POINT} pattern='((\\.|[^[:space:]\\])*)$' candidate quoted
            [[ $line =~ $pattern ]]
            local word=${BASH_REMATCH[1]}
            line=${line%"$word"}${word%%\\*}
            local kept=${word%"${word##*[:=]}"}
            [[ $COMP_WORDBREAKS == *:* && $COMP_WORDBREAKS == *=* ]] || kept=
            COMPREPLY=()
            while IFS= read -r candidate; do
                [[ $candidate == -* && $word != -* ]] && continue
                printf -v quoted %q "$candidate"
                [[ $word == --*=* ]] && quoted=${word%%=*}=$quoted
                [[ $quoted == "$word"* ]] && COMPREPLY+=("${quoted#"$kept"}")
            done < <(nipc "[suggest:${#line}]" "$line" 2>/dev/null)
        }
        complete -o default -F _nipc nipc

        """;

    private const string Zsh = """
        #compdef nipc
        _nipc() {
            local line="${(j: :)words[1,CURRENT-1]} ${words[CURRENT]%%\\*}"
            local -a candidates
            candidates=("${(@f)$(nipc "[suggest:${#line}]" "$line" 2>/dev/null)}")
            [[ $words[CURRENT] == -* ]] || candidates=(${candidates:#-*})
            compset -P '--*='
            compadd -- ${candidates:#} || _files
        }
        if [ "$funcstack[1]" = _nipc ]; then _nipc "$@"; else compdef _nipc nipc; fi

        """;

    private const string Fish = """
        function __nipc_complete
            set -l word (commandline -ct)
            set -l line (commandline -cp | string replace -r '\\\\[^\\\\].*$' '')
            set -l option (string match -r -- '^--[^=]*=' "$word")
            for candidate in (nipc "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null)
                if string match -q -- '-*' "$word"; or not string match -q -- '-*' "$candidate"
                    echo -- "$option$candidate"
                end
            end
        end
        complete -c nipc -f -a '(__nipc_complete)'
        complete -c nipc -n '__fish_seen_subcommand_from dump restore run demo layout' -F

        """;

    public static Command Command()
        => new Verb("completion", "Print completion for a shell. It completes verbs, options and existing keys.",
        "completion bash > ~/.local/share/bash-completion/completions/nipc",
        "completion fish > ~/.config/fish/completions/nipc.fish")
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
