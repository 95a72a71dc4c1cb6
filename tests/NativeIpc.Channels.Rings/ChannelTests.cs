using System.Diagnostics;
using System.Reflection;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>What the tests share: unique keys, and other processes.</summary>
public abstract class ChannelTests : IDisposable
{
    private readonly List<Process> _peers = [];

    /// <summary>Whether <c>./test.sh --long</c> asks for the full numbers.</summary>
    private protected static bool IsLong { get; } = Environment.GetEnvironmentVariable("NATIVEIPC_LONG") is not null;

    private protected TestNames Names { get; } = new();

    /// <summary>Longer than anything takes here; a wait that needs it has failed.</summary>
    private protected static TimeSpan Watchdog { get; } = Patience.Seconds(60);

    private protected virtual NativeIpcKeyType KeyType => NativeIpcKeyType.PosixRealtime;

    private protected NativeIpcKey NextKey() => Names.Next(KeyType);

    private protected static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Another one in each run; the output of a test that failed says which.</summary>
    private protected static Random NewRandom()
    {
        int seed = Environment.ProcessId;
        TestContext.Current.TestOutputHelper?.WriteLine($"Seed {seed}.");
        return new Random(seed);
    }

    /// <summary>Starts the second process; <see cref="Line"/> reads what it says.</summary>
    private protected Process Peer(params string[] arguments) => Start(OperatingSystem.IsWindows()
        ? Path.Combine(AppContext.BaseDirectory, "NativeIpc.Channels.Peer.exe") // eng/wine-publish.sh puts it there
        : Path.Combine(Metadata("PeerFolder"), "NativeIpc.Channels.Peer"), arguments);

    private protected Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        start.Environment["PYTHONPATH"] = Path.Combine(Metadata("Repository"), "interop", "python");
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        var peer = Process.Start(start)!;
        _peers.Add(peer);
        return peer;
    }

    /// <summary>Forgets a peer that has ended.</summary>
    private protected void Release(Process peer)
    {
        _peers.Remove(peer);
        peer.Dispose();
    }

    private protected static string? Line(Process peer)
    {
        Task<string?> reading = peer.StandardOutput.ReadLineAsync();
        Assert.True(reading.Wait(Watchdog), "The peer says nothing.");
        return reading.Result;
    }

    private protected static void Ended(Process peer) => Assert.True(peer.WaitForExit(Watchdog), "The peer goes on.");

    internal static string Metadata(string key)
        => typeof(ChannelTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == key).Value!;

    public void Dispose()
    {
        foreach (Process peer in _peers)
        {
            if (!peer.HasExited) peer.Kill();
            peer.WaitForExit();
            peer.Dispose();
        }

        Names.Dispose();
        GC.SuppressFinalize(this);
    }
}
