using System.Diagnostics;
using NativeIpc;

namespace Transfer;

/// <summary>How to start the second process in one language.</summary>
internal sealed record PeerProgram(string Language, string File, string[] FirstArguments)
{
    /// <summary>This very program.</summary>
    public static PeerProgram Dotnet()
    {
        string program = Environment.ProcessPath!;
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet"; // "dotnet Transfer.dll"
        return new PeerProgram(".NET", program,
            isHost ? [Environment.GetCommandLineArgs()[0], "receive"] : ["receive"]);
    }
}

/// <summary>The second process while it runs. Disposing it ends it.</summary>
internal sealed class Peer : IDisposable
{
    /// <summary>How long one side waits for a sign of life of the other.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Process _process;
    private readonly Task<string> _complaints;

    public Peer(PeerProgram program, params ReadOnlySpan<NativeIpcKey> keys)
    {
        var start = new ProcessStartInfo(program.File) { RedirectStandardInput = true, RedirectStandardOutput = true,
            RedirectStandardError = true };
        foreach (string argument in program.FirstArguments) start.ArgumentList.Add(argument);
        foreach (NativeIpcKey key in keys) start.ArgumentList.Add(key.ToString());
        _process = Process.Start(start)!;
        _complaints = _process.StandardError.ReadToEndAsync();
    }

    public int Id => _process.Id;

    /// <summary>The next line that it prints.</summary>
    public async Task<string> ReadLineAsync(CancellationToken cancellation)
    {
        string? line = await _process.StandardOutput.ReadLineAsync(cancellation).AsTask().WaitAsync(Patience,
            cancellation);
        return line ?? throw await EndedEarlyAsync(cancellation);
    }

    /// <summary>Takes a permit that the other process gives, unless it dies or is stuck.</summary>
    public async ValueTask AcquireAsync(SystemSemaphore semaphore, CancellationToken cancellation)
    {
        if (semaphore.TryAcquire()) return;
        long started = Stopwatch.GetTimestamp();
        while (!semaphore.TryAcquire(TimeSpan.FromMilliseconds(250), cancellation))
        {
            if (_process.HasExited) throw await EndedEarlyAsync(cancellation);
            if (Stopwatch.GetElapsedTime(started) > Patience) throw new TimeoutException($"Process {Id} is stuck.");
        }
    }

    /// <summary>Waits for its end, which must be a good one.</summary>
    public async Task WaitForExitAsync(CancellationToken cancellation)
    {
        await _process.WaitForExitAsync(cancellation).WaitAsync(Patience, cancellation);
        if (_process.ExitCode != 0) throw await EndedEarlyAsync(cancellation);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private async Task<IOException> EndedEarlyAsync(CancellationToken cancellation)
    {
        await _process.WaitForExitAsync(cancellation).WaitAsync(Patience, cancellation);
        string complaints = (await _complaints.WaitAsync(Patience, cancellation)).Trim();
        return new IOException($"Process {Id} ended with "
            + $"code {_process.ExitCode}{(complaints.Length > 0 ? $": {complaints}" : ", without a word")}");
    }
}
