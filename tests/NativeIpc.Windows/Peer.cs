using System.Diagnostics;
using System.Text;
using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>A running tests/peers/windows/peer.c, which uses the Windows API alone.</summary>
internal sealed class Peer : IDisposable
{
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private readonly Process _process;

    private Peer(Process process) => _process = process;

    internal static Peer Start()
    {
        string? chosen = Environment.GetEnvironmentVariable("NATIVEIPC_WINDOWS_PEER");
        string path = string.IsNullOrEmpty(chosen) ? Path.Combine(AppContext.BaseDirectory, "peer.exe") : chosen;
        if (!File.Exists(path))
        {
            string reason = $"{path} is missing: build tests/peers/windows/peer.c (eng/wine-publish.sh does), or set "
                + $"NATIVEIPC_WINDOWS_PEER.";
            if (!string.IsNullOrEmpty(chosen)
                || string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase))
                Assert.Fail(reason);
            Assert.Skip(reason);
        }

        var start = new ProcessStartInfo(path, ["session"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardInputEncoding = s_utf8,
            StandardOutputEncoding = s_utf8,
        };
        return new Peer(WineStart.Process(start));
    }

    /// <summary>Sends a command and does not wait for its answer.</summary>
    internal void Tell(params object[] command)
    {
        _process.StandardInput.Write(string.Join('\t', command) + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>The answer to the oldest command that has had none.</summary>
    internal string Answer()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        if (!line.Wait(Patience.Seconds(30))) throw new TimeoutException("The peer does not answer.");
        return line.Result ?? throw new InvalidOperationException("The peer has ended.");
    }

    internal string Ask(params object[] command)
    {
        Tell(command);
        return Answer();
    }

    /// <summary>For the functions of the system that take a process.</summary>
    internal System.Runtime.InteropServices.SafeHandle Handle => _process.SafeHandle;

    internal void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited) Kill();
        _process.Dispose();
    }
}
