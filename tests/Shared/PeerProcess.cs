using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeIpc.Testing;

/// <summary>
/// A second process that is commanded line by line (tests/peers/PROTOCOL.md). Rented ones go on living for the next
/// test; one that was killed, signalled or told to end does not.
/// </summary>
/// <remarks>Nothing waits without a watchdog: a peer that does not answer in time is killed, and the test fails with
/// what was said.</remarks>
internal sealed partial class PeerProcess : IDisposable
{
    internal const int SIGHUP = 1;
    internal const int SIGINT = 2;
    internal const int SIGKILL = 9;
    internal const int SIGTERM = 15;

    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);
    private static readonly ConcurrentBag<PeerProcess> s_idle = [];
    private static readonly ConcurrentDictionary<int, byte> s_everStarted = new();

    private readonly Process _process;
    private readonly StringBuilder _transcript = new();
    private readonly bool _isRented;
    private bool _isOver;
    private int _answersDue;

    private PeerProcess(ProcessStartInfo start, bool isRented)
    {
        _isRented = isRented;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.StandardInputEncoding = new UTF8Encoding(false);
        start.StandardOutputEncoding = new UTF8Encoding(false);
        _process = WineStart.Process(start);
        _process.ErrorDataReceived += (_, line) => Note("!", line.Data);
        _process.BeginErrorReadLine();
        s_everStarted[_process.Id] = 0;
    }

    /// <summary>The peer built from tests/NativeIpc.Peer: NATIVEIPC_PEER if set, else where the build has put
    /// it.</summary>
    internal static string Program { get; } =
        Environment.GetEnvironmentVariable("NATIVEIPC_PEER") is { Length: > 0 } given ? given : Built();

    /// <summary>Whether a process was one of the peers of this run.</summary>
    internal static bool WasStarted(int processId) => s_everStarted.ContainsKey(processId);

    internal int Id => _process.Id;

    /// <summary>A peer that may have served other tests before, with nothing open.</summary>
    internal static PeerProcess Rent() => s_idle.TryTake(out PeerProcess? idle)
        ? idle : new PeerProcess(new ProcessStartInfo(Program), isRented: true);

    /// <summary>A peer of its own.</summary>
    /// <param name="program">Another program that speaks the protocol; null for the one of this repository.</param>
    /// <param name="arguments">Its arguments.</param>
    internal static PeerProcess Start(string? program = null, params string[] arguments)
        => new(new ProcessStartInfo(program ?? Program, arguments), isRented: false);

    /// <summary>Ends the peers that nobody rents any more.</summary>
    internal static void EndIdle()
    {
        while (s_idle.TryTake(out PeerProcess? idle)) idle.Kill();
    }

    /// <summary>Sends a command without waiting for what it gives.</summary>
    internal void Post(string command)
    {
        Note(">", command);
        _answersDue++;
        _process.StandardInput.Write(command + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Lets it go on from where <c>holdat</c> holds it.</summary>
    internal void GoOn()
    {
        Note(">", "");
        _process.StandardInput.Write("\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Waits for one line, such as <c>locking</c>.</summary>
    internal void Await(string line)
    {
        string got = ReadLine(s_watchdog);
        if (got != line) throw Broken($"Expected '{line}'.");
    }

    /// <summary>Waits for the answer of a posted command: what follows <c>ok</c>.</summary>
    internal string Answer(TimeSpan? watchdog = null)
    {
        string answer = AnswerLine(watchdog);
        return answer == "ok" ? "" : answer.StartsWith("ok ", StringComparison.Ordinal)
            ? answer[3..] : throw Broken("Expected 'ok'.");
    }

    /// <summary>Waits for a posted command to fail: the kind of the error.</summary>
    internal string Failure() => FailureLine().Split(' ')[0];

    /// <summary>Sends a command that must succeed: what follows <c>ok</c>.</summary>
    internal string Ask(string command)
    {
        Post(command);
        return Answer();
    }

    /// <summary>Sends a command that must fail: the kind of the error.</summary>
    internal string AskFailing(string command)
    {
        Post(command);
        return Failure();
    }

    /// <summary>Waits for a posted command to fail: kind and message.</summary>
    internal string FailureLine()
    {
        string answer = AnswerLine(null);
        return answer.StartsWith("error ", StringComparison.Ordinal) ? answer[6..] : throw Broken("Expected an error.");
    }

    /// <summary>Waits for the whole answer line of a posted command, whatever it says.</summary>
    internal string AnswerOrFailure() => AnswerLine(null);

    /// <summary>Ends it as a crash does, and waits until it is gone.</summary>
    internal void Kill()
    {
        if (_isOver) return;
        _isOver = true;
        _process.Kill();
        WaitForEnd();
    }

    /// <summary>Sends a signal; <see cref="WaitForEnd"/> waits for what it does.</summary>
    internal void Signal(int signal)
    {
        _isOver = true;
        if (KillNative(_process.Id, signal) != 0) throw Broken($"kill({signal}) says {Marshal.GetLastPInvokeError()}.");
    }

    /// <summary>Ends it by the command <c>exit</c>: normally, nothing disposed.</summary>
    internal void Exit()
    {
        Ask("exit");
        _isOver = true;
        int code = WaitForEnd();
        if (code != 0) throw Broken($"It ended with {code}.");
    }

    /// <summary>Ends it by the command <c>quit</c>: everything disposed.</summary>
    internal void Quit()
    {
        Ask("quit");
        _isOver = true;
        int code = WaitForEnd();
        if (code != 0) throw Broken($"It ended with {code}.");
    }

    /// <summary>Waits until it has ended; the exit code, 128 and more for signals.</summary>
    internal int WaitForEnd()
    {
        _isOver = true;
        if (_process.WaitForExit(s_watchdog)) return _process.ExitCode;
        _process.Kill();
        throw Broken("It did not end.");
    }

    public void Dispose()
    {
        if (!_isOver && _isRented && _answersDue == 0)
        {
            try
            {
                Ask("reset");
                _transcript.Clear();
                s_idle.Add(this);
                return;
            }
            catch (InvalidOperationException)
            {
                // Broken, and killed: the test has its own failure to tell.
            }
        }

        if (!_isOver) Kill();
        _process.Dispose();
    }

    private string AnswerLine(TimeSpan? watchdog)
    {
        string line = ReadLine(watchdog ?? s_watchdog);
        if (line is "locking" or "acquiring" or "opening" or "waiting") line = ReadLine(watchdog ?? s_watchdog);
        _answersDue--;
        return line;
    }

    private string ReadLine(TimeSpan watchdog)
    {
        Task<string?> reading = _process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(watchdog)) throw Broken($"The watchdog ended it: no answer in {watchdog.TotalSeconds} s.");
        if (reading.Result is not { } line) throw Broken("It has ended.");
        Note("<", line);
        return line;
    }

    private InvalidOperationException Broken(string finding)
    {
        if (!_isOver && !_process.HasExited) Kill();
        _isOver = true;
        string state = _process.HasExited ? $" (ended with {_process.ExitCode})" : "";
        lock (_transcript) return new InvalidOperationException($"Peer {_process.Id}{state}: {finding}\n{_transcript}");
    }

    private void Note(string direction, string? line)
    {
        if (line is null) return;
        lock (_transcript) _transcript.Append(direction).Append(' ').Append(line).Append('\n');
    }

    private static string Built()
    {
        string? folder = typeof(PeerProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(data => data.Key == "PeerFolder")?.Value;
        return folder is null
            ? throw new InvalidOperationException("Set NATIVEIPC_PEER to the peer program.")
            : Path.Combine(folder, OperatingSystem.IsWindows() ? "NativeIpc.Peer.exe" : "NativeIpc.Peer");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillNative(int processId, int signal);
}
