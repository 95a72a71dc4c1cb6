using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace NativeIpc.Guides;

/// <summary>A terminal of a page: commands after a prompt, each followed by what it prints.</summary>
internal sealed partial class Terminal : IDisposable
{
    private readonly Machine _machine;
    private readonly string _folder;
    private readonly IReadOnlyDictionary<string, string?> _environment;
    private readonly List<(string Command, string Expected)> _commands = [];
    private readonly StringBuilder _transcript = new();
    private readonly TaskCompletionSource _firstLine = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _enter;
    private readonly Lock _gate = new();
    private Process? _process;
    private bool _disposed;

    /// <param name="text">The block of the page.</param>
    /// <param name="machine">Where the commands run.</param>
    /// <param name="folder">The folder that they run in.</param>
    /// <param name="environment">Their environment.</param>
    /// <param name="enter">When somebody presses Enter here: the input of the commands ends then.</param>
    internal Terminal(string text, Machine machine, string folder, IReadOnlyDictionary<string, string?> environment,
        Task enter)
    {
        _enter = enter;
        _machine = machine;
        _folder = folder;
        _environment = environment;
        foreach (string line in text.TrimEnd('\n').Split('\n'))
        {
            if (Prompt().Match(line) is { Success: true } prompt) _commands.Add((prompt.Groups[1].Value, ""));
            else if (_commands.Count == 0) throw new FormatException("A terminal begins with a prompt: " + line);
            else _commands[^1] = (_commands[^1].Command, _commands[^1].Expected + line + "\n");
        }
    }

    /// <summary>Ends when the first line was printed, or all has ended.</summary>
    internal Task FirstLine => _firstLine.Task;

    internal string Transcript
    {
        get
        {
            lock (_gate) return _transcript.ToString();
        }
    }

    /// <summary>Runs the commands one after the other; false as soon as one failed or printed something else than the
    /// page says.</summary>
    internal async Task<bool> RunAsync()
    {
        try
        {
            foreach ((string command, string expected) in _commands)
            {
                if (!await RunAsync(command, expected).ConfigureAwait(false)) return false;
            }

            return true;
        }
        finally
        {
            _firstLine.TrySetResult();
        }
    }

    /// <summary>Ends what still runs.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _process?.Kill(entireProcessTree: true);
        }
    }

    private async Task<bool> RunAsync(string command, string expected)
    {
        Write("$ " + command);
        (string program, string[] arguments) = _machine.Command(command, _folder);
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true,
            RedirectStandardOutput = true };
        foreach ((string name, string? value) in _environment) start.Environment[name] = value;

        using var process = new Process { StartInfo = start };
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            process.Start();
            _process = process;
        }

        StreamWriter input = process.StandardInput;
        _ = _enter.ContinueWith(_ => input.Close(), TaskScheduler.Default);
        var actual = new StringBuilder();
        while (await process.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            if (!string.IsNullOrWhiteSpace(line)) actual.Append(line.Trim()).Append('\n');
            Write(line);
            _firstLine.TrySetResult();
        }

        await process.WaitForExitAsync().ConfigureAwait(false);
        lock (_gate) _process = null;

        if (process.ExitCode != 0) Write($"(ended with {process.ExitCode})");
        bool asThePageSays = Pattern(expected).IsMatch(actual.ToString());
        if (!asThePageSays) Write("(the page says:)\n" + expected);
        return process.ExitCode == 0 && asThePageSays;
    }

    // A line that is only "…" stands for any number of lines, "…" within a line for any text. Blanks count as one,
    // empty lines not at all.
    private static Regex Pattern(string expected) => new(
        "^" + string.Concat(expected.Split('\n',
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => line == "…"
            ? "(.*\n)*"
            : Blanks().Replace(Regex.Escape(Blanks().Replace(line, "\u0001")).Replace("…", ".*",
                StringComparison.Ordinal), "\u0001").Replace("\u0001", "[ \t]+",
                    StringComparison.Ordinal) + "\n")) + "$",
        RegexOptions.CultureInvariant);

    private void Write(string line)
    {
        lock (_gate) _transcript.Append(line).Append('\n');
    }

    [GeneratedRegex(@"^(?:\$|>) (.+)$")]
    private static partial Regex Prompt();

    [GeneratedRegex("[ \t]+")]
    private static partial Regex Blanks();
}
