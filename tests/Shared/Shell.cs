using System.Diagnostics;

namespace NativeIpc.Testing;

/// <summary>Runs a program to its end.</summary>
internal static class Shell
{
    private static readonly TimeSpan s_watchdog = Patience.Minutes(1);

    /// <summary>
    /// Runs a program and collects what it writes. A program still running when the watchdog goes off is killed with
    /// all its children, and the test fails with what was written until then.
    /// </summary>
    /// <param name="program">A path, or a name on PATH.</param>
    /// <param name="arguments">Passed as they are, without a shell.</param>
    /// <param name="workingDirectory">The folder to run in; null is the current one.</param>
    /// <param name="environment">Variables to set, or to remove where the value is null.</param>
    /// <param name="watchdog">One minute unless given.</param>
    internal static ShellResult Run(
        string program,
        IEnumerable<string> arguments,
        string? workingDirectory = null,
        IEnumerable<KeyValuePair<string, string?>>? environment = null,
        TimeSpan? watchdog = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (KeyValuePair<string, string?> variable in environment ?? [])
            start.Environment[variable.Key] = variable.Value;

        using var process = new Process { StartInfo = start };
        process.Start();
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();

        // The pipes end when the last process that holds them ends, so this waits for children left behind, too.
        bool ended = Task.WaitAll([output, error, process.WaitForExitAsync()], watchdog ?? s_watchdog);
        if (!ended)
        {
            process.Kill(entireProcessTree: true);
            Task.WaitAll([output, error], Patience.Seconds(5));
            throw new TimeoutException($"The watchdog ended {program}.\n{Text(output)}\n{Text(error)}");
        }

        return new ShellResult(program, process.ExitCode, output.Result, error.Result);
    }

    private static string Text(Task<string> text) => text.IsCompletedSuccessfully ? text.Result : "";
}

/// <summary>What a program gave.</summary>
internal sealed record ShellResult(string Program, int ExitCode, string Output, string Error)
{
    /// <summary>The standard output of a program that ended with 0; otherwise fails with everything it wrote.</summary>
    internal string Succeeded => ExitCode == 0
        ? Output
        : throw new InvalidOperationException($"{Program} ended with {ExitCode}.\n{Output}\n{Error}");
}
