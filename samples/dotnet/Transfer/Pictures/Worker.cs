using System.Diagnostics;
using NativeIpc;

namespace Transfer.Pictures;

/// <summary>A process of the show, which ends with its standard input. Disposing ends it, at once when it does not
/// heed that.</summary>
internal sealed class Worker : IDisposable
{
    // Of a process that starts on a busy machine, and of a terminal that is slow to take a picture.
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan s_heed = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly List<string> _complaints = [];

    private Worker(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardError = true;
        _process = Process.Start(start)!;
        Ended = _process.WaitForExitAsync();
    }

    public int Id => _process.Id;

    /// <summary>Completes when it has ended.</summary>
    public Task Ended { get; }

    /// <summary>The process that draws: this very program.</summary>
    public static Worker StartDrawer(NativeIpcKey key, string? frames)
    {
        PeerProgram self = PeerProgram.Dotnet();
        return new Worker(new ProcessStartInfo(self.File, [.. self.FirstArguments[..^1], "draw", key.ToString(),
            .. frames is null ? Array.Empty<string>() : [frames]]) { RedirectStandardOutput = true });
    }

    public static Worker StartViewer(ProcessStartInfo program, NativeIpcKey key, (int Columns, int Rows)? terminal)
    {
        program.ArgumentList.Add(key.NativeKey);
        if (terminal is { } size)
        {
            program.ArgumentList.Add($"{size.Columns}");
            program.ArgumentList.Add($"{size.Rows}");
        }

        return new Worker(program);
    }

    /// <summary>Its next report.</summary>
    public async Task<Report> ReadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            string? line = await _process.StandardError.ReadLineAsync(cancellation).AsTask().WaitAsync(s_patience,
                cancellation);
            if (line is null) throw await EndedEarlyAsync(cancellation);
            if (Report.Parse(line) is { } report) return report;
            _complaints.Add(line);
        }
    }

    public void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Kills it with SIGKILL: it does nothing any more.</summary>
    public async Task KillAsync(CancellationToken cancellation)
    {
        _process.Kill();
        await Ended.WaitAsync(s_patience, cancellation);
    }

    /// <summary>Ends its standard input and waits for its end, which must be a good one.</summary>
    public async Task EndAsync(CancellationToken cancellation)
    {
        _process.StandardInput.Close();
        await Ended.WaitAsync(s_patience, cancellation);
        if (_process.ExitCode != 0) throw await EndedEarlyAsync(cancellation);
    }

    /// <summary>That it has ended, and what it said.</summary>
    public async Task<IOException> EndedEarlyAsync(CancellationToken cancellation)
    {
        await Ended.WaitAsync(s_patience, cancellation);
        _complaints.Add(await _process.StandardError.ReadToEndAsync(cancellation).WaitAsync(s_patience, cancellation));
        return new IOException($"Process {Id} ended with code {_process.ExitCode}. "
            + string.Join('\n', _complaints).Trim());
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.Close(); // a viewer leaves the terminal in order
            if (!_process.WaitForExit(s_heed)) _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
