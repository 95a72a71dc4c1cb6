using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Text;

namespace NativeIpc.Foreign;

/// <summary>A process of another language that is commanded line by line (tests/peers/PROTOCOL.md).</summary>
/// <remarks>Nothing waits without a watchdog: a peer that does not answer in time is killed, and the test fails with
/// what was said.</remarks>
internal sealed class ForeignPeer : IDisposable
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(120);
    private static readonly ConcurrentDictionary<int, byte> s_everStarted = new();

    private readonly Process _process;
    private readonly StringBuilder _transcript = new();
    private bool _isOver;

    private ForeignPeer(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.StandardInputEncoding = new UTF8Encoding(false);
        start.StandardOutputEncoding = new UTF8Encoding(false);
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => Note("!", line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        s_everStarted[_process.Id] = 0;
    }

    internal int Id => _process.Id;

    /// <summary>Starts a peer of the index; skips the test when it is missing.</summary>
    internal static ForeignPeer Start(PeerKind kind) => Start(kind.Name);

    /// <summary>Starts a peer by its name in the index; skips the test when it is missing.</summary>
    internal static ForeignPeer Start(string name)
    {
        string[] words = PeerIndex.Require(name);
        return new ForeignPeer(new ProcessStartInfo(words[0], words[1..]));
    }

    /// <summary>Starts a peer of the index as the first process of another PID namespace, in which it sees none of the
    /// others. Needs root.</summary>
    internal static ForeignPeer StartApart(PeerKind kind)
    {
        string[] words = PeerIndex.Require(kind.Name);
        return new ForeignPeer(new ProcessStartInfo("unshare", ["--pid", "--fork", "--kill-child", .. words]));
    }

    /// <summary>Starts a process of ours that speaks the same protocol: NATIVEIPC_PEER, or where the build has put
    /// it.</summary>
    internal static ForeignPeer StartOurs()
        => Start([Environment.GetEnvironmentVariable("NATIVEIPC_PEER") is { Length: > 0 } given ? given : OurProgram]);

    /// <summary>Starts a program by the words of its command line.</summary>
    internal static ForeignPeer Start(IReadOnlyList<string> words)
        => new(new ProcessStartInfo(words[0], words.Skip(1)));

    /// <summary>Where the build has put ours.</summary>
    internal static string OurProgram { get; } = Built("OurPeer");

    /// <summary>Ours as a native file, where the step aot has put it.</summary>
    internal static string OurNativeProgram { get; } = Path.Combine(Built("Artifacts"), "aot/peer/NativeIpc.Peer");

    private static string Built(string what) => typeof(ForeignPeer).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().First(data => data.Key == what).Value!;

    /// <summary>Whether a process was one of the peers of this run.</summary>
    internal static bool WasStarted(int processId) => s_everStarted.ContainsKey(processId);

    /// <summary>A key as one word.</summary>
    internal static string Word(in NativeIpcKey key) => key.ToString().Replace(" ", "%20", StringComparison.Ordinal);

    /// <summary>Any text as one word.</summary>
    internal static string Word(string text) => Uri.EscapeDataString(text);

    /// <summary>Sends a command without waiting for what it gives.</summary>
    internal void Post(string command)
    {
        Note(">", command);
        _process.StandardInput.Write(command + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Waits for one line, such as <c>locking</c>.</summary>
    internal void Await(string line)
    {
        if (ReadLine() != line) throw Broken($"Expected '{line}'.");
    }

    /// <summary>Waits for the answer of a posted command: what follows <c>ok</c>.</summary>
    internal string Answer()
    {
        string answer = AnswerLine();
        return answer == "ok" ? "" : answer.StartsWith("ok ", StringComparison.Ordinal)
            ? answer[3..] : throw Broken("Expected 'ok'.");
    }

    /// <summary>Sends a command that must succeed: what follows <c>ok</c>.</summary>
    internal string Ask(string command)
    {
        Post(command);
        return Answer();
    }

    /// <summary>Sends a command that must fail: the kind of the error.</summary>
    internal string AskFailing(string command) => AskFailingLine(command).Split(' ')[0];

    /// <summary>Sends a command that must fail: kind and message.</summary>
    internal string AskFailingLine(string command)
    {
        Post(command);
        return Failure();
    }

    /// <summary>Waits for a posted command to fail: kind and message.</summary>
    internal string Failure()
    {
        string answer = AnswerLine();
        return answer.StartsWith("error ", StringComparison.Ordinal) ? answer[6..] : throw Broken("Expected an error.");
    }

    /// <summary>Ends it as a crash does (SIGKILL), and waits until it is gone.</summary>
    internal void Kill()
    {
        if (_isOver) return;
        _isOver = true;
        _process.Kill();
        WaitForEnd();
    }

    /// <summary>Stops it (SIGSTOP), and waits until it stands still.</summary>
    internal void Stop()
    {
        Signal("STOP");
        if (!SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{Id}/stat").Split(") ")[^1][0] == 'T', s_watchdog))
            throw Broken("It does not stop.");
    }

    /// <summary>Lets a stopped one go on.</summary>
    internal void Continue() => Signal("CONT");

    private void Signal(string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", $"{Id}"]);
        kill.WaitForExit();
        if (kill.ExitCode != 0) throw Broken($"kill ended with {kill.ExitCode}.");
    }

    /// <summary>Ends it by the command <c>exit</c>: normally, nothing let go of.</summary>
    internal void Exit() => End("exit");

    /// <summary>Ends it by the command <c>quit</c>: everything let go of.</summary>
    internal void Quit() => End("quit");

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    private void End(string command)
    {
        Ask(command);
        _isOver = true;
        WaitForEnd();
        if (_process.ExitCode != 0) throw Broken($"It ended with {_process.ExitCode}.");
    }

    private void WaitForEnd()
    {
        if (_process.WaitForExit(s_watchdog)) return;
        _process.Kill();
        throw Broken("It did not end.");
    }

    private string AnswerLine()
    {
        string line = ReadLine();
        return line is "locking" or "acquiring" or "waiting" or "opening" or "closing" ? ReadLine() : line;
    }

    private string ReadLine()
    {
        Task<string?> reading = _process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(s_watchdog))
            throw Broken($"The watchdog ended it: no answer in {s_watchdog.TotalSeconds} s.");
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
}
